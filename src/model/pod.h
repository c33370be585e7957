/* SPDX-License-Identifier: Apache-2.0 */
/* A Kubernetes Pod: what the node needs of it. */
#pragma once

#include "src/model/addr.h"
#include "src/model/object.h"

struct pod_port {
	const char *name; /* interned */
	uint8_t protocol; /* IPPROTO_TCP, _UDP or _SCTP */
	uint16_t number;
};

/* What reaches the port through an address of its node. */
struct pod_host_port {
	struct addr addr; /* hostIP; zero: all of the node */
	uint8_t protocol;
	uint16_t port;   /* of the node */
	uint16_t number; /* of the pod */
};

struct pod {
	struct row row;
	struct object_meta meta;
	const char *node_name;       /* interned; NULL where not scheduled, or not said */
	const char *service_account; /* interned; NULL: "default" */
	bool host_network;           /* it has no endpoint of its own */
	/* While it runs, as its status says; zero: none. */
	struct addr addr4;
	struct addr addr6;
	struct addr host;   /* the node's */
	GArray *ports;      /* struct pod_port, of its containers, that have a name; NULL: none */
	GArray *host_ports; /* struct pod_host_port; NULL: none, as with the network of the host */
	bool ready;         /* as its condition says; without a status it is */
	bool terminating;   /* somebody deleted it */
	bool ended;         /* it succeeded or failed, for good */
};

extern const struct row_class pod_class;

void pod_add_port(struct pod *pod, const char *name, uint8_t protocol, uint16_t number);
void pod_add_host_port(struct pod *pod, const struct pod_host_port *port);
/* Pods of one template have the same ports: from here on they share them, and none may be added. */
void pod_share_ports(struct pod *pod);
