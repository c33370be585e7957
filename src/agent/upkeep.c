/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/upkeep.h"

#include "src/agent/agent.h"
#include "src/agent/conntrack_gc.h"
#include "src/agent/health.h"
#include "src/agent/kept_policies.h"
#include "src/agent/kube_proxy_healthz.h"
#include "src/agent/map_pressure.h"
#include "src/agent/metrics.h"
#include "src/agent/node_report.h"
#include "src/agent/queued_delete.h"
#include "src/agent/router.h"
#include "src/agent/service_health.h"
#include "src/agent/service_requests.h"
#include "src/agent/socket_mend.h"
#include "src/agent/state_mend.h"
#include "src/base/log.h"

/* Hints come in bursts: look once, when one is over. */
#define HINT_DELAY_NS (100 * NSEC_PER_MSEC)
/* Between two looks at what is due. */
#define TICK_MIN_NS (50 * NSEC_PER_MSEC)
#define TICK_MAX_NS NSEC_PER_SEC

struct upkeep {
	struct agent *agent;
	struct controller *ensure, *vanished, *sockets;
	struct map_pressure *pressure;
	struct state_mend *state_mend;
	uv_timer_t *timer;
	int64_t resync_at_ns;   /* CLOCK_MONOTONIC */
	bool compares_services; /* the maps of services are compared, one a turn */
	int64_t hint_at_ns;     /* when to look after a hint; 0: there was none */
};

static void ensure_node(struct upkeep *upkeep)
{
	struct agent *agent = upkeep->agent;
	g_autoptr(GString) repaired = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	controller_begin(upkeep->ensure);
	if (agent->datapath->ops->ensure(agent->datapath, repaired, &error) &&
	    !controller_is_failing(upkeep->ensure))
		log_error("datapath",
			  "Repairing the node's part of the kernel failed, will try again",
			  "error=%s", error->message);
	controller_end(upkeep->ensure, error);
	if (repaired->len)
		log_warning("datapath", "Somebody changed the node's part of the kernel: repaired",
			    "what=%s", repaired->str);
}

/* Before the repair, which would take what went with their interface for somebody's mistake. */
static void remove_vanished_endpoints(struct upkeep *upkeep)
{
	g_autoptr(GError) error = NULL;

	controller_begin(upkeep->vanished);
	if (endpoint_manager_remove_vanished(upkeep->agent->endpoints, &error) &&
	    !controller_is_failing(upkeep->vanished))
		log_warning("endpoint", "An endpoint without interface stays, will try again",
			    "error=%s", error->message);
	controller_end(upkeep->vanished, error);
}

static void mend_sockets(struct upkeep *upkeep)
{
	g_autoptr(GError) error = NULL;

	controller_begin(upkeep->sockets);
	if (socket_mend_run(upkeep->agent, &error) && !controller_is_failing(upkeep->sockets))
		log_error("api", "A socket was deleted and cannot be made again, will try again",
			  "error=%s hint=%s", error->message,
			  "nobody can ask the agent meanwhile; traffic goes on");
	controller_end(upkeep->sockets, error);
}

static void tell_repaired(unsigned int n_repaired)
{
	if (n_repaired)
		log_warning("datapath", "Somebody changed objects in the kernel: repaired",
			    "objects=%u", n_repaired);
}

static void compare_services(struct upkeep *upkeep)
{
	unsigned int n_repaired = 0;

	if (!upkeep->compares_services)
		return;
	upkeep->compares_services =
		reconcilers_resync_services(upkeep->agent->reconcilers, &n_repaired);
	tell_repaired(n_repaired);
}

/* Not everything: only what a hint of the kernel can be about, which leaves out the maps. */
static void resync(struct upkeep *upkeep, bool everything)
{
	struct agent *agent = upkeep->agent;
	unsigned int n_repaired;

	remove_vanished_endpoints(upkeep);
	ensure_node(upkeep);
	store_settle(agent->store);
	n_repaired = everything ? reconcilers_resync_others(agent->reconcilers)
				: reconcilers_resync_devices(agent->reconcilers);
	upkeep->compares_services |= everything;
	tell_repaired(n_repaired);
}

/* What nothing but time helps. */
static void retry(struct agent *agent)
{
	router_retry(agent->router);
	health_retry(agent->health);
	metrics_retry(agent->metrics);
	service_health_retry(agent->service_health);
	kube_proxy_healthz_retry(agent->kube_proxy_healthz);
	/* Also what callers left who found the agent there, but held up for longer than they wait. */
	queued_delete_run(agent->endpoints, agent->settings->socket_path, agent->delete_queue);
}

/* The sooner of the two, where −1 is never. */
static int64_t sooner(int64_t a_ns, int64_t b_ns)
{
	if (a_ns < 0 || b_ns < 0)
		return MAX(a_ns, b_ns);
	return MIN(a_ns, b_ns);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct upkeep *upkeep, int64_t delay_ns)
{
	delay_ns = CLAMP(delay_ns, TICK_MIN_NS, TICK_MAX_NS);
	uv_timer_start(upkeep->timer, on_timer, delay_ns / NSEC_PER_MSEC, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct upkeep *upkeep = timer->data;
	struct agent *agent = upkeep->agent;
	int64_t next_ns, now_ns = clock_monotonic_ns();

	if (now_ns >= upkeep->resync_at_ns) {
		state_mend_run(upkeep->state_mend);
		mend_sockets(upkeep);
		retry(agent);
		resync(upkeep, true);
		map_pressure_run(upkeep->pressure);
		node_report_update(agent->node_report, agent);
		now_ns = clock_monotonic_ns();
		upkeep->resync_at_ns = now_ns + UPKEEP_RESYNC_INTERVAL_NS;
		upkeep->hint_at_ns = 0;
	} else if (upkeep->hint_at_ns && now_ns >= upkeep->hint_at_ns) {
		resync(upkeep, false);
		now_ns = clock_monotonic_ns();
		upkeep->hint_at_ns = 0;
	} else {
		compare_services(upkeep);
	}
	state_dir_retry(agent->run_state);
	state_dir_retry(agent->lib_state);
	(void)identity_file_retry(agent->identity_file);
	identity_file_reserve_soon(agent->identity_file, agent->loop);
	state_dir_sync_soon(agent->lib_state, agent->loop);
	kept_policies_run(agent->kept_policies);
	service_requests_run(agent->service_requests);
	log_flush(false);
	next_ns = sooner(ipam_expire(agent->ipam), reconcilers_retry(agent->reconcilers));
	next_ns = sooner(next_ns, conntrack_gc_run(agent->conntrack_gc));
	store_settle(agent->store);
	policy_activation_retry(agent->activation);
	store_settle(agent->store);
	next_ns = sooner(next_ns, upkeep->compares_services ? 0 : upkeep->resync_at_ns - now_ns);
	arm(upkeep, sooner(next_ns, upkeep->hint_at_ns ? upkeep->hint_at_ns - now_ns : -1));
}

struct upkeep *upkeep_new(struct agent *agent)
{
	struct upkeep *upkeep = g_new0(struct upkeep, 1);

	upkeep->agent = agent;
	upkeep->ensure = controller_new(agent->controllers, "repair-node", "datapath",
					UPKEEP_RESYNC_INTERVAL_NS);
	upkeep->vanished = controller_new(agent->controllers, "endpoint-gc", "endpoint",
					  UPKEEP_RESYNC_INTERVAL_NS);
	upkeep->sockets =
		controller_new(agent->controllers, "socket-mend", "api", UPKEEP_RESYNC_INTERVAL_NS);
	upkeep->state_mend = state_mend_new(agent);
	upkeep->pressure = map_pressure_new(agent->datapath, agent->conntrack_gc);
	upkeep->timer = g_new0(uv_timer_t, 1);
	upkeep->timer->data = upkeep;
	upkeep->resync_at_ns = clock_monotonic_ns() + UPKEEP_RESYNC_INTERVAL_NS;
	uv_timer_init(agent->loop, upkeep->timer);
	arm(upkeep, TICK_MIN_NS);
	return upkeep;
}

static void free_handle(uv_handle_t *handle)
{
	g_free(handle);
}

void upkeep_free(struct upkeep *upkeep)
{
	if (!upkeep)
		return;
	uv_close((uv_handle_t *)upkeep->timer, free_handle);
	map_pressure_free(upkeep->pressure);
	state_mend_free(upkeep->state_mend);
	g_free(upkeep);
}

void upkeep_hint(struct upkeep *upkeep)
{
	if (upkeep->hint_at_ns)
		return;
	upkeep->hint_at_ns = clock_monotonic_ns() + HINT_DELAY_NS;
	arm(upkeep, HINT_DELAY_NS);
}
