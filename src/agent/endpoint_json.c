/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints in the shapes of Cilium's API. */
#include "src/agent/endpoint_history.h"
#include "src/agent/endpoint_options.h"
#include "src/agent/endpoint_policy_json.h"
#include "src/agent/rest_private.h"
#include "src/base/clock.h"

json_t *labels_to_json(const struct label_set *set)
{
	json_t *list = json_array();

	for (size_t i = 0; set && i < label_set_n(set); i++) {
		g_autofree char *text = label_format(label_set_get(set, i));

		json_array_append_new(list, json_string(text));
	}
	return list;
}

static const struct endpoint_state *state_of(const struct agent *agent,
					     const struct endpoint *endpoint)
{
	return (const struct endpoint_state *)table_get(agent->tables.endpoint_states,
							&endpoint->id, sizeof(endpoint->id));
}

/* Labels that do not make the identity. */
static json_t *derived_labels(const struct endpoint_state *state)
{
	json_t *list = json_array();

	for (size_t i = 0; i < label_set_n(state->labels); i++) {
		const struct label *label = label_set_get(state->labels, i);
		g_autofree char *text = NULL;

		if (label_set_find(state->identity_labels, label->source, label->key))
			continue;
		text = label_format(label);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *user_labels(const struct endpoint *endpoint)
{
	return json_pack("{s:o}", "user", labels_to_json(endpoint->user_labels));
}

static json_t *labels_status(const struct endpoint *endpoint, const struct endpoint_state *state)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o}", "realized", user_labels(endpoint), "security-relevant",
		labels_to_json(state ? state->identity_labels : NULL), "derived",
		state ? derived_labels(state) : json_array(), "disabled",
		labels_to_json(state ? state->disabled_labels : endpoint->disabled_labels));
}

json_t *endpoint_labels_to_json(const struct agent *agent, const struct endpoint *endpoint)
{
	return json_pack("{s:o, s:o}", "spec", user_labels(endpoint), "status",
			 labels_status(endpoint, state_of(agent, endpoint)));
}

static const char *switch_text(bool on)
{
	return on ? "Enabled" : "Disabled";
}

/* Those that have a value of their own. */
static json_t *options_set(const struct endpoint *endpoint)
{
	json_t *options = json_object();

	for (unsigned int i = 0; i < ENDPOINT_OPTION__MAX; i++)
		if (endpoint->options[i] != ENDPOINT_OPTION_UNSET)
			json_object_set_new(options, endpoint_option_name(i),
					    json_string(switch_text(endpoint->options[i] ==
								    ENDPOINT_OPTION_ON)));
	return options;
}

static json_t *options_in_force(const struct agent *agent, const struct endpoint *endpoint,
				bool can_change)
{
	json_t *options = json_object();

	for (unsigned int i = 0; i < ENDPOINT_OPTION__MAX; i++)
		if (endpoint_options_can_change(agent, i) == can_change)
			json_object_set_new(
				options, endpoint_option_name(i),
				json_string(switch_text(endpoint_options_get(agent, endpoint, i))));
	return options;
}

static json_t *spec(const struct endpoint *endpoint, json_t *take_options)
{
	return json_pack("{s:o, s:o}", "label-configuration", user_labels(endpoint), "options",
			 take_options);
}

json_t *endpoint_config_to_json(const struct agent *agent, const struct endpoint *endpoint)
{
	return json_pack("{s:o, s:o}", "realized",
			 spec(endpoint, options_in_force(agent, endpoint, true)), "immutable",
			 options_in_force(agent, endpoint, false));
}

struct log_list {
	json_t *list;
	unsigned int n_max;
};

static bool append_log_entry(const struct endpoint_log_entry *entry, void *data)
{
	struct log_list *list = data;
	g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(entry->time_ns / NSEC_PER_SEC);
	g_autoptr(GDateTime) time = g_date_time_add(
		seconds, entry->time_ns % NSEC_PER_SEC / (NSEC_PER_SEC / G_USEC_PER_SEC));
	g_autofree char *text = g_date_time_format_iso8601(time);

	json_array_append_new(list->list,
			      json_pack("{s:s, s:s, s:s, s:s}", "timestamp", text, "code",
					entry->failed ? "Failed" : "OK", "message", entry->message,
					"state", endpoint_phase_name(entry->phase)));
	return json_array_size(list->list) < list->n_max;
}

json_t *endpoint_log_to_json(const struct agent *agent, const struct endpoint *endpoint,
			     unsigned int n_max)
{
	struct log_list list = {json_array(), n_max};

	endpoint_log_foreach(endpoint_history_get_log(agent->history), endpoint->id,
			     append_log_entry, &list);
	return list.list;
}

/* Of an endpoint that is well otherwise: with no rules in the kernel it is denied all, else it has older ones. */
static const char *policy_health(const struct agent *agent, uint16_t id)
{
	struct reconciler_policy policy;

	if (!reconcilers_policy_get(agent->reconcilers, id, &policy))
		return "Pending";
	if (policy.is_applied)
		return "OK";
	return policy.version ? "Warning" : "Failure";
}

/* What the phase means for Cilium's three healths. */
json_t *endpoint_health_to_json(const struct agent *agent, const struct endpoint *endpoint)
{
	enum endpoint_phase phase = endpoint_manager_get_phase(agent->endpoints, endpoint->id);
	const char *health = "OK", *policy, *overall;

	if (phase == ENDPOINT_WAITING_FOR_IDENTITY || phase == ENDPOINT_RESTORING)
		health = "Bootstrap";
	else if (phase == ENDPOINT_REGENERATING)
		health = "Pending";
	else if (phase == ENDPOINT_DISCONNECTING)
		health = "Disabled";
	else if (phase == ENDPOINT_INVALID)
		health = "Failure";
	policy = phase == ENDPOINT_READY ? policy_health(agent, endpoint->id) : health;
	overall = phase == ENDPOINT_READY ? policy : health;
	return json_pack("{s:s, s:s, s:s, s:b}", "overallHealth", overall, "bpf", health, "policy",
			 policy, "connected",
			 phase != ENDPOINT_INVALID && phase != ENDPOINT_DISCONNECTING);
}

static json_t *external_identifiers(const struct endpoint *endpoint)
{
	json_t *object =
		json_pack("{s:s*, s:s*, s:s*, s:s*}", "container-id", endpoint->container_id,
			  "container-name", endpoint->container_name, "k8s-namespace",
			  endpoint->namespace, "k8s-pod-name", endpoint->pod_name);

	if (endpoint->container_id) {
		g_autofree char *attachment = endpoint_attachment_id(endpoint);

		json_object_set_new(object, "cni-attachment-id", json_string(attachment));
	}
	if (endpoint->namespace && endpoint->pod_name)
		json_object_set_new(object, "pod-name",
				    json_sprintf("%s/%s", endpoint->namespace, endpoint->pod_name));
	return object;
}

static json_t *networking(const struct agent *agent, const struct endpoint *endpoint)
{
	json_t *addressing = json_object();
	char text[ADDR_TEXT_BYTES], mac[MAC_TEXT_BYTES], host_mac[MAC_TEXT_BYTES];

	if (!addr_is_zero(&endpoint->addr4))
		json_object_set_new(addressing, "ipv4",
				    json_string(addr_format(&endpoint->addr4, text)));
	if (!addr_is_zero(&endpoint->addr6))
		json_object_set_new(addressing, "ipv6",
				    json_string(addr_format(&endpoint->addr6, text)));
	return json_pack("{s:[o], s:s*, s:o, s:s, s:i, s:s*, s:s}", "addressing", addressing,
			 "container-interface-name", endpoint->container_ifname, "host-addressing",
			 node_addressing_to_json(agent), "host-mac",
			 mac_format(&endpoint->host_mac, host_mac), "interface-index",
			 endpoint->ifindex, "interface-name", endpoint->host_ifname, "mac",
			 mac_format(&endpoint->mac, mac));
}

json_t *endpoint_to_json(const struct agent *agent, const struct endpoint *endpoint)
{
	const struct endpoint_state *state = state_of(agent, endpoint);
	enum endpoint_phase phase = endpoint_manager_get_phase(agent->endpoints, endpoint->id);
	json_t *status = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "external-identifiers",
		external_identifiers(endpoint), "health", endpoint_health_to_json(agent, endpoint),
		"labels", labels_status(endpoint, state), "log",
		endpoint_log_to_json(agent, endpoint, 1), "networking", networking(agent, endpoint),
		"realized", spec(endpoint, options_in_force(agent, endpoint, true)), "policy",
		endpoint_policy_to_json(agent, endpoint->id), "state", endpoint_phase_name(phase));

	if (state)
		json_object_set_new(status, "identity",
				    json_pack("{s:i, s:o}", "id", state->identity, "labels",
					      labels_to_json(state->identity_labels)));
	return json_pack("{s:i, s:o, s:o}", "id", endpoint->id, "spec",
			 spec(endpoint, options_set(endpoint)), "status", status);
}
