/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/events.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sys/socket.h>
#include "abi/metrics.h"
#include "src/agent/agent.h"
#include "src/agent/agent_events.h"
#include "src/agent/service_json.h"
#include "src/agent/wiring.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/model/connection_text.h"
#include "src/model/rule_set.h"
#include "src/observe/agent_event_text.h"
#include "src/observe/event_service.h"
#include "src/observe/event_text.h"
#include "src/observe/monitor_message.h"
#include "src/rpc/unix_listen.h"
#include "src/sys/bpf_map.h"
#include "src/sys/bpffs.h"

struct events {
	struct agent *agent;
	struct bpf_map_ref ring;
	struct monitor *monitor; /* NULL before events_listen() */
	unsigned int kinds;      /* MONITOR_KIND_*: that somebody listens to */
};

static int apply(struct events *events, const struct settings *settings)
{
	struct agent *agent = events->agent;
	struct runtime_config runtime = wiring_get_runtime(settings);
	int err;

	runtime.trace_events = TRACE_EVENTS_OFF;
	if (events->kinds & MONITOR_KIND_TRACE)
		runtime.trace_events =
			settings->bpf_events_trace_enabled ? TRACE_EVENTS_ON : TRACE_EVENTS_ASKED;
	runtime.verdict_events = VERDICT_EVENTS_OFF;
	if (events->kinds & MONITOR_KIND_VERDICT)
		runtime.verdict_events = settings->bpf_events_policy_verdict_enabled
						 ? VERDICT_EVENTS_ON
						 : VERDICT_EVENTS_ASKED;
	err = agent->datapath->ops->set_runtime(agent->datapath, &runtime);
	if (!err)
		agent->datapath_config.runtime = runtime;
	return err;
}

/* Of each endpoint, the drops for each reason: one that floods hides no other. */
/* Whose rules decided, or who was to get, or had sent, the packet. */
static unsigned int event_endpoint(const struct event *event)
{
	if (event->file == SOURCE_POLICY)
		return event->policy_endpoint;
	return event->direction == METRIC_DIR_INGRESS ? event->dst_endpoint : event->src_endpoint;
}

/* "CiliumNetworkPolicy/default/web spec.ingressDeny[0]"; "none" where no rule allows it. g_free. */
static char *format_rule(const struct events *events, const struct event *event)
{
	const struct rule_origin *origin;

	if (!event->rule)
		return g_strdup("none");
	origin = (const struct rule_origin *)table_get(events->agent->tables.rule_origins,
						       &event->rule, sizeof(event->rule));
	return origin ? g_strdup_printf("%s %s", origin->policy, origin->path)
		      : g_strdup_printf("%u", event->rule);
}

/* "default/web 10.96.0.1:80"; NULL: of none. g_free. */
static char *format_service(const struct events *events, const struct event *event)
{
	const struct service_end end = {event->service_addr, ntohs(event->service_port)};
	g_autofree char *name = NULL;
	g_autofree char *frontend = NULL;

	if (!event_is_of_service(event))
		return NULL;
	name = service_name_of(events->agent, &end);
	frontend = connection_format_end(&event->service_addr, event->service_port);
	return g_strconcat(name ? name : "", name ? " " : "", frontend, NULL);
}

static void on_event(const struct event *event, void *data)
{
	const struct events *events = data;
	static const char message[] = "Packet dropped";
	enum log_subsys subsys = log_subsys_of("monitor");
	g_autofree char *connection = NULL;
	g_autofree char *rule = NULL;
	g_autofree char *service = NULL;
	unsigned int endpoint_id;
	uint64_t object, n_suppressed;

	if (event->type != EVENT_DROP)
		return;
	endpoint_id = event_endpoint(event);
	object = (uint64_t)endpoint_id << 32 | event->subtype;
	if (!log_admit(LOG_LEVEL_INFO, subsys, message, object, &n_suppressed))
		return;
	connection = event_format_connection(event);
	rule = event->file == SOURCE_POLICY ? format_rule(events, event) : NULL;
	service = format_service(events, event);
	log_write_admitted(
		LOG_LEVEL_INFO, subsys, message, object,
		"reason=%s endpointID=%u rule=%s connection=%s service=%s ifindex=%u identity=%u "
		"file=%s line=%u suppressed=%" PRIu64,
		event_drop_reason_text(event->subtype), endpoint_id, rule, connection, service,
		event->ifindex, event->src_identity, event_source_file_text(event->file),
		event->line, n_suppressed);
}

static void on_wanted(unsigned int kinds, void *data)
{
	struct events *events = data;
	unsigned int changed = kinds ^ events->kinds;
	int err;

	events->kinds = kinds;
	if (changed & MONITOR_KIND_AGENT)
		agent_events_set_wanted(events->agent->agent_events, kinds & MONITOR_KIND_AGENT);
	if (!(changed & (MONITOR_KIND_TRACE | MONITOR_KIND_VERDICT)))
		return;
	err = apply(events, events->agent->settings);
	if (err < 0)
		log_warning("monitor", "Switching events failed", "map=%s error=%s hint=%s",
			    "cilium_runtime_config", g_strerror(-err),
			    "disconnect cilium monitor and run it again");
}

static void set_greeting(struct events *events)
{
	int64_t started_ns = events->agent->started_ns;
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(started_ns / NSEC_PER_SEC);
	g_autofree char *day = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
	g_autofree char *text =
		g_strdup_printf("{\"time\":\"%s.%09dZ\"}", day, (int)(started_ns % NSEC_PER_SEC));

	monitor_set_greeting(events->monitor, AGENT_EVENT_STARTED, text);
}

void events_publish_agent(struct events *events, uint64_t number, const char *json)
{
	if (events->monitor)
		monitor_publish_agent(events->monitor, number, json);
}

char *events_socket_path(const struct agent *agent)
{
	g_autofree char *directory = g_path_get_dirname(agent->settings->socket_path);

	return g_build_filename(directory, MONITOR_SOCKET_NAME, NULL);
}

void events_listen_again(struct events *events, int listen_fd)
{
	monitor_listen_again(events->monitor, listen_fd);
}

int events_listen(struct events *events, GError **error)
{
	struct agent *agent = events->agent;
	g_autofree char *path = events_socket_path(agent);
	const struct monitor_callbacks callbacks = {
		.event = on_event,
		.wanted = on_wanted,
		.data = events,
	};
	int listen_fd, err;

	err = bpf_map_open(bpffs_find(agent->settings->bpf_root), "cilium_events", &events->ring,
			   error);
	if (err < 0)
		return err;
	listen_fd = unix_listen(path, SOCK_SEQPACKET, agent->socket_group, error);
	if (listen_fd < 0)
		return listen_fd;
	events->monitor = monitor_new(agent->loop, events->ring.fd, listen_fd, &callbacks, error);
	if (!events->monitor)
		return -EIO;
	set_greeting(events);
	return 0;
}

struct events *events_new(struct agent *agent)
{
	struct events *events = g_new0(struct events, 1);

	events->agent = agent;
	events->ring.fd = -1;
	return events;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	monitor_free(events->monitor);
	bpf_map_close(&events->ring);
	g_free(events);
}

int events_configure(struct events *events, const struct settings *settings, GError **error)
{
	int err = apply(events, settings);

	if (err < 0)
		return error_set_errno(error, -err,
				       "telling the programs which events to make (map "
				       "cilium_runtime_config)");
	return 0;
}

void events_get_statistics(const struct events *events, struct monitor_statistics *ret_statistics)
{
	*ret_statistics = (struct monitor_statistics){0};
	if (events->monitor)
		monitor_get_statistics(events->monitor, ret_statistics);
}
