// SPDX-License-Identifier: Apache-2.0
#include "src/model/endpoint_slice.h"

#include "src/base/intern.h"
#include "src/model/shared_array.h"

/* ---- where an endpoint is, which many have alike ---- */

/* Shared: equal ones are one. */
struct place {
	const char *node, *zone, *zones, *nodes; /* interned */
	unsigned int n_refs;
};

static GHashTable *places; /* struct place, borrowed */

static unsigned int place_hash(const void *pointer)
{
	const struct place *place = pointer;

	return g_direct_hash(place->node) + 31 * g_direct_hash(place->zone) +
	       961 * g_direct_hash(place->zones) + 29791 * g_direct_hash(place->nodes);
}

static gboolean place_equal(const void *pointer_a, const void *pointer_b)
{
	const struct place *a = pointer_a, *b = pointer_b;

	return a->node == b->node && a->zone == b->zone && a->zones == b->zones &&
	       a->nodes == b->nodes;
}

static void place_unref(struct place *place)
{
	if (!place || --place->n_refs)
		return;
	g_hash_table_remove(places, place);
	intern_unref(place->node);
	intern_unref(place->zone);
	intern_unref(place->zones);
	intern_unref(place->nodes);
	g_free(place);
}

/* NULL where nothing is said. */
static struct place *place_get(const struct slice_endpoint *endpoint)
{
	const struct place wanted = {
		.node = intern_new(endpoint->node),
		.zone = intern_new(endpoint->zone),
		.zones = intern_new(endpoint->zones),
		.nodes = intern_new(endpoint->nodes),
	};
	struct place *place;

	if (!wanted.node && !wanted.zone && !wanted.zones && !wanted.nodes)
		return NULL;
	if (!places)
		places = g_hash_table_new(place_hash, place_equal);
	place = g_hash_table_lookup(places, &wanted);
	if (!place) {
		place = g_memdup2(&wanted, sizeof(wanted));
		g_hash_table_add(places, place);
	} else {
		intern_unref(wanted.node);
		intern_unref(wanted.zone);
		intern_unref(wanted.zones);
		intern_unref(wanted.nodes);
	}
	place->n_refs++;
	return place;
}

/* ---- slices ---- */

struct packed_endpoint {
	struct addr addr;
	struct place *place; /* a reference; may be NULL */
	uint16_t weight;
	uint16_t group;
	uint8_t flags;
};

static void slice_port_clear(void *pointer)
{
	struct slice_port *port = pointer;

	intern_unref(port->name);
}

struct endpoint_slice *endpoint_slice_init(struct endpoint_slice *slice, const char *service)
{
	slice->service = intern_new(service);
	slice->ports = g_array_new(FALSE, TRUE, sizeof(struct slice_port));
	g_array_set_clear_func(slice->ports, slice_port_clear);
	return slice;
}

void endpoint_slice_add(struct endpoint_slice *slice, const struct slice_endpoint *endpoint)
{
	unsigned int n = slice->n_endpoints;

	/* There is room for a power of two. */
	if (!(n & (n - 1)))
		slice->endpoints =
			g_renew(struct packed_endpoint, slice->endpoints, n ? 2 * (size_t)n : 1);
	slice->endpoints[slice->n_endpoints++] = (struct packed_endpoint){
		.addr = endpoint->addr,
		.place = place_get(endpoint),
		.weight = endpoint->weight,
		.group = endpoint->group,
		.flags = endpoint->flags,
	};
}

struct slice_endpoint endpoint_slice_get(const struct endpoint_slice *slice, unsigned int i)
{
	static const struct place nowhere;
	const struct packed_endpoint *packed = &slice->endpoints[i];
	const struct place *place = packed->place ? packed->place : &nowhere;

	g_assert(i < slice->n_endpoints);
	return (struct slice_endpoint){
		.addr = packed->addr,
		.node = place->node,
		.zone = place->zone,
		.zones = place->zones,
		.nodes = place->nodes,
		.weight = packed->weight,
		.group = packed->group,
		.flags = packed->flags,
	};
}

void endpoint_slice_set_weight(struct endpoint_slice *slice, unsigned int i, uint16_t weight)
{
	g_assert(i < slice->n_endpoints);
	slice->endpoints[i].weight = weight;
}

void endpoint_slice_add_port(struct endpoint_slice *slice, const struct slice_port *port)
{
	struct slice_port copy = *port;

	copy.name = intern_new(port->name);
	g_array_append_val(slice->ports, copy);
}

void endpoint_slice_get_addrs(const struct endpoint_slice *slice, GArray *addrs)
{
	for (unsigned int i = 0; i < slice->n_endpoints; i++) {
		const struct packed_endpoint *endpoint = &slice->endpoints[i];

		/* It serves, or will: also what is to end and still answers. */
		if (endpoint->flags & (SLICE_ENDPOINT_READY | SLICE_ENDPOINT_SERVING))
			g_array_append_val(addrs, endpoint->addr);
	}
}

static bool endpoints_equal(const struct endpoint_slice *a, const struct endpoint_slice *b)
{
	if (a->n_endpoints != b->n_endpoints)
		return false;
	for (unsigned int i = 0; i < a->n_endpoints; i++) {
		const struct packed_endpoint *x = &a->endpoints[i], *y = &b->endpoints[i];

		if (!addr_equal(&x->addr, &y->addr) || x->place != y->place ||
		    x->weight != y->weight || x->group != y->group || x->flags != y->flags)
			return false;
	}
	return true;
}

static bool slice_ports_equal(const GArray *a, const GArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct slice_port *x = &g_array_index(a, struct slice_port, i);
		const struct slice_port *y = &g_array_index(b, struct slice_port, i);

		if (x->name != y->name || x->protocol != y->protocol || x->port != y->port ||
		    x->group != y->group)
			return false;
	}
	return true;
}

static unsigned int slice_ports_hash(const GArray *ports)
{
	unsigned int hash = ports->len;

	for (unsigned int i = 0; i < ports->len; i++) {
		const struct slice_port *port = &g_array_index(ports, struct slice_port, i);

		hash = hash * 31 + g_direct_hash(port->name) + port->protocol * 65536U + port->port;
		hash = hash * 31 + port->group;
	}
	return hash;
}

static struct shared_arrays shared_slice_ports = {
	.hash = slice_ports_hash,
	.equal = slice_ports_equal,
};

void endpoint_slice_share(struct endpoint_slice *slice)
{
	shared_arrays_share(&shared_slice_ports, &slice->ports);
	slice->endpoints = g_renew(struct packed_endpoint, slice->endpoints, slice->n_endpoints);
}

static void release_slice_ports(GArray *ports)
{
	shared_arrays_release(&shared_slice_ports, ports);
}

static void endpoint_slice_fini(struct row *row)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)row;

	object_meta_fini(&slice->meta);
	intern_unref(slice->service);
	for (unsigned int i = 0; i < slice->n_endpoints; i++)
		place_unref(slice->endpoints[i].place);
	g_free(slice->endpoints);
	g_clear_pointer(&slice->ports, release_slice_ports);
}

static bool endpoint_slice_equal(const struct row *row_a, const struct row *row_b)
{
	const struct endpoint_slice *a = (const struct endpoint_slice *)row_a;
	const struct endpoint_slice *b = (const struct endpoint_slice *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && a->service == b->service &&
	       endpoints_equal(a, b) && slice_ports_equal(a->ports, b->ports);
}

const struct row_class endpoint_slice_class = {
	.name = "endpoint slice",
	.size = sizeof(struct endpoint_slice),
	.fini = endpoint_slice_fini,
	.equal = endpoint_slice_equal,
};
