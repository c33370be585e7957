// SPDX-License-Identifier: Apache-2.0
/* The vectors are those of test/vectors/services.py. */
#include "src/model/maglev.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <glib.h>

#define SEED    0x24b7ef82U /* of the default of bpf-lb-maglev-hash-seed */
#define N_MANY  100
#define DEFAULT 16381

static struct maglev_backend backend(const char *text, uint16_t port, uint8_t protocol,
				     uint16_t weight)
{
	struct maglev_backend backend = {.port = port, .protocol = protocol, .weight = weight};

	assert_int_equal(addr_parse(text, &backend.addr), 0);
	return backend;
}

static void many(struct maglev_backend ret_backends[N_MANY], bool weighted)
{
	for (int i = 0; i < N_MANY; i++) {
		g_autofree char *text = g_strdup_printf("10.%d.7.%d", i / 200, i % 200);

		ret_backends[i] = backend(text, 8080, IPPROTO_TCP, weighted ? 1 + i % 7 : 100);
	}
}

static uint32_t fnv(const uint32_t *values, size_t n)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < n; i++)
		for (int shift = 0; shift < 32; shift += 8)
			hash = (hash ^ (values[i] >> shift & 0xff)) * 16777619u;
	return hash;
}

static void small_tables_are_as_written_down(void **state)
{
	const struct maglev_backend three[] = {backend("10.0.0.1", 80, IPPROTO_TCP, 100),
					       backend("10.0.0.2", 80, IPPROTO_TCP, 100),
					       backend("10.0.0.10", 80, IPPROTO_TCP, 100)};
	const struct maglev_backend weighted[] = {backend("10.0.0.1", 80, IPPROTO_TCP, 1),
						  backend("10.0.0.2", 80, IPPROTO_TCP, 3),
						  backend("fd00::1", 8080, IPPROTO_UDP, 2)};
	const uint32_t wanted_three[] = {0, 2, 2, 0, 2, 1, 2, 2, 0, 1, 0, 1, 1};
	const uint32_t wanted_weighted[] = {1, 1, 0, 1, 1, 2, 0, 1, 2, 2, 2, 1, 0, 0, 2, 0,
					    1, 1, 1, 2, 1, 1, 2, 0, 1, 1, 2, 2, 2, 1, 1};
	uint32_t table[31];

	maglev_fill(table, 13, three, 3, SEED);
	assert_memory_equal(table, wanted_three, sizeof(wanted_three));
	maglev_fill(table, 31, weighted, 3, SEED);
	assert_memory_equal(table, wanted_weighted, sizeof(wanted_weighted));
}

static void large_tables_are_as_written_down(void **state)
{
	struct maglev_backend backends[N_MANY], uneven[39];
	uint32_t table[2039];

	many(backends, false);
	maglev_fill(table, 1021, backends, N_MANY, SEED);
	assert_int_equal(fnv(table, 1021), 0x1bdc27e9);
	for (int i = 1; i < 40; i++) {
		g_autofree char *text = g_strdup_printf("fd00::%x", i);

		uneven[i - 1] = backend(text, 443, IPPROTO_TCP, 1 + i % 5);
	}
	maglev_fill(table, 2039, uneven, G_N_ELEMENTS(uneven), 7);
	assert_int_equal(fnv(table, 2039), 0xa062dc7c);
}

static void order_does_not_matter(void **state)
{
	for (int weighted = 0; weighted < 2; weighted++) {
		struct maglev_backend backends[N_MANY], shuffled[N_MANY];
		uint32_t table[4093], other[4093], at[N_MANY];

		many(backends, weighted);
		for (int i = 0; i < N_MANY; i++) {
			at[i] = (uint32_t)(i * 37 % N_MANY);
			shuffled[i] = backends[at[i]];
		}
		maglev_fill(table, 4093, backends, N_MANY, SEED);
		maglev_fill(other, 4093, shuffled, N_MANY, SEED);
		for (int i = 0; i < 4093; i++)
			assert_int_equal(table[i], at[other[i]]);
		maglev_fill(other, 4093, backends, N_MANY, SEED + 1);
		assert_memory_not_equal(table, other, sizeof(table));
	}
}

/* Within one position of what the weight asks for. */
static void shares_are_as_the_weights(void **state)
{
	for (int weighted = 0; weighted < 2; weighted++) {
		struct maglev_backend backends[N_MANY];
		uint32_t *table = g_new(uint32_t, DEFAULT);
		unsigned int n[N_MANY] = {0}, sum = 0;

		many(backends, weighted);
		maglev_fill(table, DEFAULT, backends, N_MANY, SEED);
		for (int i = 0; i < DEFAULT; i++) {
			assert_true(table[i] < N_MANY);
			n[table[i]]++;
		}
		for (int i = 0; i < N_MANY; i++)
			sum += backends[i].weight;
		for (int i = 0; i < N_MANY; i++) {
			double wanted = (double)DEFAULT * backends[i].weight / sum;

			assert_true(n[i] > wanted - 1.01 && n[i] < wanted + 1.01);
		}
		g_free(table);
	}
}

/* How much of the table goes elsewhere though its back end stays, in thousandths, when one goes. */
static double moved(uint32_t size, int gone)
{
	struct maglev_backend backends[N_MANY], rest[N_MANY];
	g_autofree uint32_t *before = g_new(uint32_t, size);
	g_autofree uint32_t *after = g_new(uint32_t, size);
	unsigned int n_moved = 0;

	many(backends, false);
	memcpy(rest, backends, sizeof(rest));
	memmove(&rest[gone], &rest[gone + 1], (N_MANY - 1 - gone) * sizeof(rest[0]));
	maglev_fill(before, size, backends, N_MANY, SEED);
	maglev_fill(after, size, rest, N_MANY - 1, SEED);
	for (uint32_t i = 0; i < size; i++) {
		uint32_t now = after[i] + (after[i] >= (uint32_t)gone);

		n_moved += before[i] != (uint32_t)gone && before[i] != now;
	}
	return 1000.0 * n_moved / size;
}

/* It is the table's size beside the number of back ends that counts, as in the paper. */
static void few_flows_of_others_move(void **state)
{
	for (int gone = 0; gone < N_MANY; gone += 7) {
		assert_true(moved(65521, gone) <= 10);
		assert_true(moved(DEFAULT, gone) <= 20);
	}
}

static void as_many_back_ends_as_positions(void **state)
{
	struct maglev_backend backends[N_MANY];
	uint32_t table[N_MANY];
	bool seen[N_MANY] = {false};

	many(backends, false);
	maglev_fill(table, 97, backends, 97, SEED);
	for (int i = 0; i < 97; i++) {
		assert_false(seen[table[i]]);
		seen[table[i]] = true;
	}
	maglev_fill(table, 97, backends, 1, SEED);
	for (int i = 0; i < 97; i++)
		assert_int_equal(table[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_tables_are_as_written_down),
		cmocka_unit_test(large_tables_are_as_written_down),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(shares_are_as_the_weights),
		cmocka_unit_test(few_flows_of_others_move),
		cmocka_unit_test(as_many_back_ends_as_positions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
