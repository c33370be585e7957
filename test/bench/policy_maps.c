// SPDX-License-Identifier: Apache-2.0
/*
 * What the reconciler of policy takes against the kernel: a change, a peer that comes, large rule sets, a look at
 * all. One line of JSON. Root; in namespaces of its own, which leave nothing.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "src/base/log.h"
#include "src/datapath/reconciler.h"
#include "src/model/rule_set.h"
#include "test/bench/cost.h"

#define N_ENDPOINTS    100
#define N_CLASSES      20
#define PORTS_OF_CLASS 5
#define N_CHANGES      200
#define IDENTITY_FIRST 1000
#define MAX_ENTRIES    262144

struct bench {
	struct store *store;
	struct tables tables;
	struct datapath *dp;
	struct reconcilers *reconcilers;
	uint32_t last_version;
	uint64_t last_revision;
};

static int take_version(uint32_t *ret_version, void *data)
{
	*ret_version = ++((struct bench *)data)->last_version;
	return 0;
}

static void start(struct bench *bench)
{
	g_autoptr(GError) error = NULL;

	bench->store = tables_new(&bench->tables);
	bench->reconcilers = reconcilers_new(bench->store, &bench->tables, bench->dp);
	reconcilers_set_version_source(bench->reconcilers, take_version, bench);
	if (reconcilers_adopt(bench->reconcilers, &error))
		cost_die("adopting", error);
}

static void stop(struct bench *bench)
{
	reconcilers_free(bench->reconcilers);
	store_free(bench->store);
}

/* n peers of some classes; of another revision the classes differ, as rules do that have changed. */
static struct rule_set *set_new(uint64_t revision, uint32_t n, uint64_t salt)
{
	struct rule_set *set = rule_set_new(1, revision);
	const struct rule_class *classes[N_CLASSES];

	for (unsigned int i = 0; i < N_CLASSES; i++) {
		struct rule_class_entry entries[PORTS_OF_CLASS] = {{0}};
		const struct policy_leaf otherwise = {0};

		for (unsigned int j = 0; j < PORTS_OF_CLASS; j++)
			entries[j] = (struct rule_class_entry){
				6,
				16,
				1000 + i * 10 + j,
				{(uint32_t)(salt * 100 + i + 16), POLICY_VERDICT_ALLOW, 0, 0}};
		classes[i] = rule_class_new(&otherwise, entries, PORTS_OF_CLASS);
	}
	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++) {
		struct rule_set_direction *side = &set->directions[direction];
		const struct policy_leaf none = {0};

		side->others = rule_class_new(&none, NULL, 0);
		side->enforced = true;
		side->n_peers = direction == POLICY_INGRESS ? n : 0;
		side->peers = g_new0(struct rule_set_peer, side->n_peers);
		for (uint32_t i = 0; i < side->n_peers; i++)
			side->peers[i] = (struct rule_set_peer){
				IDENTITY_FIRST + i, rule_class_ref(classes[i % N_CLASSES])};
	}
	for (unsigned int i = 0; i < N_CLASSES; i++)
		rule_class_unref(classes[i]);
	return set;
}

static void put_endpoints(struct bench *bench)
{
	struct txn *txn = txn_new(bench->store);

	for (uint16_t id = 1; id <= N_ENDPOINTS; id++) {
		struct endpoint_policy *row =
			(struct endpoint_policy *)row_new(&endpoint_policy_class);

		row->endpoint_id = id;
		row->rule_set = 1;
		txn_put(txn, bench->tables.endpoint_policies, &row->row);
	}
	txn_commit(txn);
}

/* Milliseconds from the commit until everything is in force. */
static double apply(struct bench *bench, struct rule_set *take_set)
{
	struct txn *txn = txn_new(bench->store);
	double started_ms;

	txn_put(txn, bench->tables.rule_sets, &take_set->row);
	started_ms = cost_ms();
	txn_commit(txn);
	store_settle(bench->store);
	return cost_ms() - started_ms;
}

/* The longest step, in milliseconds, without what is waited for the programs, which a thread does. */
static double reclaim(struct bench *bench)
{
	double longest = 0;

	for (int i = 0; i < 200; i++) {
		struct reconciler_policy_statistics before =
			reconcilers_policy_statistics(bench->reconcilers);
		double started_ms = cost_ms();
		int64_t next_ns = reconcilers_retry(bench->reconcilers);
		double ms = cost_ms() - started_ms;

		if (reconcilers_policy_statistics(bench->reconcilers).n_peers != before.n_peers)
			longest = MAX(longest, ms);
		if (next_ns < 0)
			break;
	}
	return longest;
}

static void measure_changes(struct bench *bench, const char *name, uint32_t n_peers, unsigned int n)
{
	g_autofree double *values = g_new(double, n);

	for (unsigned int i = 0; i < n; i++) {
		uint64_t revision = ++bench->last_revision;

		values[i] = apply(bench, set_new(revision, n_peers, revision));
		reclaim(bench);
	}
	cost_print_json(name, values, n);
}

static void measure_peers(struct bench *bench, const char *name, uint32_t n_peers, unsigned int n)
{
	uint64_t revision = ++bench->last_revision;
	g_autofree double *values = g_new(double, n);

	apply(bench, set_new(revision, n_peers, 1));
	reclaim(bench);
	for (unsigned int i = 0; i < n; i++)
		values[i] = apply(bench, set_new(revision, n_peers + 1 + i, 1));
	cost_print_json(name, values, n);
}

static void measure_large(struct bench *bench, uint32_t n_peers)
{
	struct reconciler_policy_statistics statistics;
	uint64_t revision = ++bench->last_revision;
	uint64_t map_bytes = 0, program_bytes;
	double started_ms;

	printf("\"peers\": %u, \"write_all_ms\": %.1f, ", n_peers,
	       apply(bench, set_new(revision, n_peers, 1)));
	reclaim(bench);
	statistics = reconcilers_policy_statistics(bench->reconcilers);
	if (statistics.n_unfit || statistics.n_peers != n_peers + 2)
		cost_die("not all peers are there", NULL);
	started_ms = cost_ms();
	if (reconcilers_resync(bench->reconcilers))
		cost_die("something was repaired", NULL);
	printf("\"compare_all_ms\": %.1f, ", cost_ms() - started_ms);
	stop(bench);
	started_ms = cost_ms();
	start(bench);
	printf("\"adopt_all_ms\": %.1f, ", cost_ms() - started_ms);
	put_endpoints(bench);
	printf("\"claim_all_ms\": %.1f, ", apply(bench, set_new(revision, n_peers, 1)));
	reconcilers_allow_deletion(bench->reconcilers);
	if (reconcilers_policy_statistics(bench->reconcilers).n_flips)
		cost_die("what was in force was not recognised", NULL);
	bench->dp->ops->get_memory(bench->dp, &map_bytes, &program_bytes);
	printf("\"map_mb\": %.1f, ", (double)map_bytes / (1 << 20));
	apply(bench, set_new(++bench->last_revision, 1, 1));
	printf("\"delete_step_ms\": %.1f, ", reclaim(bench));
}

static void measure_wait(struct bench *bench)
{
	int64_t started_ns = clock_monotonic_ns();

	for (int i = 0; i < 10; i++)
		if (bench->dp->ops->wait_programs(bench->dp))
			cost_die("waiting", NULL);
	printf("\"wait_ms\": %.1f",
	       (double)(clock_monotonic_ns() - started_ns) / NSEC_PER_MSEC / 10);
}

static void load(struct bench *bench, const char *dir)
{
	g_autofree char *bpf_root = g_build_filename(dir, "bpf", NULL);
	g_autofree char *state_dir = g_build_filename(dir, "state", NULL);
	struct datapath_config config = {.mtu = 1500, .node.enable_ipv4 = 1};
	g_autoptr(GError) error = NULL;

	config.max_entries[PLAN_MAP_cilium_policy_peer] = MAX_ENTRIES;
	config.max_entries[PLAN_MAP_cilium_policy_class] = MAX_ENTRIES;
	if (addr_parse("10.0.0.1", &config.router4))
		abort();
	bench->dp = datapath_real_new(bpf_root, state_dir);
	if (bench->dp->ops->load(bench->dp, &config, &error) ||
	    bench->dp->ops->load_finish(bench->dp, &error))
		cost_die("loading", error);
}

int main(void)
{
	char dir[] = "/tmp/policy_maps.XXXXXX";
	struct bench bench = {0};
	g_autoptr(GError) error = NULL;

	log_set_level(LOG_LEVEL_ERROR);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || !mkdtemp(dir) ||
	    mount("none", dir, "tmpfs", 0, NULL))
		cost_die("making namespaces", NULL);
	load(&bench, dir);
	start(&bench);
	reconcilers_allow_deletion(bench.reconcilers);
	put_endpoints(&bench);
	printf("{");
	measure_changes(&bench, "change_1000", 1000, N_CHANGES);
	measure_changes(&bench, "change_16000", 16000, 20);
	measure_peers(&bench, "peer_1000", 1000, N_CHANGES);
	measure_peers(&bench, "peer_16000", 16000, N_CHANGES);
	measure_large(&bench, 200000);
	measure_wait(&bench);
	printf("}\n");
	stop(&bench);
	if (bench.dp->ops->purge(bench.dp, &error))
		cost_die("cleaning up", error);
	bench.dp->ops->free(bench.dp);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return 0;
}
