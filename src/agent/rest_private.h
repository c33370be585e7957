/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the REST API share. */
#pragma once

#include <jansson.h>
#include "src/agent/rest.h"
#include "src/derive/ipam.h"
#include "src/model/identity.h"

struct rest_call {
	struct agent *agent;
	const struct http_request *request;
	const char *arg; /* what stands for {…} in the path; NULL where there is nothing */
	struct http_response *response;
};

/* rest_healthz_get() and its siblings: one a row of call.def. */
#define API_CALL(name, handler, method, path, what) void rest_##handler(struct rest_call *call);
#include "src/api/call.def"
#undef API_CALL

/* Takes the caller's reference to json. */
void rest_reply(struct rest_call *call, unsigned int status, json_t *json);
/* An error's body is its text as a JSON string. */
void rest_refuse(struct rest_call *call, unsigned int status, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* As rest_refuse, with the status that an errno stands for: 404 for −ENOENT, … */
void rest_refuse_error(struct rest_call *call, int err, const GError *error);
/* Whether a header of the request says "true"; one that is missing says "false". False after the refusal. */
bool rest_get_flag(struct rest_call *call, const char *header, bool *ret_on);

/* False after the refusal: with bpf-lb-only the node has no endpoints. */
bool rest_has_endpoints(struct rest_call *call);

/*
 * The labels of ?labels=k8s:app=web,k8s:tier=x, or of the JSON list that Cilium's client sends as the
 * body; *ret_labels is NULL where the request names none. −EINVAL.
 */
NODISCARD int rest_parse_labels(const struct http_request *request,
				const struct label_set **ret_labels, GError **error);

/* The endpoint that call->arg names, or NULL after the refusal. */
const struct endpoint *rest_find_endpoint(struct rest_call *call);
/* A JSON list of at most 1024 labels that name gives in messages. −EINVAL. */
NODISCARD int rest_decode_labels(const json_t *list, const char *name,
				 const struct label_set **ret_labels, GError **error);

/* The JSON objects of Cilium's API, from rows. */
json_t *endpoint_to_json(const struct agent *agent, const struct endpoint *endpoint);
/* All, or those that have all of the labels, in the order of their ids. */
json_t *endpoints_to_json(const struct agent *agent, const struct label_set *labels);
json_t *endpoint_health_to_json(const struct agent *agent, const struct endpoint *endpoint);
json_t *endpoint_labels_to_json(const struct agent *agent, const struct endpoint *endpoint);
json_t *endpoint_config_to_json(const struct agent *agent, const struct endpoint *endpoint);
/* EndpointStatusLog: the newest first, n_max entries at most. */
json_t *endpoint_log_to_json(const struct agent *agent, const struct endpoint *endpoint,
			     unsigned int n_max);
json_t *identity_to_json(const struct identity *identity);
json_t *labels_to_json(const struct label_set *set);
/* Policy: the rules in force, or, unless labels is NULL, those that have all of the labels. */
json_t *policy_to_json(const struct agent *agent, const struct label_set *labels);
/* {waiting: [change], runtime: [{key, value}], error}: where what is configured is not in force. */
json_t *config_pending_to_json(const struct agent *agent);
/* {"ipv4": {enabled, ip, alloc-range}, "ipv6": …} of this node. */
json_t *node_addressing_to_json(const struct agent *agent);
/* NodeElements: this node first, then those that manifests name. */
json_t *nodes_to_json(const struct agent *agent);
/* "cluster/node" of this node; g_free. */
char *node_full_name(const struct agent *agent);
