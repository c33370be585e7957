/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/health.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/agent/status.h"
#include "src/rpc/http_server.h"

static void handle(const struct http_request *request, struct http_response *response, void *data)
{
	json_t *status, *cilium;
	const char *state;

	if (strcmp(request->path, "/healthz") != 0) {
		response->status = 404;
		return;
	}
	status = status_to_json(data, true);
	cilium = json_object_get(status, "cilium");
	state = json_string_value(json_object_get(cilium, "state"));
	if (g_strcmp0(state, "Ok") != 0)
		response->status = 503;
	response->content_type = "text/plain";
	g_string_append_printf(response->body, "%s: %s\n", state ? state : "Failure",
			       json_string_value(json_object_get(cilium, "msg")));
	json_decref(status);
}

static int listen_on_loopback(unsigned int port, GError **error)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return error_set_errno(error, errno, "agent-health-port");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	err = error_set_errno(error, errno, "agent-health-port: 127.0.0.1:%u", port);
	close(fd);
	return err;
}

struct http_server *health_server_new(struct agent *agent, GError **error)
{
	unsigned int port = agent->settings->agent_health_port;
	int fd;

	if (!port)
		return NULL;
	fd = listen_on_loopback(port, error);
	return fd < 0 ? NULL : http_server_new(agent->loop, fd, handle, agent, error);
}
