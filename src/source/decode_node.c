// SPDX-License-Identifier: Apache-2.0
#include "src/model/node.h"

#include <string.h>
#include "src/source/decode_private.h"

void decode_node_address(const struct field *type_field, const struct field *address_field,
			 GArray *addresses)
{
	static const struct {
		const char *text;
		enum node_address_type type;
	} types[] = {
		{"InternalIP", NODE_ADDRESS_INTERNAL},
		{"ExternalIP", NODE_ADDRESS_EXTERNAL},
		{"CiliumInternalIP", NODE_ADDRESS_CILIUM_INTERNAL},
		{"Hostname", NODE_ADDRESS_HOSTNAME},
		{"InternalDNS", NODE_ADDRESS_HOSTNAME},
		{"ExternalDNS", NODE_ADDRESS_HOSTNAME},
	};
	const char *type = field_required_text(type_field);
	const char *text = field_required_text(address_field);
	struct node_address address = {};
	size_t i;

	if (!type || !text)
		return;
	for (i = 0; i < G_N_ELEMENTS(types) && strcmp(types[i].text, type) != 0; i++)
		continue;
	if (i == G_N_ELEMENTS(types)) {
		field_want(type_field, "InternalIP, ExternalIP, CiliumInternalIP, Hostname, "
				       "InternalDNS or ExternalDNS");
		return;
	}
	address.type = types[i].type;
	if (address.type == NODE_ADDRESS_HOSTNAME)
		return;
	if (addr_parse(text, &address.addr) < 0)
		field_want(address_field, "an IPv4 or IPv6 address");
	else
		g_array_append_val(addresses, address);
}

static bool overlaps(const struct cidr *cidr, const GArray *cidrs)
{
	for (unsigned int i = 0; i < cidrs->len; i++) {
		const struct cidr *other = &g_array_index(cidrs, struct cidr, i);

		if (cidr_contains(other, &cidr->addr) || cidr_contains(cidr, &other->addr))
			return true;
	}
	return false;
}

void decode_cidr(const struct field *field, GArray *cidrs)
{
	const char *text = field_required_text(field);
	char correct[CIDR_TEXT_BYTES];
	struct cidr cidr;
	int r;

	if (!text)
		return;
	r = cidr_parse(text, &cidr);
	if (r == -ERANGE)
		field_add_problem(field, "got \"%s\", whose host bits are not zero, want %s", text,
				  cidr_format(&cidr, correct));
	else if (r < 0 || !strchr(text, '/'))
		field_want(field, "an IPv4 or IPv6 prefix such as 10.0.0.0/24");
	else if (overlaps(&cidr, cidrs))
		field_want(field, "a prefix that overlaps none before it");
	else
		g_array_append_val(cidrs, cidr);
}

/* The annotation under Cilium's name of it, or under its older one; absent: value is NULL. */
static struct field find_annotation(const struct field *annotations, const char *name)
{
	static const char *const prefixes[] = {"network.cilium.io/", "io.cilium.network."};
	struct field found = *annotations;

	found.value = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(prefixes) && !found.value; i++) {
		g_autofree char *key = g_strconcat(prefixes[i], name, NULL);

		found = field_member(annotations, key);
		/* The key dies here; the value keeps one of its own. */
		found.name = found.value ? found.value->key : name;
	}
	return found;
}

static bool has_family(const GArray *cidrs, bool v4)
{
	for (unsigned int i = 0; i < cidrs->len; i++)
		if (cidr_is_v4(&g_array_index(cidrs, struct cidr, i)) == v4)
			return true;
	return false;
}

/* A prefix or an address under its family's name must be of that family. */
static void check_family(const struct field *field, bool is_v4, bool want_v4)
{
	if (is_v4 != want_v4)
		field_want(field, want_v4 ? "one of IPv4" : "one of IPv6");
}

static void decode_family_annotations(const struct field *annotations, bool v4, struct node *node)
{
	struct field pod_cidr =
		find_annotation(annotations, v4 ? "ipv4-pod-cidr" : "ipv6-pod-cidr");
	struct field router =
		find_annotation(annotations, v4 ? "ipv4-cilium-host" : "ipv6-cilium-host");
	struct node_address address = {.type = NODE_ADDRESS_CILIUM_INTERNAL};
	const char *text = field_text(&router);

	/* What the specification says is stronger. */
	if (field_is_set(&pod_cidr) && !has_family(node->pod_cidrs, v4)) {
		unsigned int n_before = node->pod_cidrs->len;

		decode_cidr(&pod_cidr, node->pod_cidrs);
		if (node->pod_cidrs->len > n_before)
			check_family(
				&pod_cidr,
				cidr_is_v4(&g_array_index(node->pod_cidrs, struct cidr, n_before)),
				v4);
	}
	if (!text)
		return;
	if (addr_parse(text, &address.addr) < 0) {
		field_want(&router, "an IPv4 or IPv6 address");
		return;
	}
	check_family(&router, addr_is_v4(&address.addr), v4);
	g_array_append_val(node->addresses, address);
}

struct object *decode_node(const struct field *object, struct object_meta *take_meta)
{
	struct node *node = node_new("Node", take_meta->name);
	struct field spec = field_member(object, "spec");
	struct field pod_cidr = field_member(&spec, "podCIDR");
	struct field pod_cidrs = field_member(&spec, "podCIDRs");
	struct field status = field_member(object, "status");
	struct field addresses = field_member(&status, "addresses");
	struct field metadata = field_member(object, "metadata");
	struct field annotations = field_member(&metadata, "annotations");

	object_meta_fini(&node->meta);
	node->meta = *take_meta;
	/* podCIDR repeats the first of podCIDRs; alone it counts. */
	for (struct field item = field_first(&pod_cidrs); item.value; item = field_next(&item))
		decode_cidr(&item, node->pod_cidrs);
	if (!node->pod_cidrs->len && field_is_set(&pod_cidr))
		decode_cidr(&pod_cidr, node->pod_cidrs);
	for (struct field item = field_first(&addresses); item.value; item = field_next(&item)) {
		struct field type = field_member(&item, "type");
		struct field address = field_member(&item, "address");

		decode_node_address(&type, &address, node->addresses);
	}
	decode_family_annotations(&annotations, true, node);
	decode_family_annotations(&annotations, false, node);
	return (struct object *)node;
}
