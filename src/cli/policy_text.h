/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent answers about policies, as text. */
#pragma once

#include <stdbool.h>
#include <glib.h>
#include <jansson.h>

/* The table of policy selectors, from the answer of GET /policy/selectors. verbose: all labels. */
void policy_append_selectors(GString *table, const json_t *selectors, bool verbose);
/* The table of policy list, from the answer of GET /policy/status. */
void policy_append_list(GString *table, const json_t *status);
/*
 * Below it, a line for each note and each problem of those policies: "CiliumNetworkPolicy/default/web:
 * warning: spec.ingress[0]: … (web.yaml:12)".
 */
void policy_append_notes(GString *text, const json_t *status);
