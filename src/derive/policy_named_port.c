// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_named_port.h"

#include "src/model/identity.h"
#include "src/model/pod.h"

/* Pods of one identity with the same ports. */
struct port_use {
	uint32_t identity;
	unsigned int n_pods;
	GArray *ports; /* struct pod_port, which keep the names; a reference */
};

struct named_port {
	const struct port_use *use;
	uint8_t protocol;
	uint16_t number;
};

struct policy_named_ports {
	GHashTable *uses;    /* struct port_use, by identity and ports */
	GHashTable *by_name; /* name to GArray of struct named_port */
	bool is_changed;
};

static unsigned int hash_use(const void *pointer)
{
	const struct port_use *use = pointer;

	return g_direct_hash(use->ports) * 31 + use->identity;
}

static gboolean equal_use(const void *pointer_a, const void *pointer_b)
{
	const struct port_use *a = pointer_a, *b = pointer_b;

	return a->identity == b->identity && a->ports == b->ports;
}

static void free_use(void *pointer)
{
	struct port_use *use = pointer;

	g_array_unref(use->ports);
	g_free(use);
}

static void free_array(void *array)
{
	g_array_unref(array);
}

struct policy_named_ports *policy_named_ports_new(void)
{
	struct policy_named_ports *ports = g_new0(struct policy_named_ports, 1);

	ports->uses = g_hash_table_new_full(hash_use, equal_use, NULL, free_use);
	ports->by_name = g_hash_table_new_full(NULL, NULL, NULL, free_array);
	return ports;
}

void policy_named_ports_free(struct policy_named_ports *ports)
{
	if (!ports)
		return;
	g_hash_table_unref(ports->by_name);
	g_hash_table_unref(ports->uses);
	g_free(ports);
}

static struct port_use *find_use(const struct policy_named_ports *ports, uint32_t identity,
				 const GArray *pod_ports)
{
	const struct port_use wanted = {.identity = identity, .ports = (GArray *)pod_ports};

	return g_hash_table_lookup(ports->uses, &wanted);
}

static void put_in(struct policy_named_ports *ports, const struct port_use *use,
		   const struct pod_port *port)
{
	GArray *same = g_hash_table_lookup(ports->by_name, port->name);
	struct named_port named = {use, port->protocol, port->number};

	if (!same) {
		same = g_array_new(false, true, sizeof(struct named_port));
		g_hash_table_insert(ports->by_name, (void *)port->name, same);
	}
	g_array_append_val(same, named);
}

static void take_out(struct policy_named_ports *ports, const struct port_use *use,
		     const struct pod_port *port)
{
	GArray *same = g_hash_table_lookup(ports->by_name, port->name);

	for (unsigned int i = same ? same->len : 0; i > 0; i--)
		if (g_array_index(same, struct named_port, i - 1).use == use)
			g_array_remove_index_fast(same, i - 1);
	if (same && !same->len)
		g_hash_table_remove(ports->by_name, port->name);
}

static void foreach_port(struct policy_named_ports *ports, const struct port_use *use,
			 void (*fn)(struct policy_named_ports *ports, const struct port_use *use,
				    const struct pod_port *port))
{
	for (unsigned int i = 0; i < use->ports->len; i++) {
		const struct pod_port *port = &g_array_index(use->ports, struct pod_port, i);

		if (port->name)
			fn(ports, use, port);
	}
}

void policy_named_ports_add(struct policy_named_ports *ports, uint32_t identity,
			    const GArray *pod_ports)
{
	struct port_use *use;

	if (!pod_ports || identity == IDENTITY_UNKNOWN)
		return;
	use = find_use(ports, identity, pod_ports);
	if (!use) {
		use = g_new0(struct port_use, 1);
		use->identity = identity;
		use->ports = g_array_ref((GArray *)pod_ports);
		g_hash_table_add(ports->uses, use);
		foreach_port(ports, use, put_in);
		ports->is_changed = true;
	}
	use->n_pods++;
}

void policy_named_ports_remove(struct policy_named_ports *ports, uint32_t identity,
			       const GArray *pod_ports)
{
	struct port_use *use;

	if (!pod_ports || identity == IDENTITY_UNKNOWN)
		return;
	use = find_use(ports, identity, pod_ports);
	g_assert(use);
	if (--use->n_pods)
		return;
	foreach_port(ports, use, take_out);
	g_hash_table_remove(ports->uses, use);
	ports->is_changed = true;
}

bool policy_named_ports_take_changed(struct policy_named_ports *ports)
{
	bool is_changed = ports->is_changed;

	ports->is_changed = false;
	return is_changed;
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
			fn(port->use->identity, port->number, data);
	}
}
