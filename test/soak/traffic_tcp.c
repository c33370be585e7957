/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections, each with one question and one answer. The client closes first. */
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "test/soak/traffic.h"

/* One end of a TCP connection. */
struct connection {
	struct source source;
	struct path *path;     /* of a client, else NULL */
	struct server *server; /* of a server, else NULL */
	int64_t start_ns;
	uint32_t number;
	size_t n_bytes; /* of message that have come */
	bool is_connected;
	struct message message;
};

static void count_retransmitted(struct path *path, int fd)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	if (path && !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		path->n_retransmitted += info.tcpi_total_retrans;
}

static void connection_free(struct connection *connection)
{
	close(connection->source.fd);
	free(connection);
}

/* True when the whole message is there. *ret_error: 0, or an errno; the other end's closing is one. */
static bool connection_read(struct connection *connection, int *ret_error)
{
	ssize_t n = read(connection->source.fd, (char *)&connection->message + connection->n_bytes,
			 sizeof(connection->message) - connection->n_bytes);

	*ret_error = 0;
	if (n <= 0) {
		*ret_error = n == 0 ? ECONNRESET : errno == EAGAIN ? 0 : errno;
		return false;
	}
	connection->n_bytes += (size_t)n;
	return connection->n_bytes == sizeof(connection->message);
}

static void serve_connection(struct source *source)
{
	struct connection *connection = (struct connection *)source;
	struct message *message = &connection->message;
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int error;

	/* The question was answered: this is the client's end. */
	if (connection->path) {
		count_retransmitted(connection->path, source->fd);
		connection_free(connection);
		return;
	}
	if (!connection_read(connection, &error)) {
		if (error)
			connection_free(connection);
		return;
	}
	if (getpeername(source->fd, (struct sockaddr *)&from, &length) ||
	    !message_is_for(message, connection->server, &from)) {
		paths[message->path < n_paths ? message->path : 0].n_connections_wrong++;
		connection_free(connection);
		return;
	}
	connection->path = &paths[message->path];
	message->server = connection->server->index;
	(void)!write(source->fd, message, sizeof(*message));
}

void accept_connections(struct source *source)
{
	struct server *server =
		(struct server *)((char *)source - __builtin_offsetof(struct server, tcp));

	for (;;) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *connection;

		if (fd < 0)
			return;
		connection = calloc(1, sizeof(*connection));
		if (!connection)
			err(1, "memory");
		connection->source = (struct source){fd, serve_connection};
		connection->server = server;
		watch(&connection->source, EPOLLIN);
	}
}

static void connection_end(struct connection *connection, int error)
{
	struct path *path = connection->path;
	int64_t took_ns = now_ns() - connection->start_ns;

	path->n_open--;
	count_retransmitted(path, connection->source.fd);
	if (took_ns > path->slowest_ns)
		path->slowest_ns = took_ns;
	if (error) {
		path->n_failed++;
		path->last_error = error;
	} else {
		path->n_done++;
	}
	connection_free(connection);
}

static void ask(struct source *source)
{
	struct connection *connection = (struct connection *)source;
	struct path *path = connection->path;
	struct message *message = &connection->message;
	int error = 0;
	socklen_t length = sizeof(error);

	if (!connection->is_connected) {
		const struct message question = {MAGIC, path->index, connection->number, 0};

		if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &length) || error ||
		    write(source->fd, &question, sizeof(question)) != sizeof(question)) {
			connection_end(connection, error ? error : EIO);
			return;
		}
		connection->is_connected = true;
		watch_other(source, EPOLLIN);
		return;
	}
	if (connection_read(connection, &error)) {
		if (message->magic != MAGIC || message->path != path->index ||
		    message->number != connection->number || message->server != path->server->index)
			path->n_connections_wrong++;
		connection_end(connection, 0);
	} else if (error) {
		connection_end(connection, error);
	}
}

void open_connection(struct path *path)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct sockaddr_storage addr;
	socklen_t length = fill_address(path->address, SERVER_PORT, &addr);

	if (!connection)
		err(1, "memory");
	connection->source =
		(struct source){socket_in(path->client, path->address, SOCK_STREAM), ask};
	connection->path = path;
	connection->number = path->n_connections++;
	connection->start_ns = now_ns();
	path->n_open++;
	if (connect(connection->source.fd, (struct sockaddr *)&addr, length) &&
	    errno != EINPROGRESS) {
		connection_end(connection, errno);
		return;
	}
	watch(&connection->source, EPOLLOUT);
}
