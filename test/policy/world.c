/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/world.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE_LABELS "io.cilium.k8s.namespace.labels."

bool parse_prefix(const char *text, struct in6_addr *ret_address, unsigned int *ret_prefix_bits)
{
	g_auto(GStrv) halves = g_strsplit(text, "/", 2);
	struct in_addr four;

	if (inet_pton(AF_INET, halves[0], &four) == 1) {
		memset(ret_address, 0, sizeof(*ret_address));
		ret_address->s6_addr[10] = ret_address->s6_addr[11] = 0xff;
		memcpy(ret_address->s6_addr + 12, &four, sizeof(four));
		*ret_prefix_bits = 96 + (halves[1] ? atoi(halves[1]) : 32);
		return true;
	}
	*ret_prefix_bits = halves[1] ? atoi(halves[1]) : 128;
	return inet_pton(AF_INET6, halves[0], ret_address) == 1;
}

bool prefix_contains(const char *prefix, const struct in6_addr *address)
{
	static const unsigned char v4_start[12] = {[10] = 0xff, [11] = 0xff};
	struct in6_addr base;
	unsigned int bits;

	if (!parse_prefix(prefix, &base, &bits))
		return false;
	/* ::/0 has no IPv4 address in it. */
	if (!memcmp(address->s6_addr, v4_start, 12) != !memcmp(base.s6_addr, v4_start, 12))
		return false;
	for (unsigned int bit = 0; bit < bits; bit++) {
		unsigned char mask = 0x80 >> bit % 8;

		if ((base.s6_addr[bit / 8] & mask) != (address->s6_addr[bit / 8] & mask))
			return false;
	}
	return true;
}

const char *object_text(const json_t *object, const char *member, const char *second)
{
	const json_t *value = json_object_get(object, member);

	return json_string_value(second ? json_object_get(value, second) : value);
}

bool object_is(const json_t *object, const char *kind)
{
	return !g_strcmp0(object_text(object, "kind", NULL), kind);
}

char *object_name(const json_t *object)
{
	const char *namespace = object_text(object, "metadata", "namespace");

	return g_strdup_printf("%s/%s", namespace ? namespace : "default",
			       object_text(object, "metadata", "name"));
}

const char *world_config(const struct world *world, const char *key, const char *fallback)
{
	const char *value = object_text(world->json, "config", key);

	return value ? value : fallback;
}

bool world_config_is_on(const struct world *world, const char *key, bool fallback)
{
	return !strcmp(world_config(world, key, fallback ? "true" : "false"), "true");
}

const char *party_label(const struct party *party, const char *source, const char *key)
{
	for (unsigned int i = 0; i < party->labels->len; i++) {
		const struct world_label *label =
			&g_array_index(party->labels, struct world_label, i);

		if ((!source || !strcmp(source, label->source)) && !strcmp(key, label->key))
			return label->value;
	}
	return NULL;
}

bool party_is_host(const struct party *party)
{
	return party_label(party, "reserved", "host");
}

static void clear_label(void *data)
{
	struct world_label *label = data;

	g_free(label->source);
	g_free(label->key);
	g_free(label->value);
}

static void party_free(void *data)
{
	struct party *party = data;

	g_free(party->name);
	g_array_unref(party->labels);
	g_free(party);
}

static struct party *add_party(struct world *world, const char *name)
{
	struct party *party = g_new0(struct party, 1);

	party->name = g_strdup(name);
	party->endpoint = -1;
	party->labels = g_array_new(false, false, sizeof(struct world_label));
	g_array_set_clear_func(party->labels, clear_label);
	g_hash_table_replace(world->parties, party->name, party);
	return party;
}

static void add_label(struct party *party, const char *source, const char *key, const char *value)
{
	struct world_label label = {g_strdup(source), g_strdup(key), g_strdup(value)};

	g_array_append_val(party->labels, label);
}

static void add_labels(struct party *party, const char *source, const char *prefix,
		       const json_t *labels)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value)
	{
		g_autofree char *whole = g_strconcat(prefix, key, NULL);

		add_label(party, source, whole, json_string_value(value));
	}
}

static const json_t *find_object(const struct world *world, const char *kind, const char *name)
{
	const json_t *object;
	size_t i;

	json_array_foreach(json_object_get(world->json, "objects"), i, object)
	{
		g_autofree char *whole = object_name(object);

		if (object_is(object, kind) &&
		    (!strcmp(name, whole) ||
		     !g_strcmp0(name, object_text(object, "metadata", "name"))))
			return object;
	}
	return NULL;
}

static void add_pod_labels(struct world *world, struct party *party)
{
	const json_t *metadata = json_object_get(party->pod, "metadata");
	const char *account = object_text(party->pod, "spec", "serviceAccountName");
	const char *namespace = object_text(party->pod, "metadata", "namespace");
	const json_t *object;

	namespace = namespace ? namespace : "default";
	object = find_object(world, "Namespace", namespace);
	add_labels(party, "k8s", "", json_object_get(metadata, "labels"));
	add_label(party, "k8s", "io.kubernetes.pod.namespace", namespace);
	add_label(party, "k8s", "io.cilium.k8s.policy.cluster", world->cluster);
	add_label(party, "k8s", "io.cilium.k8s.policy.serviceaccount",
		  account ? account : "default");
	add_labels(party, "k8s", NAMESPACE_LABELS,
		   json_object_get(json_object_get(object, "metadata"), "labels"));
	if (!party_label(party, "k8s", NAMESPACE_LABELS "kubernetes.io/metadata.name"))
		add_label(party, "k8s", NAMESPACE_LABELS "kubernetes.io/metadata.name", namespace);
}

static void add_runtime_labels(struct party *party, const json_t *texts)
{
	const json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
	{
		g_auto(GStrv) halves = g_strsplit(json_string_value(text), ":", 2);
		g_auto(GStrv) rest = g_strsplit(halves[1], "=", 2);

		add_label(party, halves[0], rest[0], rest[1] ? rest[1] : "");
	}
	if (!party->labels->len)
		add_label(party, "reserved", "init", "");
}

/* Whether a manifest says that somebody at the address serves the Kubernetes API. */
static bool serves_api(const struct world *world, const char *address)
{
	const json_t *object, *endpoint, *text;
	size_t i, k, l;

	json_array_foreach(json_object_get(world->json, "objects"), i, object)
	{
		g_autofree char *name = object_name(object);

		if (!object_is(object, "EndpointSlice") || strcmp(name, "default/kubernetes") != 0)
			continue;
		json_array_foreach(json_object_get(object, "endpoints"), k, endpoint)
			json_array_foreach(
				json_object_get(endpoint, "addresses"), l,
				text) if (!strcmp(json_string_value(text), address)) return true;
	}
	return false;
}

/* Of another node only the address that serves it is the API server's; the host is one party. */
static GArray *labels_at(const struct world *world, const struct party *party, const char *address)
{
	struct party copy = {.labels = party->labels};

	if (!party->is_other_node || !serves_api(world, address))
		return g_array_ref(party->labels);
	copy.labels = g_array_new(false, false, sizeof(struct world_label));
	g_array_set_clear_func(copy.labels, clear_label);
	for (unsigned int i = 0; i < party->labels->len; i++) {
		const struct world_label *label =
			&g_array_index(party->labels, struct world_label, i);

		add_label(&copy, label->source, label->key, label->value);
	}
	add_label(&copy, "reserved", "kube-apiserver", "");
	return copy.labels;
}

static void add_address_of(struct world *world, const char *text, struct party *party)
{
	struct party *alias;
	unsigned int bits;

	if (!text)
		return;
	alias = add_party(world, text);
	g_array_unref(alias->labels);
	*alias = (struct party){.name = alias->name,
				.endpoint = party->endpoint,
				.pod = party->pod,
				.is_world = party->is_world,
				.is_other_node = party->is_other_node,
				.has_address = true,
				.labels = labels_at(world, party, text)};
	if (!parse_prefix(text, &alias->address, &bits))
		g_error("not an address: %s", text);
}

static void add_endpoints(struct world *world)
{
	const json_t *endpoint;
	size_t i;

	json_array_foreach(json_object_get(world->json, "endpoints"), i, endpoint)
	{
		const char *pod = object_text(endpoint, "pod", NULL);
		g_autofree char *name = g_strdup_printf("endpoint/%zu", i);
		struct party *party = add_party(world, pod ? pod : name);

		party->endpoint = i;
		party->pod = pod ? find_object(world, "Pod", pod) : NULL;
		if (party->pod)
			add_pod_labels(world, party);
		else
			add_runtime_labels(party, json_object_get(endpoint, "labels"));
		add_address_of(world, object_text(endpoint, "ipv4", NULL), party);
		add_address_of(world, object_text(endpoint, "ipv6", NULL), party);
	}
}

/* Pods of other nodes: their manifests say where they are. */
static void add_remote_pods(struct world *world)
{
	const json_t *object, *address;
	size_t i, k;

	json_array_foreach(json_object_get(world->json, "objects"), i, object)
	{
		const json_t *status = json_object_get(object, "status");
		g_autofree char *name = object_name(object);
		struct party *party;

		if (!object_is(object, "Pod") || !status)
			continue;
		party = add_party(world, name);
		party->pod = object;
		add_pod_labels(world, party);
		json_array_foreach(json_object_get(status, "podIPs"), k, address)
			add_address_of(world, object_text(address, "ip", NULL), party);
	}
}

static void add_reserved(struct world *world, const char *name)
{
	g_autofree char *whole = g_strconcat("reserved:", name, NULL);
	struct party *party = add_party(world, whole);

	add_label(party, "reserved", name, "");
}

static bool any_serves_api(const struct world *world, const json_t *addresses)
{
	const json_t *address;
	size_t i;

	json_array_foreach(
		addresses, i,
		address) if (serves_api(world, object_text(address, "ip", NULL))) return true;
	return false;
}

static void add_node(struct world *world, const json_t *object)
{
	const char *name = object_text(object, "metadata", "name");
	const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
	const json_t *addresses = json_object_get(json_object_get(object, "spec"), "addresses");
	bool is_host = !strcmp(name, WORLD_NODE);
	struct party *party = add_party(world, is_host ? "host" : name);
	const json_t *address;
	size_t i;

	party->is_other_node = !is_host;
	add_label(party, "reserved", is_host ? "host" : "remote-node", "");
	if (is_host && any_serves_api(world, addresses))
		add_label(party, "reserved", "kube-apiserver", "");
	add_labels(party, "node", "", labels);
	json_array_foreach(addresses, i, address)
		add_address_of(world, object_text(address, "ip", NULL), party);
}

static void add_nodes(struct world *world)
{
	const json_t *object;
	size_t i;

	json_array_foreach(json_object_get(world->json, "objects"), i,
			   object) if (object_is(object, "CiliumNode")) add_node(world, object);
	if (!g_hash_table_contains(world->parties, "host"))
		add_label(add_party(world, "host"), "reserved", "host", "");
}

struct world *world_new(const json_t *json)
{
	static const char *const reserved[] = {"health", "ingress", "init", "unmanaged"};
	struct world *world = g_new0(struct world, 1);

	world->json = json;
	world->parties = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, party_free);
	world->cluster = world_config(world, "cluster-name", "default");
	world->dual_stack = world_config_is_on(world, "enable-ipv4", true) &&
			    world_config_is_on(world, "enable-ipv6", true);
	add_endpoints(world);
	add_remote_pods(world);
	add_nodes(world);
	for (unsigned int i = 0; i < G_N_ELEMENTS(reserved); i++)
		add_reserved(world, reserved[i]);
	return world;
}

void world_free(struct world *world)
{
	g_hash_table_unref(world->parties);
	g_free(world);
}

const struct party *world_get_party(struct world *world, const char *name)
{
	struct party *party = g_hash_table_lookup(world->parties, name);
	struct in6_addr address;
	unsigned int bits;

	if (party || !parse_prefix(name, &address, &bits) || bits != 128)
		return party;
	party = add_party(world, name);
	party->address = address;
	party->has_address = party->is_world = true;
	if (!world->dual_stack)
		add_label(party, "reserved", "world", "");
	else
		add_label(party, "reserved", strchr(name, ':') ? "world-ipv6" : "world-ipv4", "");
	if (serves_api(world, name))
		add_label(party, "reserved", "kube-apiserver", "");
	return party;
}
