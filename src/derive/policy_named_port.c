// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_named_port.h"

#include "src/base/intern.h"
#include "src/model/pod.h"

struct named_port {
	const char *name; /* interned */
	uint8_t protocol;
	uint16_t number;
	uint16_t endpoint_id;
	uint32_t identity;
};

struct policy_named_ports {
	GHashTable *by_endpoint; /* id to GArray of struct named_port */
	GHashTable *by_name;     /* name to GArray of struct named_port */
};

static void free_array(void *array)
{
	g_array_unref(array);
}

static void clear_port(void *pointer)
{
	intern_unref(((struct named_port *)pointer)->name);
}

struct policy_named_ports *policy_named_ports_new(void)
{
	struct policy_named_ports *ports = g_new0(struct policy_named_ports, 1);

	ports->by_endpoint = g_hash_table_new_full(NULL, NULL, NULL, free_array);
	ports->by_name = g_hash_table_new_full(NULL, NULL, NULL, free_array);
	return ports;
}

void policy_named_ports_free(struct policy_named_ports *ports)
{
	if (!ports)
		return;
	g_hash_table_unref(ports->by_name);
	g_hash_table_unref(ports->by_endpoint);
	g_free(ports);
}

/* Of an endpoint; the array owns the names. */
static GArray *collect(uint16_t endpoint_id, uint32_t identity, const GArray *pod_ports)
{
	GArray *own = g_array_new(false, true, sizeof(struct named_port));

	g_array_set_clear_func(own, clear_port);
	for (unsigned int i = 0; pod_ports && i < pod_ports->len; i++) {
		const struct pod_port *port = &g_array_index(pod_ports, struct pod_port, i);
		struct named_port named = {
			.name = intern_ref(port->name),
			.protocol = port->protocol,
			.number = port->number,
			.endpoint_id = endpoint_id,
			.identity = identity,
		};

		if (port->name)
			g_array_append_val(own, named);
	}
	return own;
}

static bool is_same(const GArray *a, const GArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct named_port *x = &g_array_index(a, struct named_port, i);
		const struct named_port *y = &g_array_index(b, struct named_port, i);

		if (x->name != y->name || x->protocol != y->protocol || x->number != y->number ||
		    x->identity != y->identity)
			return false;
	}
	return true;
}

static void take_out(struct policy_named_ports *ports, const struct named_port *port)
{
	GArray *same = g_hash_table_lookup(ports->by_name, port->name);

	for (unsigned int i = same ? same->len : 0; i > 0; i--)
		if (g_array_index(same, struct named_port, i - 1).endpoint_id == port->endpoint_id)
			g_array_remove_index_fast(same, i - 1);
	if (same && !same->len)
		g_hash_table_remove(ports->by_name, port->name);
}

static void put_in(struct policy_named_ports *ports, const struct named_port *port)
{
	GArray *same = g_hash_table_lookup(ports->by_name, port->name);

	if (!same) {
		same = g_array_new(false, true, sizeof(struct named_port));
		g_hash_table_insert(ports->by_name, (void *)port->name, same);
	}
	g_array_append_val(same, *port);
}

bool policy_named_ports_put(struct policy_named_ports *ports, uint16_t endpoint_id,
			    uint32_t identity, const GArray *pod_ports)
{
	void *key = GUINT_TO_POINTER(endpoint_id);
	GArray *before = g_hash_table_lookup(ports->by_endpoint, key);
	GArray *own = collect(endpoint_id, identity, pod_ports);

	if (before ? is_same(before, own) : !own->len) {
		g_array_unref(own);
		return false;
	}
	for (unsigned int i = 0; before && i < before->len; i++)
		take_out(ports, &g_array_index(before, struct named_port, i));
	for (unsigned int i = 0; i < own->len; i++)
		put_in(ports, &g_array_index(own, struct named_port, i));
	if (own->len) {
		g_hash_table_replace(ports->by_endpoint, key, own);
	} else {
		g_hash_table_remove(ports->by_endpoint, key);
		g_array_unref(own);
	}
	return true;
}

void policy_named_ports_foreach(const struct policy_named_ports *ports, const char *name,
				uint8_t protocol,
				void (*fn)(uint32_t identity, uint16_t number, void *data),
				void *data)
{
	const GArray *same = g_hash_table_lookup(ports->by_name, name);

	for (unsigned int i = 0; same && i < same->len; i++) {
		const struct named_port *port = &g_array_index(same, struct named_port, i);

		if (port->protocol == protocol)
			fn(port->identity, port->number, data);
	}
}
