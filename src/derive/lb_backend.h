/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends of a port of a service, and which of them take new connections. */
#pragma once

#include "src/derive/lb_draft.h"
#include "src/derive/lb_node.h"
#include "src/model/endpoint_slice.h"
#include "src/model/service.h"

/* How a back end that takes part is to be treated; the better first. */
enum lb_backend_rank {
	LB_BACKEND_READY,    /* takes connections */
	LB_BACKEND_DRAINING, /* ends and still serves: takes them while nobody is ready */
	LB_BACKEND_IDLE,     /* keeps the connections that it has */
};

struct lb_choice {
	enum lb_backend_rank rank;
	bool is_sick; /* the agent's probes fail */
	bool is_near; /* topology prefers it, or does not count */
};

/*
 * Says of each back end (struct lb_plan_backend, whose flags say whether it is of this node) by LB_BACKEND_F_IN_ALL
 * and _IN_LOCAL whether new connections go to it. choices: struct lb_choice, one each. needs_local: some front end
 * serves by back ends of this node alone.
 */
void lb_backends_choose(GArray *backends, const GArray *choices, bool needs_local);

/* What lb_backends_add() looks at, beside the service. */
struct lb_backend_source {
	const struct lb_node *node;
	const struct derive_config *config;
	const struct table *backend_health;
	const GPtrArray *slices; /* struct endpoint_slice: those of the service */
};

/* Adds the back ends of the port in the family to the draft, sorted, and chooses. */
void lb_backends_add(struct lb_draft *draft, const struct lb_backend_source *source,
		     const struct service *service, const struct service_port *port, bool v4);
