// SPDX-License-Identifier: Apache-2.0
/* The addresses behind services: EndpointSlices, and Endpoints, which came before them. */
#include <string.h>
#include "src/base/intern.h"
#include "src/model/endpoint_slice.h"
#include "src/source/decode_private.h"
#include "src/source/syntax.h"
#include "src/store/keyed_set.h"

#define WEIGHT "axoneme.io/weight"

static struct endpoint_slice *new_slice(struct object_meta *take_meta, const char *service)
{
	struct endpoint_slice *slice =
		(struct endpoint_slice *)decode_new(&endpoint_slice_class, take_meta);

	return endpoint_slice_init(slice, service);
}

/* "5": of all; 0 takes them out of service. */
static bool parse_weight(const char *text, uint16_t *ret_weight)
{
	int weight = syntax_parse_number(text, UINT16_MAX);

	if (weight >= 0)
		*ret_weight = weight;
	return weight >= 0;
}

/* "10.0.0.1=5" */
struct weight {
	struct addr addr;
	uint16_t weight;
	bool is_used;
};

static void parse_weight_of(const struct field *field, const char *text, GArray *weights)
{
	g_auto(GStrv) halves = g_strsplit(text, "=", 2);
	struct weight weight = {};

	if (!halves[0] || !halves[1] || addr_parse(halves[0], &weight.addr) < 0 ||
	    !parse_weight(halves[1], &weight.weight))
		field_want(field,
			   "a number from 0 to 65535, or address=number, separated by commas");
	else
		g_array_append_val(weights, weight);
}

static void weight_key(const void *item, struct row_key *ret_key)
{
	const struct weight *weight = item;

	*ret_key = (struct row_key){&weight->addr, sizeof(weight->addr)};
}

/* Of two of one address the last counts. */
static void set_weights(const struct field *field, GArray *weights, struct endpoint_slice *slice)
{
	struct keyed_set by_addr;

	keyed_set_init(&by_addr, weight_key);
	for (unsigned int i = 0; i < weights->len; i++) {
		struct weight *other =
			keyed_set_put(&by_addr, &g_array_index(weights, struct weight, i));

		if (other)
			other->is_used = true;
	}
	for (unsigned int i = 0; i < slice->n_endpoints; i++) {
		struct slice_endpoint endpoint = endpoint_slice_get(slice, i);
		struct weight *weight =
			keyed_set_get(&by_addr, &endpoint.addr, sizeof(endpoint.addr));

		if (!weight)
			continue;
		endpoint_slice_set_weight(slice, i, weight->weight);
		weight->is_used = true;
	}
	keyed_set_fini(&by_addr);
	for (unsigned int i = 0; i < weights->len; i++) {
		const struct weight *weight = &g_array_index(weights, struct weight, i);
		char text[ADDR_TEXT_BYTES];

		if (!weight->is_used)
			field_add_problem(field, "names %s, which is not among the addresses",
					  addr_format(&weight->addr, text));
	}
}

static void decode_weights(const struct field *field, struct endpoint_slice *slice)
{
	const char *text = field_text(field);
	g_autoptr(GArray) weights = NULL;
	g_auto(GStrv) items = NULL;
	uint16_t weight;

	if (!text)
		return;
	if (parse_weight(text, &weight)) {
		for (unsigned int i = 0; i < slice->n_endpoints; i++)
			endpoint_slice_set_weight(slice, i, weight);
		return;
	}
	weights = g_array_new(FALSE, FALSE, sizeof(struct weight));
	items = g_strsplit(text, ",", -1);
	for (char **item = items; *item; item++)
		parse_weight_of(field, g_strstrip(*item), weights);
	if (!*text)
		parse_weight_of(field, text, weights);
	set_weights(field, weights, slice);
}

/* There may be a hundred thousand of them: what nobody asks for is not kept. */
static struct object *finish(const struct field *object, struct endpoint_slice *slice)
{
	struct field metadata = field_member(object, "metadata");
	struct field annotations = field_member(&metadata, "annotations");
	struct field weight = field_member(&annotations, WEIGHT);

	decode_weights(&weight, slice);
	object_meta_take_labels(&slice->meta, label_set_new(NULL, 0));
	g_clear_pointer(&slice->meta.annotations, g_hash_table_unref);
	g_clear_pointer(&slice->meta.uid, g_free);
	endpoint_slice_share(slice);
	return (struct object *)slice;
}

static bool has_port(const struct endpoint_slice *slice, const struct slice_port *port)
{
	for (unsigned int i = 0; i < slice->ports->len; i++) {
		const struct slice_port *other = &g_array_index(slice->ports, struct slice_port, i);

		if (other->group == port->group && !g_strcmp0(other->name, port->name))
			return true;
	}
	return false;
}

/* is_slice: the number may be left out, which means all ports. */
static void decode_port(const struct field *item, bool is_slice, uint16_t group,
			struct endpoint_slice *slice)
{
	struct field name_field = field_member(item, "name");
	struct field protocol = field_member(item, "protocol");
	struct field number = field_member(item, "port");
	const char *name = field_text(&name_field);
	struct slice_port port = {
		.name = name && *name ? name : NULL,
		.protocol = decode_protocol(&protocol),
		.group = group,
	};

	if (!is_slice || field_is_set(&number))
		port.port = decode_port_number(&number);
	if (port.name && !syntax_is_dns_label(port.name))
		field_want(&name_field, "1 to 63 of a-z, 0-9 and '-' (RFC 1123)");
	else if (has_port(slice, &port))
		field_add_problem(item, port.name ? "has the name of a port before it"
						  : "has no name, like a port before it");
	else
		endpoint_slice_add_port(slice, &port);
}

static void decode_ports(const struct field *parent, bool is_slice, uint16_t group,
			 struct endpoint_slice *slice)
{
	struct field ports = field_member(parent, "ports");

	if (!decode_check_length(&ports, DECODE_PORTS_MAX - slice->ports->len))
		return;
	for (struct field item = field_first(&ports); item.value; item = field_next(&item))
		decode_port(&item, is_slice, group, slice);
}

/* NULL: not said. */
static const char *decode_node_text(const struct field *field)
{
	const char *text = field_text(field);

	if (!text || !*text)
		return NULL;
	if (!syntax_is_dns_subdomain(text))
		field_want(field, "at most 253 of a-z, 0-9, '-' and '.' (RFC 1123)");
	return text;
}

static const char *decode_node_name(const struct field *parent)
{
	struct field field = field_member(parent, "nodeName");

	return decode_node_text(&field);
}

/* NULL: not said. */
static const char *decode_zone(const struct field *field)
{
	const char *text = field_text(field);

	if (!text || !*text)
		return NULL;
	if (!syntax_is_label_value(text))
		field_want(field, "at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', "
				  "a letter or digit at both ends");
	return text;
}

/* ",a,b,", as no name has a comma; NULL: there are none. */
static char *decode_hint(const struct field *hints, const char *name,
			 const char *(*decode)(const struct field *field))
{
	struct field list = field_member(hints, name);
	GString *text = NULL;

	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		struct field name_field = field_member(&item, "name");
		const char *hint = decode(&name_field);

		if (!hint && !field_text(&name_field))
			field_required_text(&name_field);
		if (!hint)
			continue;
		if (!text)
			text = g_string_new(",");
		g_string_append_printf(text, "%s,", hint);
	}
	return text ? g_string_free(text, FALSE) : NULL;
}

static uint8_t decode_conditions(const struct field *endpoint)
{
	struct field conditions = field_member(endpoint, "conditions");
	struct field ready_field = field_member(&conditions, "ready");
	struct field serving_field = field_member(&conditions, "serving");
	struct field terminating_field = field_member(&conditions, "terminating");
	/* What is not said: it is ready; it serves where it is ready; it does not end. */
	bool ready = field_bool(&ready_field, true);
	bool serving = field_bool(&serving_field, ready);
	bool terminating = field_bool(&terminating_field, false);

	return (ready ? SLICE_ENDPOINT_READY : 0) | (serving ? SLICE_ENDPOINT_SERVING : 0) |
	       (terminating ? SLICE_ENDPOINT_TERMINATING : 0);
}

enum family {
	FAMILY_NONE, /* names, which are no addresses */
	FAMILY_ANY,  /* after a problem */
	FAMILY_4,
	FAMILY_6,
};

static enum family decode_family(const struct field *object)
{
	struct field type = field_member(object, "addressType");
	const char *text = field_required_text(&type);

	if (g_strcmp0(text, "IPv4") == 0)
		return FAMILY_4;
	if (g_strcmp0(text, "IPv6") == 0)
		return FAMILY_6;
	if (g_strcmp0(text, "FQDN") == 0)
		return FAMILY_NONE;
	if (text)
		field_want(&type, "IPv4, IPv6 or FQDN");
	return FAMILY_ANY;
}

static void decode_endpoint(const struct field *item, enum family family,
			    struct endpoint_slice *slice)
{
	struct field addresses = field_member(item, "addresses");
	struct field zone = field_member(item, "zone");
	struct field hints = field_member(item, "hints");
	g_autofree char *zones = decode_hint(&hints, "forZones", decode_zone);
	g_autofree char *nodes = decode_hint(&hints, "forNodes", decode_node_text);
	struct slice_endpoint endpoint = {
		.node = decode_node_name(item),
		.zone = decode_zone(&zone),
		.zones = zones,
		.nodes = nodes,
		.weight = SLICE_DEFAULT_WEIGHT,
		.flags = decode_conditions(item),
	};

	for (struct field address = field_first(&addresses); address.value;
	     address = field_next(&address)) {
		if (!decode_host_address(&address, &endpoint.addr))
			continue;
		if (family != FAMILY_ANY && addr_is_v4(&endpoint.addr) != (family == FAMILY_4))
			field_want(&address, family == FAMILY_4
						     ? "an IPv4 address, as the addressType says"
						     : "an IPv6 address, as the addressType says");
		else
			endpoint_slice_add(slice, &endpoint);
	}
}

struct object *decode_endpoint_slice(const struct field *object, struct object_meta *take_meta)
{
	struct endpoint_slice *slice = new_slice(
		take_meta, label_set_find(take_meta->labels, "k8s", "kubernetes.io/service-name"));
	struct field endpoints = field_member(object, "endpoints");
	enum family family = decode_family(object);

	for (struct field item = field_first(&endpoints); family != FAMILY_NONE && item.value;
	     item = field_next(&item))
		decode_endpoint(&item, family, slice);
	decode_ports(object, true, 0, slice);
	return finish(object, slice);
}

static void decode_subset_addresses(const struct field *subset, const char *name,
				    const struct slice_endpoint *like, struct endpoint_slice *slice)
{
	struct field addresses = field_member(subset, name);

	for (struct field item = field_first(&addresses); item.value; item = field_next(&item)) {
		struct field ip = field_member(&item, "ip");
		struct slice_endpoint endpoint = *like;

		endpoint.node = decode_node_name(&item);
		if (decode_host_address(&ip, &endpoint.addr))
			endpoint_slice_add(slice, &endpoint);
	}
}

/* Each address of a subset has all ports of it, and none of another's. */
static void decode_subset(const struct field *subset, struct endpoint_slice *slice)
{
	struct slice_endpoint ready = {
		.weight = SLICE_DEFAULT_WEIGHT,
		.group = subset->index,
		.flags = SLICE_ENDPOINT_READY | SLICE_ENDPOINT_SERVING,
	};
	struct slice_endpoint not_ready = {
		.weight = SLICE_DEFAULT_WEIGHT,
		.group = subset->index,
	};

	if (subset->index > UINT16_MAX) {
		field_add_problem(subset, "is too much: want at most %d", UINT16_MAX + 1);
		return;
	}
	decode_subset_addresses(subset, "addresses", &ready, slice);
	decode_subset_addresses(subset, "notReadyAddresses", &not_ready, slice);
	decode_ports(subset, false, subset->index, slice);
}

struct object *decode_endpoints(const struct field *object, struct object_meta *take_meta)
{
	struct endpoint_slice *slice = new_slice(take_meta, take_meta->name);
	struct field subsets = field_member(object, "subsets");

	for (struct field subset = field_first(&subsets); subset.value;
	     subset = field_next(&subset))
		decode_subset(&subset, slice);
	return finish(object, slice);
}
