/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints in the shapes of Cilium's API. */
#include "src/agent/rest_private.h"

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

json_t *endpoint_labels_to_json(const struct agent *agent, const struct endpoint *endpoint)
{
	const struct endpoint_state *state = state_of(agent, endpoint);

	return json_pack("{s:{s:[]}, s:o, s:o}", "realized", "user", "security-relevant",
			 labels_to_json(state ? state->identity_labels : NULL), "derived",
			 state ? derived_labels(state) : json_array());
}

/* What the phase means for Cilium's three healths; there is no policy yet that could be unwell. */
json_t *endpoint_health_to_json(const struct agent *agent, const struct endpoint *endpoint)
{
	enum endpoint_phase phase = endpoint_manager_get_phase(agent->endpoints, endpoint->id);
	const char *health = "OK";

	if (phase == ENDPOINT_WAITING_FOR_IDENTITY || phase == ENDPOINT_RESTORING)
		health = "Bootstrap";
	else if (phase == ENDPOINT_REGENERATING)
		health = "Pending";
	else if (phase == ENDPOINT_DISCONNECTING)
		health = "Disabled";
	else if (phase == ENDPOINT_INVALID)
		health = "Failure";
	return json_pack("{s:s, s:s, s:s, s:b}", "overallHealth", health, "bpf", health, "policy",
			 phase == ENDPOINT_READY ? "OK" : health, "connected",
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
	json_t *status = json_pack("{s:o, s:o, s:o, s:o, s:{s:{s:s}}, s:s}", "external-identifiers",
				   external_identifiers(endpoint), "health",
				   endpoint_health_to_json(agent, endpoint), "labels",
				   endpoint_labels_to_json(agent, endpoint), "networking",
				   networking(agent, endpoint), "policy", "realized",
				   "policy-enabled", "none", "state", endpoint_phase_name(phase));

	if (state)
		json_object_set_new(status, "identity",
				    json_pack("{s:i, s:o}", "id", state->identity, "labels",
					      labels_to_json(state->identity_labels)));
	return json_pack("{s:i, s:{s:{s:o}}, s:o}", "id", endpoint->id, "spec",
			 "label-configuration", "user", labels_to_json(endpoint->runtime_labels),
			 "status", status);
}
