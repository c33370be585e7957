/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: what main.c wires together, and what the REST handlers read. */
#pragma once

#include <uv.h>
#include "src/agent/api_statistics.h"
#include "src/agent/config.h"
#include "src/agent/endpoint_manager.h"
#include "src/agent/map_events.h"
#include "src/datapath/reconciler.h"
#include "src/derive/derive.h"
#include "src/derive/policy_activation.h"

#define AGENT_STEPS_MAX 24

struct metrics;

/* How long a step of the start took. */
struct agent_step {
	const char *scope; /* as in metrics: "restore" */
	int64_t duration_ns;
};

struct agent {
	uv_loop_t *loop;
	struct config *config;
	const struct settings *settings;
	struct derive_config derive_config;
	struct controllers *controllers; /* the jobs that repeat */
	GPtrArray *problems; /* char *: state that could not be read, or set aside, at the start */
	struct state_dir
		*run_state; /* <state-dir>/state: endpoints, addresses; dies with the boot */
	struct state_dir *lib_state; /* <lib-dir>/state: identities, generations; outlives it */
	char *pid_path;
	char *boot_id;
	gid_t socket_group;      /* of the API and the monitor socket, as for unix_listen() */
	bool sockets_have_group; /* or should have one: CAP_CHOWN may be missing */
	int api_fd;              /* listens from early on; −1 once the server has it */
	struct store *store;
	struct tables tables;
	struct derive *derive;
	struct policy_activation *activation;
	struct identity_file *identity_file;
	struct generation *generation;
	struct ipam *ipam;
	struct endpoint_manager *endpoints;
	struct endpoint_history *history;
	struct directory *source;
	struct kept_policies *kept_policies;
	struct service_requests *service_requests; /* NULL: they cannot be kept */
	struct masquerade_file *masquerade_file;   /* NULL: switched off */
	struct devices *devices;
	struct datapath *datapath;
	struct datapath_config datapath_config; /* as in force */
	struct router *router;
	struct reconcilers *reconcilers;
	struct map_events *map_events;
	struct controller *delete_queue;
	struct conntrack_gc *conntrack_gc;
	struct socket_end *socket_end; /* NULL: no sockets are translated */
	struct upkeep *upkeep;
	struct node_report *node_report;
	struct events *events;
	struct agent_events *agent_events;
	struct policy_log *policy_log;
	struct http_server *api_server;
	struct health *health; /* NULL: switched off */
	struct backend_probes *backend_probes;
	struct service_health *service_health;         /* NULL: switched off */
	struct kube_proxy_healthz *kube_proxy_healthz; /* NULL: switched off */
	struct loop_watch *loop_watch;
	struct notify *notify; /* NULL: no service manager started the agent */
	struct api_statistics *api_statistics;
	struct metrics *metrics;
	struct agent_step steps[AGENT_STEPS_MAX]; /* those that succeeded */
	unsigned int n_steps;
	int64_t started_ns; /* CLOCK_REALTIME */
	bool ready;         /* everything that was there at the start is in force */
};

/* Starts everything; when it returns, the agent serves. NULL and *error: nothing has been started. */
struct agent *agent_new(uv_loop_t *loop, struct config *config, GError **error);
/* Stops serving. What is in the kernel stays as it is. Takes NULL. */
void agent_free(struct agent *agent);
