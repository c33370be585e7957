// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_pod.h"

#include <string.h>
#include "src/model/endpoint.h"

struct lb_pods {
	const struct tables *tables;
	const struct derive_config *config;
	void (*changed)(const char *pod_key, void *data);
	void *data;
	struct table_index *endpoints; /* by the key of the pod */
	GHashTable *pods_of; /* id of an endpoint to the key of its pod, as it was looked at last */
	GHashTable *local;   /* keys of pods of this node, as they were looked at last */
};

static char *pod_key_of(const struct endpoint *endpoint)
{
	if (!endpoint->namespace || !endpoint->pod_name)
		return NULL;
	return g_strdup_printf("%s/%s", endpoint->namespace, endpoint->pod_name);
}

static void key_endpoint(const struct row *row,
			 void (*add)(const void *key, size_t n_bytes, void *data), void *data)
{
	g_autofree char *key = pod_key_of((const struct endpoint *)row);

	if (key)
		add(key, strlen(key), data);
}

struct lb_pods *lb_pods_new(const struct tables *tables, const struct derive_config *config,
			    void (*changed)(const char *pod_key, void *data), void *data)
{
	struct lb_pods *pods = g_new0(struct lb_pods, 1);

	pods->tables = tables;
	pods->config = config;
	pods->changed = changed;
	pods->data = data;
	pods->endpoints = table_index_new(tables->endpoints, key_endpoint);
	pods->pods_of = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	pods->local = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return pods;
}

void lb_pods_free(struct lb_pods *pods)
{
	if (!pods)
		return;
	g_hash_table_unref(pods->pods_of);
	g_hash_table_unref(pods->local);
	g_free(pods);
}

/* ---- what is local ---- */

/* A container that was made anew has two endpoints for a moment: the later one counts. */
static bool find_latest(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row, **latest = data;

	if (!*latest || endpoint->generation > (*latest)->generation)
		*latest = endpoint;
	return true;
}

static const struct endpoint *find_endpoint(const struct lb_pods *pods, const char *pod_key)
{
	const struct endpoint *latest = NULL;

	table_index_foreach(pods->endpoints, pod_key, strlen(pod_key), find_latest, &latest);
	return latest;
}

/* The endpoint knows better than a status what address the pod has. */
bool lb_pods_get(const struct lb_pods *pods, const char *pod_key, struct lb_local_pod *ret_pod)
{
	const struct pod *pod =
		(const struct pod *)table_get(pods->tables->pods, pod_key, strlen(pod_key));
	const struct endpoint *endpoint;

	if (!pod || pod->ended)
		return false;
	endpoint = find_endpoint(pods, pod_key);
	/* One of the same name on another node may leave its endpoint here for a while. */
	if (pod->node_name ? strcmp(pod->node_name, pods->config->node_name) != 0 : !endpoint)
		return false;
	*ret_pod = (struct lb_local_pod){
		.pod = pod,
		.addr4 = endpoint ? endpoint->addr4 : pod->addr4,
		.addr6 = endpoint ? endpoint->addr6 : pod->addr6,
		.endpoint_id = endpoint ? endpoint->id : 0,
	};
	return true;
}

void lb_pods_foreach(const struct lb_pods *pods,
		     void (*fn)(const struct lb_local_pod *pod, void *data), void *data)
{
	GHashTableIter iter;
	void *key;

	g_hash_table_iter_init(&iter, pods->local);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		struct lb_local_pod pod;

		if (lb_pods_get(pods, key, &pod))
			fn(&pod, data);
	}
}

static void update(struct lb_pods *pods, const char *pod_key)
{
	struct lb_local_pod pod;
	bool was_local = g_hash_table_contains(pods->local, pod_key);

	if (lb_pods_get(pods, pod_key, &pod))
		g_hash_table_add(pods->local, g_strdup(pod_key));
	else if (was_local)
		g_hash_table_remove(pods->local, pod_key);
	else
		return;
	pods->changed(pod_key, pods->data);
}

void lb_pods_update_pod(struct lb_pods *pods, const struct row_key *key)
{
	g_autofree char *pod_key = g_strndup(key->data, key->n_bytes);

	update(pods, pod_key);
}

void lb_pods_update_endpoint(struct lb_pods *pods, const struct row_key *key)
{
	const struct row *row = table_get(pods->tables->endpoints, key->data, key->n_bytes);
	uint16_t id;
	char *now = row ? pod_key_of((const struct endpoint *)row) : NULL;
	g_autofree char *before = NULL;

	memcpy(&id, key->data, sizeof(id));
	before = g_strdup(g_hash_table_lookup(pods->pods_of, GUINT_TO_POINTER(id)));
	if (now)
		g_hash_table_insert(pods->pods_of, GUINT_TO_POINTER(id), now);
	else
		g_hash_table_remove(pods->pods_of, GUINT_TO_POINTER(id));
	if (now)
		update(pods, now);
	if (before && g_strcmp0(before, now))
		update(pods, before);
}

/* ---- host ports ---- */

bool lb_pod_add_backend(const struct lb_node *node, const struct lb_local_pod *pod, uint16_t port,
			bool v4, struct lb_draft *draft)
{
	const char *zone = lb_node_get_zone(node);
	struct lb_plan_backend backend = {
		.addr = v4 ? pod->addr4 : pod->addr6,
		.port = port,
		.weight = SLICE_DEFAULT_WEIGHT,
		.flags = LB_BACKEND_F_LOCAL | LB_BACKEND_F_IN_ALL,
		.zone = lb_node_zone_number(node, zone),
		.node = lb_node_get_name(node),
		.zone_name = zone,
	};

	if (addr_is_zero(&backend.addr))
		return false;
	g_array_append_val(draft->backends, backend);
	return true;
}

static struct addr loopback_addr(bool v4)
{
	return v4 ? addr_from_v4((struct in_addr){htonl(INADDR_LOOPBACK)})
		  : addr_from_v6(&in6addr_loopback);
}

static bool is_loopback(const struct addr *addr)
{
	struct addr loopback6 = loopback_addr(false);

	if (!addr_is_v4(addr))
		return addr_equal(addr, &loopback6);
	return ntohl(addr->words[3]) >> 24 == IN_LOOPBACKNET;
}

static void add_frontend(struct lb_draft *draft, const struct addr *addr, uint16_t port)
{
	lb_draft_add_frontend(draft, addr, port, LB_TYPE_HOST_PORT,
			      is_loopback(addr) ? LB_FRONTEND_F_LOOPBACK : LB_FRONTEND_F_EXTERNAL);
}

static bool is_of_family(const struct addr *host_addr, bool v4)
{
	return addr_is_zero(host_addr) || addr_is_v4(host_addr) == v4;
}

static void add_frontends(struct lb_draft *draft, const struct lb_node *node,
			  const struct pod_host_port *port, bool v4)
{
	const GArray *addrs = lb_node_get_port_addrs(node, v4);
	struct addr loopback = loopback_addr(v4);

	if (!addr_is_zero(&port->addr)) {
		add_frontend(draft, &port->addr, port->port);
		return;
	}
	for (unsigned int i = 0; i < addrs->len; i++)
		add_frontend(draft, &g_array_index(addrs, struct addr, i), port->port);
	add_frontend(draft, &loopback, port->port);
}

/* "80", or with an address of its own "80@10.0.0.1". */
static char *port_text(const struct pod_host_port *port)
{
	char addr[ADDR_TEXT_BYTES];

	if (addr_is_zero(&port->addr))
		return g_strdup_printf("%u", port->port);
	return g_strdup_printf("%u@%s", port->port, addr_format(&port->addr, addr));
}

static struct lb_draft *derive_port(const struct lb_pods *pods, const struct lb_node *node,
				    const struct lb_local_pod *pod,
				    const struct pod_host_port *port, bool v4)
{
	const struct lb_owner owner = {LB_OWNER_HOST_PORT, pod->pod->meta.key};
	g_autofree char *text = port_text(port);
	struct lb_draft *draft = lb_draft_new(&owner, text, port->protocol, v4);

	draft->fields.namespace = pod->pod->meta.namespace;
	draft->fields.name = pod->pod->meta.name;
	draft->fields.algorithm = pods->config->lb_algorithm;
	add_frontends(draft, node, port, v4);
	if (!lb_pod_add_backend(node, pod, port->number, v4, draft)) {
		lb_draft_free(draft);
		return NULL;
	}
	return draft;
}

static bool is_repeated(const GArray *ports, unsigned int i)
{
	const struct pod_host_port *port = &g_array_index(ports, struct pod_host_port, i);

	for (unsigned int j = 0; j < i; j++) {
		const struct pod_host_port *before = &g_array_index(ports, struct pod_host_port, j);

		if (before->port == port->port && before->protocol == port->protocol &&
		    addr_equal(&before->addr, &port->addr))
			return true;
	}
	return false;
}

static bool is_refused(const struct lb_pods *pods, const char *pod_key,
		       const struct pod_host_port *port, GPtrArray *problems)
{
	const struct derive_config *config = pods->config;

	if (!config->enable_node_port || port->port < config->node_port_min ||
	    port->port > config->node_port_max)
		return false;
	g_ptr_array_add(problems,
			g_strdup_printf("Pod %s: hostPort %u is one of the ports of NodePort "
					"services (node-port-range %u,%u), so nobody reaches it: "
					"choose another port",
					pod_key, port->port, config->node_port_min,
					config->node_port_max));
	return true;
}

void lb_pod_derive(const struct lb_pods *pods, const struct lb_node *node, const char *pod_key,
		   GPtrArray *drafts, GPtrArray *problems)
{
	const struct derive_config *config = pods->config;
	struct lb_local_pod pod;
	const GArray *ports;

	if (!config->enable_host_port || !lb_pods_get(pods, pod_key, &pod) || pod.pod->host_network)
		return;
	ports = pod.pod->host_ports;
	for (unsigned int i = 0; ports && i < ports->len; i++) {
		const struct pod_host_port *port = &g_array_index(ports, struct pod_host_port, i);

		if (is_repeated(ports, i) || is_refused(pods, pod_key, port, problems))
			continue;
		for (int v4 = 1; v4 >= 0; v4--) {
			struct lb_draft *draft;

			if (!(v4 ? config->enable_ipv4 : config->enable_ipv6) ||
			    !is_of_family(&port->addr, v4))
				continue;
			draft = derive_port(pods, node, &pod, port, v4);
			if (draft)
				g_ptr_array_add(drafts, draft);
		}
	}
}
