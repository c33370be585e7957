// SPDX-License-Identifier: Apache-2.0
#include "src/model/pod.h"

#include "src/base/intern.h"

/* Of pods that share them. Keys are the entries themselves, which the table borrows. */
struct shared_ports {
	GArray *ports;
	unsigned int n_pods;
};

static GHashTable *shared_ports;

static bool ports_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct pod_port *x = &g_array_index(a, struct pod_port, i);
		const struct pod_port *y = &g_array_index(b, struct pod_port, i);

		if (x->name != y->name || x->protocol != y->protocol || x->number != y->number)
			return false;
	}
	return true;
}

static unsigned int shared_hash(const void *pointer)
{
	const GArray *ports = ((const struct shared_ports *)pointer)->ports;
	unsigned int hash = ports->len;

	for (unsigned int i = 0; i < ports->len; i++) {
		const struct pod_port *port = &g_array_index(ports, struct pod_port, i);

		hash = hash * 31 + g_direct_hash(port->name) + port->protocol * 65536U +
		       port->number;
	}
	return hash;
}

static gboolean shared_equal(const void *a, const void *b)
{
	return ports_equal(((const struct shared_ports *)a)->ports,
			   ((const struct shared_ports *)b)->ports);
}

static struct shared_ports *find_shared(GArray *ports)
{
	struct shared_ports wanted = {.ports = ports};

	return shared_ports ? g_hash_table_lookup(shared_ports, &wanted) : NULL;
}

void pod_share_ports(struct pod *pod)
{
	struct shared_ports *shared;

	if (!pod->ports)
		return;
	if (!shared_ports)
		shared_ports = g_hash_table_new(shared_hash, shared_equal);
	shared = find_shared(pod->ports);
	if (shared) {
		g_array_unref(pod->ports);
		pod->ports = shared->ports;
	} else {
		shared = g_new0(struct shared_ports, 1);
		shared->ports = pod->ports;
		g_hash_table_add(shared_ports, shared);
	}
	shared->n_pods++;
}

static void release_ports(GArray *ports)
{
	struct shared_ports *shared = find_shared(ports);

	if (shared && shared->ports == ports) {
		if (--shared->n_pods > 0)
			return;
		g_hash_table_remove(shared_ports, shared);
		g_free(shared);
	}
	g_array_unref(ports);
}

static void pod_fini(struct row *row)
{
	struct pod *pod = (struct pod *)row;

	object_meta_fini(&pod->meta);
	intern_unref(pod->node_name);
	intern_unref(pod->service_account);
	g_clear_pointer(&pod->ports, release_ports);
}

static void fini_port(void *port)
{
	intern_unref(((struct pod_port *)port)->name);
}

void pod_add_port(struct pod *pod, const char *name, uint8_t protocol, uint16_t number)
{
	struct pod_port port = {.name = intern_new(name), .protocol = protocol, .number = number};

	if (!pod->ports) {
		pod->ports = g_array_new(FALSE, TRUE, sizeof(struct pod_port));
		g_array_set_clear_func(pod->ports, fini_port);
	}
	g_array_append_val(pod->ports, port);
}

static bool pod_equal(const struct row *row_a, const struct row *row_b)
{
	const struct pod *a = (const struct pod *)row_a;
	const struct pod *b = (const struct pod *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && a->node_name == b->node_name &&
	       a->service_account == b->service_account && a->host_network == b->host_network &&
	       addr_equal(&a->addr4, &b->addr4) && addr_equal(&a->addr6, &b->addr6) &&
	       addr_equal(&a->host, &b->host) && ports_equal(a->ports, b->ports);
}

const struct row_class pod_class = {
	.name = "pod",
	.size = sizeof(struct pod),
	.fini = pod_fini,
	.equal = pod_equal,
};
