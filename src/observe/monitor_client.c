/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/monitor_client.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool monitor_message_is_valid(const struct monitor_message *message, size_t n_bytes)
{
	if (n_bytes < sizeof(message->header) || n_bytes > sizeof(*message) ||
	    message->header.version != MONITOR_MESSAGE_VERSION)
		return false;
	switch (message->header.type) {
	case MONITOR_MESSAGE_HELLO:
	case MONITOR_MESSAGE_LOST:
	case MONITOR_MESSAGE_SUBSCRIBE:
	case MONITOR_MESSAGE_AGENT:
		return true;
	case MONITOR_MESSAGE_EVENT:
		return n_bytes >= offsetof(struct monitor_message, event.packet) &&
		       n_bytes <= sizeof(message->header) + sizeof(message->event) &&
		       message->event.cap_len <=
			       n_bytes - offsetof(struct monitor_message, event.packet);
	default:
		return false;
	}
}

size_t monitor_message_n_text_bytes(size_t n_bytes)
{
	return n_bytes - offsetof(struct monitor_message, text);
}

static int subscribe(int fd, unsigned int kinds)
{
	const struct monitor_message_header header = {
		.version = MONITOR_MESSAGE_VERSION,
		.type = MONITOR_MESSAGE_SUBSCRIBE,
		.n = kinds,
	};

	return send(fd, &header, sizeof(header), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int monitor_client_connect(const char *path, unsigned int kinds, GError **error)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, err;

	if (g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return error_set_errno(error, ENAMETOOLONG, "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set_errno(error, errno, "make a socket");
	err = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	if (!err)
		err = subscribe(fd, kinds);
	/* Turned away already: whoever receives sees that. */
	if (!err || err == -EPIPE)
		return fd;
	close(fd);
	if (err == -ENOENT || err == -ECONNREFUSED)
		return error_set(
			error, -err,
			"nobody listens on %s: %s; is the agent running (\"systemctl status "
			"cilium-agent\")?",
			path, g_strerror(-err));
	if (err == -EACCES)
		return error_set(error, -err,
				 "connect to %s: %s; the socket is root's and the group's that the "
				 "agent's key socket-group names",
				 path, g_strerror(-err));
	return error_set_errno(error, -err, "connect to %s", path);
}

int monitor_client_receive(int fd, bool dont_wait, struct monitor_message *ret_message)
{
	ssize_t n;

	do {
		n = recv(fd, ret_message, sizeof(*ret_message),
			 MSG_TRUNC | (dont_wait ? MSG_DONTWAIT : 0));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	if (n <= 0)
		return 0;
	return monitor_message_is_valid(ret_message, n) ? (int)n : -EPROTO;
}
