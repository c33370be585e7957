/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/ipam.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static GArray *pools_of(const char *first, ...)
{
	GArray *pools = g_array_new(false, false, sizeof(struct cidr));
	va_list args;

	va_start(args, first);
	for (const char *text = first; text; text = va_arg(args, const char *)) {
		struct cidr cidr;

		assert_int_equal(cidr_parse(text, &cidr), 0);
		g_array_append_val(pools, cidr);
	}
	va_end(args);
	return pools;
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void put(struct store *store, struct tables *tables, const struct addr *addr,
		int64_t released_ns)
{
	struct ip_allocation *allocation = (struct ip_allocation *)row_new(&ip_allocation_class);
	struct txn *txn = txn_new(store);

	allocation->addr = *addr;
	allocation->owner = g_strdup("test");
	allocation->released_ns = released_ns;
	txn_put(txn, tables->ip_allocations, &allocation->row);
	txn_commit(txn);
}

static void remove_addr(struct store *store, struct tables *tables, const struct addr *addr)
{
	struct txn *txn = txn_new(store);

	txn_remove(txn, tables->ip_allocations, addr, sizeof(*addr));
	txn_commit(txn);
}

static void sizes(void **state)
{
	static const struct {
		const char *pool;
		uint64_t n;
	} cases[] = {
		{"10.0.0.0/24", 254},   {"10.0.0.0/30", 2},
		{"10.0.0.0/31", 2},     {"10.0.0.1/32", 1},
		{"10.0.0.0/16", 65534}, {"fd00::/120", 254},
		{"fd00::1/128", 1},     {"fd00::/64", UINT64_MAX - 1},
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) pools = pools_of(cases[i].pool, NULL);

		assert_int_equal(ipam_n_addresses(pools), cases[i].n);
	}
}

static void edges_belong_to_nobody(void **state)
{
	g_autoptr(GArray) pools = pools_of("10.0.0.0/30", "10.9.0.0/31", "fd00::/126", NULL);
	static const char *const inside[] = {"10.0.0.1", "10.0.0.2", "10.9.0.0",
					     "10.9.0.1", "fd00::1",  "fd00::2"};
	static const char *const outside[] = {"10.0.0.0", "10.0.0.3", "10.0.0.4",
					      "10.9.0.2", "fd00::",   "fd00::3"};
	struct addr first;

	for (unsigned int i = 0; i < G_N_ELEMENTS(inside); i++) {
		struct addr in = addr_of(inside[i]), out = addr_of(outside[i]);

		assert_true(ipam_pools_contain(pools, &in));
		assert_false(ipam_pools_contain(pools, &out));
	}
	assert_true(ipam_first_addr(pools, &first));
	assert_true(addr_equal(&first, &(struct addr){.bytes = {[10] = 0xff, 0xff, 10, 0, 0, 1}}));
}

/* Addresses that rest are taken last, the one that has rested longest first. */
static void rest(void **state)
{
	g_autoptr(GArray) pools = pools_of("10.0.0.0/29", NULL);
	struct tables tables;
	struct store *store = tables_new(&tables);
	struct addr cursor = {0}, addr;

	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(ipam_pick(pools, &tables, &cursor, &addr), 0);
		put(store, &tables, &addr, 0);
		cursor = addr;
	}
	assert_int_equal(ipam_pick(pools, &tables, &cursor, &addr), -EADDRNOTAVAIL);
	addr = addr_of("10.0.0.2");
	put(store, &tables, &addr, 200);
	addr = addr_of("10.0.0.5");
	put(store, &tables, &addr, 100);
	assert_int_equal(ipam_pick(pools, &tables, &cursor, &addr), 0);
	assert_true(addr_equal(&addr, &(struct addr){.bytes = {[10] = 0xff, 0xff, 10, 0, 0, 5}}));
	addr = addr_of("10.0.0.3");
	remove_addr(store, &tables, &addr);
	assert_int_equal(ipam_pick(pools, &tables, &cursor, &addr), 0);
	assert_true(addr_equal(&addr, &(struct addr){.bytes = {[10] = 0xff, 0xff, 10, 0, 0, 3}}));
	store_free(store);
}

/* Every address of the pools, in the order in which they are gone round. */
static GArray *enumerate(const GArray *pools)
{
	GArray *all = g_array_new(false, false, sizeof(struct addr));

	for (unsigned int i = 0; i < pools->len; i++) {
		const struct cidr *cidr = &g_array_index(pools, struct cidr, i);
		unsigned int n = 1u << (128 - cidr->prefix_len);

		for (unsigned int j = n > 2 ? 1 : 0; j < (n > 2 ? n - 1 : n); j++) {
			struct addr addr = cidr->addr;

			addr.bytes[15] += j;
			g_array_append_val(all, addr);
		}
	}
	return all;
}

static unsigned int find(const GArray *all, const struct addr *addr)
{
	unsigned int i;

	for (i = 0; i < all->len; i++)
		if (addr_equal(&g_array_index(all, struct addr, i), addr))
			break;
	return i;
}

/* The slow and obvious answer: the next one after the cursor that is not taken. */
static bool expect_next(const GArray *all, const bool *taken, const struct addr *cursor,
			struct addr *ret_addr)
{
	unsigned int start = find(all, cursor);

	for (unsigned int i = 1; i <= all->len; i++) {
		unsigned int at = start == all->len ? i - 1 : (start + i) % all->len;

		if (!taken[at]) {
			*ret_addr = g_array_index(all, struct addr, at);
			return true;
		}
	}
	return false;
}

static void agrees_with_a_list(void **state)
{
	for (unsigned int seed = 0; seed < 50; seed++) {
		GRand *random = g_rand_new_with_seed(seed);
		g_autoptr(GArray) pools = seed % 2 ? pools_of("10.0.0.0/28", "10.0.1.0/31",
							      "10.0.2.8/32", "10.0.3.16/29", NULL)
						   : pools_of("fd00::/124", "fd01::40/126", NULL);
		g_autoptr(GArray) all = enumerate(pools);
		bool taken[64] = {0};
		struct tables tables;
		struct store *store = tables_new(&tables);
		struct addr cursor = {0}, wanted, got;

		assert_true(all->len <= G_N_ELEMENTS(taken));
		assert_int_equal(ipam_n_addresses(pools), all->len);
		for (unsigned int i = 0; i < 500; i++) {
			unsigned int at = g_rand_int_range(random, 0, all->len);

			if (g_rand_int_range(random, 0, 5) < 2 && taken[at]) {
				remove_addr(store, &tables, &g_array_index(all, struct addr, at));
				taken[at] = false;
				continue;
			}
			if (!expect_next(all, taken, &cursor, &wanted)) {
				assert_int_equal(ipam_pick(pools, &tables, &cursor, &got),
						 -EADDRNOTAVAIL);
				continue;
			}
			assert_int_equal(ipam_pick(pools, &tables, &cursor, &got), 0);
			assert_true(addr_equal(&got, &wanted));
			put(store, &tables, &got, 0);
			taken[find(all, &got)] = true;
			cursor = got;
		}
		store_free(store);
		g_rand_free(random);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(edges_belong_to_nobody),
		cmocka_unit_test(rest),
		cmocka_unit_test(agrees_with_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
