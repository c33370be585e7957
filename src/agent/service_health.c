/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/service_health.h"

#include <string.h>
#include <jansson.h>
#include "src/base/log.h"
#include "src/model/lb.h"
#include "src/rpc/http_server.h"
#include "src/rpc/tcp_listen.h"

#define WEIGHT_HEADER "X-Load-Balancing-Endpoint-Weight"
/* Of an error's text: a mistake in many services is one mistake. */
#define MAX_FAILURES 3

/* A row of lb_services. */
struct part {
	char *key;
	struct server *server;
	uint16_t port;
	unsigned int n_local; /* back ends on this node that take new connections */
};

/* A Service: the rows of its ports and families. */
struct server {
	char *name; /* "namespace/name" */
	GPtrArray *parts;
	uint16_t port; /* where it listens; 0: not yet */
	struct http_server *http;
	char *failure; /* why it does not listen; NULL: it does */
};

struct service_health {
	uv_loop_t *loop;
	const struct tables *tables;
	struct controller *controller;
	GHashTable *parts;   /* by key; owned */
	GHashTable *servers; /* by name; owned */
};

/* ---- answers ---- */

/* Rows of two families, and of two ports, are about the same pods. */
static unsigned int count_local(const struct server *server)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < server->parts->len; i++)
		n = MAX(n, ((const struct part *)server->parts->pdata[i])->n_local);
	return n;
}

static void handle(const struct http_request *request, struct http_response *response, void *data)
{
	const struct server *server = data;
	const char *slash = strchr(server->name, '/');
	g_autofree char *namespace = g_strndup(server->name, slash - server->name);
	unsigned int n_local = count_local(server);
	json_t *json;
	char *text;

	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
		response->status = 405;
		response->allow = g_strdup("GET, HEAD");
		return;
	}
	json = json_pack("{s:{s:s, s:s}, s:I}", "service", "namespace", namespace, "name",
			 slash + 1, "localEndpoints", (json_int_t)n_local);
	text = json_dumps(json, JSON_COMPACT);
	g_string_append(response->body, text);
	free(text);
	json_decref(json);
	response->status = n_local ? 200 : 503;
	response->extra_name = WEIGHT_HEADER;
	response->extra_value = g_strdup_printf("%u", n_local);
}

/* ---- listening ---- */

static void close_server(struct server *server)
{
	http_server_free(server->http);
	server->http = NULL;
	server->port = 0;
}

/* What its rows say now; 0: there are none. */
static uint16_t wanted_port(const struct server *server)
{
	return server->parts->len ? ((const struct part *)server->parts->pdata[0])->port : 0;
}

static void open_server(struct service_health *health, struct server *server)
{
	uint16_t port = wanted_port(server);
	g_autofree char *address = g_strdup_printf(":%u", port);
	g_autoptr(GError) error = NULL;
	int fd = tcp_listen(address, &error);

	g_clear_pointer(&server->failure, g_free);
	if (fd >= 0)
		server->http = http_server_new(health->loop, fd, handle, server, &error);
	if (server->http)
		server->port = port;
	else
		server->failure = g_strdup_printf("%s: healthCheckNodePort: %s", server->name,
						  error->message);
}

/* Ports move from one service to another: all are closed before any is opened. */
static void close_changed(struct service_health *health)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, health->servers);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct server *server = value;

		if (server->http && server->port != wanted_port(server))
			close_server(server);
		if (!server->parts->len)
			g_hash_table_iter_remove(&iter);
	}
}

static void append_failure(GString *text, const struct server *server, unsigned int n_before)
{
	if (n_before < MAX_FAILURES)
		g_string_append_printf(text, "%s%s", n_before ? "; " : "", server->failure);
}

/* The controller runs where there is something to open, and fails where not all could be. */
static void open_missing(struct service_health *health)
{
	g_autoptr(GString) failures = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	GHashTableIter iter;
	unsigned int n_failed = 0;
	void *value;

	controller_begin(health->controller);
	g_hash_table_iter_init(&iter, health->servers);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct server *server = value;

		if (!server->http)
			open_server(health, server);
		if (server->failure)
			append_failure(failures, server, n_failed++);
	}
	if (n_failed > MAX_FAILURES)
		g_string_append_printf(failures, "; and %u more", n_failed - MAX_FAILURES);
	if (n_failed)
		error_set(&error, EADDRINUSE, "%s", failures->str);
	if (error && !controller_is_failing(health->controller))
		log_warning("health", "No answers to load balancers on some ports, will try again",
			    "error=%s", error->message);
	controller_end(health->controller, error);
}

/* ---- rows ---- */

static void part_free(void *pointer)
{
	struct part *part = pointer;

	g_free(part->key);
	g_free(part);
}

static void server_free(void *pointer)
{
	struct server *server = pointer;

	http_server_free(server->http);
	g_ptr_array_unref(server->parts);
	g_free(server->failure);
	g_free(server->name);
	g_free(server);
}

static struct server *ensure_server(struct service_health *health, const struct lb_service *row)
{
	g_autofree char *name = g_strconcat(row->namespace, "/", row->name, NULL);
	struct server *server = g_hash_table_lookup(health->servers, name);

	if (server)
		return server;
	server = g_new0(struct server, 1);
	server->name = g_steal_pointer(&name);
	server->parts = g_ptr_array_new();
	g_hash_table_insert(health->servers, server->name, server);
	return server;
}

static unsigned int count_row(const struct lb_service *row)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < row->n_backends; i++)
		n += row->backends[i].state == LB_BACKEND_ACTIVE &&
		     (row->backends[i].flags & LB_BACKEND_F_LOCAL);
	return n;
}

/* A key names its service: a part never moves to another. */
static void note_row(struct service_health *health, const struct row_key *key)
{
	g_autofree char *text = g_strndup(key->data, key->n_bytes);
	struct part *part = g_hash_table_lookup(health->parts, text);
	const struct lb_service *row = (const struct lb_service *)table_get(
		health->tables->lb_services, key->data, key->n_bytes);

	if (!row || !row->health_check_node_port || !row->namespace || !row->name) {
		if (part) {
			g_ptr_array_remove(part->server->parts, part);
			g_hash_table_remove(health->parts, text);
		}
		return;
	}
	if (!part) {
		part = g_new0(struct part, 1);
		part->key = g_steal_pointer(&text);
		part->server = ensure_server(health, row);
		g_ptr_array_add(part->server->parts, part);
		g_hash_table_insert(health->parts, part->key, part);
	}
	part->port = row->health_check_node_port;
	part->n_local = count_row(row);
}

static bool needs_opening(const struct service_health *health)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, health->servers);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (!((const struct server *)value)->http)
			return true;
	return false;
}

static void on_change(struct watch *watch, void *data)
{
	struct service_health *health = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		note_row(health, &key);
	close_changed(health);
	/* Also where the last that failed is gone. */
	if (needs_opening(health) || controller_is_failing(health->controller))
		open_missing(health);
}

/* ---- */

struct service_health *service_health_new(uv_loop_t *loop, struct store *store,
					  const struct tables *tables,
					  struct controller *controller)
{
	struct service_health *health = g_new0(struct service_health, 1);

	health->loop = loop;
	health->tables = tables;
	health->controller = controller;
	health->parts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, part_free);
	health->servers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, server_free);
	watch_add(watch_new(store, "health check node ports", on_change, health),
		  tables->lb_services);
	return health;
}

void service_health_free(struct service_health *health)
{
	if (!health)
		return;
	g_hash_table_unref(health->parts);
	g_hash_table_unref(health->servers);
	g_free(health);
}

void service_health_retry(struct service_health *health)
{
	if (health && needs_opening(health))
		open_missing(health);
}
