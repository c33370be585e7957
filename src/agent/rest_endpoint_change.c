/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator changes of an endpoint: labels, options, and a new application of its objects. */
#include "src/agent/rest_private.h"

#include <string.h>
#include "src/agent/endpoint_labels.h"
#include "src/agent/endpoint_options.h"
#include "src/api/endpoint_request.h"

/* A member of a body; the labels and options that it brings go into the change. */
struct endpoint_patch {
	struct agent *agent;
	struct endpoint *endpoint; /* the copy that is changed */
	struct endpoint_labels_change labels;
};

static void patch_fini(struct endpoint_patch *patch)
{
	label_set_unref(patch->labels.user);
	label_set_unref(patch->labels.add);
	label_set_unref(patch->labels.delete);
	if (patch->endpoint)
		row_unref(&patch->endpoint->row);
}

static int decode_labels(struct endpoint_patch *patch, const json_t *object, const char *path,
			 GError **error)
{
	const struct {
		const char *name;
		const struct label_set **set;
	} members[] = {
		{"user", &patch->labels.user},
		{"add", &patch->labels.add},
		{"delete", &patch->labels.delete},
	};
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return error_set(error, EINVAL, "%s: expected a JSON object", path);
	json_object_foreach((json_t *)object, name, value)
	{
		size_t i = 0;
		int err;

		while (i < G_N_ELEMENTS(members) && strcmp(members[i].name, name) != 0)
			i++;
		if (i == G_N_ELEMENTS(members))
			return error_set(error, EINVAL,
					 "unknown member %.100s: expected user, add or delete",
					 name);
		err = rest_decode_labels(value, name, members[i].set, error);
		if (err)
			return err;
	}
	return 0;
}

static int decode_options(struct endpoint_patch *patch, const json_t *object, GError **error)
{
	const char *name;
	json_t *value;
	int err = 0;

	if (!json_is_object(object))
		return error_set(error, EINVAL, "options: expected a JSON object");
	json_object_foreach((json_t *)object, name, value)
	{
		err = endpoint_options_set(patch->agent, patch->endpoint, name,
					   json_string_value(value), error);
		if (err)
			break;
	}
	return err;
}

static int decode_config(struct endpoint_patch *patch, const json_t *body, GError **error)
{
	const char *name;
	json_t *value;
	int err = 0;

	if (!json_is_object(body))
		return error_set(error, EINVAL, "the body is not a JSON object with options");
	json_object_foreach((json_t *)body, name, value)
	{
		if (!strcmp(name, "options"))
			err = decode_options(patch, value, error);
		else if (!strcmp(name, "label-configuration"))
			err = decode_labels(patch, value, name, error);
		else
			err = error_set(error, EINVAL,
					"unknown member %.100s: expected options or "
					"label-configuration",
					name);
		if (err)
			break;
	}
	return err;
}

static int decode_label_body(struct endpoint_patch *patch, const json_t *body, GError **error)
{
	return decode_labels(patch, body, "the body", error);
}

/* 0 and nothing is written where everything is as it was. */
static int apply(struct endpoint_patch *patch, const struct endpoint *before, GError **error)
{
	const struct endpoint_state *state = (const struct endpoint_state *)table_get(
		patch->agent->tables.endpoint_states, &before->id, sizeof(before->id));
	int err = endpoint_labels_change(patch->endpoint, state, &patch->labels, error);

	if (err)
		return err;
	if (patch->endpoint->user_labels == before->user_labels &&
	    patch->endpoint->disabled_labels == before->disabled_labels &&
	    !memcmp(patch->endpoint->options, before->options, sizeof(before->options)))
		return 0;
	return endpoint_manager_replace(patch->agent->endpoints, g_steal_pointer(&patch->endpoint),
					error);
}

/* The endpoint as it is then, or NULL after the refusal. */
static const struct endpoint *change(struct rest_call *call,
				     int (*decode)(struct endpoint_patch *patch, const json_t *body,
						   GError **error))
{
	const struct endpoint *endpoint = rest_find_endpoint(call);
	struct endpoint_patch patch = {.agent = call->agent};
	json_auto_t *body = NULL;
	g_autoptr(GError) error = NULL;
	uint16_t id;
	int err;

	if (!endpoint)
		return NULL;
	id = endpoint->id;
	patch.endpoint = endpoint_copy(endpoint);
	body = json_loadb(call->request->body, call->request->n_body_bytes, JSON_REJECT_DUPLICATES,
			  NULL);
	err = decode(&patch, body, &error);
	if (!err)
		err = apply(&patch, endpoint, &error);
	patch_fini(&patch);
	if (err) {
		rest_refuse_error(call, err, error);
		return NULL;
	}
	return (const struct endpoint *)table_get(call->agent->tables.endpoints, &id, sizeof(id));
}

void rest_endpoint_labels_patch(struct rest_call *call)
{
	const struct endpoint *endpoint = change(call, decode_label_body);

	if (endpoint)
		rest_reply(call, 200, endpoint_labels_to_json(call->agent, endpoint));
}

void rest_endpoint_config_patch(struct rest_call *call)
{
	const struct endpoint *endpoint = change(call, decode_config);

	if (endpoint)
		rest_reply(call, 200, endpoint_config_to_json(call->agent, endpoint));
}

/* ---- PATCH /endpoint/{id} ---- */

static int refuse_member(const char *name, GError **error)
{
	return error_set(error, EINVAL,
			 "%s cannot be changed: delete the endpoint and create it anew", name);
}

/* What makes the endpoint the one it is must be as it is, where it is given. */
static int check_same(const struct endpoint *endpoint,
		      const struct endpoint_change_request *request, GError **error)
{
	const struct {
		const char *name, *asked, *is;
	} texts[] = {
		{"container-id", request->container_id, endpoint->container_id},
		{"container-interface-name", request->container_interface_name,
		 endpoint->container_ifname},
		{"interface-name", request->interface_name, endpoint->host_ifname},
		{"k8s-namespace", request->k8s_namespace, endpoint->namespace},
		{"k8s-pod-name", request->k8s_pod_name, endpoint->pod_name},
		{"k8s-uid", request->k8s_uid, endpoint->pod_uid},
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(texts); i++)
		if (texts[i].asked && g_strcmp0(texts[i].asked, texts[i].is) != 0)
			return refuse_member(texts[i].name, error);
	if (request->id && request->id != endpoint->id)
		return refuse_member("id", error);
	if (request->interface_index && request->interface_index != endpoint->ifindex)
		return refuse_member("interface-index", error);
	if ((!addr_is_zero(&request->addr4) && !addr_equal(&request->addr4, &endpoint->addr4)) ||
	    (!addr_is_zero(&request->addr6) && !addr_equal(&request->addr6, &endpoint->addr6)))
		return refuse_member("addressing", error);
	return 0;
}

/* True where the text is given and another. */
static bool take_text(char **text, char **asked)
{
	if (!*asked || !g_strcmp0(*text, *asked))
		return false;
	g_free(*text);
	*text = g_steal_pointer(asked);
	return true;
}

static bool take_cookie(uint64_t *cookie, uint64_t asked)
{
	if (!asked || *cookie == asked)
		return false;
	*cookie = asked;
	return true;
}

static bool take_mac(struct mac *mac, const struct mac *asked)
{
	if (mac_is_zero(asked) || !memcmp(mac, asked, sizeof(*mac)))
		return false;
	*mac = *asked;
	return true;
}

/* Only true asks for something: who leaves the member out sends false. */
static bool take_source_verification(struct endpoint *copy, bool disable)
{
	uint8_t *option = &copy->options[ENDPOINT_OPTION_SOURCE_IP_VERIFICATION];

	if (!disable || *option == ENDPOINT_OPTION_OFF)
		return false;
	*option = ENDPOINT_OPTION_OFF;
	return true;
}

static bool take_changes(struct endpoint *copy, struct endpoint_change_request *request)
{
	bool changed = take_text(&copy->container_name, &request->container_name);

	changed |= take_text(&copy->netns, &request->container_netns_path);
	changed |= take_cookie(&copy->netns_cookie, request->netns_cookie);
	changed |= take_mac(&copy->mac, &request->mac);
	changed |= take_mac(&copy->host_mac, &request->host_mac);
	changed |= take_source_verification(copy, request->disable_source_verification);
	if (request->labels && request->labels != copy->runtime_labels) {
		label_set_unref(copy->runtime_labels);
		copy->runtime_labels = g_steal_pointer(&request->labels);
		changed = true;
	}
	return changed;
}

void rest_endpoint_patch(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);
	struct endpoint_change_request request = {0};
	g_autoptr(GError) error = NULL;
	struct endpoint *copy;
	int err;

	if (!endpoint)
		return;
	err = endpoint_change_request_decode(call->request->body, call->request->n_body_bytes,
					     &request, &error);
	if (!err)
		err = check_same(endpoint, &request, &error);
	copy = endpoint_copy(endpoint);
	if (!err && take_changes(copy, &request))
		err = endpoint_manager_replace(call->agent->endpoints, g_steal_pointer(&copy),
					       &error);
	if (copy)
		row_unref(&copy->row);
	endpoint_change_request_fini(&request);
	if (err)
		rest_refuse_error(call, err, error);
}

/* ---- regenerate ---- */

static void append_difference(const struct reconciler_difference *difference, void *data)
{
	json_array_append_new(data,
			      json_pack("{s:s, s:s, s:s*}", "object", difference->object, "was",
					difference->is_missing ? "missing" : "changed", "error",
					difference->error ? g_strerror(difference->error) : NULL));
}

void rest_endpoint_regenerate(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);
	json_t *differences;
	uint16_t id;
	int n_objects;

	if (!endpoint)
		return;
	id = endpoint->id;
	differences = json_array();
	n_objects = reconcilers_reapply_endpoint(call->agent->reconcilers, id, append_difference,
						 differences);
	if (n_objects < 0) {
		json_decref(differences);
		rest_refuse(call, 500, "reading the kernel: %s", g_strerror(-n_objects));
		return;
	}
	rest_reply(call, 200,
		   json_pack("{s:i, s:i, s:o}", "id", id, "objects", n_objects, "differences",
			     differences));
}
