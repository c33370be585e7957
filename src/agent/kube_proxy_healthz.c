/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/kube_proxy_healthz.h"

#include <string.h>
#include "src/agent/status.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/rpc/http_server.h"
#include "src/rpc/tcp_listen.h"

struct kube_proxy_healthz {
	struct agent *agent;
	struct controller *controller;
	struct http_server *server; /* NULL: no port yet */
};

static void find_first(const struct controller_info *info, void *data)
{
	int64_t *first_ns = data;

	if (info->failing_since_ns)
		*first_ns = MIN(*first_ns, info->failing_since_ns);
	if (info->stale_since_ns)
		*first_ns = MIN(*first_ns, info->stale_since_ns);
}

static char *format_time(int64_t realtime_ns)
{
	g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(realtime_ns / NSEC_PER_SEC);
	g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");

	return g_strdup_printf("%s.%06lldZ", text,
			       (long long)(realtime_ns % NSEC_PER_SEC / NSEC_PER_USEC));
}

static void answer(struct agent *agent, struct http_response *response)
{
	int64_t now_ns = clock_realtime_ns(), updated_ns = now_ns;
	g_autofree char *updated = NULL;
	g_autofree char *now = format_time(now_ns);

	if (status_is_failure(agent)) {
		controllers_foreach(agent->controllers, find_first, &updated_ns);
		response->status = 503;
	}
	updated = format_time(updated_ns);
	g_string_append_printf(response->body, "{\"lastUpdated\":\"%s\",\"currentTime\":\"%s\"}",
			       updated, now);
}

static void handle(const struct http_request *request, struct http_response *response, void *data)
{
	struct kube_proxy_healthz *healthz = data;

	if (strcmp(request->path, "/healthz") != 0) {
		response->status = 404;
		response->content_type = "text/plain";
		g_string_append(response->body, "not found; there is /healthz\n");
	} else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
		response->status = 405;
		response->allow = g_strdup("GET, HEAD");
	} else {
		answer(healthz->agent, response);
	}
}

static void try_listen(struct kube_proxy_healthz *healthz)
{
	struct agent *agent = healthz->agent;
	g_autoptr(GError) error = NULL;
	int fd;

	controller_begin(healthz->controller);
	fd = tcp_listen(agent->settings->kube_proxy_replacement_healthz_bind_address, &error);
	if (fd >= 0)
		healthz->server = http_server_new(agent->loop, fd, handle, healthz, &error);
	error_prefix(&error, "kube-proxy-replacement-healthz-bind-address");
	if (error && !controller_is_failing(healthz->controller))
		log_warning("health", "No health answers in kube-proxy's place, will try again",
			    "error=%s", error->message);
	controller_end(healthz->controller, error);
}

struct kube_proxy_healthz *kube_proxy_healthz_new(struct agent *agent)
{
	struct kube_proxy_healthz *healthz;

	if (!*agent->settings->kube_proxy_replacement_healthz_bind_address)
		return NULL;
	healthz = g_new0(struct kube_proxy_healthz, 1);
	healthz->agent = agent;
	healthz->controller = controller_new(agent->controllers, "kube-proxy-healthz", "health", 0);
	try_listen(healthz);
	return healthz;
}

void kube_proxy_healthz_free(struct kube_proxy_healthz *healthz)
{
	if (!healthz)
		return;
	http_server_free(healthz->server);
	g_free(healthz);
}

void kube_proxy_healthz_retry(struct kube_proxy_healthz *healthz)
{
	if (healthz && !healthz->server)
		try_listen(healthz);
}
