/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/agent/agent.h"
#include "src/agent/health.h"
#include "src/agent/status.h"
#include "src/base/log.h"

/* How old the status may be that the service manager shows. */
#define STATUS_INTERVAL_NS (5 * NSEC_PER_SEC)
#define PATIENCE_NS        (100 * NSEC_PER_MSEC)

struct notify {
	struct agent *agent;
	struct controller *controller;
	struct sockaddr_un address;
	socklen_t n_address_bytes;
	uv_timer_t timer;
	int64_t interval_ns; /* of the timer: half of what the watchdog asks for, or less */
	bool has_watchdog;
	bool owes_ready; /* it has not been told */
	char *status;    /* as told last; NULL: not yet */
};

static int send_text(const struct notify *notify, const char *text, GError **error)
{
	const struct timeval patience = {.tv_usec = PATIENCE_NS / NSEC_PER_USEC};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	/* Whoever is behind with listening must not hold up the loop for long. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&notify->address,
		   notify->n_address_bytes) < 0)
		err = error_set_errno(error, errno, "NOTIFY_SOCKET %s", g_getenv("NOTIFY_SOCKET"));
	if (fd >= 0)
		close(fd);
	return err;
}

static bool tell(struct notify *notify, const char *text)
{
	g_autoptr(GError) error = NULL;
	int err;

	controller_begin(notify->controller);
	err = send_text(notify, text, &error);
	if (err && !controller_is_failing(notify->controller))
		log_warning("health", "Telling the service manager failed, will try again",
			    "error=%s", error->message);
	controller_end(notify->controller, error);
	return !err;
}

static int set_address(struct notify *notify, const char *path, GError **error)
{
	size_t n = strlen(path);

	notify->address.sun_family = AF_UNIX;
	if (n >= sizeof(notify->address.sun_path))
		return error_set(error, EINVAL, "NOTIFY_SOCKET: %s is too long", path);
	memcpy(notify->address.sun_path, path, n);
	if (*path == '@') /* in the abstract name space */
		notify->address.sun_path[0] = '\0';
	notify->n_address_bytes = offsetof(struct sockaddr_un, sun_path) + n;
	return 0;
}

/* Of the watchdog, where it is meant for this process; else 0. */
static int64_t read_watchdog_ns(void)
{
	const char *usec = g_getenv("WATCHDOG_USEC");
	const char *pid = g_getenv("WATCHDOG_PID");
	guint64 number;

	if (pid && (!g_ascii_string_to_unsigned(pid, 10, 1, INT32_MAX, &number, NULL) ||
		    number != (guint64)getpid()))
		return 0;
	if (!usec ||
	    !g_ascii_string_to_unsigned(usec, 10, 1, INT64_MAX / NSEC_PER_USEC, &number, NULL))
		return 0;
	return (int64_t)number * NSEC_PER_USEC;
}

struct notify *notify_new(struct agent *agent)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	int64_t watchdog_ns = read_watchdog_ns();
	g_autoptr(GError) error = NULL;
	struct notify *notify;

	if (!path || !*path)
		return NULL;
	notify = g_new0(struct notify, 1);
	if (set_address(notify, path, &error)) {
		log_warning("health", "Nothing is told to the service manager", "error=%s",
			    error->message);
		g_free(notify);
		return NULL;
	}
	notify->has_watchdog = watchdog_ns;
	notify->interval_ns =
		watchdog_ns ? MIN(STATUS_INTERVAL_NS, watchdog_ns / 2) : STATUS_INTERVAL_NS;
	notify->agent = agent;
	notify->controller = controller_new(agent->controllers, "service-manager", "health", 0);
	uv_timer_init(agent->loop, &notify->timer);
	notify->timer.data = notify;
	return notify;
}

static void on_closed(uv_handle_t *handle)
{
	struct notify *notify = handle->data;

	g_free(notify->status);
	g_free(notify);
}

void notify_free(struct notify *notify)
{
	if (notify)
		uv_close((uv_handle_t *)&notify->timer, on_closed);
}

void notify_step(struct notify *notify, const char *step)
{
	g_autofree char *text = NULL;

	if (!notify)
		return;
	text = g_strdup_printf("STATUS=Starting: %s\nEXTEND_TIMEOUT_USEC=%" PRId64, step,
			       HEALTH_STEP_LIFE_NS / NSEC_PER_USEC);
	tell(notify, text);
}

/* "Ok: 0.1.0 (axoneme); 12 endpoint(s)". g_free. */
static char *make_status(const struct agent *agent)
{
	json_t *status = status_to_json(agent, true);
	const json_t *cilium = json_object_get(status, "cilium");
	char *text = g_strdup_printf("%s: %s; %u endpoint(s)",
				     json_string_value(json_object_get(cilium, "state")),
				     json_string_value(json_object_get(cilium, "msg")),
				     table_n_rows(agent->tables.endpoints));

	json_decref(status);
	return text;
}

static void tell_status(struct notify *notify, bool is_alive)
{
	g_autofree char *status = make_status(notify->agent);
	g_autoptr(GString) text = g_string_new(is_alive ? "WATCHDOG=1\n" : "");

	if (notify->owes_ready)
		g_string_append(text, "READY=1\n");
	if (g_strcmp0(status, notify->status) != 0)
		g_string_append_printf(text, "STATUS=%s\n", status);
	if (!text->len) {
		controller_begin(notify->controller);
		controller_end(notify->controller, NULL);
	} else if (tell(notify, text->str)) {
		notify->owes_ready = false;
		g_free(notify->status);
		notify->status = g_steal_pointer(&status);
	}
}

/* That this runs is what the watchdog asks for: the loop turns. */
static void on_timer(uv_timer_t *timer)
{
	struct notify *notify = timer->data;

	tell_status(notify, notify->has_watchdog);
}

void notify_ready(struct notify *notify)
{
	uint64_t interval_ms;

	if (!notify)
		return;
	notify->owes_ready = true;
	g_clear_pointer(&notify->status, g_free);
	tell_status(notify, false);
	interval_ms = MAX(notify->interval_ns / NSEC_PER_MSEC, 1);
	uv_timer_start(&notify->timer, on_timer, interval_ms, interval_ms);
	controller_set_interval(notify->controller, notify->interval_ns);
}

void notify_reloading(struct notify *notify)
{
	g_autofree char *text = NULL;

	if (!notify)
		return;
	text = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" PRId64
			       "\nSTATUS=Reading the configuration anew",
			       clock_monotonic_ns() / NSEC_PER_USEC);
	tell(notify, text);
}

void notify_stopping(struct notify *notify)
{
	if (notify)
		tell(notify, "STOPPING=1\nSTATUS=Stopping; traffic goes on");
}
