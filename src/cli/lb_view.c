/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/lb_view_private.h"

#include <arpa/inet.h>
#include <string.h>
#include "src/model/connection_text.h"
#include "src/model/lb.h"

/* Of slot_key(): the hash of a pointer is its lower half, which many sets have alike. */
static guint slot_hash(gconstpointer key)
{
	return (guint)((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

struct lb_view *lb_view_new(void)
{
	struct lb_view *view = g_new0(struct lb_view, 1);

	view->frontends = g_array_new(FALSE, FALSE, sizeof(struct frontend));
	view->backends = g_array_new(FALSE, FALSE, sizeof(struct backend));
	view->chunks = g_array_new(FALSE, FALSE, sizeof(struct chunk));
	view->ranges = g_array_new(FALSE, FALSE, sizeof(struct lb_source_range_key));
	view->affinities = g_array_new(FALSE, FALSE, sizeof(struct affinity));
	view->n_slots = g_hash_table_new(NULL, NULL);
	view->slots = g_hash_table_new(slot_hash, NULL);
	view->by_id = g_hash_table_new(NULL, NULL);
	view->outside = g_hash_table_new(NULL, NULL);
	return view;
}

void lb_view_free(struct lb_view *view)
{
	g_array_unref(view->frontends);
	g_array_unref(view->backends);
	g_array_unref(view->chunks);
	g_array_unref(view->ranges);
	g_array_unref(view->affinities);
	g_hash_table_unref(view->n_slots);
	g_hash_table_unref(view->slots);
	g_hash_table_unref(view->by_id);
	g_hash_table_unref(view->outside);
	g_free(view);
}

static gpointer slot_key(uint32_t set, uint32_t slot)
{
	return (gpointer)(uintptr_t)((uint64_t)set << 32 | slot);
}

void lb_view_add_frontend(struct lb_view *view, const struct lb_frontend_key *key,
			  const struct lb_frontend *frontend)
{
	struct frontend entry;

	memcpy(&entry.key, key, sizeof(entry.key));
	memcpy(&entry.value, frontend, sizeof(entry.value));
	g_array_append_val(view->frontends, entry);
	if (frontend->flags & LB_FRONTEND_F_EXTERNAL)
		g_hash_table_add(view->outside, GUINT_TO_POINTER(frontend->service));
}

void lb_view_add_set(struct lb_view *view, uint32_t set, const struct lb_set *value)
{
	g_hash_table_insert(view->n_slots, GUINT_TO_POINTER(set), GUINT_TO_POINTER(value->n_slots));
}

void lb_view_add_slot(struct lb_view *view, const struct lb_slot_key *key,
		      const struct lb_slot *slot)
{
	g_hash_table_insert(view->slots, slot_key(key->set, key->slot),
			    GUINT_TO_POINTER(slot->backend));
}

void lb_view_add_backend(struct lb_view *view, uint32_t id, const struct lb_backend *backend)
{
	struct backend entry = {.id = id};

	memcpy(&entry.value, backend, sizeof(entry.value));
	g_array_append_val(view->backends, entry);
}

void lb_view_add_chunk(struct lb_view *view, const struct lb_maglev_key *key,
		       const struct lb_maglev_chunk *chunk)
{
	struct chunk entry;

	memcpy(&entry.key, key, sizeof(entry.key));
	memcpy(&entry.value, chunk, sizeof(entry.value));
	g_array_append_val(view->chunks, entry);
}

void lb_view_add_range(struct lb_view *view, const struct lb_source_range_key *key)
{
	g_array_append_vals(view->ranges, key, 1);
}

void lb_view_add_affinity(struct lb_view *view, const struct lb_affinity_key *key,
			  const struct lb_affinity *affinity)
{
	struct affinity entry;

	memcpy(&entry.key, key, sizeof(entry.key));
	memcpy(&entry.value, affinity, sizeof(entry.value));
	g_array_append_val(view->affinities, entry);
}

/* ---- order ---- */

int lb_compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* IPv4 first. */
static int compare_addrs(const struct addr *a, const struct addr *b)
{
	if (addr_is_v4(a) != addr_is_v4(b))
		return addr_is_v4(a) ? -1 : 1;
	return addr_compare(a, b);
}

static int compare_frontends(gconstpointer a, gconstpointer b)
{
	const struct frontend *left = a, *right = b;
	int order = compare_addrs(&left->key.addr, &right->key.addr);

	if (!order)
		order = lb_compare_numbers(ntohs(left->key.port), ntohs(right->key.port));
	return order ? order : lb_compare_numbers(left->key.protocol, right->key.protocol);
}

static int compare_backends(gconstpointer a, gconstpointer b)
{
	return lb_compare_numbers(((const struct backend *)a)->id, ((const struct backend *)b)->id);
}

static int compare_chunks(gconstpointer a, gconstpointer b)
{
	const struct chunk *left = a, *right = b;
	int order = lb_compare_numbers(left->key.set, right->key.set);

	return order ? order : lb_compare_numbers(left->key.chunk, right->key.chunk);
}

static int compare_ranges(gconstpointer a, gconstpointer b)
{
	const struct lb_source_range_key *left = a, *right = b;
	struct addr addr_a = left->addr, addr_b = right->addr; /* aligned */
	int order = lb_compare_numbers(left->service, right->service);

	if (!order)
		order = compare_addrs(&addr_a, &addr_b);
	return order ? order : lb_compare_numbers(left->prefix_len, right->prefix_len);
}

static int compare_affinities(gconstpointer a, gconstpointer b)
{
	const struct affinity *left = a, *right = b;
	int order = compare_addrs(&left->key.client, &right->key.client);

	return order ? order : lb_compare_numbers(left->key.service, right->key.service);
}

void lb_view_sort(struct lb_view *view)
{
	g_array_sort(view->frontends, compare_frontends);
	g_array_sort(view->backends, compare_backends);
	g_array_sort(view->chunks, compare_chunks);
	g_array_sort(view->ranges, compare_ranges);
	g_array_sort(view->affinities, compare_affinities);
	for (guint i = 0; i < view->backends->len; i++) {
		const struct backend *backend = &g_array_index(view->backends, struct backend, i);

		g_hash_table_insert(view->by_id, GUINT_TO_POINTER(backend->id),
				    GUINT_TO_POINTER(i + 1));
	}
}

/* ---- texts ---- */

const char *lb_protocol_text(uint8_t protocol)
{
	return protocol ? protocol_format(protocol) : "ANY";
}

static void append_word(GString *text, bool on, const char *word)
{
	if (on)
		g_string_append_printf(text, ", %s", word);
}

/* A service that nobody outside may use has no table, whatever the node's algorithm is. */
static bool chooses_by_table(const struct lb_view *view, const struct lb_frontend *frontend)
{
	return frontend->algorithm == LB_ALGORITHM_MAGLEV &&
	       !(frontend->flags & LB_FRONTEND_F_WILDCARD) &&
	       g_hash_table_contains(view->outside, GUINT_TO_POINTER(frontend->service));
}

/* "ClusterIP, sessionAffinity, non-routable". g_free. */
static char *flags_text(const struct lb_view *view, const struct lb_frontend *frontend)
{
	GString *text = g_string_new(lb_type_name(frontend->type));
	uint16_t flags = frontend->flags;

	append_word(text, flags & LB_FRONTEND_F_EXTERNAL_LOCAL, "Local");
	append_word(text, flags & LB_FRONTEND_F_INTERNAL_LOCAL, "InternalLocal");
	append_word(text, frontend->affinity_timeout, "sessionAffinity");
	append_word(text, !(flags & LB_FRONTEND_F_EXTERNAL), "non-routable");
	append_word(text, flags & LB_FRONTEND_F_SOURCE_RANGES, "check source-range");
	append_word(text, flags & LB_FRONTEND_F_DENY_RANGES, "deny");
	append_word(text, flags & LB_FRONTEND_F_LOOPBACK, "loopback");
	append_word(text, flags & LB_FRONTEND_F_DSR, "dsr");
	append_word(text, chooses_by_table(view, frontend), "maglev");
	append_word(text, flags & LB_FRONTEND_F_WILDCARD, "wildcard");
	return g_string_free(text, FALSE);
}

static const struct lb_backend *find_backend(const struct lb_view *view, uint32_t id)
{
	guint place = GPOINTER_TO_UINT(g_hash_table_lookup(view->by_id, GUINT_TO_POINTER(id)));

	return place ? &g_array_index(view->backends, struct backend, place - 1).value : NULL;
}

/* "10.0.0.5:80/TCP", or that there is none. */
char *lb_format_backend(const struct lb_view *view, uint32_t id)
{
	const struct lb_backend *backend = find_backend(view, id);
	g_autofree char *end = NULL;

	if (!backend)
		return g_strdup_printf("backend %u not found", id);
	end = connection_format_end(&backend->addr, backend->port);
	return g_strdup_printf("%s/%s", end, lb_protocol_text(backend->protocol));
}

/* ---- front ends, and the slots of their sets ---- */

uint32_t lb_set_of(const struct frontend *frontend, enum lb_scope scope)
{
	uint16_t flag = scope == LB_SCOPE_INTERNAL ? LB_FRONTEND_F_INTERNAL_LOCAL
						   : LB_FRONTEND_F_EXTERNAL_LOCAL;

	return LB_SET(frontend->value.service, frontend->value.flags & flag ? 1U : 0U);
}

struct group {
	const struct lb_view *view;
	const struct frontend *frontend;
	enum lb_scope scope;
	bool with_addresses;
	lb_row_fn fn;
	void *data;
};

static uint32_t n_slots(const struct lb_view *view, uint32_t set)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(view->n_slots, GUINT_TO_POINTER(set)));
}

static char *group_key(const struct group *group)
{
	const struct lb_frontend_key *key = &group->frontend->key;
	g_autofree char *end = connection_format_end(&key->addr, key->port);

	return g_strdup_printf("%s/%s%s", end, lb_protocol_text(key->protocol),
			       group->scope == LB_SCOPE_INTERNAL ? "/i" : "");
}

static char *master_text(const struct group *group, uint32_t n)
{
	const struct lb_frontend *value = &group->frontend->value;
	g_autofree char *flags = flags_text(group->view, value);

	if (!group->with_addresses)
		return g_strdup_printf("0 %u (%u) [%s]", n, value->id, flags);
	return g_strdup_printf("%s (%u) (0) [%s]",
			       addr_is_v4(&group->frontend->key.addr) ? "0.0.0.0:0" : "[::]:0",
			       value->id, flags);
}

static void slot_rows(const struct group *group, uint32_t set, uint32_t n)
{
	for (uint32_t slot = 0; slot < n; slot++) {
		gpointer found = g_hash_table_lookup(group->view->slots, slot_key(set, slot));
		uint32_t id = GPOINTER_TO_UINT(found);
		uint32_t revnat = group->frontend->value.id;

		if (group->with_addresses) {
			g_autofree char *backend = lb_format_backend(group->view, id);

			group->fn(
				group_key(group),
				find_backend(group->view, id)
					? g_strdup_printf("%s (%u) (%u)", backend, revnat, slot + 1)
					: g_strdup(backend),
				group->data);
		} else {
			group->fn(group_key(group), g_strdup_printf("%u 0 (%u)", id, revnat),
				  group->data);
		}
	}
}

static void group_rows(const struct group *group)
{
	uint32_t set = lb_set_of(group->frontend, group->scope);
	uint32_t n = n_slots(group->view, set);

	group->fn(group_key(group), master_text(group, n), group->data);
	slot_rows(group, set, n);
}

static void all_groups(const struct lb_view *view, bool with_addresses, lb_row_fn fn, void *data)
{
	for (guint i = 0; i < view->frontends->len; i++) {
		const struct frontend *frontend =
			&g_array_index(view->frontends, struct frontend, i);
		struct group group = {view, frontend, LB_SCOPE_EXTERNAL, with_addresses, fn, data};

		group_rows(&group);
		group.scope = LB_SCOPE_INTERNAL;
		if (lb_set_of(frontend, LB_SCOPE_EXTERNAL) !=
		    lb_set_of(frontend, LB_SCOPE_INTERNAL))
			group_rows(&group);
	}
}

void lb_view_services(const struct lb_view *view, lb_row_fn fn, void *data)
{
	all_groups(view, true, fn, data);
}

void lb_view_frontends(const struct lb_view *view, lb_row_fn fn, void *data)
{
	all_groups(view, false, fn, data);
}
