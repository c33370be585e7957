// SPDX-License-Identifier: Apache-2.0
#include "src/model/plan.h"

#include <string.h>

static bool plan_map_entry_equal(const struct row *row_a, const struct row *row_b)
{
	const struct plan_map_entry *a = (const struct plan_map_entry *)row_a;
	const struct plan_map_entry *b = (const struct plan_map_entry *)row_b;

	return a->n_key_bytes == b->n_key_bytes && a->n_value_bytes == b->n_value_bytes &&
	       a->endpoint_id == b->endpoint_id &&
	       memcmp(a->data, b->data, 1 + a->n_key_bytes + a->n_value_bytes) == 0;
}

const struct row_class plan_map_entry_class = {
	.name = "map entry",
	.size = sizeof(struct plan_map_entry),
	.equal = plan_map_entry_equal,
};

struct plan_map_entry *plan_map_entry_new(enum plan_map map, const void *key, size_t n_key_bytes,
					  const void *value, size_t n_value_bytes,
					  uint16_t endpoint_id)
{
	struct plan_map_entry *entry;

	g_assert(map < PLAN_MAP__MAX && n_key_bytes <= UINT16_MAX && n_value_bytes <= UINT16_MAX);
	entry = (struct plan_map_entry *)row_new_sized(&plan_map_entry_class,
						       1 + n_key_bytes + n_value_bytes);
	entry->n_key_bytes = n_key_bytes;
	entry->n_value_bytes = n_value_bytes;
	entry->endpoint_id = endpoint_id;
	entry->data[0] = map;
	memcpy(entry->data + 1, key, n_key_bytes);
	memcpy(entry->data + 1 + n_key_bytes, value, n_value_bytes);
	return entry;
}

static void plan_attachment_fini(struct row *row)
{
	g_free(((struct plan_attachment *)row)->ifname);
}

static bool plan_attachment_equal(const struct row *row_a, const struct row *row_b)
{
	const struct plan_attachment *a = (const struct plan_attachment *)row_a;
	const struct plan_attachment *b = (const struct plan_attachment *)row_b;

	return a->key.ifindex == b->key.ifindex && a->key.hook == b->key.hook &&
	       a->program == b->program && a->endpoint_id == b->endpoint_id &&
	       g_strcmp0(a->ifname, b->ifname) == 0;
}

const struct row_class plan_attachment_class = {
	.name = "attachment",
	.size = sizeof(struct plan_attachment),
	.fini = plan_attachment_fini,
	.equal = plan_attachment_equal,
};

static void plan_route_fini(struct row *row)
{
	g_free(((struct plan_route *)row)->ifname);
}

static bool plan_route_equal(const struct row *row_a, const struct row *row_b)
{
	const struct plan_route *a = (const struct plan_route *)row_a;
	const struct plan_route *b = (const struct plan_route *)row_b;

	return cidr_equal(&a->destination, &b->destination) &&
	       addr_equal(&a->gateway, &b->gateway) && addr_equal(&a->source, &b->source) &&
	       a->mtu == b->mtu && a->endpoint_id == b->endpoint_id &&
	       g_strcmp0(a->ifname, b->ifname) == 0;
}

const struct row_class plan_route_class = {
	.name = "route",
	.size = sizeof(struct plan_route),
	.fini = plan_route_fini,
	.equal = plan_route_equal,
};
