/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of cilium_host follow the node's pod CIDRs while the agent runs. Endpoints keep working
 * with the gateway that they were given: whatever they ask the way to, the datapath answers.
 */
#pragma once

#include "src/agent/ipam.h"
#include "src/base/controller.h"
#include "src/datapath/datapath.h"
#include "src/derive/derive.h"

struct router;

/* All borrowed. */
struct router_parts {
	struct store *store;
	struct tables *tables;
	struct ipam *ipam;
	struct derive *derive;
	struct datapath *datapath;
	struct controller *controller;
	struct datapath_config *config; /* in force: its router4 and router6 are kept true */
};

/* After the datapath is loaded, and before the reconcilers are made. */
struct router *router_new(const struct router_parts *parts);
/* Tries again what failed. */
void router_retry(struct router *router);
void router_free(struct router *router); /* takes NULL */
