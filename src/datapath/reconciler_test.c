// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/datapath/fake.h"
#include "src/datapath/reconciler_private.h"

#define MAP PLAN_MAP_cilium_lxc

static int64_t now_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

struct world {
	struct store *store;
	struct tables tables;
	struct datapath *dp;
	struct reconcilers *reconcilers;
};

static struct endpoint_key key_of(uint8_t last)
{
	struct endpoint_key key = {0};

	key.addr.bytes[10] = key.addr.bytes[11] = 0xff;
	key.addr.bytes[12] = 10;
	key.addr.bytes[15] = last;
	return key;
}

static void put_entry(struct world *world, uint8_t last, uint32_t identity)
{
	struct endpoint_key key = key_of(last);
	struct endpoint_info info = {.id = last, .identity = identity};
	struct txn *txn = txn_new(world->store);

	txn_put(txn, world->tables.plan_map_entries,
		&plan_map_entry_new(MAP, &key, sizeof(key), &info, sizeof(info), last)->row);
	txn_commit(txn);
}

static void remove_entry(struct world *world, uint8_t last)
{
	struct endpoint_key key = key_of(last);
	uint8_t bytes[1 + sizeof(key)] = {MAP};
	struct txn *txn = txn_new(world->store);

	memcpy(bytes + 1, &key, sizeof(key));
	txn_remove(txn, world->tables.plan_map_entries, bytes, sizeof(bytes));
	txn_commit(txn);
}

/* Behind the reconcilers' back. */
static void write_map(struct world *world, uint8_t last, uint32_t identity)
{
	struct endpoint_key key = key_of(last);
	struct endpoint_info info = {.id = last, .identity = identity};

	assert_int_equal(world->dp->ops->map_update(world->dp, MAP, &key, &info), 0);
	fake_reset_calls(world->dp);
}

/* 0 where there is no entry. */
static uint32_t identity_of(const struct world *world, uint8_t last)
{
	struct endpoint_key key = key_of(last);
	const struct endpoint_info *info = fake_map_value(world->dp, MAP, &key);

	return info ? info->identity : 0;
}

static void put_attachment(struct world *world, uint32_t ifindex, enum plan_program program)
{
	struct plan_attachment *row = (struct plan_attachment *)row_new(&plan_attachment_class);
	struct txn *txn = txn_new(world->store);

	row->key.ifindex = ifindex;
	row->program = program;
	row->endpoint_id = ifindex;
	row->ifname = g_strdup("lxc1");
	txn_put(txn, world->tables.plan_attachments, &row->row);
	txn_commit(txn);
}

static struct plan_route *route_new(const char *destination, uint32_t mtu)
{
	struct plan_route *row = (struct plan_route *)row_new(&plan_route_class);

	assert_int_equal(cidr_parse(destination, &row->destination), 0);
	row->mtu = mtu;
	row->ifname = g_strdup("cilium_host");
	return row;
}

static void put_route(struct world *world, const char *destination, uint32_t mtu)
{
	struct txn *txn = txn_new(world->store);

	txn_put(txn, world->tables.plan_routes, &route_new(destination, mtu)->row);
	txn_commit(txn);
}

static void adopt(struct world *world)
{
	world->reconcilers = reconcilers_new(world->store, &world->tables, world->dp);
	reconcilers_set_clock(world->reconcilers, test_clock);
	assert_int_equal(reconcilers_adopt(world->reconcilers, NULL), 0);
}

/* The agent dies; the kernel stays; another agent starts. */
static void restart(struct world *world)
{
	reconcilers_free(world->reconcilers);
	store_free(world->store);
	world->store = tables_new(&world->tables);
	adopt(world);
	fake_reset_calls(world->dp);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);
	struct datapath_config config = {0};

	log_set_level(LOG_LEVEL_ERROR);
	now_ns = NSEC_PER_SEC;
	config.max_entries[MAP] = 8;
	world->store = tables_new(&world->tables);
	world->dp = datapath_fake_new();
	assert_int_equal(world->dp->ops->load(world->dp, &config, NULL), 0);
	adopt(world);
	fake_reset_calls(world->dp);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	reconcilers_free(world->reconcilers);
	store_free(world->store);
	world->dp->ops->free(world->dp);
	g_free(world);
	return 0;
}

static void assert_calls(const struct world *world, enum fake_op op, unsigned int n)
{
	assert_int_equal(fake_n_calls(world->dp, op), n);
}

static void count_failure(const struct reconciler_failure *failure, void *data)
{
	*(struct reconciler_failure *)data = *failure;
	((struct reconciler_failure *)data)->object = NULL;
}

static void test_applies_changes_only(void **state)
{
	struct world *world = *state;

	put_entry(world, 1, 100);
	put_entry(world, 2, 100);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 1), 100);
	assert_calls(world, FAKE_OP_MAP_UPDATE, 2);

	put_entry(world, 1, 200);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 1), 200);
	assert_calls(world, FAKE_OP_MAP_UPDATE, 3);

	remove_entry(world, 2);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 2), 0);
	assert_calls(world, FAKE_OP_MAP_DELETE, 1);
}

static void test_adopts_without_a_call(void **state)
{
	struct world *world = *state;

	put_entry(world, 1, 100);
	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	put_route(world, "10.0.0.0/24", 1450);
	store_settle(world->store);
	restart(world);

	put_entry(world, 1, 100);
	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	put_route(world, "10.0.0.0/24", 1450);
	store_settle(world->store);
	reconcilers_allow_deletion(world->reconcilers);
	assert_calls(world, FAKE_OP_MAP_UPDATE, 0);
	assert_calls(world, FAKE_OP_MAP_DELETE, 0);
	assert_calls(world, FAKE_OP_ATTACH, 0);
	assert_calls(world, FAKE_OP_DETACH, 0);
	assert_calls(world, FAKE_OP_ROUTE_REPLACE, 0);
	assert_calls(world, FAKE_OP_ROUTE_REMOVE, 0);
}

static void test_deletes_adopted_only_once_allowed(void **state)
{
	struct world *world = *state;

	write_map(world, 1, 100);
	write_map(world, 2, 100);
	restart(world);
	put_entry(world, 1, 100);
	store_settle(world->store);
	assert_int_equal(reconcilers_resync(world->reconcilers), 0);
	assert_int_equal(identity_of(world, 2), 100);

	/* What this run has wanted goes at once; what it has not, stays. */
	remove_entry(world, 1);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 1), 0);
	assert_int_equal(identity_of(world, 2), 100);

	reconcilers_allow_deletion(world->reconcilers);
	assert_int_equal(identity_of(world, 2), 0);
	assert_calls(world, FAKE_OP_MAP_DELETE, 2);
}

static void test_replaces_programs_of_an_older_set(void **state)
{
	struct world *world = *state;

	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	store_settle(world->store);
	fake_set_outdated(world->dp);
	restart(world);
	assert_calls(world, FAKE_OP_LOAD_FINISH, 0);

	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	store_settle(world->store);
	assert_calls(world, FAKE_OP_ATTACH, 1);
	assert_calls(world, FAKE_OP_DETACH, 0);
	assert_calls(world, FAKE_OP_LOAD_FINISH, 1);
}

static void test_retries_with_growing_intervals(void **state)
{
	struct world *world = *state;
	struct reconciler_failure failure = {0};
	int64_t first_ns;
	int64_t second_ns;

	fake_fail_next(world->dp, FAKE_OP_ATTACH, ENODEV);
	fake_fail_next(world->dp, FAKE_OP_ATTACH, ENODEV);
	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	store_settle(world->store);
	assert_false(reconcilers_endpoint_applied(world->reconcilers, 7));
	assert_true(reconcilers_endpoint_applied(world->reconcilers, 8));

	first_ns = reconcilers_retry(world->reconcilers);
	assert_true(first_ns > 0);
	assert_calls(world, FAKE_OP_ATTACH, 1); /* not yet its time */
	now_ns += first_ns;
	second_ns = reconcilers_retry(world->reconcilers);
	assert_calls(world, FAKE_OP_ATTACH, 2);
	assert_true(second_ns > first_ns);
	reconcilers_foreach_failure(world->reconcilers, count_failure, &failure);
	assert_int_equal(failure.error, ENODEV);
	assert_int_equal(failure.n_tries, 2);
	assert_int_equal(failure.endpoint_id, 7);

	now_ns += second_ns;
	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
	assert_true(reconcilers_endpoint_applied(world->reconcilers, 7));
	memset(&failure, 0, sizeof(failure));
	reconcilers_foreach_failure(world->reconcilers, count_failure, &failure);
	assert_int_equal(failure.n_tries, 0);
}

static void test_intervals_end_growing(void **state)
{
	struct world *world = *state;
	int64_t interval_ns = 0;

	for (int i = 0; i < 40; i++)
		fake_fail_next(world->dp, FAKE_OP_MAP_UPDATE, EPERM);
	put_entry(world, 1, 100);
	store_settle(world->store);
	for (int i = 0; i < 39; i++) {
		interval_ns = reconcilers_retry(world->reconcilers);
		now_ns += interval_ns;
	}
	assert_int_equal(interval_ns, 30 * NSEC_PER_SEC);
}

static void test_new_version_of_a_failing_object(void **state)
{
	struct world *world = *state;

	put_entry(world, 1, 100);
	store_settle(world->store);
	fake_fail_next(world->dp, FAKE_OP_MAP_UPDATE, EPERM);
	put_entry(world, 1, 200);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 1), 100);
	/* A change does not wait for the interval. */
	put_entry(world, 1, 300);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 1), 300);
	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
}

static void test_removal_that_fails_is_tried_again(void **state)
{
	struct world *world = *state;

	put_entry(world, 1, 100);
	store_settle(world->store);
	fake_fail_next(world->dp, FAKE_OP_MAP_DELETE, EBUSY);
	remove_entry(world, 1);
	store_settle(world->store);
	assert_int_equal(identity_of(world, 1), 100);
	assert_false(reconcilers_endpoint_applied(world->reconcilers, 1));
	now_ns += reconcilers_retry(world->reconcilers);
	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
	assert_int_equal(identity_of(world, 1), 0);
}

static void read_status(const struct reconciler_status *status, void *data)
{
	if (strcmp(status->name, "map-entries") == 0)
		*(struct reconciler_status *)data = *status;
}

static void test_full_map_fails_alone(void **state)
{
	struct world *world = *state;
	struct reconciler_status status;
	struct reconciler_failure failure = {0};

	for (uint8_t i = 1; i <= 9; i++)
		put_entry(world, i, 100);
	put_route(world, "fd00::/64", 0);
	store_settle(world->store);
	assert_int_equal(fake_map_n_entries(world->dp, MAP), 8);
	assert_calls(world, FAKE_OP_ROUTE_REPLACE, 1);
	reconcilers_foreach_status(world->reconcilers, read_status, &status);
	assert_int_equal(status.n_wanted, 9);
	assert_int_equal(status.n_applied, 8);
	assert_int_equal(status.n_failing, 1);
	reconcilers_foreach_failure(world->reconcilers, count_failure, &failure);
	assert_int_equal(failure.error, ENOSPC);

	/* Room for it, and it is applied. */
	remove_entry(world, failure.endpoint_id == 1 ? 2 : 1);
	store_settle(world->store);
	now_ns += reconcilers_retry(world->reconcilers);
	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
	assert_int_equal(identity_of(world, failure.endpoint_id), 100);
}

static void test_repairs_what_others_did(void **state)
{
	struct world *world = *state;
	struct reconciler_status status;
	struct endpoint_key key = key_of(1);
	struct plan_attachment_key attachment = {.ifindex = 7};
	struct cidr destination;

	put_entry(world, 1, 100);
	put_entry(world, 2, 100);
	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	put_route(world, "10.0.0.0/24", 0);
	store_settle(world->store);
	reconcilers_allow_deletion(world->reconcilers);
	assert_int_equal(reconcilers_resync(world->reconcilers), 0);

	assert_int_equal(world->dp->ops->map_delete(world->dp, MAP, &key), 0);
	write_map(world, 2, 666);
	write_map(world, 3, 666);
	assert_int_equal(world->dp->ops->detach(world->dp, &attachment), 0);
	assert_int_equal(cidr_parse("10.0.0.0/24", &destination), 0);
	assert_int_equal(world->dp->ops->route_remove(world->dp, &destination), 0);
	fake_reset_calls(world->dp);

	assert_int_equal(reconcilers_resync(world->reconcilers), 5);
	assert_int_equal(identity_of(world, 1), 100);
	assert_int_equal(identity_of(world, 2), 100);
	assert_int_equal(identity_of(world, 3), 0);
	assert_calls(world, FAKE_OP_ATTACH, 1);
	assert_calls(world, FAKE_OP_ROUTE_REPLACE, 1);
	reconcilers_foreach_status(world->reconcilers, read_status, &status);
	assert_int_equal(status.n_repaired, 3);
	assert_int_equal(reconcilers_resync(world->reconcilers), 0);

	write_map(world, 2, 666);
	assert_int_equal(world->dp->ops->detach(world->dp, &attachment), 0);
	fake_reset_calls(world->dp);
	assert_int_equal(reconcilers_resync_devices(world->reconcilers), 1);
	assert_calls(world, FAKE_OP_MAP_FOREACH, 0);
	assert_int_equal(identity_of(world, 2), 666);
}

static void test_unreadable_kernel_changes_nothing(void **state)
{
	struct world *world = *state;

	put_entry(world, 1, 100);
	store_settle(world->store);
	reconcilers_allow_deletion(world->reconcilers);
	fake_reset_calls(world->dp);
	fake_fail_next(world->dp, FAKE_OP_MAP_FOREACH, EPERM);
	assert_int_equal(reconcilers_resync(world->reconcilers), 0);
	assert_calls(world, FAKE_OP_MAP_UPDATE, 0);
	assert_calls(world, FAKE_OP_MAP_DELETE, 0);
}

static void test_adoption_tells_what_failed(void **state)
{
	struct world *world = *state;
	g_autoptr(GError) error = NULL;

	fake_fail_next(world->dp, FAKE_OP_ROUTE_FOREACH, EPERM);
	assert_int_equal(reconcilers_adopt(world->reconcilers, &error), -EPERM);
	assert_non_null(strstr(error->message, "routes"));
}

static void test_finish_is_tried_again(void **state)
{
	struct world *world = *state;
	struct reconciler_failure failure = {0};

	fake_fail_next(world->dp, FAKE_OP_LOAD_FINISH, ENOSPC);
	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	store_settle(world->store);
	reconcilers_foreach_failure(world->reconcilers, count_failure, &failure);
	assert_int_equal(failure.error, ENOSPC);
	now_ns += reconcilers_retry(world->reconcilers);
	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
	assert_calls(world, FAKE_OP_LOAD_FINISH, 2);
}

static void test_finishes_without_attachments(void **state)
{
	struct world *world = *state;

	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
	assert_calls(world, FAKE_OP_LOAD_FINISH, 1);
	assert_int_equal(reconcilers_retry(world->reconcilers), -1);
	assert_calls(world, FAKE_OP_LOAD_FINISH, 1);
}

static void collect_object(const struct reconciler_failure *failure, void *data)
{
	g_string_append_printf(data, "%s;", failure->object);
}

static void test_objects_have_names(void **state)
{
	struct world *world = *state;
	g_autoptr(GString) names = g_string_new(NULL);
	struct ipcache_prefix_key prefix = {.prefix_len = 64};
	struct ipcache_info info = {0};
	struct txn *txn = txn_new(world->store);

	prefix.addr.bytes[0] = 0xfd;
	txn_put(txn, world->tables.plan_map_entries,
		&plan_map_entry_new(PLAN_MAP_cilium_ipcache_prefix, &prefix, sizeof(prefix), &info,
				    sizeof(info), 0)
			 ->row);
	txn_commit(txn);
	fake_fail_next(world->dp, FAKE_OP_MAP_UPDATE, EPERM);
	store_settle(world->store);
	put_entry(world, 5, 1);
	fake_fail_next(world->dp, FAKE_OP_MAP_UPDATE, EPERM);
	fake_fail_next(world->dp, FAKE_OP_ATTACH, EPERM);
	fake_fail_next(world->dp, FAKE_OP_ROUTE_REPLACE, EPERM);
	put_attachment(world, 7, PLAN_PROGRAM_FROM_CONTAINER);
	put_route(world, "10.0.0.0/24", 0);
	store_settle(world->store);
	reconcilers_foreach_failure(world->reconcilers, collect_object, names);
	assert_non_null(strstr(names->str, "cilium_ipcache_prefix fd00::/64;"));
	assert_non_null(strstr(names->str, "cilium_lxc 10.0.0.5:0;"));
	assert_non_null(strstr(names->str, "cil_from_container on the ingress of lxc1 (7);"));
	assert_non_null(strstr(names->str, "10.0.0.0/24 dev cilium_host;"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_applies_changes_only),
		TEST(test_adopts_without_a_call),
		TEST(test_deletes_adopted_only_once_allowed),
		TEST(test_replaces_programs_of_an_older_set),
		TEST(test_retries_with_growing_intervals),
		TEST(test_intervals_end_growing),
		TEST(test_new_version_of_a_failing_object),
		TEST(test_removal_that_fails_is_tried_again),
		TEST(test_full_map_fails_alone),
		TEST(test_repairs_what_others_did),
		TEST(test_unreadable_kernel_changes_nothing),
		TEST(test_adoption_tells_what_failed),
		TEST(test_finish_is_tried_again),
		TEST(test_finishes_without_attachments),
		TEST(test_objects_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
