/* SPDX-License-Identifier: Apache-2.0 */
#include "src/rpc/http_client.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/rpc/http_decoder.h"

struct exchange {
	int fd;
	int64_t deadline_ns;
};

void http_reply_fini(struct http_reply *reply)
{
	g_free(reply->body);
	reply->body = NULL;
}

static int64_t left_ns(const struct exchange *exchange)
{
	return MAX(exchange->deadline_ns - clock_monotonic_ns(), 0);
}

/* connect() to a unix socket blocks while the listener's backlog is full: bounded by SO_SNDTIMEO.
 */
static int exchange_connect(struct exchange *exchange, const char *path, GError **error)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int64_t timeout_ns = MAX(left_ns(exchange), NSEC_PER_MSEC);
	struct timeval timeout = {
		.tv_sec = timeout_ns / NSEC_PER_SEC,
		.tv_usec = timeout_ns % NSEC_PER_SEC / 1000,
	};

	if (strlen(path) >= sizeof(sun.sun_path))
		return error_set(error, ENAMETOOLONG, "%s: a socket's path has at most %zu bytes",
				 path, sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	exchange->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (exchange->fd < 0)
		return error_set_errno(error, errno, "socket");
	setsockopt(exchange->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(exchange->fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return error_set(
			error, ECONNREFUSED,
			"nobody listens on %s: %s; is the agent running (\"systemctl status "
			"cilium-agent\"), and is this its socket-path?",
			path, g_strerror(errno));
	if (errno == EACCES)
		return error_set(error, EACCES,
				 "connect to %s: %s; the socket is root's and the group's that the "
				 "agent's key socket-group names",
				 path, g_strerror(errno));
	return error_set_errno(error, errno == EAGAIN ? ETIMEDOUT : errno, "connect to %s", path);
}

/* Waits until events are possible. 0, −ETIMEDOUT or another −errno. */
static int exchange_wait(const struct exchange *exchange, short events)
{
	struct pollfd pollfd = {.fd = exchange->fd, .events = events};
	int n;

	do {
		int64_t timeout_ns = left_ns(exchange);

		n = poll(&pollfd, 1,
			 MIN((timeout_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC, INT32_MAX));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int exchange_send(const struct exchange *exchange, const GString *request, GError **error)
{
	size_t n_sent = 0;

	while (n_sent < request->len) {
		ssize_t n = send(exchange->fd, request->str + n_sent, request->len - n_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		int err = n < 0 ? errno : 0;

		if (n >= 0) {
			n_sent += n;
		} else if (err == EPIPE || err == ECONNRESET) {
			/* Refused before all was read ("413"): the answer says why. */
			return 0;
		} else if (err == EAGAIN) {
			err = -exchange_wait(exchange, POLLOUT);
			if (err)
				return error_set_errno(error, err, "send the request");
		} else if (err != EINTR) {
			return error_set_errno(error, err, "send the request");
		}
	}
	return 0;
}

static int exchange_receive(const struct exchange *exchange, struct http_decoder *decoder,
			    GError **error)
{
	char buffer[16 * 1024];

	for (;;) {
		int err = exchange_wait(exchange, POLLIN);
		ssize_t n;

		if (err == -ETIMEDOUT)
			return error_set(error, ETIMEDOUT,
					 "wait for the answer: %s; the agent is there and does not "
					 "answer: is it stopped, or busy with a large manifest "
					 "(\"systemctl status cilium-agent\")?",
					 g_strerror(ETIMEDOUT));
		if (err < 0)
			return error_set_errno(error, -err, "wait for the answer");
		n = recv(exchange->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "receive the answer");
		if (n == 0)
			return http_decoder_end(decoder, error);
		err = http_decoder_feed(decoder, buffer, n, error);
		if (err)
			return MIN(err, 0);
	}
}

static GString *format_request(const struct http_call *call)
{
	GString *request = g_string_new(NULL);

	g_string_append_printf(request,
			       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
			       "Accept: application/json\r\n%s",
			       call->method, call->target, call->headers ? call->headers : "");
	if (call->body)
		g_string_append_printf(request,
				       "Content-Type: application/json\r\nContent-Length: %zu\r\n",
				       strlen(call->body));
	else if (strcmp(call->method, "GET"))
		g_string_append(request, "Content-Length: 0\r\n");
	g_string_append(request, "\r\n");
	g_string_append(request, call->body ? call->body : "");
	return request;
}

int http_client_request(const struct http_call *call, struct http_reply *ret_reply, GError **error)
{
	struct exchange exchange = {.fd = -1,
				    .deadline_ns = clock_monotonic_ns() + call->timeout_ns};
	GString *request = format_request(call);
	struct http_decoder decoder;
	int err;

	http_decoder_init(&decoder);
	err = exchange_connect(&exchange, call->socket_path, error);
	if (!err)
		err = exchange_send(&exchange, request, error);
	if (!err)
		err = exchange_receive(&exchange, &decoder, error);
	if (!err) {
		ret_reply->status = decoder.status;
		ret_reply->n_body_bytes = decoder.body->len;
		ret_reply->body = g_string_free(g_steal_pointer(&decoder.body), FALSE);
	}
	http_decoder_fini(&decoder);
	g_string_free(request, TRUE);
	if (exchange.fd >= 0)
		close(exchange.fd);
	return err;
}

void http_target_append(GString *target, const char *text)
{
	for (; *text; text++) {
		if (g_ascii_isalnum(*text) || strchr("-._~", *text))
			g_string_append_c(target, *text);
		else
			g_string_append_printf(target, "%%%02X", (unsigned char)*text);
	}
}
