/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/base/log.h"
#include "src/rpc/http_server.h"
#include "src/rpc/tcp_listen.h"

static void warn_unknown(const char *word, const char *near, void *data)
{
	log_warning("metrics", "The key metrics names no metric, or has neither + nor - in front",
		    "key=metrics value=%s near=%s", word, near);
}

struct metrics *metrics_new(struct agent *agent)
{
	struct metrics *metrics = g_new0(struct metrics, 1);

	metrics->agent = agent;
	metrics_table_select(agent->settings->metrics, metrics->on, warn_unknown, NULL);
	controllers_set_observer(agent->controllers, metrics_on_run, metrics);
	metrics->changes = metrics_changes_new(agent->store, &agent->tables, metrics->on);
	metrics->policy = metrics_policy_new(agent->store, &agent->tables);
	metrics->services = metrics_services_new(agent->store, &agent->tables);
	return metrics;
}

void metrics_stop(struct metrics *metrics)
{
	if (metrics)
		g_clear_pointer(&metrics->server, http_server_free);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	controllers_set_observer(metrics->agent->controllers, NULL, NULL);
	metrics_changes_free(metrics->changes);
	metrics_policy_free(metrics->policy);
	metrics_services_free(metrics->services);
	g_free(metrics->error);
	g_free(metrics);
}

struct metric_set *metrics_collect(struct metrics *metrics)
{
	struct metric_set *set = metric_set_new(metrics_table, AGENT_METRIC__MAX, metrics->on);

	metrics_collect_agent(metrics, set);
	metrics_collect_objects(metrics, set);
	metrics_changes_collect(metrics->changes, set);
	metrics_collect_policy(metrics, set);
	metrics_collect_services(metrics, set);
	metrics_collect_packets(metrics, set);
	metrics_collect_connections(metrics, set);
	metrics_collect_sockets(metrics, set);
	metrics_collect_bpf(metrics, set);
	metrics_collect_controllers(metrics, set);
	metrics_collect_features(metrics, set);
	metrics_collect_process(metrics, set);
	return set;
}

static void handle(const struct http_request *request, struct http_response *response, void *data)
{
	struct metric_set *set;

	response->content_type = "text/plain";
	if (strcmp(request->path, "/metrics") != 0) {
		response->status = 404;
		g_string_append(response->body, "metrics are at /metrics\n");
		return;
	}
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
		response->status = 405;
		response->allow = g_strdup("GET, HEAD");
		return;
	}
	set = metrics_collect(data);
	response->content_type = METRIC_TEXT_CONTENT_TYPE;
	metric_set_format(set, response->body);
	metric_set_free(set);
}

/* 0 or a negative errno. */
static int serve(struct metrics *metrics, GError **error)
{
	struct agent *agent = metrics->agent;
	int fd = tcp_listen(agent->settings->prometheus_serve_addr, error);

	if (fd >= 0)
		metrics->server = http_server_new(agent->loop, fd, handle, metrics, error);
	if (metrics->server)
		return 0;
	error_prefix(error, "prometheus-serve-addr");
	return -EIO;
}

static void try_serve(struct metrics *metrics)
{
	g_autoptr(GError) error = NULL;

	controller_begin(metrics->controller);
	if (serve(metrics, &error) && !controller_is_failing(metrics->controller))
		log_warning("metrics", "No metrics for Prometheus, will try again", "error=%s",
			    error->message);
	controller_end(metrics->controller, error);
	g_free(metrics->error);
	metrics->error = error ? g_strdup(error->message) : NULL;
}

void metrics_serve(struct metrics *metrics)
{
	if (!*metrics->agent->settings->prometheus_serve_addr)
		return;
	metrics->controller =
		controller_new(metrics->agent->controllers, "metrics-port", "metrics", 0);
	try_serve(metrics);
}

void metrics_retry(struct metrics *metrics)
{
	if (controller_is_failing(metrics->controller))
		try_serve(metrics);
}

const char *metrics_get_error(const struct metrics *metrics)
{
	return metrics ? metrics->error : NULL;
}
