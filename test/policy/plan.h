/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent makes of a world: its whole brain, from the texts of manifests to the plan, on the fake
 * kernel. The plan is asked as the programs ask it: whose address is it, what does the rule set say of
 * that identity, what does the class say of the port.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "abi/policy.h"

struct plan;

struct plan *plan_new(const json_t *world);
void plan_free(struct plan *plan); /* takes NULL */
/* Only what differs from the world before reaches the agent. The configuration stays the first one's. */
void plan_update(struct plan *plan, const json_t *world);
/* The first thing that the agent would not accept; NULL: nothing. Free with g_free. */
char *plan_get_problem(const struct plan *plan);
/* The identity of an address, as the ipcache gives it; of "reserved:health" its number. 0: none. */
uint32_t plan_get_identity(const struct plan *plan, const char *party);
/* endpoint: index in the world's endpoints; -1: the host. */
struct policy_leaf plan_judge(const struct plan *plan, int endpoint,
			      enum policy_direction direction, uint32_t identity, uint8_t protocol,
			      uint16_t port);
/* "CiliumNetworkPolicy/default/web spec.ingress[0]" of a rule's number. NULL: not known. g_free. */
char *plan_get_rule(const struct plan *plan, uint32_t number);
