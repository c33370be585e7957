/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/socket_mend.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include "src/agent/events.h"
#include "src/agent/rest.h"
#include "src/base/log.h"
#include "src/rpc/unix_listen.h"

static bool is_there(const char *path)
{
	struct stat info;

	return !lstat(path, &info) || errno != ENOENT;
}

/* The power to give a file to a group has gone with the start. */
static int listen_again(const struct agent *agent, const char *path, int type, GError **error)
{
	g_autoptr(GError) cause = NULL;
	int fd = unix_listen(path, type, agent->socket_group, &cause);
	bool is_roots = fd == -EPERM && agent->socket_group != UNIX_LISTEN_NO_GROUP;

	if (is_roots)
		fd = unix_listen(path, type, UNIX_LISTEN_NO_GROUP, error);
	else if (fd < 0)
		g_propagate_error(error, g_steal_pointer(&cause));
	if (fd >= 0)
		log_warning(
			"api", "A socket was deleted from outside: made again", "socket=%s hint=%s",
			path,
			is_roots ? "it is root's alone until the agent is restarted, which loses "
				   "no packet; find out who cleans there"
				 : "find out who cleans there");
	return fd;
}

static int mend_api(struct agent *agent, GError **error)
{
	const char *path = agent->settings->socket_path;
	struct http_server *server;
	int fd;

	if (is_there(path))
		return 0;
	fd = listen_again(agent, path, SOCK_STREAM, error);
	if (fd < 0)
		return fd;
	server = http_server_new(agent->loop, fd, rest_handle, agent, error);
	if (!server)
		return -EIO;
	http_server_free(agent->api_server);
	agent->api_server = server;
	return 0;
}

static int mend_monitor(struct agent *agent, GError **error)
{
	g_autofree char *path = events_socket_path(agent);
	int fd;

	if (is_there(path))
		return 0;
	fd = listen_again(agent, path, SOCK_SEQPACKET, error);
	if (fd < 0)
		return fd;
	events_listen_again(agent->events, fd);
	return 0;
}

int socket_mend_run(struct agent *agent, GError **error)
{
	int err = mend_api(agent, error);

	return err ? err : mend_monitor(agent, error);
}
