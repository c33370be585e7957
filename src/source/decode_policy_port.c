// SPDX-License-Identifier: Apache-2.0
/* The L4 members of an element: toPorts and icmps. */
#include <string.h>
#include "src/base/intern.h"
#include "src/model/icmp_type.h"
#include "src/source/decode_policy.h"
#include "src/source/syntax.h"

#define MAX_PORTS     40   /* of an element of toPorts; of icmps, fields */
#define MAX_ALL_PORTS 4096 /* of a rule, protocols counted one by one */
#define MAX_SHADOWED  256  /* of a rule: how many are compared with one another */
#define PROTOCOL_ANY  0

void decode_policy_add_port(const struct field *field, struct policy_rule *rule,
			    const struct policy_port *port)
{
	if (rule->ports->len < MAX_ALL_PORTS) {
		g_array_append_val(rule->ports, *port);
		return;
	}
	intern_unref(port->name);
	field_add_problem(field, "is too much: a rule has at most %d ports", MAX_ALL_PORTS);
}

/* False, with a problem noted. */
static bool decode_any_protocol(const struct field *field, uint8_t *ret_protocol)
{
	static const struct {
		const char *text;
		uint8_t protocol;
	} protocols[] = {
		{"TCP", IPPROTO_TCP},
		{"UDP", IPPROTO_UDP},
		{"SCTP", IPPROTO_SCTP},
		{"ANY", PROTOCOL_ANY},
	};
	const char *text = field_text(field);

	*ret_protocol = PROTOCOL_ANY;
	if (!field_is_set(field) || (text && !*text))
		return true;
	for (size_t i = 0; text && i < G_N_ELEMENTS(protocols); i++) {
		if (g_ascii_strcasecmp(text, protocols[i].text) != 0)
			continue;
		*ret_protocol = protocols[i].protocol;
		return true;
	}
	if (text)
		field_want(field, "TCP, UDP, SCTP or ANY");
	return false;
}

static void decode_end_port(const struct policy_decoder *decoder, const struct field *field,
			    bool has_dns, struct policy_port *port)
{
	int64_t end;

	if (!field_int(field, 0, UINT16_MAX, &end) || end == 0)
		return;
	if (port->name)
		decode_policy_note(decoder, field, false, "has no effect with the name of a port");
	else if (end < port->port)
		decode_policy_note(decoder, field, false,
				   "is less than port, %u, and has no effect", port->port);
	else if (has_dns && end > port->port)
		field_add_problem(field, "is not possible with DNS rules");
	else
		port->end_port = end;
}

/* The number or the name of a port, and the end of a range. False, with a problem noted. */
static bool decode_port_value(const struct policy_decoder *decoder, const struct field *item,
			      bool has_dns, struct policy_port *port)
{
	struct field port_field = field_member(item, "port");
	struct field end_field = field_member(item, "endPort");
	const char *text = field_required_text(&port_field);
	g_autofree char *lower = NULL;
	int number;

	if (!text)
		return false;
	number = syntax_parse_number(text, UINT16_MAX);
	if (number >= 0) {
		port->port = port->end_port = number;
	} else if (syntax_is_port_name(text)) {
		lower = g_ascii_strdown(text, -1);
		port->name = intern_new(lower);
	} else {
		field_want(&port_field,
			   "a number from 0 to 65535 without leading zeros, or the name of a port: "
			   "at most 15 letters, digits and single '-' with a letter");
		return false;
	}
	decode_end_port(decoder, &end_field, has_dns, port);
	/* Nobody has port 0: it stands for all of them. */
	port->all_ports = !port->name && !port->end_port;
	return true;
}

/* What an element of toPorts has for all of its ports. */
struct port_context {
	uint8_t needs;
	bool has_l7, has_dns;
};

static void decode_port(const struct policy_decoder *decoder, const struct field *item,
			const struct port_context *context, struct policy_rule *rule)
{
	static const char *const members[] = {"port", "endPort", "protocol", NULL};
	static const uint8_t any[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct field protocol_field = field_member(item, "protocol");
	struct field port_field = field_member(item, "port");
	struct policy_port port = {.needs = context->needs};
	bool has_protocol = decode_any_protocol(&protocol_field, &port.protocol);

	decode_policy_members(item, members);
	if (!decode_port_value(decoder, item, context->has_dns, &port) || !has_protocol) {
		intern_unref(port.name);
		return;
	}
	if (context->has_l7 && port.all_ports)
		field_add_problem(&port_field, "is 0, which is not possible with L7 rules");
	if (context->has_l7 && !context->has_dns && port.protocol != IPPROTO_TCP)
		field_add_problem(&protocol_field, "must be TCP for L7 rules other than dns");
	if (port.protocol != PROTOCOL_ANY) {
		decode_policy_add_port(item, rule, &port);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(any); i++) {
		struct policy_port one = port;

		one.protocol = any[i];
		one.name = intern_ref(port.name);
		decode_policy_add_port(item, rule, &one);
	}
	intern_unref(port.name);
}

/* L7 rules of the same port add up: none of them is in vain. */
static bool covers(const struct policy_port *a, const struct policy_port *b)
{
	if (a->protocol != b->protocol || a->needs || b->needs)
		return false;
	if (a->all_ports || b->all_ports)
		return a->all_ports;
	if (a->name || b->name)
		return a->name == b->name;
	return a->port <= b->port && a->end_port >= b->end_port;
}

void decode_policy_check_shadowed(const struct policy_decoder *decoder, const struct field *item,
				  const struct policy_rule *rule, unsigned int n_before)
{
	unsigned int n_covered = 0;

	if (rule->ports->len > MAX_SHADOWED || n_before == rule->ports->len)
		return;
	for (unsigned int i = n_before; i < rule->ports->len; i++) {
		const struct policy_port *port = &g_array_index(rule->ports, struct policy_port, i);
		unsigned int j;

		for (j = 0; j < n_before; j++)
			if (covers(&g_array_index(rule->ports, struct policy_port, j), port))
				break;
		n_covered += j < n_before;
	}
	if (n_covered == rule->ports->len - n_before)
		decode_policy_note(decoder, item, false,
				   "has no effect: what stands before it covers it");
}

static void decode_port_rule(const struct policy_decoder *decoder, const struct field *element,
			     struct policy_rule *rule)
{
	static const char *const members[] = {
		"ports",          "rules",    "serverNames", "terminatingTLS",
		"originatingTLS", "listener", NULL};
	struct field ports = field_member(element, "ports");
	struct port_context context;

	if (!field_is_set(element))
		field_want(element, "a mapping");
	decode_policy_members(element, members);
	context.needs = decode_policy_l7(decoder, element, rule, &context.has_l7, &context.has_dns);
	if (!field_is_set(&ports) || field_is_empty(&ports)) {
		if (context.has_dns)
			field_add_problem(&ports, "is empty: DNS rules want a port, such as 53");
		else
			decode_policy_note(decoder, element, false, "names no port: has no effect");
		return;
	}
	for (struct field item = field_first(&ports); item.value; item = field_next(&item)) {
		unsigned int n_before = rule->ports->len;

		if (item.index == MAX_PORTS) {
			field_add_problem(&ports, "has %u ports, want at most %d", ports.value->n,
					  MAX_PORTS);
			break;
		}
		decode_port(decoder, &item, &context, rule);
		decode_policy_check_shadowed(decoder, &item, rule, n_before);
	}
}

/* A number, as such or as a text, or a name of the family. −1, with a problem noted. */
static int decode_icmp_type(const struct field *field, bool is_v6)
{
	int64_t number;
	const char *text;

	if (!field_is_set(field)) {
		field_add_problem(field, "is missing");
		return -1;
	}
	if (field->value->type == VALUE_INT)
		return field_int(field, 0, UINT8_MAX, &number) ? (int)number : -1;
	text = field_required_text(field);
	if (!text)
		return -1;
	number = syntax_parse_number(text, UINT16_MAX);
	if (number >= 0 && number <= UINT8_MAX)
		return (int)number;
	number = icmp_type_find(is_v6, text);
	if (number >= 0)
		return (int)number;
	field_want(field, "a number from 0 to 255, or the name of a message of the family, such as "
			  "EchoRequest");
	return -1;
}

static void decode_icmp_field(const struct policy_decoder *decoder, const struct field *item,
			      struct policy_rule *rule)
{
	static const char *const members[] = {"family", "type", NULL};
	struct field family_field = field_member(item, "family");
	struct field type_field = field_member(item, "type");
	const char *family = field_text(&family_field);
	bool is_v6 = g_strcmp0(family, "IPv6") == 0;
	struct policy_port port = {.protocol = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP};
	int type = decode_icmp_type(&type_field, is_v6);

	decode_policy_members(item, members);
	if (family && *family && !is_v6 && strcmp(family, "IPv4") != 0)
		field_want(&family_field, "IPv4 or IPv6");
	if (type < 0)
		return;
	port.port = port.end_port = type;
	decode_policy_add_port(item, rule, &port);
}

static void decode_icmps(const struct policy_decoder *decoder, const struct field *list,
			 struct policy_rule *rule)
{
	static const char *const members[] = {"fields", NULL};

	for (struct field item = decode_policy_first(list); item.value; item = field_next(&item)) {
		struct field fields = field_member(&item, "fields");

		decode_policy_members(&item, members);
		if (field_is_set(&fields) && fields.value->type == VALUE_SEQUENCE &&
		    fields.value->n > MAX_PORTS) {
			field_add_problem(&fields, "has %u fields, want at most %d",
					  fields.value->n, MAX_PORTS);
			continue;
		}
		if (!field_is_set(&fields) || field_is_empty(&fields))
			decode_policy_note(decoder, &item, false, "names no type: has no effect");
		for (struct field field = field_first(&fields); field.value;
		     field = field_next(&field)) {
			unsigned int n_before = rule->ports->len;

			decode_icmp_field(decoder, &field, rule);
			decode_policy_check_shadowed(decoder, &field, rule, n_before);
		}
	}
}

/* An empty list is as none, in Cilium too. */
static bool is_there(const struct policy_decoder *decoder, const struct field *list)
{
	if (field_is_empty(list))
		decode_policy_note(decoder, list, false, "is empty: has no effect");
	return field_is_set(list) && !field_is_empty(list);
}

bool decode_policy_ports(const struct policy_decoder *decoder, const struct field *element,
			 struct policy_rule *rule)
{
	struct field to_ports = field_member(element, "toPorts");
	struct field icmps = field_member(element, "icmps");
	bool has_ports = is_there(decoder, &to_ports);
	bool has_icmps = is_there(decoder, &icmps);

	if (has_ports && has_icmps)
		field_add_problem(&icmps,
				  "cannot be combined with toPorts: make two elements of it");
	for (struct field item = decode_policy_first(&to_ports); item.value;
	     item = field_next(&item))
		decode_port_rule(decoder, &item, rule);
	decode_icmps(decoder, &icmps, rule);
	rule->no_ports = (has_ports || has_icmps) && !rule->ports->len;
	return has_ports || has_icmps;
}
