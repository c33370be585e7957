// SPDX-License-Identifier: Apache-2.0
#include "src/store/tables.h"

#include <stddef.h>
#include <string.h>
#include "src/model/backend_health.h"
#include "src/model/cidr_group.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/endpoint_slice.h"
#include "src/model/identity.h"
#include "src/model/ip_allocation.h"
#include "src/model/ipcache_entry.h"
#include "src/model/lb.h"
#include "src/model/local_redirect.h"
#include "src/model/masquerade_range.h"
#include "src/model/namespace.h"
#include "src/model/node.h"
#include "src/model/plan.h"
#include "src/model/pod.h"
#include "src/model/policy.h"
#include "src/model/rule_set.h"
#include "src/model/service.h"
#include "src/model/service_request.h"
#include "src/model/source_problem.h"

/* A prefix without the padding behind it. */
_Static_assert(offsetof(struct cidr, prefix_len) == CIDR_KEY_BYTES - 1,
	       "address and length of a prefix must be adjacent");

/* KEY_BYTES(noun, member, n): the key is the first n bytes at the member. */
#define KEY_BYTES(noun, member, n)                                                    \
	static void noun##_key(const void *row, struct row_key *ret_key)              \
	{                                                                             \
		ret_key->data = (const uint8_t *)row + offsetof(struct noun, member); \
		ret_key->n_bytes = (n);                                               \
	}
/* KEY_TEXT(noun, member): the key is the text that the member points to, without its NUL. */
#define KEY_TEXT(noun, member)                                           \
	static void noun##_key(const void *row, struct row_key *ret_key) \
	{                                                                \
		ret_key->data = ((const struct noun *)row)->member;      \
		ret_key->n_bytes = strlen(ret_key->data);                \
	}

KEY_TEXT(namespace, meta.key)
KEY_TEXT(node, meta.key)
KEY_TEXT(pod, meta.key)
KEY_TEXT(source_problem, key)
KEY_TEXT(policy, meta.key)
KEY_TEXT(cidr_group, meta.key)
KEY_TEXT(service, meta.key)
KEY_TEXT(endpoint_slice, meta.key)
KEY_TEXT(local_redirect, meta.key)
KEY_TEXT(lb_service, key)
KEY_BYTES(service_request, id, sizeof(uint32_t))
KEY_BYTES(backend_health, key, sizeof(struct backend_health_key))
KEY_BYTES(rule_origin, number, sizeof(uint32_t))
KEY_BYTES(rule_set, number, sizeof(uint32_t))
KEY_BYTES(endpoint_policy, endpoint_id, sizeof(uint16_t))
KEY_BYTES(masquerade_range, cidr, CIDR_KEY_BYTES)
KEY_BYTES(device, ifindex, sizeof(uint32_t))
KEY_BYTES(endpoint, id, sizeof(uint16_t))
KEY_BYTES(ip_allocation, addr, sizeof(struct addr))
KEY_BYTES(identity, number, sizeof(uint32_t))
KEY_BYTES(endpoint_state, id, sizeof(uint16_t))
KEY_BYTES(ipcache_entry, cidr, CIDR_KEY_BYTES)
KEY_BYTES(plan_attachment, key, sizeof(struct plan_attachment_key))
KEY_BYTES(plan_route, destination, CIDR_KEY_BYTES)

static void plan_map_entry_key(const void *row, struct row_key *ret_key)
{
	const struct plan_map_entry *entry = row;

	*ret_key = (struct row_key){.data = entry->data, .n_bytes = 1 + entry->n_key_bytes};
}

struct store *tables_new(struct tables *ret_tables)
{
	static const struct {
		size_t offset; /* of the table in struct tables */
		struct table_class class;
	} rows[] = {
#define TABLE(table, noun)                      \
	{                                       \
		offsetof(struct tables, table), \
		{                               \
			#table, noun##_key      \
		}                               \
	}
		TABLE(namespaces, namespace),
		TABLE(nodes, node),
		TABLE(pods, pod),
		TABLE(source_problems, source_problem),
		TABLE(masquerade_ranges, masquerade_range),
		TABLE(policies, policy),
		TABLE(cidr_groups, cidr_group),
		TABLE(services, service),
		TABLE(endpoint_slices, endpoint_slice),
		TABLE(local_redirects, local_redirect),
		TABLE(service_requests, service_request),
		TABLE(backend_health, backend_health),
		TABLE(devices, device),
		TABLE(endpoints, endpoint),
		TABLE(ip_allocations, ip_allocation),
		TABLE(identities, identity),
		TABLE(endpoint_states, endpoint_state),
		TABLE(ipcache, ipcache_entry),
		TABLE(active_policies, policy),
		TABLE(active_cidr_groups, cidr_group),
		TABLE(rule_origins, rule_origin),
		TABLE(plan_map_entries, plan_map_entry),
		TABLE(plan_attachments, plan_attachment),
		TABLE(plan_routes, plan_route),
		TABLE(lb_services, lb_service),
		TABLE(rule_sets, rule_set),
		TABLE(endpoint_policies, endpoint_policy),
#undef TABLE
	};
	struct store *store = store_new();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		*(struct table **)((char *)ret_tables + rows[i].offset) =
			table_new(store, &rows[i].class);
	return store;
}
