// SPDX-License-Identifier: Apache-2.0
#include "src/model/service.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/model/shared_array.h"

static void port_clear(void *pointer)
{
	struct service_port *port = pointer;

	intern_unref(port->name);
}

static void health_free(struct service_health *health)
{
	if (health)
		intern_unref(health->path);
	g_free(health);
}

static bool ports_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct service_port *x = &g_array_index(a, struct service_port, i);
		const struct service_port *y = &g_array_index(b, struct service_port, i);

		if (x->name != y->name || x->protocol != y->protocol || x->port != y->port ||
		    x->node_port != y->node_port)
			return false;
	}
	return true;
}

static bool addrs_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	return memcmp(a->data, b->data, a->len * sizeof(struct addr)) == 0;
}

static bool ranges_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct cidr *x = &g_array_index(a, struct cidr, i);
		const struct cidr *y = &g_array_index(b, struct cidr, i);

		if (x->prefix_len != y->prefix_len || !addr_equal(&x->addr, &y->addr))
			return false;
	}
	return true;
}

static unsigned int ports_hash(const GArray *ports)
{
	unsigned int hash = ports->len;

	for (unsigned int i = 0; i < ports->len; i++) {
		const struct service_port *port = &g_array_index(ports, struct service_port, i);

		hash = hash * 31 + g_direct_hash(port->name) + port->protocol * 65536U + port->port;
		hash = hash * 31 + port->node_port;
	}
	return hash;
}

static unsigned int ranges_hash(const GArray *ranges)
{
	unsigned int hash = ranges->len;

	for (unsigned int i = 0; i < ranges->len; i++) {
		const struct cidr *range = &g_array_index(ranges, struct cidr, i);

		hash = hash * 31 + range->prefix_len;
		for (size_t k = 0; k < sizeof(range->addr.bytes); k++)
			hash = hash * 31 + range->addr.bytes[k];
	}
	return hash;
}

static struct shared_arrays shared_ports = {.hash = ports_hash, .equal = ports_equal};
static struct shared_arrays shared_ranges = {.hash = ranges_hash, .equal = ranges_equal};

void service_share(struct service *service)
{
	shared_arrays_share(&shared_ports, &service->ports);
	shared_arrays_share(&shared_ranges, &service->source_ranges);
}

static void release_ports(GArray *ports)
{
	shared_arrays_release(&shared_ports, ports);
}

static void release_ranges(GArray *ranges)
{
	shared_arrays_release(&shared_ranges, ranges);
}

static void service_fini(struct row *row)
{
	struct service *service = (struct service *)row;

	object_meta_fini(&service->meta);
	g_free(service->selector);
	g_clear_pointer(&service->ports, release_ports);
	g_clear_pointer(&service->cluster_ips, g_array_unref);
	g_clear_pointer(&service->external_ips, g_array_unref);
	g_clear_pointer(&service->ingress_ips, g_array_unref);
	g_clear_pointer(&service->source_ranges, release_ranges);
	g_clear_pointer(&service->health, health_free);
	selector_unref(service->node_selector);
	intern_unref(service->node);
}

static bool health_equal(const struct service_health *a, const struct service_health *b)
{
	if (!a || !b)
		return a == b;
	return a->probe == b->probe && a->path == b->path && a->interval_ms == b->interval_ms &&
	       a->timeout_ms == b->timeout_ms && a->n_fail == b->n_fail &&
	       a->n_recover == b->n_recover;
}

static bool scalars_equal(const struct service *a, const struct service *b)
{
	return a->node_selector == b->node_selector && a->node == b->node &&
	       a->affinity_timeout == b->affinity_timeout &&
	       a->health_check_node_port == b->health_check_node_port && a->type == b->type &&
	       a->exposure == b->exposure && a->choice == b->choice &&
	       a->forwarding == b->forwarding && a->distribution == b->distribution &&
	       a->delegation == b->delegation && a->external_local == b->external_local &&
	       a->internal_local == b->internal_local && a->deny_ranges == b->deny_ranges &&
	       a->publish_not_ready == b->publish_not_ready && a->headless == b->headless;
}

static bool service_equal(const struct row *row_a, const struct row *row_b)
{
	const struct service *a = (const struct service *)row_a;
	const struct service *b = (const struct service *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && !g_strcmp0(a->selector, b->selector) &&
	       ports_equal(a->ports, b->ports) && addrs_equal(a->cluster_ips, b->cluster_ips) &&
	       addrs_equal(a->external_ips, b->external_ips) &&
	       addrs_equal(a->ingress_ips, b->ingress_ips) &&
	       ranges_equal(a->source_ranges, b->source_ranges) &&
	       health_equal(a->health, b->health) && scalars_equal(a, b);
}

const struct row_class service_class = {
	.name = "service",
	.size = sizeof(struct service),
	.fini = service_fini,
	.equal = service_equal,
};

void service_add_port(struct service *service, const struct service_port *port)
{
	struct service_port copy = *port;

	if (!service->ports) {
		service->ports = g_array_sized_new(FALSE, FALSE, sizeof(copy), 1);
		g_array_set_clear_func(service->ports, port_clear);
	}
	copy.name = intern_new(port->name);
	g_array_append_val(service->ports, copy);
}
