/* SPDX-License-Identifier: Apache-2.0 */
/* What the numbers of rules stand for, in events. */
#pragma once

#include <stdint.h>

/*
 * "CiliumNetworkPolicy default/web spec.ingress[0]"; NULL where no agent answers or knows the number. g_free.
 * A number stands for the same rule for ever: the agent is asked once for each.
 */
char *rule_name_find(uint32_t number);
