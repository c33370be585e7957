/* SPDX-License-Identifier: Apache-2.0 */
/* Rule sets as texts. Open ones, which no policy selects endpoints of, are left out. */
#pragma once

#include <glib.h>
#include "src/store/tables.h"

/* Append lines, to be sorted. */
void print_policy_rule_sets(const struct tables *tables, GPtrArray *lines);
void print_policy_origins(const struct tables *tables, GPtrArray *lines);
