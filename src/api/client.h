/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The REST API as functions, for the command line and whoever joins containers. Blocking.
 *
 * Each call returns 0 or −errno with the agent's own text in *error: −ECONNREFUSED: no agent
 * listens; −ECONNRESET: it died over the call; −EAGAIN: it is starting (503); −ETIMEDOUT; −EINVAL
 * (400); −EPERM (403); −ENOENT (404); −EEXIST (409); −EBUSY (429: try again); −ENOSPC (502: no
 * address left); −EIO (any other status); −EPROTO: the answer makes no sense.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "src/api/call.h"
#include "src/api/endpoint_request.h"
#include "src/base/error.h"
#include "src/model/addr.h"

struct api_client;

/* CILIUM_SOCK, else where an agent listens that is not told otherwise. */
const char *api_client_default_socket(void);
/* socket_path: plain, or with "unix://" in front. */
struct api_client *api_client_new(const char *socket_path);
void api_client_free(struct api_client *client);
/* For each of the following calls; 30 s when left alone. */
void api_client_set_timeout(struct api_client *client, int64_t timeout_ns);

/* One call, as it is: what the typed ones below are made of. */
struct api_client_request {
	enum api_call call;
	const char *arg;     /* in place of {…}; NULL where the path has none */
	const char *query;   /* encoded, without '?'; may be NULL */
	const char *headers; /* lines ending in "\r\n"; may be NULL */
	const char *body;    /* JSON; may be NULL */
};

/* ret_json may be NULL; else it is set to the answer, NULL where it is empty (json_decref). */
NODISCARD int api_client_call(struct api_client *client, const struct api_client_request *request,
			      json_t **ret_json, GError **error);

/* What whoever makes an endpoint's interfaces needs of GET /config. */
struct api_config {
	uint32_t device_mtu; /* of the endpoint's interface */
	uint32_t route_mtu;  /* of its default route; 0: the device's */
	struct addr router4; /* the gateway; zero: the family is off */
	struct addr router6;
};

NODISCARD int api_client_config_get(struct api_client *client, struct api_config *ret_config,
				    GError **error);

struct api_ipam_request {
	const struct addr *addr; /* this one and no other; NULL: the next of the family */
	const char *family;      /* "ipv4", "ipv6"; NULL: one of each that is on */
	const char *owner;       /* "namespace/pod" */
	const char *attachment;  /* "container-id:ifname": asked again, the same answer; or NULL */
	const char *pool;        /* NULL: "default" */
	bool expires; /* given back by itself unless an endpoint claims it with the uuid */
};

struct api_ipam_reply {
	struct addr addr4; /* zero: none */
	struct addr addr6;
	char *expiration_uuid4; /* NULL: does not expire */
	char *expiration_uuid6;
};

void api_ipam_reply_fini(struct api_ipam_reply *reply);
NODISCARD int api_client_ipam_allocate(struct api_client *client,
				       const struct api_ipam_request *request,
				       struct api_ipam_reply *ret_reply, GError **error);
NODISCARD int api_client_ipam_release(struct api_client *client, const struct addr *addr,
				      GError **error);

/*
 * Creates the endpoint; with sync_build_endpoint it is in force when this returns. ret_endpoint
 * (may be NULL): the Endpoint object.
 */
NODISCARD int api_client_endpoint_put(struct api_client *client,
				      const struct endpoint_change_request *request,
				      json_t **ret_endpoint, GError **error);
/* id: "5", "container-id:…", "cni-attachment-id:<container id>:<interface>", "pod-name:ns:name", …
 */
NODISCARD int api_client_endpoint_get(struct api_client *client, const char *id,
				      json_t **ret_endpoint, GError **error);
NODISCARD int api_client_endpoint_delete(struct api_client *client, const char *id, GError **error);
NODISCARD int api_client_endpoint_delete_by_container(struct api_client *client,
						      const char *container_id, GError **error);

/* StatusResponse. brief: only what a probe asks for. */
NODISCARD int api_client_status_get(struct api_client *client, bool brief, json_t **ret_status,
				    GError **error);
