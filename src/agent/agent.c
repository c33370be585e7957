/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/agent.h"

#include <malloc.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/agent/agent_events.h"
#include "src/agent/agent_services.h"
#include "src/agent/backend_probe.h"
#include "src/agent/conntrack_gc.h"
#include "src/agent/endpoint_history.h"
#include "src/agent/events.h"
#include "src/agent/health.h"
#include "src/agent/kept_policies.h"
#include "src/agent/kube_proxy_healthz.h"
#include "src/agent/live.h"
#include "src/agent/loop_watch.h"
#include "src/agent/metrics.h"
#include "src/agent/node_report.h"
#include "src/agent/notify.h"
#include "src/agent/persist.h"
#include "src/agent/pid_file.h"
#include "src/agent/policy_log.h"
#include "src/agent/privilege.h"
#include "src/agent/program_wait.h"
#include "src/agent/queued_delete.h"
#include "src/agent/rest.h"
#include "src/agent/router.h"
#include "src/agent/service_health.h"
#include "src/agent/service_requests.h"
#include "src/agent/service_settings.h"
#include "src/agent/socket_end.h"
#include "src/agent/socket_group.h"
#include "src/agent/upkeep.h"
#include "src/agent/wiring.h"
#include "src/base/log.h"
#include "src/datapath/devices.h"
#include "src/derive/node.h"
#include "src/model/source_problem.h"
#include "src/rpc/http_server.h"
#include "src/rpc/unix_listen.h"
#include "src/source/decode.h"
#include "src/source/directory.h"
#include "src/source/masquerade_file.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define DEFAULT_MTU  1500

/* A full disk is no reason not to start. */
static void write_pid(struct agent *agent)
{
	const char *state_dir = agent->settings->state_dir;
	g_autoptr(GError) error = NULL;

	agent->pid_path = g_build_filename(state_dir, PID_FILE_NAME, NULL);
	if (pid_file_write(state_dir, &error))
		log_warning("agent", "The file with the process id is not written",
			    "directory=%s error=%s", state_dir, error->message);
}

/* Whoever starts second must find out before it has changed anything. */
static int lock_state(struct agent *agent, GError **error)
{
	g_autofree char *run_path = g_build_filename(agent->settings->state_dir, "state", NULL);
	g_autofree char *lib_path = g_build_filename(agent->settings->lib_dir, "state", NULL);
	int err;

	agent->run_state = state_dir_new(run_path, error);
	agent->lib_state = agent->run_state ? state_dir_new(lib_path, error) : NULL;
	if (!agent->lib_state)
		return -EIO;
	err = state_dir_lock(agent->run_state, error);
	if (!err)
		err = state_dir_lock(agent->lib_state, error);
	/* Those of the lib-dir are read first of all; these would be after the identities are written. */
	if (!err)
		err = state_dir_check_versions(agent->run_state, error);
	if (!err)
		write_pid(agent);
	if (!err && !g_file_get_contents(BOOT_ID_PATH, &agent->boot_id, NULL, error))
		err = -EIO;
	if (!err)
		g_strchomp(agent->boot_id);
	if (!err)
		state_dir_set_controller(
			agent->lib_state,
			controller_new(agent->controllers, "state-sync", "state", 0));
	return err;
}

static void warn_lack(const struct privilege_lack *lack, void *data)
{
	log_warning("agent", "A capability is missing: add it to the container or the unit",
		    "capability=%s for=%s", lack->name, lack->what);
}

/* Clients that come while the agent starts wait for it, instead of being refused. */
static int listen_early(struct agent *agent, GError **error)
{
	if (socket_group_find(agent->config, &agent->socket_group, error))
		return -EINVAL;
	agent->sockets_have_group = agent->socket_group != UNIX_LISTEN_NO_GROUP;
	if (!privilege_can_chown())
		agent->socket_group = UNIX_LISTEN_NO_GROUP;
	privilege_foreach_lack(agent->sockets_have_group, warn_lack, NULL);
	agent->api_fd =
		unix_listen(agent->settings->socket_path, SOCK_STREAM, agent->socket_group, error);
	return MIN(agent->api_fd, 0);
}

static bool entry_is_failing(enum plan_map map, const void *key, size_t n_bytes, void *data)
{
	const struct agent *agent = data;

	return agent->reconcilers &&
	       reconcilers_entry_is_failing(agent->reconcilers, map, key, n_bytes);
}

static void log_waiting(const struct source_problem *problem, void *data)
{
	log_warning("policy", "A policy or CIDR group cannot be in force as it is now",
		    "object=%s file=%s line=%u reason=%s hint=%s", problem->object, problem->file,
		    problem->line, problem->reason,
		    "use fewer prefixes; it comes into force by itself when it can");
}

/* In the order in which the watches are to run: derivations, what keeps their result, reconcilers. */
static int make_tables(struct agent *agent, GError **error)
{
	agent->store = tables_new(&agent->tables);
	agent->derive = derive_new(agent->store, &agent->tables, &agent->derive_config, error);
	if (!agent->derive)
		return -EINVAL;
	agent->activation = policy_activation_new(&(const struct policy_activation_parts){
		.store = agent->store,
		.tables = &agent->tables,
		.derive = agent->derive,
		.is_failing = entry_is_failing,
		.on_waiting = log_waiting,
		.data = agent,
	});
	agent->ipam =
		ipam_new(agent->store, &agent->tables, &agent->derive_config, agent->run_state);
	agent->generation = generation_new(agent->lib_state, error);
	if (!agent->generation)
		return -EIO;
	agent->identity_file = identity_file_new(agent->store, &agent->tables, agent->lib_state,
						 agent->boot_id, agent->problems, error);
	if (!agent->identity_file)
		return -EIO;
	for (int scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		derive_set_last_identity(agent->derive, scope,
					 identity_file_get_last(agent->identity_file, scope));
	agent->endpoints = endpoint_manager_new(&(const struct endpoint_manager_parts){
		.store = agent->store,
		.tables = &agent->tables,
		.ipam = agent->ipam,
		.generation = agent->generation,
		.identity_file = agent->identity_file,
		.dir = agent->run_state,
		.find_interface = if_nametoindex,
	});
	identity_file_set_controllers(agent->identity_file, agent->controllers);
	identity_file_watch(agent->identity_file);
	agent->metrics = metrics_new(agent);
	agent->history = endpoint_history_new(agent->store, &agent->tables, agent->endpoints);
	return 0;
}

static int read_state(struct agent *agent, GPtrArray **ret_endpoints, GPtrArray **ret_ips,
		      GError **error)
{
	bool is_same_boot;
	int err = persist_check_boot(agent->run_state, agent->boot_id, &is_same_boot, error);

	if (err)
		return err;
	if (!is_same_boot)
		log_info("agent", "No endpoints are left from before: the node has booted");
	*ret_ips = persist_load_ips(agent->run_state, agent->problems, error);
	if (*ret_ips)
		*ret_endpoints = persist_load_endpoints(agent->run_state, agent->problems, error);
	return *ret_ips && *ret_endpoints ? 0 : -EIO;
}

/* Needs pod CIDRs, so manifests come before, and addresses, so the plan of endpoints comes after. */
static int restore(struct agent *agent, GError **error)
{
	g_autoptr(GPtrArray) endpoints = NULL;
	g_autoptr(GPtrArray) ips = NULL;
	struct datapath_config *config = &agent->datapath_config;
	int err = read_state(agent, &endpoints, &ips, error);

	for (unsigned int i = 0; i < agent->problems->len; i++)
		log_warning("agent", "Kept state cannot be read and is set aside",
			    "error=%s hint=%s", (const char *)agent->problems->pdata[i],
			    "recreate what lost its network by it, then remove the file");
	if (err)
		return err;
	endpoint_manager_restore_ips(agent->endpoints, ips);
	err = ipam_take_routers(agent->ipam, &config->router4, &config->router6, error);
	if (err)
		return err;
	derive_set_router(agent->derive, &config->router4, &config->router6);
	err = endpoint_manager_restore(agent->endpoints, endpoints, error);
	if (!err)
		store_settle(agent->store);
	return err;
}

/* Before the reconcilers see the endpoints: none may be open for lack of its policies. */
static int activate_policies(struct agent *agent, GError **error)
{
	policy_activation_begin(agent->activation);
	store_settle(agent->store);
	return 0;
}

static void log_problem(const struct source_problem *problem, void *data)
{
	log_warning("source", "Manifest refused",
		    "file=%s line=%u object=%s field=%s reason=%s hint=%s", problem->file,
		    problem->line, problem->object, problem->field, problem->reason,
		    "correct the file; what it last said stays in force");
}

static int read_manifests(struct agent *agent, GError **error)
{
	g_autofree char *kept_path =
		g_build_filename(agent->settings->lib_dir, "state", "policies", NULL);
	g_autoptr(GPtrArray) goods = NULL;
	g_autoptr(GError) cause = NULL;

	decode_set_cluster_name(agent->settings->cluster_name);
	agent->source = directory_new(agent->loop, agent->store, &agent->tables,
				      agent->settings->manifest_dir, log_problem, NULL, error);
	if (!agent->source)
		return -EIO;
	agent->kept_policies = kept_policies_new(agent->loop, kept_path, agent->controllers,
						 agent->problems, &cause);
	if (agent->kept_policies) {
		goods = kept_policies_take(agent->kept_policies);
		directory_set_keeper(agent->source, goods, kept_policies_note,
				     agent->kept_policies);
	} else if (state_dir_is_full(cause)) {
		log_error("agent", "Policies are not kept for the next agent", "error=%s hint=%s",
			  cause->message, "make room in lib-dir and restart the agent");
	} else {
		g_propagate_error(error, g_steal_pointer(&cause));
		return -EIO;
	}
	directory_set_controller(agent->source, controller_new(agent->controllers,
							       "manifest-directory", "source", 0));
	directory_start(agent->source);
	return 0;
}

static int read_masquerade_file(struct agent *agent, GError **error)
{
	if (!agent->settings->enable_ip_masq_agent)
		return 0;
	agent->masquerade_file =
		masquerade_file_new(agent->loop, agent->store, &agent->tables,
				    agent->settings->ip_masq_agent_config_path, log_problem, NULL);
	masquerade_file_set_controller(
		agent->masquerade_file,
		controller_new(agent->controllers, "masquerade-file", "source", 0));
	masquerade_file_start(agent->masquerade_file);
	return 0;
}

static void on_kernel_changed(void *data)
{
	struct agent *agent = data;

	if (agent->upkeep)
		upkeep_hint(agent->upkeep);
}

static int watch_devices(struct agent *agent, GError **error)
{
	agent->devices = devices_new(agent->loop, agent->store, agent->tables.devices,
				     on_kernel_changed, agent, error);
	if (!agent->devices)
		return -EIO;
	devices_set_controller(agent->devices,
			       controller_new(agent->controllers, "read-devices", "datapath", 0));
	return 0;
}

/* What every device that leads out can take. */
static uint32_t find_mtu(const struct agent *agent)
{
	static const struct addr none;
	struct node_view *view = node_view_new(&agent->tables, &agent->derive_config, &none, &none);
	uint32_t mtu = agent->settings->mtu;

	for (unsigned int i = 0; !agent->settings->mtu && i < view->devices->len; i++) {
		const struct device *device = view->devices->pdata[i];

		mtu = mtu ? MIN(mtu, device->mtu) : device->mtu;
	}
	node_view_free(view);
	return mtu ? mtu : DEFAULT_MTU;
}

static int load_datapath(struct agent *agent, GError **error)
{
	int err;

	agent->datapath_config.mtu = find_mtu(agent);
	agent->datapath = datapath_real_new(agent->settings->bpf_root, agent->settings->state_dir);
	err = agent->datapath->ops->load(agent->datapath, &agent->datapath_config, error);
	if (err)
		return err;
	if (agent->settings->pod_attach_mode == POD_ATTACH_MODE_TCX &&
	    !agent->datapath_config.enable_pod_tcx)
		log_warning("agent", "This kernel has no tcx, pods are attached to with clsact",
			    "key=pod-attach-mode hint=%s",
			    "use Linux 6.6 or newer, or configure clsact");
	if (agent->datapath_config.cgroup_is_container)
		log_warning("agent",
			    "Only sockets of the agent's own container are translated to services",
			    "key=cgroup-root value=%s hint=%s", agent->settings->cgroup_root,
			    "mount the host's cgroup 2 file system there, from outside of the "
			    "container");
	/* Lets the news of cilium_host into the table of devices: its programs must not be missed. */
	uv_run(agent->loop, UV_RUN_NOWAIT);
	agent->conntrack_gc =
		conntrack_gc_new(agent->settings, agent->datapath, &agent->datapath_config, error);
	if (!agent->conntrack_gc)
		return -EIO;
	conntrack_gc_set_controller(
		agent->conntrack_gc,
		controller_new(agent->controllers, "conntrack-gc", "datapath", 0));
	return 0;
}

/* Versions of rule sets are numbered with generations: connections remember both. */
static int take_version(uint32_t *ret_version, void *data)
{
	g_autoptr(GError) error = NULL;
	int err = generation_take(((struct agent *)data)->generation, ret_version, &error);

	if (err)
		log_warning("datapath", "No number for a version of rules", "error=%s",
			    error->message);
	return err;
}

static void set_policy_parts(struct agent *agent)
{
	reconcilers_set_version_source(agent->reconcilers, take_version, agent);
	reconcilers_set_policy_waiter(agent->reconcilers, program_wait_begin, agent);
	reconcilers_set_policy_lockdown(
		agent->reconcilers, agent->settings->enable_endpoint_lockdown_on_policy_overflow);
}

/* First what is wanted, then away with what is not; both while packets flow. */
static int apply_plan(struct agent *agent, GError **error)
{
	int err;

	agent->router = router_new(&(const struct router_parts){
		.store = agent->store,
		.tables = &agent->tables,
		.ipam = agent->ipam,
		.derive = agent->derive,
		.datapath = agent->datapath,
		.config = &agent->datapath_config,
		.controller = controller_new(agent->controllers, "router-addresses", "ipam", 0),
	});
	agent->reconcilers = reconcilers_new(agent->store, &agent->tables, agent->datapath);
	policy_activation_watch(agent->activation);
	set_policy_parts(agent);
	agent_services_set_up(agent);
	agent->map_events = map_events_new(agent->settings);
	reconcilers_set_write_observer(agent->reconcilers, map_events_record, agent->map_events);
	reconcilers_set_controllers(agent->reconcilers, agent->controllers,
				    UPKEEP_RESYNC_INTERVAL_NS);
	endpoint_history_set_reconcilers(agent->history, agent->reconcilers);
	err = reconcilers_adopt(agent->reconcilers, error);
	if (err)
		return err;
	endpoint_manager_set_reconcilers(agent->endpoints, agent->reconcilers);
	store_settle(agent->store);
	err = agent->datapath->ops->load_finish(agent->datapath, error);
	if (err)
		return err;
	reconcilers_allow_deletion(agent->reconcilers);
	store_settle(agent->store);
	policy_activation_allow_release(agent->activation);
	store_settle(agent->store);
	agent->node_report = node_report_new();
	node_report_update(agent->node_report, agent);
	agent->upkeep = upkeep_new(agent);
	return 0;
}

static int serve(struct agent *agent, GError **error)
{
	int fd = agent->api_fd;

	agent->agent_events = agent_events_new(agent);
	agent->policy_log = policy_log_new(agent->store, &agent->tables);
	store_settle(agent->store);
	agent->events = events_new(agent);
	if (events_listen(agent->events, error))
		return -EIO;
	agent->api_fd = -1;
	agent->api_server = http_server_new(agent->loop, fd, rest_handle, agent, error);
	if (!agent->api_server)
		return -EIO;
	agent->delete_queue = controller_new(agent->controllers, "delete-queue", "endpoint", 0);
	queued_delete_run(agent->endpoints, agent->settings->socket_path, agent->delete_queue);
	/* What was needed only to read, to load and to compare. */
	malloc_trim(0);
	agent->ready = true;
	return 0;
}

/* After the lock: the port of another agent is no trouble of this one. */
static int serve_health(struct agent *agent, GError **error)
{
	agent->health = health_new(agent);
	return 0;
}

/* As for health: the port may be another's. */
static int serve_metrics(struct agent *agent, GError **error)
{
	metrics_serve(agent->metrics);
	return 0;
}

static int give_up_privileges(struct agent *agent, GError **error)
{
	int err = privilege_finish(
		agent->socket_end && agent->settings->bpf_lb_sock_terminate_pod_connections, error);

	if (!err)
		socket_end_start(agent->socket_end);
	return err;
}

static const struct step {
	const char *what;
	const char *scope; /* in metrics: Cilium's name where it has the step */
	int (*run)(struct agent *agent, GError **error);
} steps[] = {
	{"locking the state", "lockState", lock_state},
	{"serving health", "healthCheck", serve_health},
	{"listening on the API socket", "listen", listen_early},
	{"reading identities", "identities", make_tables},
	{"reading manifests", "manifests", read_manifests},
	{"reading services made by hand", "services", agent_services_read},
	{"reading masquerading ranges", "masqueradingRanges", read_masquerade_file},
	{"reading devices", "devices", watch_devices},
	{"restoring endpoints", "restore", restore},
	{"putting policies in force", "policies", activate_policies},
	{"loading the datapath", "bpfBase", load_datapath},
	{"applying the plan", "plan", apply_plan},
	{"serving the API", "initAPI", serve},
	{"serving metrics", "metrics", serve_metrics},
	{"answering about services", "serviceHealth", agent_services_serve},
	{"giving up privileges", "privileges", give_up_privileges},
};

static void warn_no_effect(const struct config_value *value, void *data)
{
	if (value->has_effect)
		log_warning("config", "A key has no effect beside kube-proxy-replacement",
			    "key=%s value=%s place=%s", value->key, value->text, value->place);
	else
		log_warning("config", "This version does not act on the key",
			    "key=%s value=%s place=%s", value->key, value->text, value->place);
}

static void warn_old_word(const char *key, const char *hint, void *data)
{
	log_warning("config", "A key is written in an old way", "key=%s hint=%s", key, hint);
}

static void log_config(const struct agent *agent)
{
	service_settings_foreach_warning(agent->settings, warn_old_word, NULL);
	live_warn_unknown_keys(agent->config);
	config_foreach_without_effect(agent->config, warn_no_effect, NULL);
}

static uint64_t memory_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

G_STATIC_ASSERT(G_N_ELEMENTS(steps) <= AGENT_STEPS_MAX);

static int run_steps(struct agent *agent, GError **error)
{
	int64_t started_ns = clock_monotonic_ns();

	for (unsigned int i = 0; i < G_N_ELEMENTS(steps); i++) {
		int64_t step_ns = clock_monotonic_ns();
		int err;

		health_set_step(agent->health, steps[i].what);
		notify_step(agent->notify, steps[i].what);
		err = steps[i].run(agent, error);
		if (err) {
			error_prefix(error, "%s", steps[i].what);
			return err;
		}
		step_ns = clock_monotonic_ns() - step_ns;
		agent->steps[agent->n_steps++] = (struct agent_step){steps[i].scope, step_ns};
		log_debug("agent", "Start", "step=%s us=%lld", steps[i].what,
			  (long long)(step_ns / NSEC_PER_USEC));
	}
	health_set_step(agent->health, NULL);
	loop_watch_restart(agent->loop_watch);
	log_info("agent", "Agent is ready", "ms=%lld endpoints=%u",
		 (long long)((clock_monotonic_ns() - started_ns) / NSEC_PER_MSEC),
		 table_n_rows(agent->tables.endpoints));
	return 0;
}

struct agent *agent_new(uv_loop_t *loop, struct config *config, GError **error)
{
	struct agent *agent = g_new0(struct agent, 1);

	agent->loop = loop;
	agent->config = config;
	agent->settings = config_get_settings(config);
	agent->started_ns = clock_realtime_ns();
	agent->loop_watch = loop_watch_new(loop);
	agent->controllers = controllers_new();
	agent->notify = notify_new(agent);
	agent->api_statistics = api_statistics_new();
	agent->problems = g_ptr_array_new_with_free_func(g_free);
	agent->api_fd = -1;
	wiring_init_derive(agent->settings, &agent->derive_config);
	wiring_init_datapath(agent->settings, memory_bytes(), &agent->datapath_config);
	log_config(agent);
	if (run_steps(agent, error)) {
		agent_free(agent);
		return NULL;
	}
	notify_ready(agent->notify);
	return agent;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	notify_stopping(agent->notify);
	notify_free(agent->notify);
	health_free(agent->health);
	service_health_free(agent->service_health);
	backend_probes_free(agent->backend_probes);
	kube_proxy_healthz_free(agent->kube_proxy_healthz);
	loop_watch_free(agent->loop_watch);
	http_server_free(agent->api_server);
	metrics_stop(agent->metrics);
	if (agent->api_fd >= 0)
		close(agent->api_fd);
	g_clear_pointer(&agent->events, events_free);
	upkeep_free(agent->upkeep);
	conntrack_gc_free(agent->conntrack_gc);
	socket_end_free(agent->socket_end);
	devices_free(agent->devices);
	directory_free(agent->source);
	kept_policies_free(agent->kept_policies);
	service_requests_free(agent->service_requests);
	masquerade_file_free(agent->masquerade_file);
	/* Callbacks of closed handles still look at the tables. */
	uv_run(agent->loop, UV_RUN_DEFAULT);
	if (agent->reconcilers)
		reconcilers_free(agent->reconcilers);
	map_events_free(agent->map_events);
	if (agent->datapath)
		agent->datapath->ops->free(agent->datapath);
	node_report_free(agent->node_report);
	router_free(agent->router);
	endpoint_history_free(agent->history);
	endpoint_manager_free(agent->endpoints);
	ipam_free(agent->ipam);
	generation_free(agent->generation);
	identity_file_free(agent->identity_file);
	agent_events_free(agent->agent_events);
	policy_log_free(agent->policy_log);
	metrics_free(agent->metrics);
	policy_activation_free(agent->activation);
	derive_free(agent->derive);
	if (agent->store)
		store_free(agent->store);
	if (agent->pid_path)
		unlink(agent->pid_path);
	g_free(agent->pid_path);
	g_free(agent->boot_id);
	state_dir_free(agent->lib_state);
	state_dir_free(agent->run_state);
	wiring_fini_derive(&agent->derive_config);
	g_ptr_array_unref(agent->problems);
	controllers_free(agent->controllers);
	api_statistics_free(agent->api_statistics);
	g_free(agent);
}
