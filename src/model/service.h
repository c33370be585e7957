/* SPDX-License-Identifier: Apache-2.0 */
/* A Kubernetes Service, as its manifest says. */
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
