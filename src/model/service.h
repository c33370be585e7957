/* SPDX-License-Identifier: Apache-2.0 */
/* A Kubernetes Service, and the addresses behind it, as their manifests say. */
#pragma once

#include <stdint.h>
#include "src/model/addr.h"
#include "src/model/object.h"
#include "src/model/selector.h"

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME,
};

/* What the annotation service.cilium.io/type keeps of a service's front ends. */
enum service_exposure {
	SERVICE_EXPOSE_ALL = 0, /* no annotation */
	SERVICE_EXPOSE_CLUSTER_IP,
	SERVICE_EXPOSE_NODE_PORT,
	SERVICE_EXPOSE_LOAD_BALANCER,
};

enum service_choice { /* 0: not said, as the node is configured */
	SERVICE_CHOICE_RANDOM = 1,
	SERVICE_CHOICE_MAGLEV = 2,
};

enum service_forwarding { /* 0: not said */
	SERVICE_FORWARDING_SNAT = 1,
	SERVICE_FORWARDING_DSR = 2,
};

enum service_distribution { /* spec.trafficDistribution, or topology annotations */
	SERVICE_DISTRIBUTION_ANY = 0,
	SERVICE_DISTRIBUTION_HINTS,     /* topology-mode: Auto */
	SERVICE_DISTRIBUTION_SAME_ZONE, /* PreferClose, PreferSameZone */
	SERVICE_DISTRIBUTION_SAME_NODE, /* PreferSameNode */
};

enum service_delegation { /* service.cilium.io/proxy-delegation */
	SERVICE_DELEGATE_NONE = 0,
	SERVICE_DELEGATE_IF_LOCAL,
};

struct service_port {
	const char *name; /* interned; NULL: the only one, without a name */
	uint8_t protocol; /* IPPROTO_TCP, _UDP or _SCTP */
	uint16_t port;
	uint16_t node_port; /* 0: none; of NodePort and LoadBalancer alone */
};

/* Annotations axoneme.io/health-check…: whether the agent asks the back ends itself. */
enum health_probe {
	HEALTH_PROBE_NONE = 0,
	HEALTH_PROBE_TCP,
	HEALTH_PROBE_HTTP,
};

struct service_health {
	enum health_probe probe;
	const char *path;     /* interned; of HTTP */
	uint32_t interval_ms; /* between two probes of a back end */
	uint32_t timeout_ms;
	uint8_t n_fail;    /* failures in a row until it is quarantined */
	uint8_t n_recover; /* successes until it is back */
};

/* Key: "namespace/name". Arrays are NULL where they would be empty. */
struct service {
	struct row row;
	struct object_meta meta;
	/* label_set_text() of source k8s: few ask. NULL: none, its endpoints are made by hand. */
	char *selector;
	GArray *ports;         /* struct service_port */
	GArray *cluster_ips;   /* struct addr; NULL too where headless */
	GArray *external_ips;  /* struct addr */
	GArray *ingress_ips;   /* struct addr: status.loadBalancer, but for ipMode: Proxy */
	GArray *source_ranges; /* struct cidr */
	struct service_health *health;
	const struct selector *node_selector; /* service.cilium.io/node-selector; NULL: all nodes */
	const char *node;                /* interned: service.cilium.io/node; NULL: all nodes */
	uint32_t affinity_timeout;       /* seconds; 0: no affinity */
	uint16_t health_check_node_port; /* as it is written; 0: none */
	uint8_t type;                    /* enum service_type */
	uint8_t exposure;                /* enum service_exposure */
	uint8_t choice;                  /* enum service_choice */
	uint8_t forwarding;              /* enum service_forwarding */
	uint8_t distribution;            /* enum service_distribution */
	uint8_t delegation;              /* enum service_delegation */
	bool external_local;             /* externalTrafficPolicy: Local */
	bool internal_local;
	bool deny_ranges; /* source_ranges name who may not */
	bool publish_not_ready;
	bool headless; /* clusterIP: None: it wants no front end */
};

extern const struct row_class service_class;

/* Appends a copy. All come before service_share(). */
void service_add_port(struct service *service, const struct service_port *port);
/* Equal ports and source ranges are one array from here on: most services have the port 80. */
void service_share(struct service *service);

#define SLICE_ENDPOINT_READY       0x01
#define SLICE_ENDPOINT_SERVING     0x02
#define SLICE_ENDPOINT_TERMINATING 0x04

/* What says nothing of a weight has this one, as in Cilium. */
#define SLICE_DEFAULT_WEIGHT 100

struct slice_endpoint {
	struct addr addr;
	const char *node;  /* interned; NULL: not said */
	const char *zone;  /* interned; NULL: not said */
	const char *zones; /* hints.forZones: interned ",a,b,"; NULL: no hints */
	const char *nodes; /* hints.forNodes, likewise */
	uint16_t weight;   /* axoneme.io/weight; 0: maintenance */
	uint16_t group;    /* it has the ports of this group */
	uint8_t flags;     /* SLICE_ENDPOINT_* */
};

struct packed_endpoint;

struct slice_port {
	const char *name; /* interned; NULL: without a name */
	uint8_t protocol;
	uint16_t port;  /* 0: all, which no service uses */
	uint16_t group; /* of an Endpoints object: its subset; of an EndpointSlice all are 0 */
};

/*
 * One row for an EndpointSlice or an Endpoints object. Key: "<Kind>/<namespace>/<name>". It keeps no labels, for
 * nobody asks: what they say is in service.
 */
struct endpoint_slice {
	struct row row;
	struct object_meta meta;
	const char
		*service; /* interned: the name of the service in the same namespace; may be NULL */
	GArray *ports;    /* struct slice_port */
	struct packed_endpoint *endpoints; /* in the order of the manifest; endpoint_slice_get() */
	unsigned int n_endpoints;
};

extern const struct row_class endpoint_slice_class;

/* Without endpoints and ports, of a new row; service may be NULL. Returns the row. */
struct endpoint_slice *endpoint_slice_init(struct endpoint_slice *slice, const char *service);
/* Append copies. */
void endpoint_slice_add(struct endpoint_slice *slice, const struct slice_endpoint *endpoint);
void endpoint_slice_add_port(struct endpoint_slice *slice, const struct slice_port *port);

/* By value: a slice keeps them smaller. The texts live as long as the slice. */
struct slice_endpoint endpoint_slice_get(const struct endpoint_slice *slice, unsigned int i);
void endpoint_slice_set_weight(struct endpoint_slice *slice, unsigned int i, uint16_t weight);

/* When all is added: equal ports are one array from here on. */
void endpoint_slice_share(struct endpoint_slice *slice);

/* Appends the addresses of those that serve, or will; also what is to end and still answers: struct addr. */
void endpoint_slice_get_addrs(const struct endpoint_slice *slice, GArray *addrs);
