/* SPDX-License-Identifier: Apache-2.0 */
/* /endpoint and what is below it. */
#include "src/agent/endpoint_log.h"
#include "src/agent/queued_delete.h"
#include "src/agent/rest_private.h"

#include <string.h>
#include "src/api/endpoint_request.h"

const struct endpoint *rest_find_endpoint(struct rest_call *call)
{
	const struct endpoint *endpoint = NULL;
	g_autoptr(GError) error = NULL;
	int err = endpoint_manager_find(call->agent->endpoints, call->arg, &endpoint, &error);

	if (err < 0) {
		rest_refuse_error(call, err, error);
		return NULL;
	}
	return endpoint;
}

void rest_endpoint_get(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);

	if (endpoint)
		rest_reply(call, 200, endpoint_to_json(call->agent, endpoint));
}

void rest_endpoint_health_get(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);

	if (endpoint)
		rest_reply(call, 200, endpoint_health_to_json(call->agent, endpoint));
}

void rest_endpoint_labels_get(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);

	if (endpoint)
		rest_reply(call, 200, endpoint_labels_to_json(call->agent, endpoint));
}

void rest_endpoint_config_get(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);

	if (endpoint)
		rest_reply(call, 200, endpoint_config_to_json(call->agent, endpoint));
}

void rest_endpoint_log_get(struct rest_call *call)
{
	const struct endpoint *endpoint = rest_find_endpoint(call);

	if (endpoint)
		rest_reply(call, 200,
			   endpoint_log_to_json(call->agent, endpoint, ENDPOINT_LOG_MAX));
}

/* ---- list ---- */

struct endpoint_filter {
	const struct agent *agent;
	const struct label_set *labels; /* all of these; NULL: any */
	GPtrArray *endpoints;
};

static bool has_labels(const struct endpoint_filter *filter, const struct endpoint *endpoint)
{
	const struct endpoint_state *state = (const struct endpoint_state *)table_get(
		filter->agent->tables.endpoint_states, &endpoint->id, sizeof(endpoint->id));

	for (size_t i = 0; i < label_set_n(filter->labels); i++) {
		const struct label *label = label_set_get(filter->labels, i);
		bool any_source =
			g_str_equal(label->source, "any") || g_str_equal(label->source, "unspec");
		const char *value =
			state ? label_set_find(state->labels, any_source ? NULL : label->source,
					       label->key)
			      : NULL;

		if (!value || !g_str_equal(value, label->value))
			return false;
	}
	return true;
}

static bool add_endpoint(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct endpoint_filter *filter = data;

	if (!filter->labels || has_labels(filter, endpoint))
		g_ptr_array_add(filter->endpoints, (void *)endpoint);
	return true;
}

static int compare_endpoints(const void *a, const void *b)
{
	const struct endpoint *left = *(struct endpoint *const *)a;
	const struct endpoint *right = *(struct endpoint *const *)b;

	return (left->id > right->id) - (left->id < right->id);
}

json_t *endpoints_to_json(const struct agent *agent, const struct label_set *labels)
{
	struct endpoint_filter filter = {
		.agent = agent,
		.labels = labels,
		.endpoints = g_ptr_array_new(),
	};
	json_t *list = json_array();

	table_foreach (agent->tables.endpoints, add_endpoint, &filter)
		;
	g_ptr_array_sort(filter.endpoints, compare_endpoints);
	for (size_t i = 0; i < filter.endpoints->len; i++)
		json_array_append_new(
			list, endpoint_to_json(agent, g_ptr_array_index(filter.endpoints, i)));
	g_ptr_array_unref(filter.endpoints);
	return list;
}

void rest_endpoint_list(struct rest_call *call)
{
	const struct label_set *labels = NULL;
	g_autoptr(GError) error = NULL;
	json_t *list;
	int err = rest_parse_labels(call->request, &labels, &error);

	if (err < 0) {
		rest_refuse_error(call, err, error);
		return;
	}
	list = endpoints_to_json(call->agent, labels);
	/* As Cilium: a selection that selects nothing is not found. */
	if (labels && !json_array_size(list)) {
		json_decref(list);
		rest_refuse(call, 404,
			    "no endpoint has all of these labels: see \"cilium endpoint list\"");
	} else {
		rest_reply(call, 200, list);
	}
	label_set_unref(labels);
}

/* ---- create ---- */

/* Everything of the request moves to the new row. */
static struct endpoint *endpoint_from_request(struct endpoint_change_request *request)
{
	struct endpoint *endpoint = endpoint_new();

	endpoint->id = request->id;
	endpoint->container_id = g_steal_pointer(&request->container_id);
	endpoint->container_name = g_steal_pointer(&request->container_name);
	endpoint->container_ifname = g_steal_pointer(&request->container_interface_name);
	endpoint->netns = g_steal_pointer(&request->container_netns_path);
	endpoint->netns_cookie = request->netns_cookie;
	endpoint->namespace = g_steal_pointer(&request->k8s_namespace);
	endpoint->pod_name = g_steal_pointer(&request->k8s_pod_name);
	endpoint->pod_uid = g_steal_pointer(&request->k8s_uid);
	if (request->labels) {
		label_set_unref(endpoint->runtime_labels);
		endpoint->runtime_labels = g_steal_pointer(&request->labels);
	}
	endpoint->host_ifname = g_steal_pointer(&request->interface_name);
	endpoint->ifindex = request->interface_index;
	endpoint->mac = request->mac;
	endpoint->host_mac = request->host_mac;
	endpoint->addr4 = request->addr4;
	endpoint->addr6 = request->addr6;
	if (request->disable_source_verification)
		endpoint->options[ENDPOINT_OPTION_SOURCE_IP_VERIFICATION] = ENDPOINT_OPTION_OFF;
	return endpoint;
}

/*
 * The endpoint is in force when the answer is sent, whether or not sync-build-endpoint asks for it:
 * nothing here takes long enough to make anybody wait separately.
 */
void rest_endpoint_put(struct rest_call *call)
{
	struct endpoint_change_request request = {0};
	const struct endpoint *endpoint = NULL;
	g_autoptr(GError) error = NULL;
	guint64 id;
	int err;

	if (!rest_has_endpoints(call))
		return;
	err = endpoint_change_request_decode(call->request->body, call->request->n_body_bytes,
					     &request, &error);
	if (err < 0) {
		rest_refuse_error(call, err, error);
		return;
	}
	if (!g_ascii_string_to_unsigned(call->arg, 10, 0, UINT16_MAX, &id, NULL) &&
	    !(g_str_has_prefix(call->arg, "cilium-local:") &&
	      g_ascii_string_to_unsigned(call->arg + strlen("cilium-local:"), 10, 0, UINT16_MAX,
					 &id, NULL))) {
		rest_refuse(call, 400, "endpoint id \"%s\": expected 0..65535; 0 chooses one",
			    call->arg);
	} else if (request.id && id != request.id) {
		rest_refuse(call, 400, "id is %u in the body and %u in the path", request.id,
			    (unsigned int)id);
	} else {
		request.id = id;
		/* A DEL that nobody heard meant what was before this. */
		queued_delete_run(call->agent->endpoints, call->agent->settings->socket_path,
				  call->agent->delete_queue);
		err = endpoint_manager_create(call->agent->endpoints,
					      endpoint_from_request(&request), &endpoint, &error);
		if (err < 0)
			rest_refuse_error(call, err, error);
		else
			rest_reply(call, 201, endpoint_to_json(call->agent, endpoint));
	}
	endpoint_change_request_fini(&request);
}

/* ---- remove ---- */

void rest_endpoint_delete(struct rest_call *call)
{
	g_autoptr(GError) error = NULL;
	int err = endpoint_manager_delete_named(call->agent->endpoints, call->arg, &error);

	if (err < 0)
		rest_refuse_error(call, err, error);
}

void rest_endpoint_delete_many(struct rest_call *call)
{
	json_auto_t *body = json_loadb(call->request->body, call->request->n_body_bytes, 0, NULL);
	const char *container_id = json_string_value(json_object_get(body, "container-id"));
	g_autoptr(GError) error = NULL;
	int n_deleted;

	if (!container_id || !*container_id) {
		rest_refuse(call, 400, "the body has no container-id");
		return;
	}
	n_deleted = endpoint_manager_delete_container(call->agent->endpoints, container_id, &error);
	if (n_deleted < 0)
		rest_refuse_error(call, n_deleted, error);
	else if (!n_deleted)
		rest_refuse(call, 404, "no endpoint has container-id %s", container_id);
}
