/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of load balancing: one row for each port of a Service, each host port and each local redirect,
 * in one address family. What abi/lb.h calls a service. Numbers (of services, front ends, back ends) are the
 * kernel's business: the reconciler gives them and keeps them.
 */
#pragma once

#include <glib.h>
#include "abi/lb.h"
#include "src/base/row.h"
#include "src/model/addr.h"

struct lb_plan_frontend {
	struct addr addr;
	uint16_t port;  /* host byte order; 0: LB_FRONTEND_F_WILDCARD */
	uint16_t flags; /* LB_FRONTEND_F_* */
	uint8_t type;   /* enum lb_type */
	uint32_t id;    /* that whoever made the service wants; 0: any */
};

struct lb_plan_backend {
	struct addr addr;
	uint16_t port;
	uint16_t weight;
	uint8_t state;         /* enum lb_backend_state */
	uint8_t flags;         /* LB_BACKEND_F_* */
	uint8_t zone;          /* struct lb_backend.zone: of the table of zones; 0: none */
	bool preferred;        /* by topology: shown by `service list` */
	const char *node;      /* interned; NULL: not known */
	const char *zone_name; /* interned; NULL: not known */
};

/*
 * Key: "<namespace>/<name>:<port>/<PROTOCOL>/<4 or 6>", of host ports "hostport/…", of local redirects
 * "redirect/…", of those made by `cilium service update` "request/…". One allocation: what the pointers
 * name stands behind the structure.
 */
struct lb_service {
	struct row row;
	char *key;
	const char *namespace;     /* interned; NULL: made by hand */
	const char *name;          /* interned; of the Service, the Pod or the policy */
	const char *port_name;     /* interned; NULL: none */
	uint32_t affinity_timeout; /* seconds; 0: none */
	uint32_t n_source_ranges;
	uint32_t n_backends;
	uint16_t n_frontends;
	uint16_t health_check_node_port;
	uint8_t protocol;
	uint8_t algorithm;                        /* enum lb_algorithm */
	bool external_local, internal_local;      /* traffic policies, to be shown */
	bool needs_maglev;                        /* some front end chooses by a table */
	const struct lb_plan_frontend *frontends; /* sorted by address and port */
	const struct lb_plan_backend *backends;   /* sorted by address and port, no two alike */
	const struct cidr *source_ranges;         /* as cidr_compare() has it, no two alike */
};

extern const struct row_class lb_service_class;

/*
 * A row with copies of all that is given; of what fields names, the arrays and their numbers, the texts (which
 * are interned once more) and the rest.
 */
struct lb_service *lb_service_new(const char *key, const struct lb_service *fields);
/* Texts of Cilium: "ClusterIP", "NodePort", …; "active", "terminating", … */
const char *lb_type_name(enum lb_type type);
const char *lb_backend_state_name(enum lb_backend_state state);
/* Append the names of the flags that are set, "external": behind first the first one, behind next the others. */
void lb_frontend_append_flags(GString *text, uint16_t flags, const char *first, const char *next);
void lb_backend_append_flags(GString *text, uint8_t flags, const char *first, const char *next);
