/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active health checks: asks the back ends of services that want it (axoneme.io/health-check) whether they live, and
 * keeps in backend_health those that do not. Only ports of TCP are asked, from the host's network, each back end once
 * for each service that it is behind; one that ends anyway is not asked. What was down for the agent before stays
 * so until it answers; everything else counts as healthy until it has failed.
 */
#pragma once

#include <uv.h>
#include "src/base/controller.h"
#include "src/store/tables.h"

struct backend_probes;

struct backend_probes_parts {
	uv_loop_t *loop;
	struct store *store;
	const struct tables *tables;
	/* Of the probes as such: it fails where none can be sent, not where a back end is down. */
	struct controller *controller;
	/*
	 * backend_health has changed: to be kept. Not more often than once a second. False: it was not possible, and is
	 * tried again in three seconds. May be NULL.
	 */
	bool (*save)(void *data);
	void *data;
};

struct backend_probes_counts {
	unsigned int n_targets;
	unsigned int n_down;
	uint64_t n_good, n_bad; /* probes that have ended */
};

/*
 * Watches services and lb_services from now on, so it comes behind the derivations. Rows that are in backend_health
 * already are those of the agent before; what nobody asks about goes with the first change.
 */
struct backend_probes *backend_probes_new(const struct backend_probes_parts *parts);
/* Ends all probes. Before the store; memory goes when the loop has run. Takes NULL. */
void backend_probes_free(struct backend_probes *probes);
/* Takes NULL. */
struct backend_probes_counts backend_probes_get_counts(const struct backend_probes *probes);
