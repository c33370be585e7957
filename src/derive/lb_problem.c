// SPDX-License-Identifier: Apache-2.0
/* What cannot be as it is wanted, for people. */
#include "src/derive/lb_private.h"

#include <string.h>
#include "src/model/connection_text.h"

/* What one owner does not get because of another. */
struct conflict {
	struct addr addr; /* the first of them */
	uint16_t port;
	unsigned int n;
};

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *lb_owner_text(const char *row_key)
{
	static const char *const kinds[LB_OWNER__MAX] = {
		[LB_OWNER_REDIRECT] = "CiliumLocalRedirectPolicy",
		[LB_OWNER_SERVICE] = "Service",
		[LB_OWNER_HOST_PORT] = "host port of Pod",
		[LB_OWNER_REQUEST] = "service request",
	};
	enum lb_owner_kind kind;
	g_autofree char *key = lb_owner_of(row_key, &kind);

	return g_strdup_printf("%s %s", kinds[kind], key);
}

/* data: a table of struct conflict by "loser has winner". */
static void add_conflict(const char *loser, const char *winner, const struct addr *addr,
			 uint16_t port, void *data)
{
	g_autofree char *first = lb_owner_text(loser);
	g_autofree char *second = lb_owner_text(winner);
	char *pair = g_strdup_printf("%s\n%s", first, second);
	struct conflict *conflict = g_hash_table_lookup(data, pair);

	if (!conflict) {
		conflict = g_new0(struct conflict, 1);
		g_hash_table_insert(data, pair, conflict);
	} else {
		g_free(pair);
	}
	if (!conflict->n++ || addr_compare(addr, &conflict->addr) < 0 ||
	    (addr_equal(addr, &conflict->addr) && port < conflict->port)) {
		conflict->addr = *addr;
		conflict->port = port;
	}
}

static char *conflict_text(const char *pair, const struct conflict *conflict)
{
	g_auto(GStrv) owners = g_strsplit(pair, "\n", 2);
	GString *text = g_string_new(owners[0]);

	g_string_append(text, " does not get ");
	connection_append_end(text, &conflict->addr, htons(conflict->port));
	if (conflict->n > 1)
		g_string_append_printf(text, " and %u more", conflict->n - 1);
	g_string_append_printf(text, ", which %s has: give one of the two another address or port",
			       owners[1]);
	return g_string_free(text, false);
}

static void add_conflicts(const struct lb_derivation *derivation, GPtrArray *problems)
{
	g_autoptr(GHashTable) conflicts =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GHashTableIter iter;
	void *pair, *conflict;

	lb_rows_foreach_conflict(derivation->rows, add_conflict, conflicts);
	g_hash_table_iter_init(&iter, conflicts);
	while (g_hash_table_iter_next(&iter, &pair, &conflict))
		g_ptr_array_add(problems, conflict_text(pair, conflict));
}

/* owners: key to texts. */
static void add_refused(GHashTable *owners, GPtrArray *problems)
{
	GHashTableIter iter;
	void *texts;

	g_hash_table_iter_init(&iter, owners);
	while (g_hash_table_iter_next(&iter, NULL, &texts)) {
		const GPtrArray *refused = texts;

		for (unsigned int i = 0; i < refused->len; i++)
			g_ptr_array_add(problems, g_strdup(refused->pdata[i]));
	}
}

GPtrArray *lb_derivation_problems(const struct lb_derivation *derivation)
{
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);

	add_conflicts(derivation, problems);
	for (enum lb_owner_kind kind = 0; kind < LB_OWNER__MAX; kind++)
		add_refused(derivation->refused[kind], problems);
	g_ptr_array_sort(problems, compare_texts);
	return problems;
}
