// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/socket_killer.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include "abi/lb.h"
#include "src/sys/netns.h"
#include "src/sys/sock_diag.h"

/* A socket of cilium_lb_reverse_sk whose back end is gone. */
struct victim {
	struct lb_socket_key key;
	uint16_t endpoint;
};

struct run {
	const struct socket_kill *kill;
	struct socket_kill_result *result;
	GHashTable *victims;   /* struct victim by its key */
	GHashTable *endpoints; /* ids of victims, 0 among them */
	GArray *found;         /* struct sock_diag_socket, in the namespace that is looked at */
};

struct socket_namespace *socket_namespace_new(uint16_t endpoint, uint64_t cookie, const char *path)
{
	struct socket_namespace *namespace = g_new(struct socket_namespace, 1);

	*namespace = (struct socket_namespace){endpoint, cookie, g_strdup(path)};
	return namespace;
}

void socket_namespace_free(void *data)
{
	struct socket_namespace *namespace = data;

	g_free(namespace->path);
	g_free(namespace);
}

static void note_problem(struct run *run, const char *text)
{
	if (!run->result->problem)
		run->result->problem = g_strdup(text);
}

static bool add_victim(const void *key, const void *value, void *data)
{
	struct run *run = data;
	const struct lb_socket *socket = value;
	struct victim *victim;

	if (!g_hash_table_contains(run->kill->backends, GUINT_TO_POINTER(socket->backend)) ||
	    (socket->endpoint && !run->kill->namespaces))
		return true;
	victim = g_new(struct victim, 1);
	memcpy(&victim->key, key, sizeof(victim->key));
	victim->endpoint = socket->endpoint;
	g_hash_table_replace(run->victims, &victim->key, victim);
	g_hash_table_add(run->endpoints, GUINT_TO_POINTER(victim->endpoint));
	return true;
}

static void add_found(const struct sock_diag_socket *socket, void *data)
{
	struct run *run = data;
	struct lb_socket_key key = {
		.cookie = socket->cookie, .addr = socket->peer, .port = htons(socket->peer_port)};

	if (g_hash_table_contains(run->victims, &key))
		g_array_append_val(run->found, *socket);
}

static int find_sockets(struct run *run, struct sock_diag *diag)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const int protocols[] = {IPPROTO_UDP, IPPROTO_TCP};
	int err = 0;

	for (size_t p = 0; p < G_N_ELEMENTS(protocols); p++) {
		for (size_t f = 0; f < G_N_ELEMENTS(families); f++) {
			int each =
				sock_diag_foreach(diag, families[f], protocols[p], add_found, run);

			err = err ? err : each;
		}
	}
	return err;
}

static void count(struct run *run, size_t n_failed)
{
	for (guint i = 0; i < run->found->len; i++) {
		const struct sock_diag_socket *socket =
			&g_array_index(run->found, struct sock_diag_socket, i);

		if (socket->protocol == IPPROTO_TCP)
			run->result->n_tcp++;
		else
			run->result->n_udp++;
	}
	/* Which they were is of no use to anybody: all fail, or none. */
	run->result->n_failed += n_failed;
	if (n_failed && run->result->n_udp >= n_failed)
		run->result->n_udp -= n_failed;
	else
		run->result->n_tcp -= MIN(n_failed, run->result->n_tcp);
}

/* In the namespace that the thread is in. */
static int end_sockets(void *data, GError **error)
{
	struct run *run = data;
	struct sock_diag *diag = sock_diag_new(error);
	size_t n_failed = 0;
	int err;

	if (!diag)
		return -EIO;
	g_array_set_size(run->found, 0);
	err = find_sockets(run, diag);
	if (err)
		error_set_errno(error, -err,
				"listing sockets (the kernel needs tcp_diag and udp_diag)");
	if (run->found->len) {
		int end_err =
			sock_diag_end(diag, &g_array_index(run->found, struct sock_diag_socket, 0),
				      run->found->len, &n_failed);

		if (end_err && !err)
			err = error_set_errno(error, -end_err,
					      "ending sockets (the kernel needs "
					      "CONFIG_INET_DIAG_DESTROY)");
		count(run, n_failed);
	}
	sock_diag_free(diag);
	return err;
}

/* The path may lead to another namespace by now. */
static int end_sockets_of_endpoint(void *data, GError **error)
{
	struct run *run = ((void **)data)[0];
	const struct socket_namespace *namespace = ((void **)data)[1];
	uint64_t cookie;

	if (namespace->cookie && !netns_get_cookie(&cookie) && cookie != namespace->cookie)
		return 0;
	return end_sockets(run, error);
}

static void visit(struct run *run, const struct socket_namespace *namespace)
{
	void *data[] = {run, (void *)namespace};
	g_autoptr(GError) error = NULL;
	int fd = netns_open_path(namespace->path, &error);
	int err;

	/* A container that has ended took its sockets along. */
	if (fd == -ENOENT)
		return;
	err = fd < 0 ? fd : netns_run(fd, end_sockets_of_endpoint, data, &error);
	if (fd >= 0)
		close(fd);
	if (err) {
		error_prefix(&error, "endpoint %u", namespace->endpoint);
		note_problem(run, error->message);
	}
}

/* Before Linux 5.14 no endpoint's namespace is known by its sockets. */
static bool may_have_victims(const struct run *run, const struct socket_namespace *namespace)
{
	unsigned int endpoint = namespace->cookie ? namespace->endpoint : 0;

	return namespace->path && g_hash_table_contains(run->endpoints, GUINT_TO_POINTER(endpoint));
}

static void visit_all(struct run *run)
{
	g_autoptr(GError) error = NULL;

	if (g_hash_table_contains(run->endpoints, GUINT_TO_POINTER(0)) && end_sockets(run, &error))
		note_problem(run, error->message);
	for (guint i = 0; run->kill->namespaces && i < run->kill->namespaces->len; i++)
		if (may_have_victims(run, run->kill->namespaces->pdata[i]))
			visit(run, run->kill->namespaces->pdata[i]);
}

static void forget_victims(const struct run *run)
{
	g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct lb_socket_key));
	GHashTableIter iter;
	uint32_t n_done;
	void *key;

	g_hash_table_iter_init(&iter, run->victims);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		g_array_append_vals(keys, key, 1);
	/* What stays does no harm: no socket has such a peer any more. */
	(void)!bpf_map_remove_batch(run->kill->map, keys->data, keys->len, &n_done);
}

static guint hash_key(const void *key)
{
	uint64_t cookie = ((const struct lb_socket_key *)key)->cookie;

	return cookie ^ cookie >> 32;
}

static gboolean equal_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct lb_socket_key)) == 0;
}

void socket_kill_run(const struct socket_kill *kill, struct socket_kill_result *ret_result)
{
	struct run run = {
		.kill = kill,
		.result = ret_result,
		.victims = g_hash_table_new_full(hash_key, equal_keys, NULL, g_free),
		.endpoints = g_hash_table_new(NULL, NULL),
		.found = g_array_new(FALSE, FALSE, sizeof(struct sock_diag_socket)),
	};
	int err = bpf_map_foreach(kill->map, add_victim, &run);

	*ret_result = (struct socket_kill_result){0};
	if (err)
		note_problem(&run, g_strerror(-err));
	if (g_hash_table_size(run.victims)) {
		visit_all(&run);
		forget_victims(&run);
	}
	g_hash_table_unref(run.victims);
	g_hash_table_unref(run.endpoints);
	g_array_unref(run.found);
}
