/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/explain_report.h"

#include <arpa/inet.h>
#include <string.h>
#include <linux/pkt_cls.h>
#include "abi/event.h"
#include "src/cli/explain_service.h"
#include "src/cli/json_get.h"
#include "src/model/connection_text.h"
#include "src/model/identity.h"
#include "src/model/rule_set.h"
#include "src/observe/event_text.h"

static const json_t *ask(const struct explain_agent *agent, enum api_call call, const char *arg,
			 const char *query)
{
	return agent->ask(call, arg, query, agent->data);
}

/* Takes value; leaves the member out where it is NULL. */
static void set(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(object, name, value);
}

static json_t *copy(const json_t *value)
{
	return value ? json_incref((json_t *)value) : NULL;
}

/* ---- who ---- */

static const char *const where_names[] = {
	[EXPLAIN_ENDPOINT] = "endpoint",     [EXPLAIN_THIS_NODE] = "this-node",
	[EXPLAIN_OTHER_NODE] = "other-node", [EXPLAIN_OTHER_POD] = "other-pod",
	[EXPLAIN_OUTSIDE] = "outside",
};

static json_t *identity_labels(const struct explain_agent *agent, uint32_t identity)
{
	g_autofree char *number = g_strdup_printf("%u", identity);
	const char *reserved = identity_reserved_name(identity);
	const json_t *labels = json_get(ask(agent, API_IDENTITY_GET, number, NULL), "labels", NULL);

	if (labels)
		return copy(labels);
	return reserved ? json_pack("[o]", json_sprintf("reserved:%s", reserved)) : NULL;
}

static json_t *endpoint_name(const struct explain_agent *agent, uint16_t id)
{
	g_autofree char *number = g_strdup_printf("%u", id);
	const char *pod;

	if (!id)
		return json_string("host");
	pod = json_get_text(ask(agent, API_ENDPOINT_GET, number, NULL), "status",
			    "external-identifiers", "pod-name", NULL);
	return *pod ? json_string(pod) : NULL;
}

/* Of a pod of another node, as its manifest says. */
static json_t *remote_name(const struct explain_agent *agent, const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];
	g_autofree char *query =
		g_strdup_printf("cidr=%s/%u", addr_format(addr, text), addr_is_v4(addr) ? 32 : 128);
	const json_t *entry = json_array_get(ask(agent, API_IP_LIST, NULL, query), 0);
	const char *name = json_get_text(entry, "metadata", "name", NULL);

	return *name ? json_sprintf("%s/%s", json_get_text(entry, "metadata", "namespace", NULL),
				    name)
		     : NULL;
}

static json_t *end_to_json(const struct explain_end *end, uint32_t identity,
			   const struct explain_agent *agent)
{
	char text[ADDR_TEXT_BYTES];
	json_t *json = json_pack("{s:s, s:s}", "address", addr_format(&end->addr, text), "where",
				 where_names[end->where]);
	json_t *name = NULL;

	if (end->where == EXPLAIN_ENDPOINT) {
		json_object_set_new(json, "endpoint", json_integer(end->endpoint));
		name = endpoint_name(agent, end->endpoint);
	} else if (end->where == EXPLAIN_OTHER_POD) {
		name = remote_name(agent, &end->addr);
	} else if (end->where == EXPLAIN_THIS_NODE) {
		name = json_string("host");
	}
	if (!name && end->name)
		name = json_string(end->name);
	set(json, "name", name);
	if (!identity)
		identity = end->identity;
	json_object_set_new(json, "identity", json_integer(identity));
	set(json, "labels", identity_labels(agent, identity));
	return json;
}

/* The packet goes to what clients know; its identity is that of the back end. */
static bool is_front_end(uint8_t service)
{
	return service == EXPLAIN_SERVICE_KEPT || service == EXPLAIN_SERVICE_CHOSEN ||
	       service == EXPLAIN_SERVICE_NOBODY;
}

/*
 * An address of the node may stand for an endpoint, whose masqueraded connection is answered; not where it is a
 * service's, whose back end the endpoint is.
 */
static json_t *destination_to_json(const struct explain_report *report,
				   const struct explain_agent *agent)
{
	const struct explain_end *end = &report->ends[1];
	bool is_service = is_front_end(report->explain.service);
	uint16_t endpoint =
		end->where == EXPLAIN_THIS_NODE && !is_service ? report->explain.dst_endpoint : 0;
	json_t *json = end_to_json(end, endpoint ? 0 : report->explain.dst_identity, agent);

	if (is_service)
		json_object_set_new(json, "where", json_string("service"));
	if (endpoint) {
		json_object_set_new(json, "stands-for", json_integer(endpoint));
		set(json, "stands-for-name", endpoint_name(agent, endpoint));
	}
	return json;
}

/* ---- by which rules ---- */

static const char *const directions[POLICY_DIRECTION__MAX] = {"ingress", "egress"};
static const char *const entries[] = {
	[POLICY_ENTRY_NONE] = "none",
	[POLICY_ENTRY_OWN] = "own",
	[POLICY_ENTRY_OTHERS] = "others",
	[POLICY_ENTRY_UNASKED] = "unasked",
};
static const char *const verdicts[POLICY_VERDICT__MAX] = {
	[POLICY_VERDICT_DEFAULT_DENY] = "default-deny",
	[POLICY_VERDICT_ALLOW] = "allow",
	[POLICY_VERDICT_DENY] = "deny",
	[POLICY_VERDICT_NEEDS_PROXY] = "needs-proxy",
	[POLICY_VERDICT_NEEDS_AUTH] = "needs-auth",
};

static json_t *rule_to_json(const struct explain_agent *agent, uint32_t number)
{
	g_autofree char *query = g_strdup_printf("rule=%u", number);
	const json_t *origin = json_array_get(ask(agent, API_POLICY_RULES, NULL, query), 0);

	if (!number)
		return NULL;
	return origin ? copy(origin) : json_pack("{s:I}", "rule", (json_int_t)number);
}

/* The policies that select the endpoint; NULL where the agent does not say. */
static json_t *policies_to_json(const struct explain_agent *agent, uint16_t endpoint,
				const char *direction)
{
	g_autofree char *number = g_strdup_printf("%u", endpoint);

	return copy(json_get(ask(agent, API_POLICY_ENDPOINT, number, NULL), direction, "policies",
			     NULL));
}

/* What is not there of what the rule asks for: the notes of its policy at its place. */
static json_t *notes_to_json(const struct explain_agent *agent, const json_t *rule)
{
	const json_t *policies =
		json_get(ask(agent, API_POLICY_STATUS, NULL, NULL), "policies", NULL);
	const char *path = json_get_text(rule, "path", NULL);
	json_t *list = json_array(), *policy, *note;
	size_t i, j;

	json_array_foreach(policies, i, policy)
	{
		if (strcmp(json_get_text(policy, "policy", NULL),
			   json_get_text(rule, "policy", NULL)))
			continue;
		json_array_foreach(json_get(policy, "notes", NULL), j, note)
		{
			if (json_is_true(json_get(note, "fails-closed", NULL)) &&
			    g_str_has_prefix(json_get_text(note, "path", NULL), path))
				json_array_append(list, note);
		}
	}
	return list;
}

static json_t *port_to_json(const struct policy_judgement *judgement)
{
	unsigned int port = ntohs(judgement->port), n_bits, first;

	if (judgement->prefix_len == POLICY_PREFIX_NONE)
		return NULL;
	n_bits = POLICY_PORT_BITS - MIN(judgement->prefix_len, POLICY_PORT_BITS);
	first = port >> n_bits << n_bits;
	return json_pack("{s:i, s:i, s:i}", "prefix", judgement->prefix_len, "first", first, "last",
			 first + (1U << n_bits) - 1);
}

static json_t *judgement_to_json(const struct policy_judgement *judgement,
				 const struct explain_agent *agent)
{
	const char *direction = directions[judgement->direction & 1];
	const struct policy_leaf *leaf = &judgement->leaf;
	bool open =
		judgement->flags & (judgement->direction == POLICY_INGRESS ? POLICY_F_OPEN_INGRESS
									   : POLICY_F_OPEN_EGRESS);
	json_t *rule = rule_to_json(agent, leaf->rule);
	json_t *json = json_pack(
		"{s:s, s:i, s:I, s:I, s:s, s:I, s:s, s:i, s:s, s:b, s:b, s:b}", "direction",
		direction, "endpoint", judgement->endpoint, "rule-set",
		(json_int_t)judgement->rule_set, "peer", (json_int_t)judgement->peer, "entry",
		judgement->entry < G_N_ELEMENTS(entries) ? entries[judgement->entry] : "unasked",
		"class", (json_int_t)judgement->class, "protocol",
		protocol_format(judgement->protocol), "port", ntohs(judgement->port), "verdict",
		leaf->verdict < POLICY_VERDICT__MAX ? verdicts[leaf->verdict] : "default-deny",
		"open", open, "audit", (judgement->flags & POLICY_F_AUDIT) != 0, "incomplete",
		(judgement->flags & POLICY_F_INCOMPLETE) != 0);

	set(json, "name", endpoint_name(agent, judgement->endpoint));
	set(json, "peer-labels", identity_labels(agent, judgement->peer));
	set(json, "policies", policies_to_json(agent, judgement->endpoint, direction));
	set(json, "ports", port_to_json(judgement));
	set(json, "rule", rule);
	if (leaf->verdict == POLICY_VERDICT_NEEDS_PROXY ||
	    leaf->verdict == POLICY_VERDICT_NEEDS_AUTH)
		set(json, "notes", notes_to_json(agent, rule));
	return json;
}

/* ---- what becomes of it ---- */

static const char *const connections[] = {
	[EXPLAIN_CONNECTION_UNASKED] = "unasked",
	[EXPLAIN_CONNECTION_NEW] = "new",
	[EXPLAIN_CONNECTION_DEAD] = "dead",
	[EXPLAIN_CONNECTION_REOPENED] = "reopened",
	[EXPLAIN_CONNECTION_FOUND] = "found",
	[EXPLAIN_CONNECTION_STALE] = "stale",
	[EXPLAIN_CONNECTION_RELATED] = "related",
	[EXPLAIN_CONNECTION_RELATED_STALE] = "related-stale",
};

static json_t *connection_to_json(const struct explain *explain)
{
	return json_pack("{s:s, s:b}", "state",
			 explain->connection < G_N_ELEMENTS(connections)
				 ? connections[explain->connection]
				 : "unasked",
			 "from-opener", explain->from_opener);
}

static json_t *result_to_json(const struct explain *explain)
{
	json_t *json;

	if (explain->verdict != TC_ACT_SHOT)
		return json_pack("{s:b, s:s}", "allowed", true, "goes",
				 event_trace_point_text(explain->trace_point));
	json = json_pack("{s:b, s:s, s:i, s:s, s:i}", "allowed", false, "reason",
			 event_drop_reason_text(explain->drop_reason), "reason-number",
			 explain->drop_reason, "file", event_source_file_text(explain->drop_file),
			 "line", explain->drop_line);
	if (event_drop_cause(explain->drop_reason)) {
		json_object_set_new(json, "cause",
				    json_string(event_drop_cause(explain->drop_reason)));
		json_object_set_new(json, "next",
				    json_string(event_drop_next(explain->drop_reason)));
	}
	return json;
}

json_t *explain_report_to_json(const struct explain_report *report,
			       const struct explain_agent *agent)
{
	const struct explain *explain = &report->explain;
	json_t *judgements = json_array();
	json_t *json = json_pack("{s:s, s:b, s:o, s:o}", "packet", report->packet, "truncated",
				 report->is_truncated, "source",
				 end_to_json(&report->ends[0], explain->src_identity, agent),
				 "destination", destination_to_json(report, agent));

	if (!report->program) {
		json_object_set_new(json, "judgements", judgements);
		json_object_set_new(json, "result", json_pack("{s:b}", "allowed", true));
		return json;
	}
	json_object_set_new(json, "program",
			    json_pack("{s:s, s:s, s:I}", "name", report->program, "device",
				      report->device, "ifindex", (json_int_t)report->ifindex));
	set(json, "service", explain_service_to_json(explain, agent));
	json_object_set_new(json, "connection", connection_to_json(explain));
	/* In the order in which they were asked: egress of who opened first. */
	for (int direction = POLICY_EGRESS; direction >= POLICY_INGRESS; direction--)
		if (explain->judged & 1 << direction)
			json_array_append_new(
				judgements,
				judgement_to_json(&explain->judgements[direction], agent));
	json_object_set_new(json, "judgements", judgements);
	json_object_set_new(json, "result", result_to_json(explain));
	return json;
}
