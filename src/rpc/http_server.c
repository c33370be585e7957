/* SPDX-License-Identifier: Apache-2.0 */
#include "src/rpc/http_server.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/base/clock.h"

#define SWEEP_INTERVAL_MS 1000
#define N_HANDLES         3
/* Until a client that could not be accepted is tried again. */
#define PAUSE_MS 100

struct http_server {
	struct MHD_Daemon *daemon;
	http_handler handler;
	void *data;
	GHashTable *connections; /* descriptor to connection_start, of all that are open */
	uint64_t n_accepted;
	uv_poll_t poll;   /* of the daemon's epoll descriptor */
	uv_timer_t timer; /* when the daemon wants to run without an event */
	uv_timer_t sweep; /* running while there are connections */
	unsigned int n_open_handles;
};

struct connection_start {
	int64_t monotonic_ns;
};

/* One request, from its first line to the end of its answer. */
struct exchange {
	bool target_is_text; /* no NUL, no malformed escape, UTF-8 */
	bool started;
	bool too_large;
	GString *body;
};

/* ---- one request ---- */

/* Whoever gets path and query may show them in an answer, or keep them, as JSON. */
static bool is_text(const char *uri)
{
	g_autofree char *plain = g_uri_unescape_string(uri, NULL);

	return plain && g_utf8_validate(plain, -1, NULL);
}

static void *exchange_begin(void *data, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *exchange = g_new0(struct exchange, 1);

	exchange->target_is_text = is_text(uri);
	exchange->body = g_string_new(NULL);
	return exchange;
}

static void exchange_end(void *data, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *context;

	if (!exchange)
		return;
	g_string_free(exchange->body, TRUE);
	g_free(exchange);
	*context = NULL;
}

/* A body that is made while it is sent. */
struct stream {
	GString *piece;
	size_t n_sent_bytes; /* of piece */
	void (*next)(GString *piece, void *data);
	void (*free)(void *data);
	void *data;
};

#define STREAM_BLOCK_BYTES (32 * 1024)

static ssize_t stream_read(void *pointer, uint64_t position, char *buffer, size_t n_bytes)
{
	struct stream *stream = pointer;

	if (stream->n_sent_bytes == stream->piece->len) {
		g_string_truncate(stream->piece, 0);
		stream->n_sent_bytes = 0;
		stream->next(stream->piece, stream->data);
		if (!stream->piece->len)
			return MHD_CONTENT_READER_END_OF_STREAM;
	}
	n_bytes = MIN(n_bytes, stream->piece->len - stream->n_sent_bytes);
	memcpy(buffer, stream->piece->str + stream->n_sent_bytes, n_bytes);
	stream->n_sent_bytes += n_bytes;
	return (ssize_t)n_bytes;
}

static void stream_free(void *pointer)
{
	struct stream *stream = pointer;

	stream->free(stream->data);
	g_string_free(stream->piece, TRUE);
	g_free(stream);
}

static struct MHD_Response *make_reply(const struct http_response *response)
{
	size_t n_bytes = response->body->len;
	struct stream *stream;

	if (!response->next)
		return MHD_create_response_from_buffer(
			n_bytes, g_string_free(response->body, FALSE), MHD_RESPMEM_MUST_FREE);
	stream = g_new0(struct stream, 1);
	*stream = (struct stream){
		.piece = response->body,
		.next = response->next,
		.free = response->free,
		.data = response->data,
	};
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read,
						 stream, stream_free);
}

static enum MHD_Result queue_response(struct MHD_Connection *connection,
				      struct http_response *response)
{
	struct MHD_Response *reply = make_reply(response);
	enum MHD_Result result;

	MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE,
				response->content_type ? response->content_type
						       : "application/json");
	if (response->allow)
		MHD_add_response_header(reply, MHD_HTTP_HEADER_ALLOW, response->allow);
	if (response->extra_name)
		MHD_add_response_header(reply, response->extra_name, response->extra_value);
	g_free(response->allow);
	g_free(response->extra_value);
	result = MHD_queue_response(connection, response->status, reply);
	MHD_destroy_response(reply);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status,
			      const char *json)
{
	struct http_response response = {.status = status, .body = g_string_new(json)};

	return queue_response(connection, &response);
}

static bool announces_too_much(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && g_ascii_strtoull(length, NULL, 10) > HTTP_BODY_MAX_BYTES;
}

static enum MHD_Result answer(struct http_server *server, struct MHD_Connection *connection,
			      const char *method, const char *path, struct exchange *exchange)
{
	const struct http_request request = {
		.method = method,
		.path = path,
		.body = exchange->body->str,
		.n_body_bytes = exchange->body->len,
		.internal = connection,
	};
	struct http_response response = {.status = 200, .body = g_string_new(NULL)};

	server->handler(&request, &response, server->data);
	return queue_response(connection, &response);
}

/* Called once with the headers, for each part of the body, and once more at its end. */
static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *upload,
			      size_t *n_upload_bytes, void **context)
{
	struct exchange *exchange = *context;

	if (!exchange->started) {
		exchange->started = true;
		if (announces_too_much(connection))
			return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
				      "\"the request's body is too large\"");
		return MHD_YES;
	}
	if (*n_upload_bytes) {
		/* The rest of a body of no announced length is read and forgotten. */
		if (exchange->body->len + *n_upload_bytes > HTTP_BODY_MAX_BYTES)
			exchange->too_large = true;
		else
			g_string_append_len(exchange->body, upload, *n_upload_bytes);
		*n_upload_bytes = 0;
		return MHD_YES;
	}
	if (exchange->too_large)
		return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
			      "\"the request's body is too large\"");
	if (!exchange->target_is_text)
		return refuse(connection, MHD_HTTP_BAD_REQUEST,
			      "\"path and query are not UTF-8 text\"");
	return answer(data, connection, method, path, exchange);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->internal, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->internal, MHD_HEADER_KIND, name);
}

/* ---- the loop ---- */

static void run(struct http_server *server);
static void on_events(uv_poll_t *poll, int status, int events);

static void on_timer(uv_timer_t *timer)
{
	struct http_server *server = timer->data;

	/* Where it was paused. */
	uv_poll_start(&server->poll, UV_READABLE, on_events);
	run(server);
}

static void run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&server->timer, on_timer, timeout_ms, 0);
	else
		uv_timer_stop(&server->timer);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
	struct http_server *server = poll->data;
	bool was_idle = !g_hash_table_size(server->connections);
	uint64_t n_before = server->n_accepted;

	run(server);
	if (!was_idle || server->n_accepted != n_before)
		return;
	/* Somebody waits, and no descriptor is left: without any connection the daemon would try all the time. */
	uv_poll_stop(poll);
	uv_timer_start(&server->timer, on_timer, PAUSE_MS, 0);
}

/* The daemon's own timeout starts anew with each byte; this one does not. */
static void on_sweep(uv_timer_t *timer)
{
	struct http_server *server = timer->data;
	int64_t oldest_ns = clock_monotonic_ns() - HTTP_CONNECTION_MAX_S * NSEC_PER_SEC;
	GHashTableIter iter;
	void *fd, *start;

	g_hash_table_iter_init(&iter, server->connections);
	while (g_hash_table_iter_next(&iter, &fd, &start))
		if (((struct connection_start *)start)->monotonic_ns < oldest_ns)
			shutdown(GPOINTER_TO_INT(fd), SHUT_RDWR);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = data;
	int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		struct connection_start *start = g_new(struct connection_start, 1);

		server->n_accepted++;
		start->monotonic_ns = clock_monotonic_ns();
		g_hash_table_insert(server->connections, GINT_TO_POINTER(fd), start);
		if (!uv_is_active((uv_handle_t *)&server->sweep))
			uv_timer_start(&server->sweep, on_sweep, SWEEP_INTERVAL_MS,
				       SWEEP_INTERVAL_MS);
	} else {
		g_hash_table_remove(server->connections, GINT_TO_POINTER(fd));
		if (!g_hash_table_size(server->connections))
			uv_timer_stop(&server->sweep);
	}
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int listen_fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, server,
				MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned int)HTTP_IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned int)HTTP_CONNECTIONS_MAX, MHD_OPTION_URI_LOG_CALLBACK,
				exchange_begin, server, MHD_OPTION_NOTIFY_COMPLETED, exchange_end,
				server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
				MHD_OPTION_END);
}

struct http_server *http_server_new(uv_loop_t *loop, int listen_fd, http_handler handler,
				    void *data, GError **error)
{
	struct http_server *server = g_new0(struct http_server, 1);
	int epoll_fd, err;

	server->handler = handler;
	server->data = data;
	server->connections = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	server->daemon = start_daemon(server, listen_fd);
	if (!server->daemon) {
		error_set(error, EIO, "the HTTP server does not start");
		close(listen_fd);
		g_hash_table_unref(server->connections);
		g_free(server);
		return NULL;
	}
	epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	uv_timer_init(loop, &server->timer);
	uv_timer_init(loop, &server->sweep);
	server->timer.data = server->sweep.data = server->poll.data = server;
	server->n_open_handles = N_HANDLES;
	err = uv_poll_init(loop, &server->poll, epoll_fd);
	g_assert(!err); /* an epoll descriptor can be polled, and nobody else polls this one */
	uv_poll_start(&server->poll, UV_READABLE, on_events);
	return server;
}

static void on_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;

	if (!--server->n_open_handles)
		g_free(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	uv_poll_stop(&server->poll);
	MHD_stop_daemon(server->daemon);
	g_hash_table_unref(server->connections);
	uv_close((uv_handle_t *)&server->poll, on_closed);
	uv_close((uv_handle_t *)&server->timer, on_closed);
	uv_close((uv_handle_t *)&server->sweep, on_closed);
}
