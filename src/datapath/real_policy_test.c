// SPDX-License-Identifier: Apache-2.0
/* The maps of policy against the kernel. */
#include "src/datapath/real_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "policy_probe.skel.h"
#include "src/base/clock.h"
#include "src/datapath/reconciler.h"
#include "src/model/rule_set.h"

static void test_elements_are_the_maps(void **state)
{
	struct world *world = *state;
	const struct policy_endpoint element = {.version = 7, .flags = POLICY_F_AUDIT};
	const struct policy_endpoint last = {.version = 9};
	const uint32_t key = 300;
	struct policy_endpoint found;

	assert_int_equal(world->dp->ops->policy_get(world->dp, 300).version, 0);
	world->dp->ops->policy_set(world->dp, 300, &element);
	world->dp->ops->policy_set(world->dp, UINT16_MAX, &last);
	assert_int_equal(
		world->dp->ops->map_get(world->dp, PLAN_MAP_cilium_policy_endpoint, &key, &found),
		0);
	assert_memory_equal(&found, &element, sizeof(found));
	finish(world);
	restart(world);
	found = world->dp->ops->policy_get(world->dp, 300);
	assert_memory_equal(&found, &element, sizeof(found));
	assert_int_equal(world->dp->ops->policy_get(world->dp, UINT16_MAX).version, 9);
}

static uint32_t put_peers(struct world *world, uint32_t first, uint32_t n, int expected)
{
	g_autofree struct policy_peer_key *keys = g_new0(struct policy_peer_key, n);
	g_autofree struct policy_peer *values = g_new0(struct policy_peer, n);
	uint32_t n_done;

	for (uint32_t i = 0; i < n; i++) {
		keys[i] = (struct policy_peer_key){.version = 1, .identity = first + i};
		values[i].class = first + i;
	}
	assert_int_equal(world->dp->ops->map_update_batch(world->dp, PLAN_MAP_cilium_policy_peer,
							  keys, values, n, &n_done),
			 expected);
	return n_done;
}

static uint32_t delete_peers(struct world *world, uint32_t first, uint32_t n)
{
	g_autofree struct policy_peer_key *keys = g_new0(struct policy_peer_key, n);
	uint32_t n_done;

	for (uint32_t i = 0; i < n; i++)
		keys[i] = (struct policy_peer_key){.version = 1, .identity = first + i};
	assert_int_equal(world->dp->ops->map_delete_batch(world->dp, PLAN_MAP_cilium_policy_peer,
							  keys, n, &n_done),
			 0);
	return n_done;
}

static void test_batches_end_where_the_map_is_full(void **state)
{
	struct world *world = *state;

	world->config.max_entries[PLAN_MAP_cilium_policy_peer] = 1000;
	restart(world);
	finish(world);
	assert_int_equal(put_peers(world, 1, 600, 0), 600);
	assert_int_equal(n_pinned_entries("cilium_policy_peer"), 600);
	assert_int_equal(put_peers(world, 1001, 600, -ENOSPC), 400);
	/* The first that does not fit is the first of all. */
	assert_int_equal(put_peers(world, 2001, 1, -ENOSPC), 0);
	/* Some are there, some are not. */
	assert_int_equal(delete_peers(world, 500, 600), 600);
	assert_int_equal(n_pinned_entries("cilium_policy_peer"), 499 + 301);
}

static void test_waits_for_programs(void **state)
{
	struct world *world = *state;
	int64_t started_ns = clock_monotonic_ns();

	for (int i = 0; i < 3; i++)
		assert_int_equal(world->dp->ops->wait_programs(world->dp), 0);
	print_message("a wait takes %lld us\n",
		      (long long)(clock_monotonic_ns() - started_ns) / 3 / NSEC_PER_USEC);
}

/* ---- changes while programs run ---- */

#define N_FLIPS 10000

/* Of the test, beside the world. */
struct policy {
	struct store *store;
	struct tables tables;
	struct reconcilers *reconcilers;
	uint32_t last_version;
	struct policy_probe_bpf *probe;
	bool stop; /* for the other thread */
};

static int take_version(uint32_t *ret_version, void *data)
{
	*ret_version = ++((struct policy *)data)->last_version;
	return 0;
}

static void start_policy(struct world *world, struct policy *policy)
{
	policy->store = tables_new(&policy->tables);
	policy->reconcilers = reconcilers_new(policy->store, &policy->tables, world->dp);
	reconcilers_set_version_source(policy->reconcilers, take_version, policy);
	assert_int_equal(reconcilers_adopt(policy->reconcilers, NULL), 0);
	reconcilers_allow_deletion(policy->reconcilers);
}

/* All leaves name one rule. Peers of both kinds: with ports, and without. */
static struct rule_set *set_new(uint64_t revision)
{
	const struct policy_leaf leaf = {.rule = 16 + revision, .verdict = POLICY_VERDICT_ALLOW};
	const struct policy_leaf wrong = {.rule = 1};
	const struct rule_class_entry entry = {IPPROTO_TCP, 9, 0, leaf};
	struct rule_set *set = rule_set_new(1, revision);

	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++) {
		struct rule_set_direction *side = &set->directions[direction];

		side->enforced = true;
		side->others = rule_class_new(&wrong, &entry, 1);
		side->n_peers = 2;
		side->peers = g_new0(struct rule_set_peer, 2);
		side->peers[0] = (struct rule_set_peer){100, rule_class_new(&leaf, NULL, 0)};
		side->peers[1] = (struct rule_set_peer){101, rule_class_new(&wrong, &entry, 1)};
	}
	return set;
}

static void put(struct policy *policy, struct table *table, struct row *take_row)
{
	struct txn *txn = txn_new(policy->store);

	txn_put(txn, table, take_row);
	txn_commit(txn);
	store_settle(policy->store);
}

static void load_probe(struct world *world, struct policy *policy)
{
	struct bpf_map *map;

	policy->probe = policy_probe_bpf__open();
	assert_non_null(policy->probe);
	bpf_object__for_each_map(
		map, policy->probe->obj) for (enum plan_map i = 0; i < PLAN_MAP__MAX;
					      i++) if (g_str_equal(bpf_map__name(map),
								   map_layout_get(i)->name))
		assert_int_equal(bpf_map__reuse_fd(map, real_get(world->dp)->maps[i].fd), 0);
	assert_int_equal(policy_probe_bpf__load(policy->probe), 0);
}

static void *run_probe(void *data)
{
	struct policy *policy = data;
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1000);

	while (!__atomic_load_n(&policy->stop, __ATOMIC_RELAXED))
		if (bpf_prog_test_run_opts(bpf_program__fd(policy->probe->progs.policy_probe),
					   &options))
			return (void *)1;
	return NULL;
}

static void test_never_a_mix(void **state)
{
	struct world *world = *state;
	struct policy policy = {0};
	struct endpoint_policy *row = (struct endpoint_policy *)row_new(&endpoint_policy_class);
	GThread *thread;

	finish(world);
	start_policy(world, &policy);
	put(&policy, policy.tables.rule_sets, &set_new(1)->row);
	row->endpoint_id = 1;
	row->rule_set = 1;
	put(&policy, policy.tables.endpoint_policies, &row->row);
	load_probe(world, &policy);
	thread = g_thread_new("probe", run_probe, &policy);
	for (uint64_t revision = 2; revision < N_FLIPS + 2; revision++) {
		put(&policy, policy.tables.rule_sets, &set_new(revision)->row);
		/* What is replaced is deleted under the eyes of the program. */
		if (revision % 64 < 2)
			reconcilers_retry(policy.reconcilers);
	}
	__atomic_store_n(&policy.stop, true, __ATOMIC_RELAXED);
	assert_null(g_thread_join(thread));
	print_message("%llu runs, %llu of them after another version\n",
		      (unsigned long long)policy.probe->bss->probe.n_runs,
		      (unsigned long long)policy.probe->bss->probe.n_changes);
	assert_int_equal(policy.probe->bss->probe.n_mixed, 0);
	assert_int_equal(policy.probe->bss->probe.n_missing, 0);
	assert_true(policy.probe->bss->probe.n_changes > 10);
	policy_probe_bpf__destroy(policy.probe);
	reconcilers_free(policy.reconcilers);
	store_free(policy.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_elements_are_the_maps),
		TEST(test_batches_end_where_the_map_is_full),
		TEST(test_waits_for_programs),
		TEST(test_never_a_mix),
	};

	return RUN(tests);
}
