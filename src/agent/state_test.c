/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints and addresses over requests, failures, full disks, restarts and kills, on the fake kernel. */
#include "src/agent/endpoint_manager.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include "src/agent/persist.h"
#include "src/base/log.h"
#include "src/datapath/fake.h"
#include "src/derive/policy_activation.h"
#include "src/model/identity.h"

#define N_VETHS 64

/* An agent without sockets: what main.c wires around the state. */
struct world {
	char *dir;
	struct derive_config config;
	struct state_dir *run_state;
	struct state_dir *lib_state;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	struct policy_activation *activation;
	struct ipam *ipam;
	struct generation *generation;
	struct identity_file *identity_file;
	struct endpoint_manager *manager;
	struct datapath *datapath;
	struct reconcilers *reconcilers;
	GPtrArray *problems;
};

/* "lxc7" has index 107; "gone7" has none. */
static unsigned int find_interface(const char *name)
{
	return g_str_has_prefix(name, "lxc") ? 100 + atoi(name + 3) : 0;
}

static void restore(struct world *world)
{
	struct addr router4, router6;
	GPtrArray *ips, *endpoints;

	ips = persist_load_ips(world->run_state, world->problems, NULL);
	endpoints = persist_load_endpoints(world->run_state, world->problems, NULL);
	assert_non_null(ips);
	assert_non_null(endpoints);
	endpoint_manager_restore_ips(world->manager, ips);
	assert_int_equal(ipam_take_routers(world->ipam, &router4, &router6, NULL), 0);
	derive_set_router(world->derive, &router4, &router6);
	assert_int_equal(endpoint_manager_restore(world->manager, endpoints, NULL), 0);
	store_settle(world->store);
	g_ptr_array_unref(ips);
	g_ptr_array_unref(endpoints);
}

static int take_version(uint32_t *ret_version, void *data)
{
	return generation_take(data, ret_version, NULL);
}

static void start(struct world *world)
{
	g_autofree char *run_path = g_build_filename(world->dir, "run", NULL);
	g_autofree char *lib_path = g_build_filename(world->dir, "lib", NULL);
	struct datapath_config datapath_config = {0};

	world->problems = g_ptr_array_new_with_free_func(g_free);
	world->run_state = state_dir_new(run_path, NULL);
	world->lib_state = state_dir_new(lib_path, NULL);
	world->store = tables_new(&world->tables);
	world->derive = derive_new(world->store, &world->tables, &world->config, NULL);
	world->activation = policy_activation_new(&(const struct policy_activation_parts){
		.store = world->store,
		.tables = &world->tables,
		.derive = world->derive,
	});
	world->ipam = ipam_new(world->store, &world->tables, &world->config, world->run_state);
	world->generation = generation_new(world->lib_state, NULL);
	world->identity_file = identity_file_new(world->store, &world->tables, world->lib_state,
						 "boot", world->problems, NULL);
	assert_non_null(world->identity_file);
	for (int scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		derive_set_last_identity(world->derive, scope,
					 identity_file_get_last(world->identity_file, scope));
	world->manager = endpoint_manager_new(&(const struct endpoint_manager_parts){
		.store = world->store,
		.tables = &world->tables,
		.ipam = world->ipam,
		.generation = world->generation,
		.identity_file = world->identity_file,
		.dir = world->run_state,
		.find_interface = find_interface,
	});
	identity_file_watch(world->identity_file);
	restore(world);
	policy_activation_begin(world->activation);
	world->datapath = datapath_fake_new();
	assert_int_equal(world->datapath->ops->load(world->datapath, &datapath_config, NULL), 0);
	world->reconcilers = reconcilers_new(world->store, &world->tables, world->datapath);
	reconcilers_set_version_source(world->reconcilers, take_version, world->generation);
	assert_int_equal(reconcilers_adopt(world->reconcilers, NULL), 0);
	policy_activation_watch(world->activation);
	reconcilers_allow_deletion(world->reconcilers);
	endpoint_manager_set_reconcilers(world->manager, world->reconcilers);
	store_settle(world->store);
	policy_activation_allow_release(world->activation);
	store_settle(world->store);
}

static void stop(struct world *world)
{
	reconcilers_free(world->reconcilers);
	world->datapath->ops->free(world->datapath);
	endpoint_manager_free(world->manager);
	ipam_free(world->ipam);
	generation_free(world->generation);
	identity_file_free(world->identity_file);
	policy_activation_free(world->activation);
	derive_free(world->derive);
	store_free(world->store);
	state_dir_free(world->lib_state);
	state_dir_free(world->run_state);
	g_ptr_array_unref(world->problems);
}

static int setup(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->dir = g_dir_make_tmp("axoneme-state-XXXXXX", NULL);
	world->config = (struct derive_config){
		.node_name = "node1",
		.cluster_name = "default",
		.enable_ipv4 = true,
		.enable_ipv6 = true,
	};
	assert_int_equal(cidr_parse("10.0.0.0/24", &world->config.ipv4_range), 0);
	assert_int_equal(cidr_parse("fd00::/120", &world->config.ipv6_range), 0);
	start(world);
	*state = world;
	return 0;
}

static void remove_tree(const char *path)
{
	g_autoptr(GDir) stream = g_dir_open(path, 0, NULL);
	const char *name;

	while (stream && (name = g_dir_read_name(stream))) {
		g_autofree char *below = g_build_filename(path, name, NULL);

		remove_tree(below);
	}
	g_remove(path);
}

static int teardown(void **state)
{
	struct world *world = *state;

	stop(world);
	remove_tree(world->dir);
	g_free(world->dir);
	g_free(world);
	return 0;
}

static struct ipam_answer allocate(struct world *world, const char *owner, bool expires)
{
	const struct ipam_request request = {
		.owner = owner, .want_v4 = true, .want_v6 = true, .expires = expires};
	struct ipam_answer answer;

	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), 0);
	return answer;
}

static struct endpoint *wanted_endpoint(const char *ifname, const struct addr *addr4,
					const struct addr *addr6)
{
	struct endpoint *endpoint = endpoint_new();
	const struct label label = {.source = "container", .key = "app", .value = ifname};

	endpoint->container_id = g_strdup_printf("container-%s", ifname);
	endpoint->container_ifname = g_strdup("eth0");
	endpoint->host_ifname = g_strdup(ifname);
	endpoint->namespace = g_strdup("default");
	endpoint->pod_name = g_strdup_printf("pod-%s", ifname);
	label_set_unref(endpoint->runtime_labels);
	endpoint->runtime_labels = label_set_new(&label, 1);
	endpoint->mac = endpoint->host_mac = (struct mac){{2, 0, 0, 0, 0, 1}};
	endpoint->netns_cookie = UINT64_MAX;
	endpoint->addr4 = *addr4;
	endpoint->addr6 = *addr6;
	return endpoint;
}

static int create(struct world *world, const char *ifname, const struct endpoint **ret_endpoint,
		  GError **error)
{
	struct ipam_answer answer = allocate(world, ifname, true);
	struct addr addr4 = answer.v4->addr, addr6 = answer.v6->addr;

	return endpoint_manager_create(world->manager, wanted_endpoint(ifname, &addr4, &addr6),
				       ret_endpoint, error);
}

static const struct ip_allocation *allocation(struct world *world, const struct addr *addr)
{
	return (const struct ip_allocation *)table_get(world->tables.ip_allocations, addr,
						       sizeof(*addr));
}

static void an_endpoint_comes_and_goes(void **state)
{
	struct world *world = *state;
	const struct endpoint *endpoint;
	struct addr addr4;
	uint16_t id;

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	id = endpoint->id;
	addr4 = endpoint->addr4;
	assert_non_null(fake_map_value(world->datapath, PLAN_MAP_cilium_lxc, &addr4));
	assert_null(allocation(world, &addr4)->expiration_uuid);
	assert_int_equal(endpoint_manager_get_phase(world->manager, id), ENDPOINT_READY);
	assert_int_equal(ipam_release(world->ipam, &addr4, NULL), -EBUSY);
	assert_int_equal(endpoint_manager_delete(world->manager, id, NULL), 0);
	assert_null(fake_map_value(world->datapath, PLAN_MAP_cilium_lxc, &addr4));
	assert_true(allocation(world, &addr4)->released_ns > 0);
	assert_int_equal(endpoint_manager_delete(world->manager, id, NULL), -ENOENT);
	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	assert_int_not_equal(endpoint->id, id);
	assert_false(addr_equal(&endpoint->addr4, &addr4));
}

static void every_name_finds_it(void **state)
{
	struct world *world = *state;
	static const char *const names[] = {
		"1",
		"cilium-local:1",
		"container-id:container-lxc1",
		"cni-attachment-id:container-lxc1:eth0",
		"pod-name:default/pod-lxc1",
		"pod-name:default:pod-lxc1",
		"cep-name:default/pod-lxc1",
		"ipv4:10.0.0.2",
		"ipv6:fd00::2",
		"ipv6:fd00:0::2",
	};
	static const char *const unknown[] = {"2", "container-id:x", "pod-name:default/x",
					      "ipv4:10.0.0.9", "ipv4:fd00::2"};
	static const char *const bad[] = {"", "x", "1x", "nothing:1", "container-id:"};
	const struct endpoint *endpoint, *found;

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	for (unsigned int i = 0; i < G_N_ELEMENTS(names); i++) {
		assert_int_equal(endpoint_manager_find(world->manager, names[i], &found, NULL), 0);
		assert_ptr_equal(found, endpoint);
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(unknown); i++)
		assert_int_equal(endpoint_manager_find(world->manager, unknown[i], &found, NULL),
				 -ENOENT);
	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(endpoint_manager_find(world->manager, bad[i], &found, NULL),
				 -EINVAL);
}

static void conflicts_are_refused(void **state)
{
	struct world *world = *state;
	const struct endpoint *endpoint;
	struct addr foreign, addr6 = {0};

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	assert_int_equal(create(world, "lxc1", &endpoint, NULL), -EEXIST);
	assert_int_equal(create(world, "gone1", &endpoint, NULL), -ENODEV);
	assert_int_equal(endpoint_manager_create(world->manager,
						 wanted_endpoint("lxc2", &endpoint->addr4, &addr6),
						 &endpoint, NULL),
			 -EEXIST);
	assert_int_equal(addr_parse("10.9.9.9", &foreign), 0);
	assert_int_equal(endpoint_manager_create(world->manager,
						 wanted_endpoint("lxc2", &foreign, &addr6),
						 &endpoint, NULL),
			 -EADDRNOTAVAIL);
	assert_int_equal(table_n_rows(world->tables.endpoints), 1);
}

/* What the kernel refuses leaves no endpoint, no entry, no file, and the address with who asked. */
static void a_failing_kernel_rolls_back(void **state)
{
	struct world *world = *state;
	unsigned int n_entries = fake_map_n_entries(world->datapath, PLAN_MAP_cilium_lxc);
	static const enum fake_op ops[] = {FAKE_OP_MAP_UPDATE, FAKE_OP_ATTACH};
	const struct endpoint *endpoint;

	for (unsigned int i = 0; i < G_N_ELEMENTS(ops); i++) {
		g_autoptr(GPtrArray) files = NULL;
		g_autoptr(GError) error = NULL;

		fake_fail_next(world->datapath, ops[i], ENOSPC);
		assert_int_equal(create(world, "lxc1", &endpoint, &error), -ENOSPC);
		assert_non_null(strstr(error->message, g_strerror(ENOSPC)));
		assert_int_equal(table_n_rows(world->tables.endpoints), 0);
		assert_int_equal(fake_map_n_entries(world->datapath, PLAN_MAP_cilium_lxc),
				 n_entries);
		files = persist_load_endpoints(world->run_state, world->problems, NULL);
		assert_int_equal(files->len, 0);
	}
	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
}

/* No byte can be written: requests are refused, what is there stays, and goes when asked to. */
static void a_full_disk_refuses(void **state)
{
	struct world *world = *state;
	struct rlimit before, none = {0};
	const struct ipam_request request = {.owner = "x", .want_v4 = true, .want_v6 = true};
	unsigned int n_ips;
	struct ipam_answer pending = allocate(world, "lxc2", true), answer;
	struct addr addr4 = pending.v4->addr, addr6 = pending.v6->addr;
	const struct endpoint *endpoint, *refused;

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	n_ips = table_n_rows(world->tables.ip_allocations);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &none);
	assert_int_equal(ipam_allocate(world->ipam, &request, &answer, NULL), -EFBIG);
	assert_int_equal(endpoint_manager_create(world->manager,
						 wanted_endpoint("lxc2", &addr4, &addr6), &refused,
						 NULL),
			 -EFBIG);
	assert_int_equal(table_n_rows(world->tables.endpoints), 1);
	assert_int_equal(table_n_rows(world->tables.ip_allocations), n_ips);
	assert_non_null(allocation(world, &addr4)->expiration_uuid);
	assert_int_equal(endpoint_manager_delete(world->manager, endpoint->id, NULL), 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(create(world, "lxc3", &endpoint, NULL), 0);
}

static void a_restart_keeps_everything(void **state)
{
	struct world *world = *state;
	const struct endpoint *endpoint;
	struct ipam_answer pending, answer;
	struct addr addr4, pending4, last;
	uint32_t generation, identity;
	const struct endpoint_state *endpoint_state;
	uint16_t id;

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	id = endpoint->id;
	addr4 = endpoint->addr4;
	generation = endpoint->generation;
	endpoint_state = (const struct endpoint_state *)table_get(world->tables.endpoint_states,
								  &id, sizeof(id));
	identity = endpoint_state->identity;
	pending = allocate(world, "pending", true);
	pending4 = pending.v4->addr;
	last = allocate(world, "released", true).v4->addr;
	assert_int_equal(ipam_release(world->ipam, &last, NULL), 0);
	stop(world);
	start(world);
	assert_int_equal(endpoint_manager_find(world->manager, "container-id:container-lxc1",
					       &endpoint, NULL),
			 0);
	assert_int_equal(endpoint->id, id);
	assert_int_equal(endpoint->generation, generation);
	assert_true(endpoint->netns_cookie == UINT64_MAX);
	assert_true(addr_equal(&endpoint->addr4, &addr4));
	assert_non_null(allocation(world, &pending4)->expiration_uuid);
	endpoint_state = (const struct endpoint_state *)table_get(world->tables.endpoint_states,
								  &id, sizeof(id));
	assert_int_equal(endpoint_state->identity, identity);
	answer = allocate(world, "next", true);
	assert_false(addr_equal(&answer.v4->addr, &last));
	assert_int_equal(create(world, "lxc2", &endpoint, NULL), 0);
	assert_true(endpoint->generation > generation);
}

static void bad_files_are_set_aside(void **state)
{
	struct world *world = *state;
	const struct endpoint *endpoint;
	g_autofree char *path = NULL;
	g_autofree char *ip_path = NULL;

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	path = g_strdup_printf("%s/run/%u/ep_config.json", world->dir, endpoint->id);
	ip_path = g_strdup_printf("%s/run/ipam/77.json", world->dir);
	stop(world);
	assert_true(g_file_set_contents(path, "{\"version\":1,\"id\":", -1, NULL));
	assert_true(g_file_set_contents(ip_path, "{\"version\":1}", -1, NULL));
	start(world);
	assert_int_equal(world->problems->len, 2);
	assert_int_equal(table_n_rows(world->tables.endpoints), 0);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_false(g_file_test(ip_path, G_FILE_TEST_EXISTS));
}

/* An agent that is killed between making a folder and filling it, or emptying it and removing it. */
static void half_done_files_are_swept(void **state)
{
	struct world *world = *state;
	const struct endpoint *endpoint;
	g_autofree char *empty = g_strdup_printf("%s/run/77", world->dir);
	g_autofree char *half = g_strdup_printf("%s/run/78", world->dir);
	g_autofree char *file = g_strdup_printf("%s/.ep_config.json.tmp", half);
	g_autofree char *ip_path = g_strdup_printf("%s/run/ipam/.10.1.0.9.json.tmp", world->dir);

	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	stop(world);
	assert_int_equal(g_mkdir(empty, 0750), 0);
	assert_int_equal(g_mkdir(half, 0750), 0);
	assert_true(g_file_set_contents(file, "{\"version\":1", -1, NULL));
	assert_true(g_file_set_contents(ip_path, "{", -1, NULL));
	start(world);
	assert_int_equal(world->problems->len, 0);
	assert_int_equal(table_n_rows(world->tables.endpoints), 1);
	assert_false(g_file_test(empty, G_FILE_TEST_EXISTS));
	assert_false(g_file_test(half, G_FILE_TEST_EXISTS));
	assert_false(g_file_test(ip_path, G_FILE_TEST_EXISTS));
}

static void newer_files_are_refused(void **state)
{
	struct world *world = *state;
	g_autofree char *path = g_strdup_printf("%s/run/ipam/77.json", world->dir);
	g_autoptr(GError) error = NULL;

	assert_true(g_file_set_contents(path, "{\"version\":2}", -1, NULL));
	assert_null(persist_load_ips(world->run_state, world->problems, &error));
	assert_non_null(strstr(error->message, "newer"));
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_boot_forgets_endpoints(void **state)
{
	struct world *world = *state;
	const struct endpoint *endpoint;
	bool same;

	assert_int_equal(persist_check_boot(world->run_state, "a", &same, NULL), 0);
	assert_false(same);
	assert_int_equal(create(world, "lxc1", &endpoint, NULL), 0);
	assert_int_equal(persist_check_boot(world->run_state, "a", &same, NULL), 0);
	assert_true(same);
	assert_int_equal(persist_check_boot(world->run_state, "b", &same, NULL), 0);
	assert_false(same);
	stop(world);
	start(world);
	assert_int_equal(table_n_rows(world->tables.endpoints), 0);
	assert_int_equal(table_n_rows(world->tables.identities), 1);
}

static void the_second_agent_is_refused(void **state)
{
	struct world *world = *state;
	g_autofree char *path = g_build_filename(world->dir, "run", NULL);
	struct state_dir *second = state_dir_new(path, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *pid = g_strdup_printf("%d", getpid());

	assert_int_equal(state_dir_lock(world->run_state, NULL), 0);
	assert_int_equal(state_dir_lock(second, &error), -EBUSY);
	assert_non_null(strstr(error->message, pid));
	state_dir_free(second);
}

/* Calls of the child, each reported once it was answered. */
enum report_kind {
	REPORT_ALLOCATED,
	REPORT_CREATED,
	REPORT_DELETED,
};

struct report {
	uint32_t kind;
	uint32_t veth;
	uint32_t generation;
	struct addr addr4;
};

G_GNUC_NORETURN static void work_until_killed(struct world *world, int fd, unsigned int seed)
{
	GRand *random = g_rand_new_with_seed(seed);

	for (;;) {
		unsigned int veth = g_rand_int_range(random, 0, N_VETHS);
		g_autofree char *ifname = g_strdup_printf("lxc%u", veth);
		g_autofree char *name = g_strdup_printf("container-id:container-lxc%u", veth);
		struct report report = {.veth = veth};
		const struct endpoint *endpoint;

		if (endpoint_manager_find(world->manager, name, &endpoint, NULL) == 0) {
			report.kind = REPORT_DELETED;
			report.addr4 = endpoint->addr4;
			assert_int_equal(
				endpoint_manager_delete(world->manager, endpoint->id, NULL), 0);
		} else {
			struct ipam_answer answer = allocate(world, "x", true);
			struct addr addr6 = answer.v6->addr;

			report.addr4 = answer.v4->addr;
			assert_int_equal(write(fd, &report, sizeof(report)), sizeof(report));
			report.kind = REPORT_CREATED;
			assert_int_equal(endpoint_manager_create(
						 world->manager,
						 wanted_endpoint(ifname, &report.addr4, &addr6),
						 &endpoint, NULL),
					 0);
			report.generation = endpoint->generation;
		}
		assert_int_equal(write(fd, &report, sizeof(report)), sizeof(report));
	}
}

/* What the answers of the child add up to. */
struct ledger {
	bool exists[N_VETHS];
	struct addr addr4[N_VETHS];
	uint32_t generation; /* the greatest */
	struct report last;
};

static void read_reports(int fd, struct ledger *ledger)
{
	struct report report;

	while (read(fd, &report, sizeof(report)) == sizeof(report)) {
		ledger->last = report;
		if (report.kind == REPORT_CREATED) {
			assert_true(report.generation > ledger->generation);
			ledger->generation = report.generation;
		}
		if (report.kind == REPORT_ALLOCATED)
			for (unsigned int i = 0; i < N_VETHS; i++)
				assert_false(ledger->exists[i] &&
					     addr_equal(&ledger->addr4[i], &report.addr4));
		else
			ledger->exists[report.veth] = report.kind == REPORT_CREATED;
		ledger->addr4[report.veth] = report.addr4;
	}
}

/* The call that was cut off may have been done or not; every one before was. */
static void check_ledger(struct world *world, struct ledger *ledger)
{
	unsigned int n_uncertain = 0;

	assert_int_equal(world->problems->len, 0);
	for (unsigned int i = 0; i < N_VETHS; i++) {
		g_autofree char *name = g_strdup_printf("container-id:container-lxc%u", i);
		const struct endpoint *endpoint = NULL;
		int err = endpoint_manager_find(world->manager, name, &endpoint, NULL);

		if ((err == 0) != ledger->exists[i]) {
			n_uncertain++;
			ledger->exists[i] = err == 0;
		}
		if (endpoint) {
			assert_null(allocation(world, &endpoint->addr4)->expiration_uuid);
			assert_null(allocation(world, &endpoint->addr6)->expiration_uuid);
			ledger->addr4[i] = endpoint->addr4;
			ledger->generation = MAX(ledger->generation, endpoint->generation);
		}
	}
	assert_true(n_uncertain <= 1);
}

static bool count_unowned(const struct row *row, void *data)
{
	const struct ip_allocation *found = (const struct ip_allocation *)row;

	*(unsigned int *)data += !found->expires_ns && !found->released_ns;
	return true;
}

/* Nobody has an address for ever but the endpoints and the router. */
static void check_leaks(struct world *world)
{
	unsigned int n = 0;

	table_foreach (world->tables.ip_allocations, count_unowned, &n)
		;
	assert_int_equal(n, 2 + 2 * table_n_rows(world->tables.endpoints));
}

/* Until two calls were answered. */
static void wait_for_report(int fd)
{
	int n_bytes = 0;

	while (n_bytes < (int)(2 * sizeof(struct report))) {
		g_usleep(100);
		assert_int_equal(ioctl(fd, FIONREAD, &n_bytes), 0);
	}
}

static void kills_at_any_instruction(void **state)
{
	struct world *world = *state;
	GRand *random = g_rand_new_with_seed(1);
	struct ledger ledger = {0};

	for (unsigned int round = 0; round < 60; round++) {
		int pipe_fds[2];
		pid_t child;

		stop(world);
		assert_int_equal(pipe(pipe_fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			close(pipe_fds[0]);
			start(world);
			work_until_killed(world, pipe_fds[1], round);
		}
		close(pipe_fds[1]);
		/* Every other one is at work; the others may be at their start still. */
		if (round % 2)
			wait_for_report(pipe_fds[0]);
		g_usleep(g_rand_int_range(random, 0, 12000));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		read_reports(pipe_fds[0], &ledger);
		close(pipe_fds[0]);
		start(world);
		check_ledger(world, &ledger);
		check_leaks(world);
	}
	assert_true(ledger.generation > 60);
	g_rand_free(random);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_endpoint_comes_and_goes),  TEST(every_name_finds_it),
		TEST(conflicts_are_refused),       TEST(a_failing_kernel_rolls_back),
		TEST(a_full_disk_refuses),         TEST(a_restart_keeps_everything),
		TEST(bad_files_are_set_aside),     TEST(newer_files_are_refused),
		TEST(half_done_files_are_swept),   TEST(a_boot_forgets_endpoints),
		TEST(the_second_agent_is_refused), TEST(kills_at_any_instruction),
	};
#undef TEST

	/* Refusals are logged, and some are wanted here. */
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
