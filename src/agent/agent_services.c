/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/agent_services.h"

#include "src/agent/backend_health_file.h"
#include "src/agent/backend_probe.h"
#include "src/agent/kube_proxy_healthz.h"
#include "src/agent/service_health.h"
#include "src/agent/service_requests.h"
#include "src/agent/service_settings.h"
#include "src/agent/socket_end.h"
#include "src/base/log.h"
#include "src/datapath/reconciler.h"

int agent_services_read(struct agent *agent, GError **error)
{
	g_autofree char *path =
		g_build_filename(agent->settings->lib_dir, "state", "services", NULL);
	g_autoptr(GError) cause = NULL;

	backend_health_file_load(agent->run_state, agent->store, &agent->tables, agent->problems);
	agent->service_requests = service_requests_new(agent->loop, agent->store, &agent->tables,
						       path, agent->problems, &cause);
	if (agent->service_requests)
		return 0;
	if (!state_dir_is_full(cause)) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return -EIO;
	}
	table_set_synced(agent->tables.service_requests);
	log_error("agent", "No services can be made by hand", "error=%s hint=%s", cause->message,
		  "make room in lib-dir and restart the agent");
	return 0;
}

static void set_maglev(struct agent *agent)
{
	struct service_settings services;

	service_settings_get(agent->settings, &services);
	reconcilers_set_maglev(agent->reconcilers, services.maglev_size, services.maglev_seed);
}

static void on_backend_gone(const struct lb_backend_gone *gone, void *data)
{
	socket_end_backend(data, gone->id);
}

static void set_socket_end(struct agent *agent)
{
	if (!agent->datapath_config.node.enable_socket_lb)
		return;
	agent->socket_end = socket_end_new(agent);
	reconcilers_set_backend_observer(agent->reconcilers, on_backend_gone, agent->socket_end);
}

void agent_services_set_up(struct agent *agent)
{
	set_maglev(agent);
	set_socket_end(agent);
}

static bool save_backend_health(void *data)
{
	struct agent *agent = data;
	g_autoptr(GError) error = NULL;

	if (!backend_health_file_save(agent->run_state, &agent->tables, &error))
		return true;
	log_warning("health",
		    "The next agent will not know which back ends are down, will try again",
		    "error=%s", error->message);
	return false;
}

static void probe_backends(struct agent *agent)
{
	agent->backend_probes = backend_probes_new(&(const struct backend_probes_parts){
		.loop = agent->loop,
		.store = agent->store,
		.tables = &agent->tables,
		.controller = controller_new(agent->controllers, "backend-probes", "health", 0),
		.save = save_backend_health,
		.data = agent,
	});
}

int agent_services_serve(struct agent *agent, GError **error)
{
	if (agent->settings->enable_health_check_nodeport)
		agent->service_health = service_health_new(
			agent->loop, agent->store, &agent->tables,
			controller_new(agent->controllers, "health-check-node-ports", "health", 0));
	agent->kube_proxy_healthz = kube_proxy_healthz_new(agent);
	probe_backends(agent);
	store_settle(agent->store);
	return 0;
}
