/* SPDX-License-Identifier: Apache-2.0 */
/* Pods of this node, for host ports and local redirects: what runs, and at which address. */
#pragma once

#include "src/derive/lb_draft.h"
#include "src/derive/lb_node.h"
#include "src/model/endpoint_slice.h"
#include "src/model/pod.h"

struct lb_pods;

struct lb_local_pod {
	const struct pod *pod;
	struct addr addr4; /* zero: none */
	struct addr addr6;
	uint16_t endpoint_id; /* 0: it has no endpoint */
};

/* Before the first row is put. changed: the pod of the key is another one, or gone. */
struct lb_pods *lb_pods_new(const struct tables *tables, const struct derive_config *config,
			    void (*changed)(const char *pod_key, void *data), void *data);
void lb_pods_free(struct lb_pods *pods); /* takes NULL */
/* The row of the key in the tables pods or endpoints is another one, or gone. */
void lb_pods_update_pod(struct lb_pods *pods, const struct row_key *key);
void lb_pods_update_endpoint(struct lb_pods *pods, const struct row_key *key);
/* False where the pod is none of this node, or has ended. */
bool lb_pods_get(const struct lb_pods *pods, const char *pod_key, struct lb_local_pod *ret_pod);
/* In no order. */
void lb_pods_foreach(const struct lb_pods *pods,
		     void (*fn)(const struct lb_local_pod *pod, void *data), void *data);

/*
 * The host ports of a pod: adds struct lb_draft. What is refused is said in problems (char *): a sentence that
 * names the pod and what to do.
 */
void lb_pod_derive(const struct lb_pods *pods, const struct lb_node *node, const char *pod_key,
		   GPtrArray *drafts, GPtrArray *problems);
/* Adds the pod to the back ends; nothing where it has no address of the family. False then. */
bool lb_pod_add_backend(const struct lb_node *node, const struct lb_local_pod *pod, uint16_t port,
			bool v4, struct lb_draft *draft);
