// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_draft.h"

#include <stdlib.h>
#include <string.h>
#include "src/model/connection_text.h"

static const char *const prefixes[LB_OWNER__MAX] = {
	[LB_OWNER_REDIRECT] = "redirect/",
	[LB_OWNER_SERVICE] = "",
	[LB_OWNER_HOST_PORT] = "hostport/",
	[LB_OWNER_REQUEST] = "request/",
};

struct lb_draft *lb_draft_new(const struct lb_owner *owner, const char *port_text, uint8_t protocol,
			      bool v4)
{
	struct lb_draft *draft = g_new0(struct lb_draft, 1);
	const char *prefix = prefixes[owner->kind];

	draft->key = port_text ? g_strdup_printf("%s%s:%s/%s/%c", prefix, owner->key, port_text,
						 protocol_format(protocol), v4 ? '4' : '6')
			       : g_strconcat(prefix, owner->key, NULL);
	draft->fields.protocol = protocol;
	draft->frontends = g_array_new(false, false, sizeof(struct lb_plan_frontend));
	draft->backends = g_array_new(false, false, sizeof(struct lb_plan_backend));
	return draft;
}

void lb_draft_free(struct lb_draft *draft)
{
	if (!draft)
		return;
	g_free(draft->key);
	g_array_unref(draft->frontends);
	g_array_unref(draft->backends);
	g_clear_pointer(&draft->source_ranges, g_array_unref);
	g_free(draft);
}

void lb_draft_add_frontend(struct lb_draft *draft, const struct addr *addr, uint16_t port,
			   enum lb_type type, uint16_t flags)
{
	struct lb_plan_frontend frontend = {
		.addr = *addr, .port = port, .flags = flags, .type = type};

	g_array_append_val(draft->frontends, frontend);
}

/* What the cluster gives goes before what is written into a Service. */
static int rank_of(enum lb_type type)
{
	static const uint8_t ranks[] = {
		[LB_TYPE_CLUSTER_IP] = 0,  [LB_TYPE_NODE_PORT] = 1,
		[LB_TYPE_HOST_PORT] = 1,   [LB_TYPE_LOAD_BALANCER] = 2,
		[LB_TYPE_EXTERNAL_IP] = 3, [LB_TYPE_LOCAL_REDIRECT] = 0,
	};

	return ranks[type];
}

static int compare_frontends(const void *pointer_a, const void *pointer_b)
{
	const struct lb_plan_frontend *a = pointer_a, *b = pointer_b;
	int order = addr_compare(&a->addr, &b->addr);

	if (order)
		return order;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return rank_of(a->type) - rank_of(b->type);
}

static int compare_backends(const void *pointer_a, const void *pointer_b)
{
	const struct lb_plan_backend *a = pointer_a, *b = pointer_b;
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->port - (int)b->port;
}

void lb_draft_sort(struct lb_draft *draft)
{
	GArray *frontends = draft->frontends;
	unsigned int n = 0;

	g_array_sort(frontends, compare_frontends);
	for (unsigned int i = 0; i < frontends->len; i++) {
		const struct lb_plan_frontend *frontend =
			&g_array_index(frontends, struct lb_plan_frontend, i);
		struct lb_plan_frontend *last =
			&g_array_index(frontends, struct lb_plan_frontend, n);

		if (n && addr_equal(&frontend->addr, &last[-1].addr) &&
		    frontend->port == last[-1].port)
			continue;
		*last = *frontend;
		n++;
	}
	g_array_set_size(frontends, n);
}

void lb_draft_sort_backends(struct lb_draft *draft)
{
	GArray *backends = draft->backends;
	unsigned int n = 0;

	g_array_sort(backends, compare_backends);
	for (unsigned int i = 0; i < backends->len; i++) {
		struct lb_plan_backend *all = (struct lb_plan_backend *)(void *)backends->data;

		if (n && !compare_backends(&all[i], &all[n - 1]))
			continue;
		all[n++] = all[i];
	}
	g_array_set_size(backends, n);
}

/* Prefixes of a manifest that differ in bits of the host alone are alike here. */
static void sort_ranges(GArray *ranges)
{
	unsigned int n = 0;

	g_array_sort(ranges, cidr_compare);
	for (unsigned int i = 0; i < ranges->len; i++) {
		struct cidr *all = (struct cidr *)(void *)ranges->data;

		if (!n || !cidr_equal(&all[i], &all[n - 1]))
			all[n++] = all[i];
	}
	g_array_set_size(ranges, n);
}

bool lb_draft_needs_maglev(const struct lb_draft *draft)
{
	if (draft->fields.algorithm != LB_ALGORITHM_MAGLEV)
		return false;
	for (unsigned int i = 0; i < draft->frontends->len; i++)
		if (g_array_index(draft->frontends, struct lb_plan_frontend, i).flags &
		    LB_FRONTEND_F_EXTERNAL)
			return true;
	return false;
}

/* 0 counts everywhere. */
static bool has_weights(const GArray *backends)
{
	uint16_t first = 0;

	for (unsigned int i = 0; i < backends->len; i++) {
		uint16_t weight = g_array_index(backends, struct lb_plan_backend, i).weight;

		if (first && weight && weight != first)
			return true;
		if (weight)
			first = weight;
	}
	return false;
}

const char *lb_draft_weight_fault(const struct lb_draft *draft)
{
	if (draft->fields.needs_maglev || !has_weights(draft->backends))
		return NULL;
	return draft->fields.algorithm == LB_ALGORITHM_MAGLEV
		       ? "only a service that clients outside reach has"
		       : "bpf-lb-algorithm: maglev makes";
}

struct lb_service *lb_draft_finish(struct lb_draft *draft)
{
	struct lb_service *fields = &draft->fields;

	g_array_sort(draft->frontends, compare_frontends);
	fields->frontends = (const struct lb_plan_frontend *)(void *)draft->frontends->data;
	fields->n_frontends = MIN(draft->frontends->len, UINT16_MAX);
	fields->backends = (const struct lb_plan_backend *)(void *)draft->backends->data;
	fields->n_backends = draft->backends->len;
	if (draft->source_ranges) {
		sort_ranges(draft->source_ranges);
		fields->source_ranges = (const struct cidr *)(void *)draft->source_ranges->data;
		fields->n_source_ranges = draft->source_ranges->len;
	}
	return lb_service_new(draft->key, fields);
}

/* How many bytes of the key of a row are its owner's; no name has a colon. */
static size_t owner_len(const char *row_key)
{
	return strcspn(row_key, ":");
}

/* A service has one slash in front of the colon; others, whatever their namespace is called, have two. */
enum lb_owner_kind lb_owner_kind_of(const char *row_key)
{
	size_t n_bytes = owner_len(row_key);
	unsigned int n_slashes = 0;

	if (!row_key[n_bytes])
		return LB_OWNER_REQUEST;
	for (size_t i = 0; i < n_bytes; i++)
		n_slashes += row_key[i] == '/';
	if (n_slashes == 1)
		return LB_OWNER_SERVICE;
	return g_str_has_prefix(row_key, prefixes[LB_OWNER_REDIRECT]) ? LB_OWNER_REDIRECT
								      : LB_OWNER_HOST_PORT;
}

char *lb_owner_of(const char *row_key, enum lb_owner_kind *ret_kind)
{
	enum lb_owner_kind kind = lb_owner_kind_of(row_key);
	size_t n_prefix_bytes = strlen(prefixes[kind]);

	*ret_kind = kind;
	return g_strndup(row_key + n_prefix_bytes, owner_len(row_key) - n_prefix_bytes);
}

int lb_bid_compare(const struct lb_bid *a, const struct lb_bid *b)
{
	int order = (int)lb_owner_kind_of(a->row_key) - (int)lb_owner_kind_of(b->row_key);

	if (!order)
		order = rank_of(a->type) - rank_of(b->type);
	return order ? order : strcmp(a->row_key, b->row_key);
}
