// SPDX-License-Identifier: Apache-2.0
#include "src/model/pod.h"

#include "src/base/intern.h"
#include "src/model/shared_array.h"

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

static unsigned int ports_hash(const GArray *ports)
{
	unsigned int hash = ports->len;

	for (unsigned int i = 0; i < ports->len; i++) {
		const struct pod_port *port = &g_array_index(ports, struct pod_port, i);

		hash = hash * 31 + g_direct_hash(port->name) + port->protocol * 65536U +
		       port->number;
	}
	return hash;
}

static struct shared_arrays shared_ports = {.hash = ports_hash, .equal = ports_equal};

void pod_share_ports(struct pod *pod)
{
	shared_arrays_share(&shared_ports, &pod->ports);
}

static void release_ports(GArray *ports)
{
	shared_arrays_release(&shared_ports, ports);
}

static void pod_fini(struct row *row)
{
	struct pod *pod = (struct pod *)row;

	object_meta_fini(&pod->meta);
	intern_unref(pod->node_name);
	intern_unref(pod->service_account);
	g_clear_pointer(&pod->ports, release_ports);
	g_clear_pointer(&pod->host_ports, g_array_unref);
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

void pod_add_host_port(struct pod *pod, const struct pod_host_port *port)
{
	if (!pod->host_ports)
		pod->host_ports = g_array_sized_new(FALSE, FALSE, sizeof(*port), 1);
	g_array_append_val(pod->host_ports, *port);
}

static bool host_ports_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct pod_host_port *x = &g_array_index(a, struct pod_host_port, i);
		const struct pod_host_port *y = &g_array_index(b, struct pod_host_port, i);

		if (!addr_equal(&x->addr, &y->addr) || x->protocol != y->protocol ||
		    x->port != y->port || x->number != y->number)
			return false;
	}
	return true;
}

static bool pod_equal(const struct row *row_a, const struct row *row_b)
{
	const struct pod *a = (const struct pod *)row_a;
	const struct pod *b = (const struct pod *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && a->node_name == b->node_name &&
	       a->service_account == b->service_account && a->host_network == b->host_network &&
	       addr_equal(&a->addr4, &b->addr4) && addr_equal(&a->addr6, &b->addr6) &&
	       addr_equal(&a->host, &b->host) && ports_equal(a->ports, b->ports) &&
	       host_ports_equal(a->host_ports, b->host_ports) && a->ready == b->ready &&
	       a->terminating == b->terminating && a->ended == b->ended;
}

const struct row_class pod_class = {
	.name = "pod",
	.size = sizeof(struct pod),
	.fini = pod_fini,
	.equal = pod_equal,
};
