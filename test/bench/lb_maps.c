// SPDX-License-Identifier: Apache-2.0
/*
 * What the reconciler of services takes against the kernel: all services at once, a change of one, a look at all, a
 * start with all in the kernel, and memory. One line of JSON. Root; in namespaces of its own, which leave nothing.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "src/base/log.h"
#include "src/datapath/reconciler.h"
#include "test/bench/cost.h"

#define N_SERVICES  30000
#define N_BACKENDS  4
#define N_CHANGES   2000
#define N_TABLES    200
#define MAGLEV_SIZE 16381

struct bench {
	struct store *store;
	struct tables tables;
	struct datapath *dp;
	struct reconcilers *reconcilers;
};

static long rss_kb(void)
{
	g_autofree char *text = NULL;
	long n_pages = 0;

	malloc_trim(0);
	if (g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
		sscanf(text, "%*d %ld", &n_pages);
	return n_pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- the plan ---- */

static struct addr addr_from_number(uint32_t base, uint32_t number)
{
	return addr_from_v4((struct in_addr){htonl(base + number)});
}

/* A ClusterIP with a port, and the wildcard of the address; n back ends from first on. */
static struct lb_service *service_new(uint32_t number, uint32_t n_backends, bool maglev)
{
	g_autofree char *key = g_strdup_printf("default/service-%u:80/TCP/4", number);
	g_autofree char *name = g_strdup_printf("service-%u", number);
	g_autofree struct lb_plan_backend *backends = g_new0(struct lb_plan_backend, n_backends);
	struct addr vip = addr_from_number(0x0a600000, number);
	const struct lb_plan_frontend frontends[] = {
		{.addr = vip, .flags = LB_FRONTEND_F_WILDCARD, .type = LB_TYPE_CLUSTER_IP},
		{.addr = vip, .port = 80, .type = LB_TYPE_CLUSTER_IP},
	};

	for (uint32_t i = 0; i < n_backends; i++)
		backends[i] = (struct lb_plan_backend){
			.addr = addr_from_number(0x0b000000, number * 16 + i),
			.port = 8080,
			.weight = 1,
			.flags = LB_BACKEND_F_IN_ALL,
		};
	return lb_service_new(
		key, &(const struct lb_service){
			     .namespace = "default",
			     .name = name,
			     .protocol = IPPROTO_TCP,
			     .algorithm = maglev ? LB_ALGORITHM_MAGLEV : LB_ALGORITHM_RANDOM,
			     .needs_maglev = maglev,
			     .n_frontends = G_N_ELEMENTS(frontends),
			     .frontends = frontends,
			     .n_backends = n_backends,
			     .backends = backends,
		     });
}

static void put_all(struct bench *bench)
{
	struct txn *txn = txn_new(bench->store);

	for (uint32_t i = 0; i < N_SERVICES; i++)
		txn_put(txn, bench->tables.lb_services, &service_new(i, N_BACKENDS, false)->row);
	txn_commit(txn);
}

static double settle(struct bench *bench)
{
	double started_ms = cost_ms();

	store_settle(bench->store);
	return cost_ms() - started_ms;
}

static double apply(struct bench *bench, struct lb_service *take_row)
{
	struct txn *txn = txn_new(bench->store);
	double started_ms;

	txn_put(txn, bench->tables.lb_services, &take_row->row);
	started_ms = cost_ms();
	txn_commit(txn);
	store_settle(bench->store);
	return cost_ms() - started_ms;
}

/* ---- the agent ---- */

static void start(struct bench *bench)
{
	g_autoptr(GError) error = NULL;

	bench->store = tables_new(&bench->tables);
	bench->reconcilers = reconcilers_new(bench->store, &bench->tables, bench->dp);
	reconcilers_set_maglev(bench->reconcilers, MAGLEV_SIZE, 1);
	if (reconcilers_adopt(bench->reconcilers, &error))
		cost_die("adopting", error);
}

static void stop(struct bench *bench)
{
	reconcilers_free(bench->reconcilers);
	store_free(bench->store);
}

static void check_all(const struct bench *bench, const char *when)
{
	struct reconciler_service_statistics now =
		reconcilers_service_statistics(bench->reconcilers);

	if (now.n_failing || now.n_frontends != 2 * N_SERVICES ||
	    now.n_backends != N_SERVICES * N_BACKENDS)
		cost_die(when, NULL);
}

static void measure_load(struct bench *bench)
{
	long before_kb = rss_kb();
	double plan_mb;

	put_all(bench);
	plan_mb = cost_heap_mb();
	printf("\"services\": %u, \"backends\": %u, \"load_ms\": %.1f, ", N_SERVICES,
	       N_SERVICES * N_BACKENDS, settle(bench));
	check_all(bench, "not all services are there");
	malloc_trim(0);
	printf("\"state_bytes_per_service\": %.1f, ",
	       (cost_heap_mb() - plan_mb) * 1e6 / N_SERVICES);
	printf("\"rss_mb\": %.1f, ", (double)(rss_kb() - before_kb) / 1024);
}

/* A back end more, and one less. */
static void measure_changes(struct bench *bench)
{
	g_autofree double *more = g_new(double, N_CHANGES), *less = g_new(double, N_CHANGES);

	for (uint32_t i = 0; i < N_CHANGES; i++) {
		more[i] = apply(bench, service_new(i, N_BACKENDS + 1, false));
		less[i] = apply(bench, service_new(i, N_BACKENDS, false));
	}
	cost_print_json("backend_more", more, N_CHANGES);
	cost_print_json("backend_less", less, N_CHANGES);
	check_all(bench, "changes are not all in force");
}

static void measure_tables(struct bench *bench)
{
	g_autofree double *first = g_new(double, N_TABLES), *change = g_new(double, N_TABLES);

	for (uint32_t i = 0; i < N_TABLES; i++) {
		first[i] = apply(bench, service_new(i, N_BACKENDS, true));
		change[i] = apply(bench, service_new(i, N_BACKENDS + 1, true));
		apply(bench, service_new(i, N_BACKENDS, false));
	}
	cost_print_json("table_new", first, N_TABLES);
	cost_print_json("table_change", change, N_TABLES);
}

static void measure_comparison(struct bench *bench)
{
	double started_ms = cost_ms();

	if (reconcilers_resync(bench->reconcilers))
		cost_die("something was repaired", NULL);
	printf("\"compare_all_ms\": %.1f, ", cost_ms() - started_ms);
}

static void count_write(const struct reconciler_entry *write, void *data)
{
	++*(unsigned int *)data;
}

static void measure_restart(struct bench *bench)
{
	unsigned int n_writes = 0;
	long before_kb;
	double started_ms;

	stop(bench);
	before_kb = rss_kb();
	started_ms = cost_ms();
	start(bench);
	printf("\"adopt_all_ms\": %.1f, ", cost_ms() - started_ms);
	reconcilers_set_write_observer(bench->reconcilers, count_write, &n_writes);
	put_all(bench);
	printf("\"claim_all_ms\": %.1f, ", settle(bench));
	reconcilers_allow_deletion(bench->reconcilers);
	check_all(bench, "not all services were adopted");
	if (n_writes)
		cost_die("something was written", NULL);
	printf("\"restart_rss_mb\": %.1f, ", (double)(rss_kb() - before_kb) / 1024);
	reconcilers_set_write_observer(bench->reconcilers, NULL, NULL);
}

static void measure_removal(struct bench *bench)
{
	struct txn *txn = txn_new(bench->store);
	uint64_t map_bytes = 0, program_bytes;

	bench->dp->ops->get_memory(bench->dp, &map_bytes, &program_bytes);
	printf("\"map_mb\": %.1f, ", (double)map_bytes / (1 << 20));
	for (uint32_t i = 0; i < N_SERVICES; i++) {
		g_autofree char *key = g_strdup_printf("default/service-%u:80/TCP/4", i);

		txn_remove(txn, bench->tables.lb_services, key, strlen(key));
	}
	txn_commit(txn);
	printf("\"remove_all_ms\": %.1f", settle(bench));
	if (reconcilers_service_statistics(bench->reconcilers).n_backends)
		cost_die("not all services went", NULL);
}

static void load(struct bench *bench, const char *dir)
{
	g_autofree char *bpf_root = g_build_filename(dir, "bpf", NULL);
	g_autofree char *state_dir = g_build_filename(dir, "state", NULL);
	struct datapath_config config = {.mtu = 1500, .node.enable_ipv4 = 1};
	g_autoptr(GError) error = NULL;

	config.max_entries[PLAN_MAP_cilium_lb_services] = 131072;
	config.max_entries[PLAN_MAP_cilium_lb_sets] = 131072;
	config.max_entries[PLAN_MAP_cilium_lb_slots] = 262144;
	config.max_entries[PLAN_MAP_cilium_lb_backends] = 262144;
	if (addr_parse("10.0.0.1", &config.router4))
		abort();
	bench->dp = datapath_real_new(bpf_root, state_dir);
	if (bench->dp->ops->load(bench->dp, &config, &error) ||
	    bench->dp->ops->load_finish(bench->dp, &error))
		cost_die("loading", error);
}

int main(void)
{
	char dir[] = "/tmp/lb_maps.XXXXXX";
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
	printf("{");
	measure_load(&bench);
	measure_changes(&bench);
	measure_tables(&bench);
	measure_comparison(&bench);
	measure_restart(&bench);
	measure_removal(&bench);
	printf("}\n");
	stop(&bench);
	if (bench.dp->ops->purge(bench.dp, &error))
		cost_die("cleaning up", error);
	bench.dp->ops->free(bench.dp);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return 0;
}
