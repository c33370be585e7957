// SPDX-License-Identifier: Apache-2.0
/*
 * Services under random changes of the plan, full maps, failing writes and agents that are killed at any write. After
 * every single write a reader finds, whatever it draws, a back end that the plan had since all was last in
 * force, or has now; and none only where the plan had none. LB_SEED and LB_ROUNDS look further.
 */
#include "src/datapath/lb_draw_test.h"

#include <stdlib.h>

#define N_CHANGES 12

/* ---- what must hold ---- */

/* Of a front end, over all worlds that may be in force, whole or in part. */
struct expected {
	bool may_be_absent;
	uint8_t choosable[LB_SCOPE__MAX]; /* a bit each */
	bool may_be_local[LB_SCOPE__MAX], may_be_all[LB_SCOPE__MAX];
	bool may_be_empty[LB_SCOPE__MAX];
	bool may_admit[N_CLIENTS];
};

static const struct service_draw *find_owner(const struct world *world, unsigned int frontend)
{
	for (int i = 0; i < N_SERVICES; i++)
		if (world->services[i].exists && world->services[i].frontends >> frontend & 1)
			return &world->services[i];
	return NULL;
}

static bool admits(const struct service_draw *service, unsigned int client)
{
	bool is_named = service->ranges >> client & 1;

	return !service->has_ranges || is_named != service->deny;
}

/* An address that has another service since. */
static bool has_moved(const struct test *test, unsigned int frontend)
{
	const struct world *first = &g_array_index(test->worlds, struct world, 0);
	const struct service_draw *owner = find_owner(first, frontend);

	for (guint i = 1; i < test->worlds->len; i++) {
		const struct world *other = &g_array_index(test->worlds, struct world, i);
		const struct service_draw *now = find_owner(other, frontend);

		if (owner && now && owner - first->services != now - other->services)
			return true;
		owner = now ? now : owner;
		first = now ? other : first;
	}
	return false;
}

static bool is_local_for(const struct service_draw *service, enum lb_scope scope)
{
	return service->frontend_flags &
	       (scope == LB_SCOPE_EXTERNAL ? LB_FRONTEND_F_EXTERNAL_LOCAL
					   : LB_FRONTEND_F_INTERNAL_LOCAL);
}

/* Flags of one world, of the service or of one that it has taken a front end from, meet back ends of another. */
static void add_flags(const struct test *test, unsigned int frontend, struct expected *expected)
{
	for (guint i = 0; i < test->worlds->len; i++) {
		const struct service_draw *service =
			find_owner(&g_array_index(test->worlds, struct world, i), frontend);

		for (int scope = 0; service && scope < LB_SCOPE__MAX; scope++) {
			expected->may_be_local[scope] |= is_local_for(service, scope);
			expected->may_be_all[scope] |= !is_local_for(service, scope);
		}
	}
}

static void add_backends(const struct service_draw *service, struct expected *expected)
{
	uint8_t all = service->backends & service->ready, local = all & service->local;

	for (int scope = 0; scope < LB_SCOPE__MAX; scope++) {
		bool may_be_local = expected->may_be_local[scope];

		expected->choosable[scope] |= expected->may_be_all[scope] ? all : local;
		expected->may_be_empty[scope] |= may_be_local ? !local : !all;
	}
}

/* Its owner in one world has had other back ends in others. */
static void add_world(const struct test *test, const struct world *world, unsigned int frontend,
		      struct expected *expected)
{
	const struct service_draw *service = find_owner(world, frontend);

	if (!service) {
		expected->may_be_absent = true;
		return;
	}
	for (guint i = 0; i < test->worlds->len; i++) {
		const struct service_draw *other = &g_array_index(test->worlds, struct world, i)
							    .services[service - world->services];

		if (other->exists)
			add_backends(other, expected);
	}
	for (int client = 0; client < N_CLIENTS; client++)
		expected->may_admit[client] |= admits(service, client);
}

static bool is_expected(const struct test *test, uint32_t id, uint32_t service, uint8_t choosable)
{
	const struct lb_backend *backend = id ? node_backend(test->node, id) : NULL;

	if (!backend || backend->service != service || backend->port != htons(8080))
		return false;
	for (unsigned int i = 0; i < N_BACKENDS; i++) {
		struct addr addr = backend_addr(i);

		if (addr_equal(&addr, &backend->addr))
			return choosable >> i & 1;
	}
	return false;
}

/* Whatever a reader draws; its service has the set. */
static void check_set(const struct test *test, const struct lb_frontend *frontend, uint32_t set,
		      uint8_t choosable, bool may_be_empty)
{
	uint32_t n = node_n_slots(test->node, set);

	if (!n)
		assert_true(may_be_empty);
	for (uint32_t i = 0; i < n; i++)
		if (!is_expected(test, node_slot(test->node, set, i), frontend->service, choosable))
			fail_msg("seed %u: slot %u of set %u is no back end of before or after",
				 test->seed, i, set);
	if (frontend->algorithm != LB_ALGORITHM_MAGLEV)
		return;
	for (uint32_t i = 0; i < MAGLEV_SIZE; i++) {
		uint32_t id = node_table(test->node, set, i);

		if (id && !is_expected(test, id, frontend->service, choosable))
			fail_msg("seed %u: position %u of set %u is no back end of before or after",
				 test->seed, i, set);
	}
}

static void check_client(const struct test *test, const struct lb_frontend *frontend,
			 unsigned int client, const struct expected *expected)
{
	bool is_admitted = frontend->service && frontend->flags & LB_FRONTEND_F_EXTERNAL;
	struct lb_source_range_key key = {.service = frontend->service};
	struct cidr range;

	assert_int_equal(cidr_parse(client_ranges[client], &range), 0);
	key.prefix_len = LB_SOURCE_RANGE_BITS + range.prefix_len;
	memcpy(&key.addr, &range.addr, sizeof(key.addr));
	if (frontend->flags & LB_FRONTEND_F_SOURCE_RANGES)
		is_admitted &= !!fake_map_value(test->node->dp, RANGES, &key) !=
			       !!(frontend->flags & LB_FRONTEND_F_DENY_RANGES);
	/* While ranges change nobody is let in too many; some may be refused for a moment. */
	if (is_admitted)
		assert_true(expected->may_admit[client]);
}

static void check_frontend(const struct test *test, unsigned int number)
{
	const struct lb_frontend_key key = {frontend_addr(number), htons(80), IPPROTO_TCP, {0}};
	const struct lb_frontend *frontend = fake_map_value(test->node->dp, FRONTENDS, &key);
	struct expected expected = {0};

	add_flags(test, number, &expected);
	for (guint i = 0; i < test->worlds->len; i++)
		add_world(test, &g_array_index(test->worlds, struct world, i), number, &expected);
	if (test->restarted && has_moved(test, number))
		return;
	if (!frontend) {
		assert_true(expected.may_be_absent || test->may_fail);
		return;
	}
	for (int scope = 0; scope < LB_SCOPE__MAX; scope++) {
		bool is_local = frontend->flags &
				(scope == LB_SCOPE_EXTERNAL ? LB_FRONTEND_F_EXTERNAL_LOCAL
							    : LB_FRONTEND_F_INTERNAL_LOCAL);

		check_set(test, frontend, LB_SET(frontend->service, is_local),
			  expected.choosable[scope],
			  expected.may_be_empty[scope] || expected.may_be_absent || test->may_fail);
	}
	for (int client = 0; client < N_CLIENTS; client++)
		check_client(test, frontend, client, &expected);
}

/* Each has an id of its own. */
static void check_ids(const struct test *test)
{
	uint32_t ids[N_FRONTENDS + 1];
	unsigned int n = 0;

	for (unsigned int i = 0; i <= N_FRONTENDS; i++) {
		const struct lb_frontend_key key = {i < N_FRONTENDS ? frontend_addr(i)
								    : addr_of(WILDCARD),
						    htons(i < N_FRONTENDS ? 80 : 0),
						    i < N_FRONTENDS ? IPPROTO_TCP : 0,
						    {0}};
		const struct lb_frontend *frontend =
			fake_map_value(test->node->dp, FRONTENDS, &key);

		if (!frontend)
			continue;
		assert_int_not_equal(frontend->id, 0);
		for (unsigned int other = 0; other < n; other++)
			if (ids[other] == frontend->id)
				fail_msg("seed %u: two have the id %u", test->seed, frontend->id);
		ids[n++] = frontend->id;
	}
}

static void check_write(void *data)
{
	for (unsigned int i = 0; i < N_FRONTENDS; i++)
		check_frontend(data, i);
	check_ids(data);
}

/* ---- what the kernel has when all is in force ---- */

struct totals {
	unsigned int n_frontends, n_sets, n_slots, n_backends, n_tables, n_ranges;
	bool wildcard;
};

static void add_totals(const struct service_draw *service, struct totals *totals)
{
	unsigned int n_all = __builtin_popcount(service->backends & service->ready);
	unsigned int n_local =
		__builtin_popcount(service->backends & service->ready & service->local);
	bool has_local = service->frontends &&
			 service->frontend_flags &
				 (LB_FRONTEND_F_EXTERNAL_LOCAL | LB_FRONTEND_F_INTERNAL_LOCAL);

	totals->wildcard |= service->wildcard;
	totals->n_frontends += __builtin_popcount(service->frontends);
	totals->n_backends += __builtin_popcount(service->backends);
	totals->n_ranges += __builtin_popcount(service->ranges);
	totals->n_slots += n_all + (has_local ? n_local : 0);
	totals->n_sets += !!n_all + (has_local && n_local);
	if (service->maglev)
		totals->n_tables += !!n_all + (has_local && n_local);
}

static void check_totals(const struct test *test)
{
	struct totals totals = {0};

	for (int i = 0; i < N_SERVICES; i++)
		if (test->now.services[i].exists)
			add_totals(&test->now.services[i], &totals);
	assert_entries(test->node, totals.n_frontends + totals.wildcard, totals.n_sets,
		       totals.n_slots, totals.n_backends);
	assert_int_equal(fake_map_n_entries(test->node->dp, TABLES), totals.n_tables);
	assert_int_equal(fake_map_n_entries(test->node->dp, RANGES), totals.n_ranges);
}

static bool is_failing(const struct test *test)
{
	return reconcilers_service_statistics(test->node->reconcilers).n_failing;
}

/* Nothing is left of before: a reader finds what the plan says, and only that. */
static void check_rest(struct test *test)
{
	bool may_fail = test->may_fail;

	assert_int_equal(reconcilers_resync(test->node->reconcilers), 0);
	if (is_failing(test)) {
		assert_true(may_fail);
		return;
	}
	if (!test->node->deletion_allowed)
		return;
	test->restarted = false;
	g_array_set_size(test->worlds, 0);
	g_array_append_val(test->worlds, test->now);
	test->may_fail = false;
	check_write(test);
	test->may_fail = may_fail;
	check_totals(test);
}

/* ---- rounds ---- */

static void change(struct test *test, unsigned int n)
{
	while (n--)
		draw_change(test);
	g_array_append_val(test->worlds, test->now);
}

/* Numbers of the services, and of their back ends by address: of connections. */
struct numbers {
	uint32_t services[N_SERVICES];
	uint32_t backends[N_SERVICES][N_BACKENDS];
};

static void note_numbers(const struct reconciler_service *service, void *data)
{
	struct numbers *numbers = data;
	unsigned int number = service->row->key[strlen("default/s")] - '0';

	numbers->services[number] = service->number;
	for (uint32_t i = 0; i < service->row->n_backends; i++) {
		unsigned int which = service->row->backends[i].addr.bytes[15] - 1;

		numbers->backends[number][which] = service->backend_ids[i];
	}
}

static struct numbers numbers_get(const struct test *test)
{
	struct numbers numbers = {0};

	reconcilers_foreach_service(test->node->reconcilers, note_numbers, &numbers);
	return numbers;
}

/* Who stayed, in a service that could be told by its front ends, has the number that it had. */
static void compare_numbers(const struct world *before, const struct world *after,
			    const struct numbers *a, const struct numbers *b)
{
	for (int i = 0; i < N_SERVICES; i++) {
		const struct service_draw *x = &before->services[i], *y = &after->services[i];

		if (!x->exists || !y->exists || !x->frontends || x->frontends != y->frontends)
			continue;
		assert_int_equal(a->services[i], b->services[i]);
		for (int k = 0; k < N_BACKENDS; k++)
			if (x->backends & y->backends & 1 << k)
				assert_int_equal(a->backends[i][k], b->backends[i][k]);
	}
}

static void test_init(struct test *test, const uint32_t *limits, uint32_t seed)
{
	*test = (struct test){
		.seed = seed,
		.node = node_new(limits),
		.rand = g_rand_new_with_seed(seed),
		.worlds = g_array_new(false, false, sizeof(struct world)),
	};
	g_array_append_val(test->worlds, test->now);
	fake_set_write_observer(test->node->dp, check_write, test);
	node_allow_deletion(test->node);
}

static void test_fini(struct test *test)
{
	node_free(test->node);
	g_rand_free(test->rand);
	g_array_unref(test->worlds);
}

static unsigned int env_get(const char *name, unsigned int fallback)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : fallback;
}

static void foreach_round(void (*fn)(struct test *test), const uint32_t *limits, bool may_fail)
{
	uint32_t seed = env_get("LB_SEED", 1);
	unsigned int n = env_get("LB_ROUNDS", 30);

	for (unsigned int i = 0; i < n; i++) {
		struct test test;

		test_init(&test, limits, seed + i);
		test.may_fail = may_fail;
		fn(&test);
		test_fini(&test);
	}
}

static void change_often(struct test *test)
{
	for (int i = 0; i < N_CHANGES; i++) {
		struct numbers before = numbers_get(test);
		struct world world = test->now;
		struct numbers after;

		change(test, 1 + draw(test, 3));
		put_world(test);
		node_come_to_rest(test->node);
		after = numbers_get(test);
		if (!test->may_fail)
			compare_numbers(&world, &test->now, &before, &after);
		check_rest(test);
	}
}

static void changes(void **state)
{
	foreach_round(change_often, NULL, false);
}

static void full_maps(void **state)
{
	static const uint32_t limits[PLAN_MAP__MAX] = {
		[FRONTENDS] = 6, [SETS] = 4,   [SLOTS] = 9,
		[BACKENDS] = 10, [TABLES] = 2, [RANGES] = 3,
	};

	foreach_round(change_often, limits, true);
}

static void fail_now_and_then(struct test *test)
{
	for (int i = 0; i < N_CHANGES; i++) {
		fake_fail_write(test->node->dp, draw(test, 20), one_in(test, 2) ? EIO : ENOSPC);
		change(test, 1 + draw(test, 3));
		put_world(test);
		/* Until none fails. */
		fake_fail_write(test->node->dp, 1 << 30, EIO);
		node_come_to_rest(test->node);
		assert_false(is_failing(test));
		check_rest(test);
	}
}

static void failing_writes(void **state)
{
	foreach_round(fail_now_and_then, NULL, true);
}

static bool was_killed;

/* The agent dies at some write of the change; the next one is given the plan, which may have changed. */
static void kill_now_and_then(struct test *test)
{
	for (int i = 0; i < N_CHANGES; i++) {
		struct numbers before = numbers_get(test), after;
		struct world world = test->now;
		unsigned int n_writes = fake_n_writes(test->node->dp), n = draw(test, 25);

		fake_die_after(test->node->dp, n);
		change(test, 1 + draw(test, 3));
		put_world(test);
		was_killed |= fake_n_writes(test->node->dp) == n_writes + n;
		node_restart(test->node);
		test->restarted = true;
		put_world(test);
		node_come_to_rest(test->node);
		check_write(test);
		node_allow_deletion(test->node);
		node_come_to_rest(test->node);
		after = numbers_get(test);
		compare_numbers(&world, &test->now, &before, &after);
		check_rest(test);
	}
}

static void killed_agents(void **state)
{
	foreach_round(kill_now_and_then, NULL, false);
	assert_true(was_killed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(full_maps),
		cmocka_unit_test(failing_writes),
		cmocka_unit_test(killed_agents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
