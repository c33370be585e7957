/* SPDX-License-Identifier: Apache-2.0 */
/* Back ends, numbers, source ranges, affinities and Maglev tables as rows. */
#include "src/cli/lb_view_private.h"

#include "src/model/connection_text.h"
#include "src/model/lb.h"
#include "src/model/map_text.h"

void lb_view_backends(const struct lb_view *view, lb_row_fn fn, void *data)
{
	for (guint i = 0; i < view->backends->len; i++) {
		const struct backend *entry = &g_array_index(view->backends, struct backend, i);
		const struct lb_backend *backend = &entry->value;
		g_autofree char *end = connection_format_end(&backend->addr, backend->port);
		bool is_active = backend->state == LB_BACKEND_ACTIVE;

		fn(g_strdup_printf("%u", entry->id),
		   g_strdup_printf("%s://%s%s%s%s", lb_protocol_text(backend->protocol), end,
				   is_active ? "" : " [",
				   is_active ? "" : lb_backend_state_name(backend->state),
				   is_active ? "" : "]"),
		   data);
	}
}

static int compare_ids(gconstpointer a, gconstpointer b)
{
	const struct frontend *left = *(const struct frontend *const *)a;
	const struct frontend *right = *(const struct frontend *const *)b;

	return lb_compare_numbers(left->value.id, right->value.id);
}

/* By number. */
static GPtrArray *frontends_by_id(const struct lb_view *view)
{
	GPtrArray *list = g_ptr_array_new();

	for (guint i = 0; i < view->frontends->len; i++)
		g_ptr_array_add(list, &g_array_index(view->frontends, struct frontend, i));
	g_ptr_array_sort(list, compare_ids);
	return list;
}

void lb_view_revnat(const struct lb_view *view, lb_row_fn fn, void *data)
{
	g_autoptr(GPtrArray) list = frontends_by_id(view);

	for (guint i = 0; i < list->len; i++) {
		const struct frontend *frontend = list->pdata[i];

		if (frontend->value.flags & LB_FRONTEND_F_WILDCARD)
			continue;
		fn(g_strdup_printf("%u", frontend->value.id),
		   connection_format_end(&frontend->key.addr, frontend->key.port), data);
	}
}

void lb_view_ranges(const struct lb_view *view, lb_row_fn fn, void *data)
{
	g_autoptr(GPtrArray) list = frontends_by_id(view);

	for (guint i = 0; i < view->ranges->len; i++) {
		const struct lb_source_range_key *range =
			&g_array_index(view->ranges, struct lb_source_range_key, i);
		struct addr addr = range->addr; /* aligned */
		g_autofree char *prefix =
			map_prefix_format(&addr, range->prefix_len - LB_SOURCE_RANGE_BITS);

		for (guint j = 0; j < list->len; j++) {
			const struct frontend *frontend = list->pdata[j];

			if (frontend->value.service == range->service &&
			    frontend->value.flags & LB_FRONTEND_F_SOURCE_RANGES)
				fn(g_strdup_printf("%s (%u)", prefix, frontend->value.id),
				   g_strdup(""), data);
		}
	}
}

/* Its address; or the cookie of a network namespace, in the lower half alone. */
static char *format_client(const struct addr *client)
{
	char text[ADDR_TEXT_BYTES];

	if (!client->halves[0] && client->halves[1] && !addr_is_v4(client))
		return g_strdup_printf("netns cookie %llu", (unsigned long long)client->halves[1]);
	return g_strdup(addr_format(client, text));
}

void lb_view_affinities(const struct lb_view *view, uint32_t now, lb_row_fn fn, void *data)
{
	for (guint i = 0; i < view->affinities->len; i++) {
		const struct affinity *affinity =
			&g_array_index(view->affinities, struct affinity, i);
		g_autofree char *client = format_client(&affinity->key.client);
		g_autofree char *backend = lb_format_backend(view, affinity->value.backend);

		fn(g_strdup_printf("%s (service %u)", client, affinity->key.service),
		   g_strdup_printf("%s, %us ago", backend, now - affinity->value.last_used), data);
	}
}

/* ---- Maglev ---- */

/* The place of the first chunk of the set, or where it would be. */
static guint find_chunk(const struct lb_view *view, uint32_t set)
{
	guint low = 0, high = view->chunks->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;

		if (g_array_index(view->chunks, struct chunk, middle).key.set < set)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NULL: there is none, as of a front end that clients outside cannot use. */
static char *table_text(const struct lb_view *view, uint32_t set)
{
	guint first = find_chunk(view, set);
	GString *text;

	if (first == view->chunks->len ||
	    g_array_index(view->chunks, struct chunk, first).key.set != set)
		return NULL;
	text = g_string_new("[");
	for (guint i = first; i < view->chunks->len; i++) {
		const struct chunk *chunk = &g_array_index(view->chunks, struct chunk, i);

		if (chunk->key.set != set)
			break;
		for (unsigned int j = 0; j < LB_MAGLEV_CHUNK; j++)
			if (chunk->value.backends[j])
				g_string_append_printf(text, "%s%u", text->len > 1 ? " " : "",
						       chunk->value.backends[j]);
	}
	g_string_append_c(text, ']');
	return g_string_free(text, FALSE);
}

/* Whether the set of that scope has a table, which fn is called with then. */
static bool add_table(const struct lb_view *view, const struct frontend *frontend,
		      enum lb_scope scope, lb_row_fn fn, void *data)
{
	char *text = table_text(view, lb_set_of(frontend, scope));

	if (!text)
		return false;
	fn(g_strdup_printf("[%u]/%s%s", frontend->value.id,
			   addr_is_v4(&frontend->key.addr) ? "v4" : "v6",
			   scope == LB_SCOPE_INTERNAL ? "/i" : ""),
	   text, data);
	return true;
}

unsigned int lb_view_maglev(const struct lb_view *view, uint32_t id, lb_row_fn fn, void *data)
{
	g_autoptr(GPtrArray) list = frontends_by_id(view);
	unsigned int n = 0;

	for (guint i = 0; i < list->len; i++) {
		const struct frontend *frontend = list->pdata[i];
		const struct lb_frontend *value = &frontend->value;

		if (value->algorithm != LB_ALGORITHM_MAGLEV ||
		    value->flags & LB_FRONTEND_F_WILDCARD || (id && value->id != id))
			continue;
		n += add_table(view, frontend, LB_SCOPE_EXTERNAL, fn, data);
		if (lb_set_of(frontend, LB_SCOPE_EXTERNAL) !=
		    lb_set_of(frontend, LB_SCOPE_INTERNAL))
			n += add_table(view, frontend, LB_SCOPE_INTERNAL, fn, data);
	}
	return n;
}
