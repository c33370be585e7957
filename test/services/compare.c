// SPDX-License-Identifier: Apache-2.0
/*
 * Random changes of a world of services. After each, the rows must be those of a world in which everything has been
 * from the start, and must answer as the slow reference does. SERVICES_CASES=10000 looks for what no case shows,
 * SERVICES_SEED=7 tries one again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "test/services/reference.h"
#include "src/derive/row_set.h"
#include "src/model/lb.h"

#define N_CHANGES 60

struct search {
	const struct addr *addr;
	uint16_t port;
	uint8_t protocol;
	const struct lb_service *row;
	const struct lb_plan_frontend *frontend;
	unsigned int n_found;
};

static bool search_row(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;
	struct search *search = data;

	for (unsigned int i = 0; i < service->n_frontends; i++) {
		const struct lb_plan_frontend *frontend = &service->frontends[i];

		if (frontend->port != search->port ||
		    (search->port && service->protocol != search->protocol) ||
		    !addr_equal(&frontend->addr, search->addr))
			continue;
		search->row = service;
		search->frontend = frontend;
		search->n_found++;
	}
	return true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *backends_of(const struct lb_service *row, uint8_t set)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	char *text;

	for (uint32_t i = 0; i < row->n_backends; i++) {
		char addr[ADDR_TEXT_BYTES];

		if (row->backends[i].flags & set)
			g_ptr_array_add(texts,
					g_strdup_printf("%s-%u",
							addr_format(&row->backends[i].addr, addr),
							row->backends[i].port));
	}
	if (!texts->len)
		return g_strdup("nobody");
	g_ptr_array_sort(texts, compare_texts);
	g_ptr_array_add(texts, NULL);
	text = g_strjoinv(",", (char **)texts->pdata);
	return text;
}

static char *range_text(const struct search *search)
{
	bool deny = search->frontend->flags & LB_FRONTEND_F_DENY_RANGES;
	GString *text;

	if (!(search->frontend->flags & LB_FRONTEND_F_SOURCE_RANGES))
		return g_strdup("");
	text = g_string_new(deny ? " not" : " only");
	for (unsigned int i = 0; i < search->row->n_source_ranges; i++) {
		char range[CIDR_TEXT_BYTES];

		g_string_append_printf(text, " %s",
				       cidr_format(&search->row->source_ranges[i], range));
	}
	return g_string_free(text, false);
}

/* As the programs would. */
static char *plan_answer(const struct lb_world_store *store, const struct addr *addr, uint16_t port,
			 uint8_t protocol, bool external)
{
	struct search search = {.addr = addr, .port = port, .protocol = protocol};
	const char *algorithm;
	uint16_t flags;
	g_autofree char *backends = NULL;
	g_autofree char *ranges = NULL;

	table_foreach (store->tables.lb_services, search_row, &search)
		;
	if (!search.n_found)
		return g_strdup("nobody");
	assert_int_equal(search.n_found, 1);
	flags = search.frontend->flags;
	assert_int_equal(!port, !!(flags & LB_FRONTEND_F_WILDCARD));
	if (!port)
		return g_strdup("wildcard");
	if (external && !(flags & LB_FRONTEND_F_EXTERNAL))
		return g_strdup_printf("%s type %u refused", search.row->key,
				       search.frontend->type);
	backends = backends_of(search.row, flags & (external ? LB_FRONTEND_F_EXTERNAL_LOCAL
							     : LB_FRONTEND_F_INTERNAL_LOCAL)
						   ? LB_BACKEND_F_IN_LOCAL
						   : LB_BACKEND_F_IN_ALL);
	ranges = external ? range_text(&search) : g_strdup("");
	algorithm = search.row->algorithm == LB_ALGORITHM_MAGLEV ? "maglev" : "random";
	return g_strdup_printf("%s type %u %s affinity %u %s%s%s", search.row->key,
			       search.frontend->type, algorithm, search.row->affinity_timeout,
			       backends, external && flags & LB_FRONTEND_F_DSR ? " dsr" : "",
			       ranges);
}

static unsigned int ask(const struct lb_world *world, const struct lb_world_store *store,
			const struct addr *addr, uint16_t port, uint8_t protocol)
{
	unsigned int n_wrong = 0;

	for (int external = 0; external < 2; external++) {
		g_autofree char *wanted =
			lb_reference_answer(world, addr, port, protocol, external);
		g_autofree char *got = plan_answer(store, addr, port, protocol, external);
		char text[ADDR_TEXT_BYTES];

		if (!strcmp(wanted, got))
			continue;
		fprintf(stderr, "%s port %u protocol %u, %s:\n  reference: %s\n  plan:      %s\n",
			addr_format(addr, text), port, protocol, external ? "outside" : "inside",
			wanted, got);
		n_wrong++;
	}
	return n_wrong;
}

static unsigned int compare_with_reference(const struct lb_world *world,
					   const struct lb_world_store *store)
{
	static const uint16_t ports[] = {80, 81, 30001, 30002, 30005};
	g_autoptr(GArray) addrs = lb_reference_addrs();
	unsigned int n_wrong = 0;

	for (unsigned int i = 0; i < addrs->len; i++) {
		const struct addr *addr = &g_array_index(addrs, struct addr, i);

		n_wrong += ask(world, store, addr, 0, 0);
		for (unsigned int j = 0; j < G_N_ELEMENTS(ports); j++) {
			n_wrong += ask(world, store, addr, ports[j], IPPROTO_TCP);
			n_wrong += ask(world, store, addr, ports[j], IPPROTO_UDP);
		}
	}
	return n_wrong;
}

/* ---- step by step, and all at once ---- */

struct comparison {
	const struct table *other;
	void (*key_of)(const struct row *row, struct row_key *ret_key);
	unsigned int n_wrong;
};

static void key_of_service(const struct row *row, struct row_key *ret_key)
{
	const struct lb_service *service = (const struct lb_service *)row;

	*ret_key = (struct row_key){service->key, strlen(service->key)};
}

static bool compare_row(const struct row *row, void *data)
{
	struct comparison *comparison = data;
	const struct row *other;
	struct row_key key;

	comparison->key_of(row, &key);
	other = table_get(comparison->other, key.data, key.n_bytes);
	if (!other || !row_equal(row, other)) {
		fprintf(stderr, "%s %.*s\n",
			other ? "differs:" : "is in one alone:", (int)key.n_bytes,
			(const char *)key.data);
		comparison->n_wrong++;
	}
	return true;
}

static unsigned int compare_tables(const struct table *a, const struct table *b,
				   void (*key_of)(const struct row *row, struct row_key *ret_key))
{
	struct comparison there = {.other = b, .key_of = key_of};
	struct comparison back = {.other = a, .key_of = key_of};

	table_foreach (a, compare_row, &there)
		;
	table_foreach (b, compare_row, &back)
		;
	return there.n_wrong + back.n_wrong;
}

static unsigned int compare_problems(const struct lb_world_store *a, const struct lb_world_store *b)
{
	g_autoptr(GPtrArray) x = lb_derivation_problems(a->derivation);
	g_autoptr(GPtrArray) y = lb_derivation_problems(b->derivation);

	if (x->len != y->len)
		return 1;
	for (unsigned int i = 0; i < x->len; i++)
		if (strcmp(x->pdata[i], y->pdata[i]) != 0)
			return 1;
	return 0;
}

static unsigned int compare_with_fresh(const struct lb_world *world,
				       const struct lb_world_store *store)
{
	struct lb_world_store *fresh = lb_world_store_new(world);
	unsigned int n_wrong;

	lb_world_store_update(fresh, world);
	n_wrong = compare_tables(store->tables.lb_services, fresh->tables.lb_services,
				 key_of_service);
	n_wrong += compare_tables(store->tables.plan_map_entries, fresh->tables.plan_map_entries,
				  row_set_key_map_entry);
	n_wrong += compare_problems(store, fresh);
	lb_world_store_free(fresh);
	return n_wrong;
}

/* How much is wrong in the world of the seed. */
static unsigned int try_seed(uint64_t seed)
{
	struct lb_world *world = lb_world_new(seed);
	struct lb_world_store *store = lb_world_store_new(world);
	unsigned int n_wrong = 0;

	for (unsigned int i = 0; i < N_CHANGES && !n_wrong; i++) {
		/* One, or some at once. */
		for (unsigned int n = 1 + (random_chance(&world->random, 20) ? 3 : 0); n > 0; n--)
			lb_world_change(world);
		lb_world_store_update(store, world);
		n_wrong = compare_with_fresh(world, store);
		if (i % 4 == 3 || n_wrong)
			n_wrong += compare_with_reference(world, store);
		if (n_wrong)
			fprintf(stderr, "SERVICES_SEED=%" G_GUINT64_FORMAT ", change %u\n", seed,
				i);
	}
	lb_world_store_free(store);
	lb_world_free(world);
	return n_wrong;
}

static unsigned long number_from(const char *name, unsigned long fallback)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : fallback;
}

static void rows_do_not_depend_on_history(void **state)
{
	unsigned long n = number_from("SERVICES_CASES", 40), seed = number_from("SERVICES_SEED", 0);

	if (seed) {
		assert_int_equal(try_seed(seed), 0);
		return;
	}
	for (unsigned long i = 0; i < n; i++) {
		assert_int_equal(try_seed(i + 1), 0);
		assert_int_equal(try_seed((uint64_t)g_random_int() + 1000000), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_do_not_depend_on_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
