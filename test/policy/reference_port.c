/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/reference.h"

#include <stdlib.h>
#include <string.h>

struct icmp_name {
	const char *text;
	uint8_t type4, type6; /* 0: the family has no such type; of IPv4 EchoReply too */
};

static const struct icmp_name icmp_names[] = {
	{"EchoReply", 0, 129},
	{"DestinationUnreachable", 3, 1},
	{"PacketTooBig", 0, 2},
	{"TimeExceeded", 11, 3},
	{"ParameterProblem", 12, 4},
	{"Redirect", 5, 0},
	{"Echo", 8, 0},
	{"EchoRequest", 8, 128},
	{"RouterAdvertisement", 9, 134},
	{"RouterSelection", 10, 0},
	{"RouterSolicitation", 0, 133},
	{"NeighborSolicitation", 0, 135},
	{"NeighborAdvertisement", 0, 136},
	{"Timestamp", 13, 0},
	{"TimestampReply", 14, 0},
	{"Photuris", 40, 0},
	{"ExtendedEchoRequest", 42, 160},
	{"ExtendedEchoReply", 43, 161},
};

static bool protocol_is(const char *text, uint8_t protocol)
{
	if (!text || !g_ascii_strcasecmp(text, "ANY"))
		return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
		       protocol == IPPROTO_SCTP;
	if (!g_ascii_strcasecmp(text, "TCP"))
		return protocol == IPPROTO_TCP;
	if (!g_ascii_strcasecmp(text, "UDP"))
		return protocol == IPPROTO_UDP;
	if (!g_ascii_strcasecmp(text, "SCTP"))
		return protocol == IPPROTO_SCTP;
	g_error("no protocol: %s", text);
}

/* A container of the pod has given the port this name. A protocol that is not given is TCP. */
static bool pod_names_port(const json_t *pod, const char *name, uint8_t protocol, uint16_t port)
{
	const json_t *containers = json_object_get(json_object_get(pod, "spec"), "containers");
	const json_t *container, *one;
	size_t i, k;

	json_array_foreach(containers, i, container)
		json_array_foreach(json_object_get(container, "ports"), k, one)
	{
		const char *text = object_text(one, "protocol", NULL);

		if (!g_strcmp0(object_text(one, "name", NULL), name) &&
		    protocol_is(text ? text : "TCP", protocol) &&
		    json_integer_value(json_object_get(one, "containerPort")) == port)
			return true;
	}
	return false;
}

/*
 * At egress a name is every number that a pod that the rule selects gives it, and those count for all whom
 * the rule selects.
 */
static bool peers_name_port(const struct reference_rule *rule, const char *name, uint8_t protocol,
			    uint16_t port)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, rule->world->parties);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct party *other = value;

		if (other->pod && pod_names_port(other->pod, name, protocol, port) &&
		    rule_selects_peer(rule, other))
			return true;
	}
	return false;
}

/* port: a number as text or number, a name, or none; "0" is every port. */
static bool port_holds(const struct reference_rule *rule, const json_t *json,
		       const struct party *subject, uint8_t protocol, uint16_t port)
{
	const json_t *value = member_of(json, "port");
	const char *text = json_string_value(value);
	const char *protocol_text = json_string_value(member_of(json, "protocol"));
	long long first = json_integer_value(value);
	long long last = json_integer_value(member_of(json, "endPort"));
	char *end = NULL;

	if (rule->is_kubernetes && !protocol_text)
		protocol_text = "TCP";
	if (!protocol_is(protocol_text, protocol))
		return false;
	if (text) {
		first = strtoll(text, &end, 0);
		if (*end)
			return rule->is_ingress ? pod_names_port(subject->pod, text, protocol, port)
						: peers_name_port(rule, text, protocol, port);
	}
	if (!first)
		return true;
	return port == first || (port > first && port <= last);
}

static bool icmp_holds(const json_t *json, uint8_t protocol, uint16_t type)
{
	const char *family = json_string_value(member_of(json, "family"));
	const json_t *value = member_of(json, "type");
	bool six = family && !strcmp(family, "IPv6");

	if (protocol != (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	if (json_is_integer(value))
		return json_integer_value(value) == type;
	for (unsigned int i = 0; i < G_N_ELEMENTS(icmp_names); i++)
		if (!strcmp(icmp_names[i].text, json_string_value(value)))
			return type == (six ? icmp_names[i].type6 : icmp_names[i].type4);
	g_error("no ICMP type: %s", json_string_value(value));
}

static bool l7_is_wanted(const json_t *rules)
{
	static const char *const lists[] = {"http", "kafka", "dns"};

	for (unsigned int i = 0; i < G_N_ELEMENTS(lists); i++)
		if (json_array_size(member_of(rules, lists[i])))
			return true;
	return member_of(rules, "l7proto");
}

static bool element_has_needs(const json_t *element)
{
	return l7_is_wanted(member_of(element, "rules")) ||
	       json_array_size(member_of(element, "serverNames")) ||
	       member_of(element, "listener") || member_of(element, "terminatingTLS") ||
	       member_of(element, "originatingTLS");
}

static bool rule_wants_authentication(const struct reference_rule *rule)
{
	const char *mode = object_text(rule->json, "authentication", "mode");

	return mode && strcmp(mode, "disabled") != 0;
}

static enum rule_covers cover(const struct reference_rule *rule, const json_t *element)
{
	return rule_wants_authentication(rule) || element_has_needs(element)
		       ? RULE_COVERS_WITH_NEEDS
		       : RULE_COVERS;
}

enum rule_covers rule_covers(const struct reference_rule *rule, const struct party *subject,
			     uint8_t protocol, uint16_t port)
{
	const json_t *elements = member_of(rule->json, "toPorts");
	const json_t *icmps = member_of(rule->json, "icmps");
	enum rule_covers result = RULE_COVERS_NOT;
	const json_t *element, *one;
	size_t i, k;

	if (rule->is_kubernetes) {
		const json_t *ports = member_of(rule->json, "ports");

		json_array_foreach(ports, i, one) if (port_holds(rule, one, subject, protocol,
								 port)) return RULE_COVERS;
		return json_array_size(ports) ? RULE_COVERS_NOT : RULE_COVERS;
	}
	/* "If omitted or empty, the member will have no effect on the rule." */
	if (!json_array_size(elements) && !json_array_size(icmps))
		return cover(rule, NULL);
	json_array_foreach(elements, i, element)
		json_array_foreach(member_of(element, "ports"), k,
				   one) if (port_holds(rule, one, subject, protocol, port)) result =
			MAX(result, cover(rule, element));
	json_array_foreach(icmps, i, element) json_array_foreach(
		member_of(element, "fields"), k, one) if (icmp_holds(one, protocol, port)) result =
		MAX(result, cover(rule, NULL));
	return result;
}
