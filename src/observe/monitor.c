/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/monitor.h"

#include <fcntl.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/observe/monitor_message.h"

#define READ_INTERVAL_LISTENING_MS 5
#define READ_INTERVAL_IDLE_MS      500
/* So many at once, for who fills the ring faster than it is read must not keep the loop. */
#define EVENTS_PER_TURN 1024
#define NEXT_TURN_MS    1
#define LISTENERS_MAX   64
/* About 5,000 events until a listener that does not read loses any. */
#define LISTENER_BUFFER_BYTES (1024 * 1024)
#define N_HANDLES             3

struct monitor {
	struct ring_buffer *ring;
	size_t ring_bytes;
	struct monitor_callbacks callbacks;
	int listen_fd;
	uv_poll_t ring_poll;
	uv_poll_t listen_poll;
	uv_timer_t timer;
	unsigned int n_open_handles;
	GPtrArray *listeners; /* struct listener */
	unsigned int n_left;  /* of this turn */
	uint64_t n_events;
	uint64_t n_malformed;
	uint64_t n_lost;
	unsigned int kinds; /* that some listener wants */
	uint64_t greeting_number;
	char *greeting; /* JSON; NULL: none */
	bool freeing;
};

struct listener {
	struct monitor *monitor;
	int fd;
	unsigned int kinds; /* MONITOR_KIND_*: that it has subscribed to */
	uint64_t n_lost;    /* since the last message that it took */
	uv_poll_t poll;     /* tells when it has gone */
};

/* ---- listeners ---- */

static void on_listener_closed(uv_handle_t *handle)
{
	g_free(handle->data);
}

static void update_kinds(struct monitor *monitor)
{
	unsigned int kinds = 0;

	for (size_t i = 0; i < monitor->listeners->len; i++)
		kinds |= ((const struct listener *)g_ptr_array_index(monitor->listeners, i))->kinds;
	if (kinds == monitor->kinds)
		return;
	monitor->kinds = kinds;
	if (monitor->callbacks.wanted && !monitor->freeing)
		monitor->callbacks.wanted(kinds, monitor->callbacks.data);
}

static void listener_close(struct listener *listener)
{
	struct monitor *monitor = listener->monitor;

	g_ptr_array_remove_fast(monitor->listeners, listener);
	uv_poll_stop(&listener->poll);
	uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
	close(listener->fd);
	update_kinds(monitor);
}

/* 0; −EAGAIN: no room; another −errno: it has gone. */
static int listener_send(struct listener *listener, const void *message, size_t n_bytes)
{
	ssize_t n;

	do {
		n = send(listener->fd, message, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
}

/* Tells how many were lost before the next one is sent, so that the gap is seen where it is. */
static int listener_send_lost(struct listener *listener)
{
	const struct monitor_message_header header = {
		.version = MONITOR_MESSAGE_VERSION,
		.type = MONITOR_MESSAGE_LOST,
		.n = listener->n_lost,
	};
	int err;

	if (!listener->n_lost)
		return 0;
	err = listener_send(listener, &header, sizeof(header));
	if (!err)
		listener->n_lost = 0;
	return err;
}

/*
 * One that has gone is closed when the loop sees it: whoever publishes is in the midst of something, and must
 * not be told now that nobody wants it any more.
 */
static void listener_put(struct listener *listener, const void *message, size_t n_bytes)
{
	int err = listener_send_lost(listener);

	if (!err)
		err = listener_send(listener, message, n_bytes);
	if (err == -EAGAIN) {
		listener->n_lost++;
		listener->monitor->n_lost++;
	} else if (err < 0) {
		listener->kinds = 0;
		shutdown(listener->fd, SHUT_RDWR);
	}
}

static void publish(struct monitor *monitor, unsigned int kind, const void *message, size_t n_bytes)
{
	for (size_t i = 0; i < monitor->listeners->len; i++) {
		struct listener *listener = g_ptr_array_index(monitor->listeners, i);

		if (listener->kinds & kind)
			listener_put(listener, message, n_bytes);
	}
}

static unsigned int kind_of(const struct event *event)
{
	switch (event->type) {
	case EVENT_DROP:
		return MONITOR_KIND_DROP;
	case EVENT_POLICY_VERDICT:
		return MONITOR_KIND_VERDICT;
	default:
		return MONITOR_KIND_TRACE;
	}
}

static void publish_event(struct monitor *monitor, const struct event *event)
{
	struct {
		struct monitor_message_header header;
		struct event event;
	} message = {
		.header = {.version = MONITOR_MESSAGE_VERSION, .type = MONITOR_MESSAGE_EVENT},
		.event = *event,
	};

	publish(monitor, kind_of(event), &message,
		sizeof(message.header) + offsetof(struct event, packet) + event->cap_len);
}

static size_t fill_agent_message(struct monitor_message *message, uint64_t number, const char *json)
{
	size_t n_bytes = strlen(json);

	message->header = (struct monitor_message_header){
		.version = MONITOR_MESSAGE_VERSION,
		.type = MONITOR_MESSAGE_AGENT,
		.n = number,
	};
	if (n_bytes > sizeof(message->text))
		n_bytes = 0;
	memcpy(message->text, json, n_bytes);
	return offsetof(struct monitor_message, text) + n_bytes;
}

void monitor_publish_agent(struct monitor *monitor, uint64_t number, const char *json)
{
	struct monitor_message message;

	if (monitor->kinds & MONITOR_KIND_AGENT)
		publish(monitor, MONITOR_KIND_AGENT, &message,
			fill_agent_message(&message, number, json));
}

void monitor_set_greeting(struct monitor *monitor, uint64_t number, const char *json)
{
	monitor->greeting_number = number;
	g_free(monitor->greeting);
	monitor->greeting = g_strdup(json);
}

/* ---- the ring ---- */

static int on_record(void *data, void *record, size_t n_bytes)
{
	struct monitor *monitor = data;
	struct event event = {0};
	size_t n_head = offsetof(struct event, packet);
	int result = --monitor->n_left ? 0 : -EAGAIN;

	if (n_bytes < n_head || n_bytes > sizeof(event)) {
		monitor->n_malformed++;
		return result;
	}
	memcpy(&event, record, n_bytes);
	event.cap_len = MIN(event.cap_len, n_bytes - n_head);
	monitor->n_events++;
	if (monitor->callbacks.event)
		monitor->callbacks.event(&event, monitor->callbacks.data);
	if (monitor->kinds)
		publish_event(monitor, &event);
	return result;
}

static void on_timer(uv_timer_t *timer);
static void on_connection(uv_poll_t *poll, int status, int events);

static void set_interval(struct monitor *monitor)
{
	uint64_t interval_ms =
		monitor->listeners->len ? READ_INTERVAL_LISTENING_MS : READ_INTERVAL_IDLE_MS;

	if (uv_timer_get_repeat(&monitor->timer) != interval_ms)
		uv_timer_start(&monitor->timer, on_timer, interval_ms, interval_ms);
}

/* What is left after a turn waits until the others on the loop had theirs. */
static void consume(struct monitor *monitor)
{
	monitor->n_left = EVENTS_PER_TURN;
	if (ring_buffer__consume(monitor->ring) == -EAGAIN)
		uv_timer_start(&monitor->timer, on_timer, NEXT_TURN_MS,
			       uv_timer_get_repeat(&monitor->timer));
}

static void on_timer(uv_timer_t *timer)
{
	struct monitor *monitor = timer->data;

	set_interval(monitor);
	if (!uv_is_active((uv_handle_t *)&monitor->listen_poll))
		uv_poll_start(&monitor->listen_poll, UV_READABLE, on_connection);
	consume(monitor);
}

static void on_ring(uv_poll_t *poll, int status, int events)
{
	consume(poll->data);
}

static void greet(struct listener *listener)
{
	const struct monitor_message_header header = {
		.version = MONITOR_MESSAGE_VERSION,
		.type = MONITOR_MESSAGE_HELLO,
		.cpu_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
		.n = listener->monitor->ring_bytes,
	};

	listener_put(listener, &header, sizeof(header));
}

static void listener_subscribe(struct listener *listener, unsigned int kinds)
{
	struct monitor *monitor = listener->monitor;
	bool greets = monitor->greeting && (kinds & ~listener->kinds & MONITOR_KIND_AGENT);
	struct monitor_message message;

	listener->kinds = kinds;
	update_kinds(monitor);
	greet(listener);
	if (greets)
		listener_put(
			listener, &message,
			fill_agent_message(&message, monitor->greeting_number, monitor->greeting));
}

static void on_listener_event(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = poll->data;
	struct monitor_message_header header = {0};
	ssize_t n = -1;

	if (status == 0 && (events & UV_READABLE))
		n = recv(listener->fd, &header, sizeof(header), MSG_DONTWAIT);
	/* What it says beside that is read and forgotten. */
	if (n == sizeof(header) && header.version == MONITOR_MESSAGE_VERSION &&
	    header.type == MONITOR_MESSAGE_SUBSCRIBE)
		listener_subscribe(listener, header.n & MONITOR_KINDS);
	else if (status < 0 || n == 0 || (n < 0 && (events & UV_DISCONNECT)))
		listener_close(listener);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct monitor *monitor = poll->data;
	int fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int buffer_bytes = LISTENER_BUFFER_BYTES;
	struct listener *listener;

	if (fd < 0) {
		/* It goes on waiting, and would be told of again and again: the timer tries next. */
		if (errno == EMFILE || errno == ENFILE)
			uv_poll_stop(poll);
		return;
	}
	if (monitor->listeners->len >= LISTENERS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof(buffer_bytes));
	listener = g_new0(struct listener, 1);
	listener->monitor = monitor;
	listener->fd = fd;
	listener->poll.data = listener;
	uv_poll_init(monitor->timer.loop, &listener->poll, fd);
	uv_poll_start(&listener->poll, UV_READABLE | UV_DISCONNECT, on_listener_event);
	g_ptr_array_add(monitor->listeners, listener);
	set_interval(monitor);
}

/* ---- life ---- */

static size_t get_ring_bytes(int ring_fd)
{
	struct bpf_map_info info = {0};
	__u32 n_bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(ring_fd, &info, &n_bytes) ? 0 : info.max_entries;
}

struct monitor *monitor_new(uv_loop_t *loop, int ring_fd, int listen_fd,
			    const struct monitor_callbacks *callbacks, GError **error)
{
	struct monitor *monitor = g_new0(struct monitor, 1);

	monitor->callbacks = *callbacks;
	monitor->listen_fd = listen_fd;
	monitor->ring = ring_buffer__new(ring_fd, on_record, monitor, NULL);
	if (!monitor->ring) {
		error_set_errno(error, errno, "read the ring buffer of events");
		close(listen_fd);
		g_free(monitor);
		return NULL;
	}
	monitor->ring_bytes = get_ring_bytes(ring_fd);
	monitor->listeners = g_ptr_array_new();
	monitor->n_open_handles = N_HANDLES;
	monitor->ring_poll.data = monitor->listen_poll.data = monitor->timer.data = monitor;
	uv_timer_init(loop, &monitor->timer);
	uv_poll_init(loop, &monitor->ring_poll, ring_buffer__epoll_fd(monitor->ring));
	uv_poll_init(loop, &monitor->listen_poll, listen_fd);
	uv_poll_start(&monitor->ring_poll, UV_READABLE, on_ring);
	uv_poll_start(&monitor->listen_poll, UV_READABLE, on_connection);
	set_interval(monitor);
	return monitor;
}

void monitor_listen_again(struct monitor *monitor, int listen_fd)
{
	uv_poll_stop(&monitor->listen_poll);
	/* The handle keeps the number. */
	dup3(listen_fd, monitor->listen_fd, O_CLOEXEC);
	close(listen_fd);
	uv_poll_start(&monitor->listen_poll, UV_READABLE, on_connection);
}

static void on_closed(uv_handle_t *handle)
{
	struct monitor *monitor = handle->data;

	if (!--monitor->n_open_handles) {
		g_free(monitor->greeting);
		g_free(monitor);
	}
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	monitor->freeing = true;
	while (monitor->listeners->len)
		listener_close(g_ptr_array_index(monitor->listeners, 0));
	g_ptr_array_unref(monitor->listeners);
	uv_close((uv_handle_t *)&monitor->ring_poll, on_closed);
	uv_close((uv_handle_t *)&monitor->listen_poll, on_closed);
	uv_close((uv_handle_t *)&monitor->timer, on_closed);
	ring_buffer__free(monitor->ring);
	close(monitor->listen_fd);
}

void monitor_get_statistics(const struct monitor *monitor,
			    struct monitor_statistics *ret_statistics)
{
	*ret_statistics = (struct monitor_statistics){
		.n_events = monitor->n_events,
		.n_malformed = monitor->n_malformed,
		.n_lost = monitor->n_lost,
		.n_listeners = monitor->listeners->len,
		.ring_bytes = monitor->ring_bytes,
	};
}
