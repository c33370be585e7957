// SPDX-License-Identifier: Apache-2.0
#include "src/agent/health.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "src/agent/loop_watch.h"
#include "src/agent/status.h"
#include "src/base/log.h"
#include "src/rpc/http_server.h"
#include "src/rpc/tcp_listen.h"

#define N_HOSTS 2

static const char *const hosts[N_HOSTS] = {"127.0.0.1", "[::1]"};

struct health {
	/* Of the agent's thread. */
	struct agent *agent;
	struct controller *controller;
	bool is_settled[N_HOSTS]; /* listening, or the host is not there */
	uv_async_t asked;
	GThread *thread;
	/* Of the own thread. */
	uv_loop_t loop;
	uv_async_t wake; /* the only one that others touch */
	struct http_server *servers[N_HOSTS];
	const struct loop_watch *loop_watch; /* only what any thread may ask */

	/* Of both. */
	GMutex mutex;
	GCond begun;
	bool has_begun; /* and has given up its capabilities */
	GCond answered;
	int fds[N_HOSTS]; /* listening, to be taken by the thread; −1: none */
	const char *step; /* of the start, static; NULL: it is over */
	int64_t step_ns;  /* CLOCK_MONOTONIC: when it began */
	bool is_asking;   /* a probe waits for the loop */
	bool is_stopping;
	/* The loop's last answer. */
	bool is_ready;
	bool is_failure;
	char *text;
};

/* ---- in the agent's thread ---- */

static void on_asked(uv_async_t *asked)
{
	struct health *health = asked->data;
	json_t *status = status_to_json(health->agent, true);
	const json_t *cilium = json_object_get(status, "cilium");
	const char *state = json_string_value(json_object_get(cilium, "state"));

	g_mutex_lock(&health->mutex);
	health->is_ready = health->agent->ready;
	health->is_failure = g_strcmp0(state, "Failure") == 0;
	g_free(health->text);
	health->text =
		g_strdup_printf("%s: %s", state, json_string_value(json_object_get(cilium, "msg")));
	health->is_asking = false;
	g_cond_broadcast(&health->answered);
	g_mutex_unlock(&health->mutex);
	json_decref(status);
}

/* 0, also where there is no such host: IPv6 may be off. */
static int listen_on(struct health *health, unsigned int i_host, GError **error)
{
	g_autofree char *address =
		g_strdup_printf("%s:%u", hosts[i_host], health->agent->settings->agent_health_port);
	g_autoptr(GError) cause = NULL;
	int fd = tcp_listen(address, &cause);

	if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT) {
		health->is_settled[i_host] = true;
		return 0;
	}
	if (fd < 0) {
		error_prefix(&cause, "agent-health-port");
		g_propagate_error(error, g_steal_pointer(&cause));
		return fd;
	}
	health->is_settled[i_host] = true;
	g_mutex_lock(&health->mutex);
	health->fds[i_host] = fd;
	g_mutex_unlock(&health->mutex);
	uv_async_send(&health->wake);
	return 0;
}

static void try_listen(struct health *health)
{
	g_autoptr(GError) error = NULL;

	controller_begin(health->controller);
	for (unsigned int i = 0; i < N_HOSTS && !error; i++)
		if (!health->is_settled[i])
			(void)!listen_on(health, i, &error);
	if (error && !controller_is_failing(health->controller))
		log_warning("health", "No health answers, will try again", "error=%s",
			    error->message);
	controller_end(health->controller, error);
}

void health_retry(struct health *health)
{
	if (health && controller_is_failing(health->controller))
		try_listen(health);
}

void health_set_step(struct health *health, const char *step)
{
	if (!health)
		return;
	g_mutex_lock(&health->mutex);
	health->step = step;
	health->step_ns = clock_monotonic_ns();
	g_mutex_unlock(&health->mutex);
}

/* ---- in its own ---- */

/* False where the loop does not answer in time. The mutex is held. */
static bool ask(struct health *health)
{
	int64_t end_us = g_get_monotonic_time() + HEALTH_PATIENCE_NS / NSEC_PER_USEC;

	health->is_asking = true;
	uv_async_send(&health->asked);
	while (health->is_asking && !health->is_stopping)
		if (!g_cond_wait_until(&health->answered, &health->mutex, end_us))
			return false;
	return !health->is_stopping;
}

static double seconds_since(int64_t monotonic_ns)
{
	return (double)(clock_monotonic_ns() - monotonic_ns) / NSEC_PER_SEC;
}

static bool is_ok(struct health *health, bool readiness, GString *text)
{
	if (health->step) {
		g_string_append_printf(text, "Failure: starting: %s, for %.1f s", health->step,
				       seconds_since(health->step_ns));
		return false;
	}
	if (!ask(health)) {
		g_string_append_printf(text, "Failure: the agent's loop is held up, for %.1f s",
				       (double)loop_watch_silent_ns(health->loop_watch) /
					       NSEC_PER_SEC);
		return false;
	}
	g_string_append(text, health->text);
	return readiness ? health->is_ready : !health->is_failure;
}

static bool is_alive(const struct health *health, GString *text)
{
	int64_t silent_ns = loop_watch_silent_ns(health->loop_watch);
	int64_t limit_ns = HEALTH_LIFE_NS;

	if (health->step) {
		silent_ns = clock_monotonic_ns() - health->step_ns;
		limit_ns = HEALTH_STEP_LIFE_NS;
	}
	g_string_append_printf(text, "%s: %s%s %.1f s ago", silent_ns < limit_ns ? "Ok" : "Failure",
			       health->step ? "starting: " : "the agent's loop turned",
			       health->step ? health->step : "", (double)silent_ns / NSEC_PER_SEC);
	return silent_ns < limit_ns;
}

static void handle(const struct http_request *request, struct http_response *response, void *data)
{
	struct health *health = data;
	bool ok;

	response->content_type = "text/plain";
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
		response->status = 405;
		response->allow = g_strdup("GET, HEAD");
		return;
	}
	g_mutex_lock(&health->mutex);
	if (!strcmp(request->path, "/healthz") || !strcmp(request->path, "/readyz")) {
		ok = is_ok(health, !strcmp(request->path, "/readyz"), response->body);
		response->status = ok ? 200 : 503;
	} else if (!strcmp(request->path, "/livez")) {
		ok = is_alive(health, response->body);
		response->status = ok ? 200 : 503;
	} else {
		g_string_append(response->body, "not found; there are /healthz, /readyz, /livez");
		response->status = 404;
	}
	g_mutex_unlock(&health->mutex);
	g_string_append_c(response->body, '\n');
}

static void take_listener(struct health *health, unsigned int i_host)
{
	g_autoptr(GError) error = NULL;
	int fd;

	g_mutex_lock(&health->mutex);
	fd = health->fds[i_host];
	health->fds[i_host] = -1;
	g_mutex_unlock(&health->mutex);
	if (fd >= 0)
		health->servers[i_host] =
			http_server_new(&health->loop, fd, handle, health, &error);
}

static void on_wake(uv_async_t *wake)
{
	struct health *health = wake->data;
	bool is_stopping;

	for (unsigned int i = 0; i < N_HOSTS; i++)
		take_listener(health, i);
	g_mutex_lock(&health->mutex);
	is_stopping = health->is_stopping;
	g_mutex_unlock(&health->mutex);
	if (!is_stopping)
		return;
	for (unsigned int i = 0; i < N_HOSTS; i++)
		http_server_free(health->servers[i]);
	uv_close((uv_handle_t *)wake, NULL);
}

/* Capabilities are a thread's; this one reads requests, and needs none. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	(void)!syscall(SYS_capset, &header, none);
}

static void *run(void *data)
{
	struct health *health = data;

	drop_capabilities();
	g_mutex_lock(&health->mutex);
	health->has_begun = true;
	g_cond_signal(&health->begun);
	g_mutex_unlock(&health->mutex);
	uv_run(&health->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* ---- */

/* A busy machine may run it only after the start, at whose end no thread may have more than is kept. */
static void begin_thread(struct health *health)
{
	health->thread = g_thread_new("health", run, health);
	g_mutex_lock(&health->mutex);
	while (!health->has_begun)
		g_cond_wait(&health->begun, &health->mutex);
	g_mutex_unlock(&health->mutex);
}

struct health *health_new(struct agent *agent)
{
	struct health *health;

	if (!agent->settings->agent_health_port)
		return NULL;
	health = g_new0(struct health, 1);
	health->agent = agent;
	health->controller = controller_new(agent->controllers, "health-port", "health", 0);
	health->loop_watch = agent->loop_watch;
	health->step = "";
	health->step_ns = clock_monotonic_ns();
	health->fds[0] = health->fds[1] = -1;
	g_mutex_init(&health->mutex);
	g_cond_init(&health->begun);
	g_cond_init(&health->answered);
	uv_async_init(agent->loop, &health->asked, on_asked);
	uv_loop_init(&health->loop);
	uv_async_init(&health->loop, &health->wake, on_wake);
	health->asked.data = health->wake.data = health;
	try_listen(health);
	begin_thread(health);
	return health;
}

static void on_closed(uv_handle_t *handle)
{
	struct health *health = handle->data;

	g_mutex_clear(&health->mutex);
	g_cond_clear(&health->begun);
	g_cond_clear(&health->answered);
	g_free(health->text);
	g_free(health);
}

void health_free(struct health *health)
{
	if (!health)
		return;
	g_mutex_lock(&health->mutex);
	health->is_stopping = true;
	g_cond_broadcast(&health->answered);
	g_mutex_unlock(&health->mutex);
	uv_async_send(&health->wake);
	g_thread_join(health->thread);
	uv_loop_close(&health->loop);
	uv_close((uv_handle_t *)&health->asked, on_closed);
}
