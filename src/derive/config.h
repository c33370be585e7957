/* SPDX-License-Identifier: Apache-2.0 */
/* What of the configuration the derivations look at. Borrowed; nothing changes while they run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "abi/lb.h"
#include "src/base/error.h"
#include "src/model/addr.h"
#include "src/model/policy.h"

/* Pod CIDRs where neither a manifest nor an option names one. */
#define DERIVE_DEFAULT_RANGE4 "10.244.0.0/16"
#define DERIVE_DEFAULT_RANGE6 "fd00:10:244::/64"

enum policy_mode {
	POLICY_MODE_DEFAULT, /* where a policy with default deny selects the endpoint */
	POLICY_MODE_ALWAYS,  /* everywhere */
	POLICY_MODE_NEVER,   /* nowhere, and no policy counts */
};

/* bpf-lb-acceleration: whether services are also handled by XDP programs on the node's devices. */
enum lb_acceleration {
	LB_ACCELERATION_DISABLED,
	LB_ACCELERATION_NATIVE,      /* by the driver; a device whose driver cannot is a failure */
	LB_ACCELERATION_BEST_EFFORT, /* by the driver where it can */
	LB_ACCELERATION_GENERIC,     /* by the kernel in the driver's place: "testing-only" */
};

/* How answers of back ends on other nodes come back to a client outside. */
enum lb_mode {
	LB_MODE_SNAT,
	LB_MODE_DSR,
	LB_MODE_HYBRID,     /* TCP as DSR, the rest as SNAT */
	LB_MODE_ANNOTATION, /* SNAT, unless a service says something else */
};

/* A number that the programs know a zone by. */
struct lb_zone {
	const char *name;
	uint8_t number; /* from 1 */
};

struct derive_config {
	const char *node_name;
	const char *cluster_name;
	const char *const *label_patterns; /* of the key labels; NULL or empty: the built-in list */
	const char *const *devices;        /* names and wildcards; NULL or empty: detected */
	const char *const *masquerade_interfaces; /* as devices; NULL or empty: all node devices */
	bool enable_ipv4;
	bool enable_ipv6;
	bool enable_node_labels; /* in the identities of nodes; those of node_label_patterns */
	const char *const *node_label_patterns; /* NULL or empty: all */
	bool cidrs_match_nodes;                 /* prefixes of policies select nodes too */
	bool prefer_node_cidrs; /* ipam=kubernetes: the Node's pod CIDRs before the CiliumNode's */
	struct cidr ipv4_range; /* pod CIDR where no manifest names one */
	struct cidr ipv6_range;
	bool enable_masquerade4;
	bool enable_masquerade6;
	const GArray *native_cidrs4; /* struct cidr, not masqueraded; NULL: the pod CIDRs */
	const GArray *native_cidrs6;
	bool enable_endpoint_routes;
	enum lb_acceleration lb_acceleration;
	bool enable_host_legacy_routing;
	bool enable_socket_lb;      /* sockets are translated where they connect and send */
	bool socket_lb_hostns_only; /* … only the node's own */
	bool protect_node_ports;    /* bind() to a port of a service is refused */
	enum policy_mode policy_mode;
	bool policy_audit;            /* what would be denied is reported and goes on */
	bool allow_localhost;         /* the host reaches its endpoints, unless a rule denies it */
	bool enforce_init;            /* endpoints without labels, as if a policy selected them */
	bool enable_host_firewall;    /* policies of nodes count */
	bool enable_non_default_deny; /* a policy may select without denying what it does not allow */
	bool enable_policy_kind[POLICY_KIND__MAX];
	/* Services. */
	bool enable_node_port; /* node ports, and addresses of load balancers */
	bool enable_external_ips;
	bool enable_host_port;
	bool enable_local_redirect;
	bool enable_service_topology;
	bool enable_internal_traffic_policy;
	bool external_cluster_ip;     /* clients outside may use cluster IPs */
	bool source_range_all_types;  /* source ranges count for all front ends of a service */
	bool lb_algorithm_annotation; /* a service may choose its algorithm */
	bool lb_mode_annotation;      /* … and its mode */
	enum lb_algorithm lb_algorithm;
	enum lb_mode lb_mode;
	uint16_t node_port_min; /* both included; no host port may be there */
	uint16_t node_port_max;
	const GArray *node_port_cidrs; /* struct cidr: which node addresses; NULL: of the devices */
	const GArray *lb_zones;        /* struct lb_zone; NULL: none */
	const GArray
		*redirect_cidrs; /* struct cidr: what a redirect may take by address; NULL: all */
	bool ignore_session_affinity;
	bool ignore_source_ranges;
	const char *service_proxy_name; /* of the services that are ours; NULL or "": without */
};
