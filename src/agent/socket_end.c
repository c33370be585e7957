/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/socket_end.h"

#include "src/base/log.h"
#include "src/datapath/socket_killer.h"
#include "src/model/endpoint.h"
#include "src/sys/bpffs.h"

struct socket_end {
	struct agent *agent;
	uv_async_t wakeup;
	GHashTable *pending; /* ids of back ends that are gone */
	bool started;
	struct socket_end_statistics statistics;
	/* The thread's, while there is one. */
	GThread *thread;
	int (*wait_programs)(struct datapath *dp);
	struct datapath *datapath;
	struct bpf_map_ref map;
	struct socket_kill kill;
	struct socket_kill_result result;
	gint done; /* atomic: the thread has nothing more to do */
};

/* In the thread. */
static void *run(void *data)
{
	struct socket_end *socket_end = data;

	/* A program that found the back end just before it went writes its entry yet. */
	(void)!socket_end->wait_programs(socket_end->datapath);
	socket_kill_run(&socket_end->kill, &socket_end->result);
	g_atomic_int_set(&socket_end->done, 1);
	uv_async_send(&socket_end->wakeup);
	return NULL;
}

static bool add_namespace(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;

	if (endpoint->netns)
		g_ptr_array_add(data, socket_namespace_new(endpoint->id, endpoint->netns_cookie,
							   endpoint->netns));
	return true;
}

static int open_map(struct socket_end *socket_end)
{
	const char *root = bpffs_find(socket_end->agent->settings->bpf_root);
	g_autoptr(GError) error = NULL;
	int err = bpf_map_open(root, "cilium_lb_reverse_sk", &socket_end->map, &error);

	if (err)
		log_warning("datapath", "Sockets of removed back ends stay open", "error=%s",
			    error->message);
	return err;
}

static void release(struct socket_end *socket_end)
{
	g_hash_table_unref(socket_end->kill.backends);
	g_clear_pointer(&socket_end->kill.namespaces, g_ptr_array_unref);
	bpf_map_close(&socket_end->map);
}

static void begin(struct socket_end *socket_end)
{
	const struct agent *agent = socket_end->agent;
	GPtrArray *namespaces = NULL;
	g_autoptr(GError) error = NULL;

	if (open_map(socket_end)) {
		g_hash_table_remove_all(socket_end->pending);
		return;
	}
	if (agent->settings->bpf_lb_sock_terminate_pod_connections) {
		namespaces = g_ptr_array_new_with_free_func(socket_namespace_free);
		table_foreach (agent->tables.endpoints, add_namespace, namespaces)
			;
	}
	socket_end->kill = (struct socket_kill){&socket_end->map, socket_end->pending, namespaces};
	socket_end->pending = g_hash_table_new(NULL, NULL);
	socket_end->done = 0;
	socket_end->datapath = agent->datapath;
	socket_end->wait_programs = agent->datapath->ops->wait_programs;
	socket_end->thread = g_thread_try_new("socket-end", run, socket_end, &error);
	if (socket_end->thread)
		return;
	log_warning("datapath", "Sockets of removed back ends stay open", "error=%s",
		    error->message);
	release(socket_end);
}

static void report(struct socket_end *socket_end)
{
	const struct socket_kill_result *result = &socket_end->result;

	socket_end->statistics.n_tcp += result->n_tcp;
	socket_end->statistics.n_udp += result->n_udp;
	socket_end->statistics.n_failed += result->n_failed;
	if (result->n_tcp || result->n_udp)
		log_info("datapath", "Sockets of removed back ends were ended", "tcp=%llu udp=%llu",
			 (unsigned long long)result->n_tcp, (unsigned long long)result->n_udp);
	if (result->problem)
		log_warning("datapath", "Sockets of removed back ends stay open",
			    "failed=%llu error=%s", (unsigned long long)result->n_failed,
			    result->problem);
}

static void finish(struct socket_end *socket_end)
{
	g_thread_join(g_steal_pointer(&socket_end->thread));
	report(socket_end);
	g_clear_pointer(&socket_end->result.problem, g_free);
	release(socket_end);
}

static void on_wakeup(uv_async_t *wakeup)
{
	struct socket_end *socket_end = wakeup->data;

	if (socket_end->thread && g_atomic_int_get(&socket_end->done))
		finish(socket_end);
	if (!socket_end->thread && socket_end->started && g_hash_table_size(socket_end->pending))
		begin(socket_end);
}

struct socket_end *socket_end_new(struct agent *agent)
{
	struct socket_end *socket_end = g_new0(struct socket_end, 1);

	socket_end->agent = agent;
	socket_end->pending = g_hash_table_new(NULL, NULL);
	socket_end->wakeup.data = socket_end;
	uv_async_init(agent->loop, &socket_end->wakeup, on_wakeup);
	uv_unref((uv_handle_t *)&socket_end->wakeup);
	return socket_end;
}

void socket_end_start(struct socket_end *socket_end)
{
	if (!socket_end)
		return;
	socket_end->started = true;
	uv_async_send(&socket_end->wakeup);
}

void socket_end_backend(struct socket_end *socket_end, uint32_t backend)
{
	g_hash_table_add(socket_end->pending, GUINT_TO_POINTER(backend));
	uv_async_send(&socket_end->wakeup);
}

const struct socket_end_statistics *socket_end_get_statistics(const struct socket_end *socket_end)
{
	return &socket_end->statistics;
}

static void on_closed(uv_handle_t *handle)
{
	struct socket_end *socket_end = handle->data;

	g_hash_table_unref(socket_end->pending);
	g_free(socket_end);
}

void socket_end_free(struct socket_end *socket_end)
{
	if (!socket_end)
		return;
	if (socket_end->thread)
		finish(socket_end);
	uv_close((uv_handle_t *)&socket_end->wakeup, on_closed);
}
