/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's tables. A folder that needs one includes this and the header of the noun. */
#pragma once

#include "src/store/table.h"

struct tables {
	/* From sources. */
	struct table *namespaces;        /* struct namespace */
	struct table *nodes;             /* struct node */
	struct table *pods;              /* struct pod */
	struct table *source_problems;   /* struct source_problem */
	struct table *masquerade_ranges; /* struct masquerade_range; of ip-masq-agent's file */
	struct table *policies;          /* struct policy */
	struct table *cidr_groups;       /* struct cidr_group */
	struct table *services;          /* struct service */
	struct table *endpoint_slices;   /* struct endpoint_slice; of Endpoints too */
	struct table *local_redirects;   /* struct local_redirect */
	/* From whoever asks for services by hand, kept on disk; and from the agent's probes. */
	struct table *service_requests; /* struct service_request */
	struct table *backend_health;   /* struct backend_health */
	/* From the kernel. */
	struct table *devices; /* struct device */
	/* From whoever joins containers, and kept on disk. */
	struct table *endpoints;      /* struct endpoint */
	struct table *ip_allocations; /* struct ip_allocation */
	/* Derived. */
	struct table *identities;      /* struct identity; kept on disk */
	struct table *endpoint_states; /* struct endpoint_state */
	struct table *ipcache;         /* struct ipcache_entry */
	/* Rows of policies and cidr_groups whose prefixes the kernel knows; the version before until then. */
	struct table *active_policies;    /* struct policy */
	struct table *active_cidr_groups; /* struct cidr_group */
	struct table *rule_origins;       /* struct rule_origin */
	/* The plan. */
	struct table *plan_map_entries;  /* struct plan_map_entry */
	struct table *plan_attachments;  /* struct plan_attachment */
	struct table *plan_routes;       /* struct plan_route */
	struct table *lb_services;       /* struct lb_service */
	struct table *rule_sets;         /* struct rule_set */
	struct table *endpoint_policies; /* struct endpoint_policy */
};

/* Makes the store and its tables. */
struct store *tables_new(struct tables *ret_tables);
