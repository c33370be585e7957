// SPDX-License-Identifier: Apache-2.0
/* What another agent has left, and what somebody else has changed. */
#include "src/datapath/lb_test.h"

/* ---- restart ---- */

static void a_restart_writes_nothing(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);

	web.fields.algorithm = LB_ALGORITHM_MAGLEV;
	web.fields.needs_maglev = true;
	web.fields.n_source_ranges = 1;
	assert_int_equal(cidr_parse("192.0.2.0/24", &web.ranges[0]), 0);
	web.frontends[0].flags = LB_FRONTEND_F_SOURCE_RANGES | LOCAL;
	web.backends[0].flags = BOTH;
	node_put(node, &web);
	assert_int_equal(fake_map_n_entries(node->dp, TABLES), 2);
	fake_reset_calls(node->dp);
	node_restart(node);
	node_put(node, &web);
	node_allow_deletion(node);
	assert_int_equal(fake_n_writes(node->dp), 0);
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	assert_int_equal(reconcilers_service_statistics(node->reconcilers).n_backends, 3);
	node_free(node);
}

/* A list of half a country: nothing here takes the square of its length. */
static void many_ranges_are_kept(void **state)
{
	enum {
		N = 30000
	};
	struct draft web;
	struct node *node = node_with_web(&web);
	g_autofree struct cidr *ranges = g_new0(struct cidr, N);
	unsigned int n_before;

	for (int turn = 0; turn < 2; turn++) {
		/* With the second, each other one is another. */
		for (unsigned int i = 0; i < N; i++)
			ranges[i] = (struct cidr){
				.addr = {.words = {htonl(0xfd000000), 0, 0,
						   htonl(4 * i + (i & turn))}},
				.prefix_len = 128,
			};
		web.frontends[0].flags = LOCAL | LB_FRONTEND_F_SOURCE_RANGES;
		web.fields.frontends = web.frontends;
		web.fields.backends = web.backends;
		web.fields.source_ranges = ranges;
		web.fields.n_source_ranges = N;
		n_before = fake_n_writes(node->dp);
		node_put_row(node, lb_service_new(web.key, &web.fields));
		store_settle(node->store);
		assert_int_equal(fake_map_n_entries(node->dp, RANGES), N);
		if (turn)
			assert_in_range(fake_n_writes(node->dp) - n_before, N, N + 2);
	}
	node_restart(node);
	fake_reset_calls(node->dp);
	node_put_row(node, lb_service_new(web.key, &web.fields));
	store_settle(node->store);
	node_allow_deletion(node);
	assert_int_equal(fake_n_writes(node->dp), 0);
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	node_free(node);
}

static void deletion_waits_until_it_is_allowed(void **state)
{
	struct draft web, gone;
	struct node *node = node_with_web(&web);
	uint32_t id = node_backend_id(node, 1, "10.0.0.3");

	draft_init(&gone, "gone");
	draft_frontend(&gone, "10.96.0.7", 0);
	draft_backend(&gone, "10.0.0.1", ALL);
	node_put(node, &gone);
	node_restart(node);
	web.fields.n_backends = 2;
	node_put(node, &web);
	assert_non_null(node_frontend(node, "10.96.0.7", 80));
	assert_int_equal(node_n_slots(node, LB_SET(1, 0)), 2);
	assert_non_null(node_backend(node, id)); /* its connections go on */
	assert_int_equal(node_backend(node, id)->flags, 0);
	node_allow_deletion(node);
	assert_entries(node, 1, 1, 2, 2);
	node_free(node);
}

/* Nobody knows whose it was. */
static void an_address_that_goes_leads_nowhere(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);

	draft_frontend(&web, "10.96.0.2", 0);
	draft_frontend(&web, "10.96.0.3", 0);
	node_put(node, &web);
	node_restart(node);
	web.fields.n_frontends = 2;
	node_put(node, &web);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 1);
	assert_int_equal(node_frontend(node, "10.96.0.3", 80)->service, 0);
	/* Nor does a change that fails, and is taken back, delete it too early. */
	draft_backend(&web, "10.0.0.4", ALL);
	fake_fail_write(node->dp, 1, EIO);
	node_put(node, &web);
	assert_int_equal(node_error(node), EIO);
	assert_int_equal(node_frontend(node, "10.96.0.3", 80)->service, 0);
	node_allow_deletion(node);
	node_come_to_rest(node);
	assert_null(node_frontend(node, "10.96.0.3", 80));
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	node_free(node);
}

static void numbers_are_not_given_again(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	uint32_t id;

	web.fields.n_backends = 2;
	node_put(node, &web);
	node_restart(node);
	web.fields.n_backends = 3;
	node_put(node, &web);
	id = node_backend_id(node, 1, "10.0.0.3");
	assert_true(id > 3);
	node_remove(node, web.key);
	node_allow_deletion(node);
	node_put(node, &web);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 2);
	assert_true(node_backend_id(node, 2, "10.0.0.1") > id);
	node_free(node);
}

/* ---- somebody else ---- */

static void what_others_change_is_put_right(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	struct datapath *dp = node->dp;
	const struct lb_slot_key slot_key = {LB_SET(1, 0), 1}, extra_key = {LB_SET(9, 0), 1};
	const struct lb_slot slot = {77};
	const struct lb_maglev_key chunk_key = {LB_SET(1, 0), 0};
	static const struct lb_maglev_chunk chunk = {{77}};
	const uint32_t id = 2, extra = 77, set = LB_SET(1, 0);
	struct lb_frontend_key key = {addr_of("10.96.0.1"), htons(80), IPPROTO_TCP, {0}};
	struct lb_backend backend = *node_backend(node, id);

	web.fields.algorithm = LB_ALGORITHM_MAGLEV;
	web.fields.needs_maglev = true;
	node_put(node, &web);
	dp->ops->map_update(dp, SLOTS, &slot_key, &slot);
	dp->ops->map_update(dp, SLOTS, &extra_key, &slot);
	dp->ops->map_update(dp, TABLES, &chunk_key, &chunk);
	dp->ops->map_delete(dp, SETS, &set);
	dp->ops->map_delete(dp, FRONTENDS, &key);
	backend.port = 1;
	dp->ops->map_update(dp, BACKENDS, &id, &backend);
	dp->ops->map_update(dp, BACKENDS, &extra, &backend);
	assert_int_equal(reconcilers_resync(node->reconcilers), 7);
	assert_entries(node, 1, 1, 3, 3);
	assert_int_equal(node_slot(node, LB_SET(1, 0), 1), 2);
	assert_int_equal(node_backend(node, id)->port, htons(8080));
	assert_int_equal(node_n_slots(node, set), 3);
	assert_true(node_table(node, set, 0) >= 1 && node_table(node, set, 0) <= 3);
	assert_non_null(node_frontend(node, "10.96.0.1", 80));
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	node_free(node);
}

/* ---- killed ---- */

/* Back ends come, go and stay; a front end comes, one goes; a local set, a table and ranges come. */
static void draft_change(struct draft *web)
{
	web->fields.n_frontends = 0;
	draft_frontend(web, "10.96.0.1", LOCAL | LB_FRONTEND_F_SOURCE_RANGES);
	draft_frontend(web, "10.96.0.3", LOCAL | LB_FRONTEND_F_SOURCE_RANGES);
	web->fields.algorithm = LB_ALGORITHM_MAGLEV;
	web->fields.needs_maglev = true;
	web->fields.n_backends = 0;
	draft_backend(web, "10.0.0.2", BOTH);
	draft_backend(web, "10.0.0.3", 0)->state = LB_BACKEND_TERMINATING;
	draft_backend(web, "10.0.0.5", ALL);
	draft_backend(web, "10.0.0.6", ALL);
	web->fields.n_source_ranges = 1;
	assert_int_equal(cidr_parse("192.0.2.0/24", &web->ranges[0]), 0);
}

static void assert_changed(const struct node *node)
{
	assert_entries(node, 2, 2, 3 + 1, 4);
	assert_int_equal(fake_map_n_entries(node->dp, TABLES), 2);
	assert_int_equal(fake_map_n_entries(node->dp, RANGES), 1);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 1);
	assert_int_equal(node_backend_id(node, 1, "10.0.0.2"), 2);
	assert_int_equal(node_backend_id(node, 1, "10.0.0.3"), 3);
	assert_int_equal(node_slot(node, LB_SET(1, 1), 0), 2);
}

/* True where the agent died before it was done. */
static bool die_at(unsigned int n)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	bool died;

	draft_frontend(&web, "10.96.0.2", 0);
	node_put(node, &web);
	draft_change(&web);
	fake_reset_calls(node->dp);
	fake_die_after(node->dp, n);
	node_put(node, &web);
	died = node_error(node);
	node_restart(node);
	node_put(node, &web);
	assert_int_equal(node_error(node), 0);
	node_allow_deletion(node);
	assert_changed(node);
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	node_free(node);
	return died;
}

static void who_is_killed_at_any_write_is_followed(void **state)
{
	unsigned int n = 0;

	while (die_at(n))
		n++;
	assert_int_equal(n, 15); /* the writes of the change */
}

/* The second agent dies too, while it adopts what the first has left. */
static void who_is_killed_twice_is_followed(void **state)
{
	for (unsigned int n = 0; n < 16; n++) {
		struct draft web;
		struct node *node = node_with_web(&web);

		draft_frontend(&web, "10.96.0.2", 0);
		node_put(node, &web);
		draft_change(&web);
		fake_die_after(node->dp, n);
		node_put(node, &web);
		for (unsigned int k = 0; k < 4; k++) {
			node_restart(node);
			fake_die_after(node->dp, k);
			node_put(node, &web);
			node_allow_deletion(node);
		}
		node_restart(node);
		node_put(node, &web);
		node_allow_deletion(node);
		assert_changed(node);
		assert_int_equal(reconcilers_resync(node->reconcilers), 0);
		node_free(node);
	}
}

/* A service that was about to be made, or to go. */
static void what_is_left_of_a_service_goes(void **state)
{
	for (unsigned int n = 0; n < 8; n++) {
		struct draft web;
		struct node *node = node_with_web(&web);

		fake_die_after(node->dp, n);
		node_remove(node, web.key);
		node_restart(node);
		node_allow_deletion(node);
		assert_entries(node, 0, 0, 0, 0);
		fake_die_after(node->dp, n);
		node_put(node, &web);
		node_restart(node);
		node_allow_deletion(node);
		assert_entries(node, 0, 0, 0, 0);
		node_free(node);
	}
}

/* Slots were lost, as where a map has become smaller, and what is there is nobody's. */
static void what_makes_no_sense_is_put_right(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	struct datapath *dp = node->dp;
	const struct lb_slot_key lost = {LB_SET(1, 0), 2}, behind = {LB_SET(1, 0), 7},
				 huge = {LB_SET(1, 0), UINT32_MAX - 1}, nobody = {LB_SET(0, 1), 3};
	const struct lb_maglev_key chunk_key = {LB_SET(1, 0), 600},
				   chunk_behind = {LB_SET(1, 1), 3};
	static const struct lb_maglev_chunk chunk = {{9}};
	const struct lb_slot slot = {9};
	const struct lb_set empty = {0};
	const struct lb_backend backend = {0}, twice = *node_backend(node, 1);
	const uint32_t set = LB_SET(5, 0), no_set = LB_SET(0, 0), id = 50, other_id = 51, no_id = 0;
	struct lb_backend without_id = twice;
	const struct lb_frontend_key key = {addr_of("10.96.9.9"), htons(1), IPPROTO_UDP, {0}};
	const struct lb_frontend frontend = {.id = 1, .service = 0};

	dp->ops->map_delete(dp, SLOTS, &lost);
	dp->ops->map_update(dp, SLOTS, &behind, &slot);
	dp->ops->map_update(dp, SLOTS, &huge, &slot);
	dp->ops->map_update(dp, SLOTS, &nobody, &slot);
	dp->ops->map_update(dp, TABLES, &chunk_key, &chunk);
	dp->ops->map_update(dp, TABLES, &chunk_behind, &chunk);
	dp->ops->map_update(dp, SETS, &set, &empty);
	dp->ops->map_update(dp, SETS, &no_set, &empty);
	dp->ops->map_update(dp, BACKENDS, &id, &backend);
	dp->ops->map_update(dp, BACKENDS, &other_id, &twice);
	without_id.addr = addr_of("10.0.0.9");
	dp->ops->map_update(dp, BACKENDS, &no_id, &without_id);
	dp->ops->map_update(dp, FRONTENDS, &key, &frontend);
	node_restart(node);
	node_put(node, &web);
	assert_int_equal(node_slot(node, LB_SET(1, 0), 2), 3);
	node_allow_deletion(node);
	assert_entries(node, 1, 1, 3, 3);
	assert_int_equal(fake_map_n_entries(node->dp, TABLES), 0);
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	node_free(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_writes_nothing),
		cmocka_unit_test(many_ranges_are_kept),
		cmocka_unit_test(deletion_waits_until_it_is_allowed),
		cmocka_unit_test(an_address_that_goes_leads_nowhere),
		cmocka_unit_test(numbers_are_not_given_again),
		cmocka_unit_test(what_others_change_is_put_right),
		cmocka_unit_test(who_is_killed_at_any_write_is_followed),
		cmocka_unit_test(who_is_killed_twice_is_followed),
		cmocka_unit_test(what_is_left_of_a_service_goes),
		cmocka_unit_test(what_makes_no_sense_is_put_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
