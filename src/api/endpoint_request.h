/* SPDX-License-Identifier: Apache-2.0 */
/* EndpointChangeRequest: what whoever joins a container tells the agent with PUT /endpoint/{id}. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"
#include "src/model/addr.h"
#include "src/model/label.h"

/* Texts are NULL where they were not given. */
struct endpoint_change_request {
	uint16_t id; /* 0: the agent chooses */
	char *container_id;
	char *container_name;
	char *container_interface_name;
	char *container_netns_path;
	char *k8s_namespace;
	char *k8s_pod_name;
	char *k8s_uid;
	char *interface_name;     /* the host's side */
	uint32_t interface_index; /* 0: not given */
	struct mac mac;           /* zero: not given */
	struct mac host_mac;
	struct addr addr4; /* zero: none */
	struct addr addr6;
	char *expiration_uuid4; /* of the allocation that addr4 came from */
	char *expiration_uuid6;
	uint64_t netns_cookie; /* of the network namespace, as BPF programs see it; 0: not given */
	const struct label_set *labels; /* given by the runtime; NULL is the same as empty */
	bool sync_build_endpoint;       /* answer when the endpoint is in force */
	/* What it sends from addresses that are not its own goes out. */
	bool disable_source_verification;
};

void endpoint_change_request_fini(struct endpoint_change_request *request);

/*
 * Decodes the JSON of a request. −EINVAL with *error naming each bad member. A member that asks for
 * something this agent does not do is refused unless its value says "no".
 */
NODISCARD int endpoint_change_request_decode(const char *body, size_t n_bytes,
					     struct endpoint_change_request *ret_request,
					     GError **error);
/* The JSON of a request; g_free. */
char *endpoint_change_request_encode(const struct endpoint_change_request *request);
