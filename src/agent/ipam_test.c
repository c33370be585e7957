/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of an attachment: asked for again, and given back when the attachment goes. */
#include "src/agent/ipam.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "src/agent/persist.h"

struct world {
	char *dir;
	struct derive_config config;
	struct state_dir *state;
	struct store *store;
	struct tables tables;
	struct ipam *ipam;
};

static void start(struct world *world)
{
	world->state = state_dir_new(world->dir, NULL);
	assert_non_null(world->state);
	world->store = tables_new(&world->tables);
	world->ipam = ipam_new(world->store, &world->tables, &world->config, world->state);
}

static void stop(struct world *world)
{
	ipam_free(world->ipam);
	store_free(world->store);
	state_dir_free(world->state);
}

static void restart(struct world *world)
{
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);
	struct txn *txn;
	GPtrArray *rows;

	stop(world);
	start(world);
	rows = persist_load_ips(world->state, problems, NULL);
	assert_non_null(rows);
	assert_int_equal(problems->len, 0);
	txn = txn_new(world->store);
	for (unsigned int i = 0; i < rows->len; i++)
		txn_put(txn, world->tables.ip_allocations, row_ref(rows->pdata[i]));
	txn_commit(txn);
	g_ptr_array_unref(rows);
	g_ptr_array_unref(problems);
}

static int setup(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->dir = g_dir_make_tmp("axoneme-ipam-XXXXXX", NULL);
	world->config.enable_ipv4 = world->config.enable_ipv6 = true;
	assert_int_equal(cidr_parse("10.0.0.0/29", &world->config.ipv4_range), 0);
	assert_int_equal(cidr_parse("fd00::/125", &world->config.ipv6_range), 0);
	start(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	const char *argv[] = {"rm", "-rf", world->dir, NULL};

	stop(world);
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
		     NULL);
	g_free(world->dir);
	g_free(world);
	return 0;
}

struct pair {
	struct addr v4, v6;
};

static struct pair allocate(struct world *world, const char *attachment)
{
	const struct ipam_request request = {
		.owner = "default/web",
		.attachment = attachment,
		.want_v4 = true,
		.want_v6 = true,
		.expires = true,
	};
	struct ipam_answer answer;

	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), 0);
	assert_non_null(answer.v4->expiration_uuid);
	assert_non_null(answer.v6->expiration_uuid);
	return (struct pair){answer.v4->addr, answer.v6->addr};
}

static bool is_taken(struct world *world, const struct addr *addr)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)table_get(
		world->tables.ip_allocations, addr, sizeof(*addr));

	return allocation && !allocation->released_ns;
}

static void asked_again_the_answer_is_the_same(void **state)
{
	struct world *world = *state;
	struct pair first = allocate(world, "c1:eth0"), other = allocate(world, "c1:eth1"), again;

	again = allocate(world, "c1:eth0");
	assert_memory_equal(&again, &first, sizeof(first));
	assert_false(addr_equal(&other.v4, &first.v4));
	restart(world);
	again = allocate(world, "c1:eth0");
	assert_memory_equal(&again, &first, sizeof(first));
	assert_int_equal(table_n_rows(world->tables.ip_allocations), 4);
}

/* The agent died between the files of the two families. */
static void what_is_missing_is_added(void **state)
{
	struct world *world = *state;
	struct pair first = allocate(world, "c1:eth0"), again;

	assert_int_equal(persist_remove_ip(world->state, &first.v6, NULL), 0);
	restart(world);
	again = allocate(world, "c1:eth0");
	assert_true(addr_equal(&again.v4, &first.v4));
	assert_int_equal(table_n_rows(world->tables.ip_allocations), 2);
}

static void a_given_address_is_given_again(void **state)
{
	struct world *world = *state;
	struct addr addr;
	struct ipam_request request = {
		.owner = "default/web", .attachment = "c1:eth0", .addr = &addr, .expires = true};
	struct ipam_answer answer;

	assert_int_equal(addr_parse("10.0.0.5", &addr), 0);
	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), 0);
	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), 0);
	assert_true(addr_equal(&answer.v4->addr, &addr));
	assert_null(answer.v6);
	request.attachment = "c2:eth0";
	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), -EEXIST);
	request.attachment = NULL;
	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), -EEXIST);
}

static void it_goes_with_the_attachment(void **state)
{
	struct world *world = *state;
	struct pair first = allocate(world, "c1:eth0"), other = allocate(world, "c1:eth1");

	assert_int_equal(ipam_release_attachment(world->ipam, "c1:eth0"), 2);
	assert_int_equal(ipam_release_attachment(world->ipam, "c1:eth0"), 0);
	assert_false(is_taken(world, &first.v4));
	assert_false(is_taken(world, &first.v6));
	assert_true(is_taken(world, &other.v4));
	restart(world);
	assert_false(is_taken(world, &first.v4));
	assert_int_equal(ipam_release_container(world->ipam, "c"), 0);
	assert_int_equal(ipam_release_container(world->ipam, "c1"), 2);
	assert_false(is_taken(world, &other.v6));
}

/* An address that an endpoint has stays, whatever is said of its attachment. */
static void a_claim_ends_it(void **state)
{
	struct world *world = *state;
	struct pair first = allocate(world, "c1:eth0");
	struct txn *txn = txn_new(world->store);
	struct ip_allocation *before;

	assert_int_equal(ipam_claim(world->ipam, txn, &first.v4, "default/web", &before, NULL), 0);
	txn_commit(txn);
	row_unref(&before->row);
	assert_int_equal(ipam_release_attachment(world->ipam, "c1:eth0"), 1);
	assert_true(is_taken(world, &first.v4));
	assert_false(is_taken(world, &first.v6));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(asked_again_the_answer_is_the_same),
		TEST(what_is_missing_is_added),
		TEST(a_given_address_is_given_again),
		TEST(it_goes_with_the_attachment),
		TEST(a_claim_ends_it),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
