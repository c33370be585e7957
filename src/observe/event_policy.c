/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/event_policy.h"

#include <arpa/inet.h>
#include "abi/drop.h"
#include "abi/metrics.h"
#include "abi/policy.h"
#include "src/model/identity.h"
#include "src/model/rule_set.h"
#include "src/wire/packet.h"

static const char *const actions[] = {
	[EVENT_ACTION_DENY] = "deny",
	[EVENT_ACTION_ALLOW] = "allow",
	[EVENT_ACTION_AUDIT] = "audit",
};

static const char *const matches[] = {
	[POLICY_MATCH_NONE] = "none",
	[POLICY_MATCH_L3_ONLY] = "L3-Only",
	[POLICY_MATCH_L3_L4] = "L3-L4",
	[POLICY_MATCH_L4_ONLY] = "L4-Only",
	[POLICY_MATCH_ALL] = "all",
	[POLICY_MATCH_L3_PROTO] = "L3-Proto",
	[POLICY_MATCH_PROTO_ONLY] = "Proto-Only",
};

static const char *action_text(const struct event *event)
{
	return event->subtype < G_N_ELEMENTS(actions) ? actions[event->subtype] : "unknown";
}

static const char *match_text(const struct event *event)
{
	return event->match < G_N_ELEMENTS(matches) ? matches[event->match] : "unknown";
}

static const char *direction_text(const struct event *event)
{
	return event->direction == METRIC_DIR_INGRESS ? "ingress" : "egress";
}

static const char *auth_text(const struct event *event)
{
	return event->drop_reason == DROP_AUTH_REQUIRED ? "required" : "disabled";
}

bool event_is_of_policy(const struct event *event)
{
	return event->type == EVENT_POLICY_VERDICT ||
	       (event->type == EVENT_DROP && event->rule_set);
}

static void decode(const struct event *event, struct packet *ret_packet)
{
	packet_decode(event->packet, MIN(event->cap_len, EVENT_PACKET_BYTES),
		      event->flags & EVENT_F_L3_DEVICE, ret_packet);
}

/* Whether the end of the packet with this endpoint and identity is whose rules decided. */
static bool is_local(const struct event *event, uint16_t endpoint, uint32_t identity)
{
	return event->policy_endpoint ? endpoint == event->policy_endpoint
				      : identity == IDENTITY_HOST;
}

/* The rules may be those of either end: a packet of who answers is judged as the opener's. */
static uint32_t remote_identity(const struct event *event)
{
	bool at_src = is_local(event, event->src_endpoint, event->src_identity);
	bool at_dst = is_local(event, event->dst_endpoint, event->dst_identity);

	if (at_src != at_dst)
		return at_src ? event->dst_identity : event->src_identity;
	return event->direction == METRIC_DIR_INGRESS ? event->src_identity : event->dst_identity;
}

/* ---- the rule ---- */

/* g_free. */
static char *rule_text(uint32_t number, const struct event_format *format)
{
	char *text = NULL;

	if (!format->numeric && number == RULE_NUMBER_ALLOW_LOCALHOST)
		return g_strdup("allow-localhost");
	if (!format->numeric && number == RULE_NUMBER_ALLOW_ANY)
		return g_strdup("allow-any");
	if (!format->numeric && format->rule)
		text = format->rule(number);
	return text ? text : g_strdup_printf("%u", number);
}

void event_policy_append_rule(GString *text, const struct event *event,
			      const struct event_format *format)
{
	g_autofree char *rule = event->rule ? rule_text(event->rule, format) : NULL;

	if (rule)
		g_string_append_printf(text, "rule %s", rule);
	else if (event->rule_set)
		g_string_append(text, "no rule allows it");
	else
		g_string_append(text, "no rules yet");
}

/* ---- a verdict ---- */

void event_policy_append_verdict(GString *text, const struct event *event,
				 const struct event_format *format)
{
	uint32_t remote = remote_identity(event);
	const char *name = format->numeric ? NULL : identity_reserved_name(remote);
	g_autofree char *number = g_strdup_printf("%u", remote);
	g_autofree char *connection = event_format_connection(event);
	struct packet packet;

	decode(event, &packet);
	g_string_append_printf(
		text,
		"Policy verdict log: flow 0x%x local EP ID %u, remote ID %s, proto %u, "
		"%s, action %s, auth: %s, match %s, %s",
		event->hash, event->policy_endpoint, name ? name : number, packet.protocol,
		direction_text(event), action_text(event), auth_text(event), match_text(event),
		connection);
}

void event_policy_append_command(GString *text, const struct event *event)
{
	static const struct {
		unsigned int layer;
		const char *name;
	} protocols[] = {{PACKET_TCP, "tcp"},
			 {PACKET_UDP, "udp"},
			 {PACKET_SCTP, "sctp"},
			 {PACKET_ICMPV4, "icmp"},
			 {PACKET_ICMPV6, "icmpv6"}};
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	const char *protocol = NULL;
	struct packet packet;
	int family;

	decode(event, &packet);
	for (size_t i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (packet.layers & protocols[i].layer)
			protocol = protocols[i].name;
	if (!protocol)
		return;
	family = packet.layers & PACKET_IPV6 ? AF_INET6 : AF_INET;
	g_string_append_printf(text, "Why: cilium explain --from %s --to %s --protocol %s",
			       inet_ntop(family, packet.src, src, sizeof(src)),
			       inet_ntop(family, packet.dst, dst, sizeof(dst)), protocol);
	if (packet.layers & (PACKET_ICMPV4 | PACKET_ICMPV6))
		g_string_append_printf(text, " --icmp-type %u --source-port %u\n", packet.icmp_type,
				       packet.icmp_id);
	else
		g_string_append_printf(text, " --port %u --source-port %u\n", packet.dport,
				       packet.sport);
}

/* ---- JSON ---- */

void event_policy_add_json(json_t *object, const struct event *event,
			   const struct event_format *format)
{
	g_autofree char *rule = event->rule ? rule_text(event->rule, format) : NULL;

	json_object_set_new(object, "direction", json_string(direction_text(event)));
	json_object_set_new(object, "match", json_string(match_text(event)));
	json_object_set_new(object, "localEndpoint", json_integer(event->policy_endpoint));
	json_object_set_new(object, "remoteIdentity", json_integer(remote_identity(event)));
	json_object_set_new(object, "ruleSet", json_integer(event->rule_set));
	json_object_set_new(object, "rule", json_integer(event->rule));
	if (rule)
		json_object_set_new(object, "ruleText", json_string(rule));
	if (event->type != EVENT_POLICY_VERDICT)
		return;
	json_object_set_new(object, "action", json_string(action_text(event)));
	json_object_set_new(object, "auth", json_string(auth_text(event)));
	if (event->drop_reason)
		json_object_set_new(object, "reason",
				    json_string(event_drop_reason_text(event->drop_reason)));
}
