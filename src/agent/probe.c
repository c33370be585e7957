/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/probe.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "src/model/connection_text.h"

/* "HTTP/1.1 200" */
#define STATUS_LINE_BYTES 12

struct probe {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	char *request; /* of HTTP; else NULL */
	char answer[STATUS_LINE_BYTES + 1];
	size_t n_answer;
	bool is_connected;
	bool was_extended;
	unsigned int timeout_ms;
	uint64_t due_ms; /* of the timeout, by the loop's clock */
	int refused;     /* −errno of connect(), to be told; 0: none */
	probe_done done;
	void *data;
	unsigned int n_handles; /* still open */
};

static void on_closed(uv_handle_t *handle)
{
	struct probe *probe = handle->data;

	if (--probe->n_handles)
		return;
	g_free(probe->request);
	g_free(probe);
}

/* With a reset: nothing is left of the connection, on either side, and no port is used up for a minute. */
static void close_handles(struct probe *probe)
{
	if (!uv_is_closing((uv_handle_t *)&probe->timer))
		uv_close((uv_handle_t *)&probe->timer, on_closed);
	if (uv_is_closing((uv_handle_t *)&probe->tcp))
		return;
	if (!probe->is_connected || uv_tcp_close_reset(&probe->tcp, on_closed))
		uv_close((uv_handle_t *)&probe->tcp, on_closed);
}

static void finish(struct probe *probe, const char *failure)
{
	probe_done done = probe->done;

	/* What libuv tells on the way out is no news. */
	probe->done = NULL;
	if (!done)
		return;
	close_handles(probe);
	done(failure, probe->data);
}

void probe_cancel(struct probe *probe)
{
	probe->done = NULL;
	close_handles(probe);
}

static void fail(struct probe *probe, const char *what, int uv_error)
{
	g_autofree char *text = g_strdup_printf("%s: %s", what, g_strerror(-uv_error));

	finish(probe, text);
}

static void on_timeout(uv_timer_t *timer);

/*
 * Timers run before the loop looks at what has come: an answer that came while something else held the loop up would
 * be too late. So that long is given once more, and a look at least.
 */
static void extend(struct probe *probe)
{
	uint64_t late_ms = uv_now(probe->timer.loop) - probe->due_ms;

	probe->was_extended = true;
	uv_timer_start(&probe->timer, on_timeout, CLAMP(late_ms, 1, probe->timeout_ms), 0);
}

static void on_timeout(uv_timer_t *timer)
{
	struct probe *probe = timer->data;
	g_autofree char *text = NULL;

	if (!probe->was_extended) {
		extend(probe);
		return;
	}
	text = g_strdup_printf("%s: no answer within %u ms",
			       probe->is_connected ? "HTTP" : "connect", probe->timeout_ms);
	finish(probe, text);
}

static void on_refused(uv_timer_t *timer)
{
	struct probe *probe = timer->data;

	fail(probe, "connect", probe->refused);
}

static void judge_answer(struct probe *probe)
{
	const char *answer = probe->answer;
	g_autofree char *text = NULL;
	int status;

	if (!g_str_has_prefix(answer, "HTTP/1.") || answer[8] != ' ' ||
	    !g_ascii_isdigit(answer[9]) || !g_ascii_isdigit(answer[10]) ||
	    !g_ascii_isdigit(answer[11])) {
		finish(probe, "HTTP: the answer is not HTTP");
		return;
	}
	status = atoi(&answer[9]);
	if (status >= 200 && status < 400) {
		finish(probe, NULL);
		return;
	}
	text = g_strdup_printf("HTTP status %d", status);
	finish(probe, text);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct probe *probe = handle->data;

	*ret_buffer =
		uv_buf_init(probe->answer + probe->n_answer, STATUS_LINE_BYTES - probe->n_answer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct probe *probe = stream->data;

	if (!probe->done)
		return;
	if (n == UV_EOF) {
		finish(probe, "HTTP: closed without an answer");
	} else if (n < 0) {
		fail(probe, "HTTP", n);
	} else {
		probe->n_answer += n;
		if (probe->n_answer == STATUS_LINE_BYTES)
			judge_answer(probe);
	}
}

static void on_written(uv_write_t *request, int status)
{
	struct probe *probe = request->data;

	if (status && probe->done)
		fail(probe, "HTTP", status);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct probe *probe = request->data;
	uv_buf_t buffer;
	int err;

	if (!probe->done)
		return;
	probe->is_connected = !status;
	if (status) {
		fail(probe, "connect", status);
		return;
	}
	if (!probe->request) {
		finish(probe, NULL);
		return;
	}
	buffer = uv_buf_init(probe->request, strlen(probe->request));
	probe->write.data = probe;
	err = uv_write(&probe->write, (uv_stream_t *)&probe->tcp, &buffer, 1, on_written);
	if (!err)
		err = uv_read_start((uv_stream_t *)&probe->tcp, on_alloc, on_read);
	if (err)
		fail(probe, "HTTP", err);
}

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union socket_address address_of(const struct addr *addr, uint16_t port)
{
	union socket_address address = {};

	if (addr_is_v4(addr)) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		memcpy(&address.v4.sin_addr, &addr->bytes[12], sizeof(address.v4.sin_addr));
	} else {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
		memcpy(&address.v6.sin6_addr, addr->bytes, sizeof(address.v6.sin6_addr));
	}
	return address;
}

static char *http_request(const struct addr *addr, uint16_t port, const char *path)
{
	g_autofree char *host = connection_format_end(addr, htons(port));

	return g_strdup_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: axoneme\r\n"
			       "Accept: */*\r\nConnection: close\r\n\r\n",
			       path, host);
}

/* The node lacks it, whoever is asked. */
static bool is_shortage(int uv_error)
{
	switch (uv_error) {
	case UV_EMFILE:
	case UV_ENFILE:
	case UV_ENOMEM:
	case UV_ENOBUFS:
	case UV_EADDRNOTAVAIL: /* no port is free */
		return true;
	default:
		return false;
	}
}

/* What connect() says at once, that there is no route above all, is about this back end, and is told later. */
static int begin(uv_loop_t *loop, struct probe *probe, const union socket_address *address)
{
	int err;

	uv_tcp_init(loop, &probe->tcp);
	uv_timer_init(loop, &probe->timer);
	probe->n_handles = 2;
	err = uv_tcp_connect(&probe->connect, &probe->tcp, &address->any, on_connected);
	if (is_shortage(err)) {
		close_handles(probe);
		return err;
	}
	probe->refused = err;
	/* The loop's time is that of the last turn, which may have been a long one. */
	uv_update_time(loop);
	probe->due_ms = uv_now(loop) + probe->timeout_ms;
	return uv_timer_start(&probe->timer, err ? on_refused : on_timeout,
			      err ? 0 : probe->timeout_ms, 0);
}

struct probe *probe_start(uv_loop_t *loop, const struct addr *addr, uint16_t port,
			  const struct service_health *health, probe_done done, void *data,
			  int *ret_err)
{
	struct probe *probe = g_new0(struct probe, 1);
	union socket_address address = address_of(addr, port);
	int err;

	probe->timeout_ms = health->timeout_ms;
	probe->tcp.data = probe->timer.data = probe->connect.data = probe;
	err = begin(loop, probe, &address);
	if (err) {
		*ret_err = err;
		return NULL;
	}
	if (health->probe == HEALTH_PROBE_HTTP)
		probe->request = http_request(addr, port, health->path);
	probe->done = done;
	probe->data = data;
	return probe;
}
