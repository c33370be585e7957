// SPDX-License-Identifier: Apache-2.0
/* What does not fit, and what fails in the middle. */
#include "src/datapath/lb_test.h"

/* ---- room ---- */

static void find_hint(const struct reconciler_failure *failure, void *data)
{
	*(const char **)data = failure->hint;
}

static void what_does_not_fit_leaves_the_old(void **state)
{
	uint32_t limits[PLAN_MAP__MAX] = {[BACKENDS] = 4};
	struct node *node = node_new(limits);
	const char *hint = NULL;
	struct draft web, other;

	draft_init(&web, "web");
	draft_frontend(&web, "10.96.0.1", 0);
	draft_backend(&web, "10.0.0.1", ALL);
	draft_backend(&web, "10.0.0.2", ALL);
	node_allow_deletion(node);
	node_put(node, &web);
	for (int i = 3; i < 6; i++) {
		g_autofree char *addr = g_strdup_printf("10.0.0.%d", i);

		draft_backend(&web, addr, ALL);
	}
	fake_reset_calls(node->dp);
	node_put(node, &web);
	assert_int_equal(node_error(node), ENOSPC);
	reconcilers_foreach_failure(node->reconcilers, find_hint, &hint);
	assert_non_null(strstr(hint, "raise bpf-lb-service-backend-map-max"));
	assert_int_equal(fake_n_writes(node->dp), 0);
	assert_int_equal(reconcilers_service_statistics(node->reconcilers).n_overflows, 1);
	draft_init(&other, "other");
	draft_frontend(&other, "10.96.0.2", 0);
	draft_backend(&other, "10.0.0.1", ALL);
	node_put(node, &other);
	assert_entries(node, 2, 2, 3, 3);
	/* As soon as there is room. */
	web.fields.n_backends = 4;
	node_put(node, &web);
	assert_int_equal(node_error(node), ENOSPC);
	node_remove(node, other.key);
	assert_int_equal(node_error(node), 0);
	assert_entries(node, 1, 1, 4, 4);
	node_free(node);
}

/* The kernel says no in the middle. */
static void what_fails_is_taken_back(void **state)
{
	for (unsigned int at = 0; at < 8; at++) {
		struct draft web;
		struct node *node = node_with_web(&web);

		web.fields.affinity_timeout = 10;
		draft_frontend(&web, "10.96.0.2", 0);
		for (int i = 4; i < 7; i++) {
			g_autofree char *addr = g_strdup_printf("10.0.0.%d", i);

			draft_backend(&web, addr, ALL);
		}
		fake_fail_write(node->dp, at, ENOMEM);
		node_put(node, &web);
		assert_int_equal(node_error(node), ENOMEM);
		assert_entries(node, 1, 1, 3, 3);
		assert_int_equal(node_frontend(node, "10.96.0.1", 80)->affinity_timeout, 0);
		node_come_to_rest(node);
		assert_int_equal(node_error(node), 0);
		assert_entries(node, 2, 1, 6, 6);
		assert_int_equal(reconcilers_resync(node->reconcilers), 0);
		node_free(node);
	}
}

/* Who was let in becomes who is refused: in between nobody is let in who is not before or after. */
static void is_not_let_in(void *data)
{
	const struct lb_frontend *frontend = node_frontend(data, "10.96.0.1", 80);
	struct lb_source_range_key key = {.prefix_len = LB_SOURCE_RANGE_BITS + 96 + 24,
					  .service = 1};
	struct addr addr = addr_of("192.0.2.0");
	bool is_named;

	memcpy(&key.addr, &addr, sizeof(addr));
	is_named = fake_map_value(((struct node *)data)->dp, RANGES, &key);
	assert_true(frontend->flags & LB_FRONTEND_F_SOURCE_RANGES);
	if (frontend->flags & LB_FRONTEND_F_EXTERNAL)
		assert_int_equal(is_named, !!(frontend->flags & LB_FRONTEND_F_DENY_RANGES));
}

static void ranges_that_change_sides_let_nobody_in(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);

	web.frontends[0].flags = LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_SOURCE_RANGES;
	web.fields.n_source_ranges = 1;
	assert_int_equal(cidr_parse("198.51.100.0/24", &web.ranges[0]), 0);
	node_put(node, &web);
	fake_set_write_observer(node->dp, is_not_let_in, node);
	web.frontends[0].flags |= LB_FRONTEND_F_DENY_RANGES;
	assert_int_equal(cidr_parse("192.0.2.0/24", &web.ranges[0]), 0);
	node_put(node, &web);
	assert_int_equal(fake_map_n_entries(node->dp, RANGES), 1);
	assert_true(node_frontend(node, "10.96.0.1", 80)->flags & LB_FRONTEND_F_EXTERNAL);
	node_free(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_leaves_the_old),
		cmocka_unit_test(what_fails_is_taken_back),
		cmocka_unit_test(ranges_that_change_sides_let_nobody_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
