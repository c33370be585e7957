/* SPDX-License-Identifier: Apache-2.0 */
/* A network namespace becomes an endpoint, and stops being one. */
#pragma once

#include "src/api/client.h"
#include "src/join/attachment.h"

struct join_request {
	int netns_fd;
	const char *netns_path; /* for people; may be NULL */
	struct attachment attachment;
	const char *container_name; /* may be NULL, as all texts below */
	const char *namespace;      /* of the pod */
	const char *pod_name;
	const char *pod_uid;
	const struct label_set *labels; /* given by the runtime */
	struct addr addr4;              /* wanted; zero: the next that is free */
	struct addr addr6;
	struct mac mac;      /* wanted; zero: a random one */
	uint32_t mtu;        /* wanted; 0: the agent's */
	int64_t patience_ns; /* how long an agent that restarts is waited for */
};

struct join_result {
	char host_ifname[IFNAMSIZ];
	struct mac host_mac;
	struct mac mac;
	struct addr addr4; /* zero: the family is off */
	struct addr addr6;
	struct addr router4;
	struct addr router6;
	uint32_t mtu;
	uint32_t route_mtu; /* 0: the device's */
};

/*
 * Makes interface, addresses, routes and endpoint; when this returns 0 the endpoint is in force. On
 * failure everything is undone: −EEXIST: the attachment is there already (and untouched), or the
 * interface's name or a wanted address is taken; −ENOSPC: no address left; −EAGAIN: the agent is away;
 * or whatever the kernel or the agent said.
 */
NODISCARD int join_netns(struct api_client *client, const struct join_request *request,
			 struct join_result *ret_result, GError **error);

/*
 * Removes endpoint, addresses and interface; what is gone already is no error. While the agent is away
 * its part is left in the delete queue in queue_directory, for the agent to do when it starts.
 */
NODISCARD int join_leave(struct api_client *client, const char *queue_directory,
			 const struct attachment *attachment, GError **error);
