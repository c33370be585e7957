/* SPDX-License-Identifier: Apache-2.0 */
/* A node of the cluster: from a Node and a CiliumNode of the same name, or from the configuration.
 */
#pragma once

#include "src/model/addr.h"
#include "src/model/object.h"

enum node_address_type {
	NODE_ADDRESS_HOSTNAME, /* not an address; skipped */
	NODE_ADDRESS_INTERNAL,
	NODE_ADDRESS_EXTERNAL,
	NODE_ADDRESS_CILIUM_INTERNAL, /* of cilium_host: the endpoints' gateway */
};

struct node_address {
	enum node_address_type type;
	struct addr addr;
};

/* One row for each object: key "Node/<name>" or "CiliumNode/<name>"; CiliumNode is the stronger. */
struct node {
	struct row row;
	struct object_meta meta; /* meta.key is "<kind>/<name>" */
	GArray *addresses;       /* struct node_address */
	GArray *pod_cidrs;       /* struct cidr, in the order of the manifest */
};

extern const struct row_class node_class;

/* A node of kind "Node" or "CiliumNode" without addresses and prefixes. */
struct node *node_new(const char *kind, const char *name);
