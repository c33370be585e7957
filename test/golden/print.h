/* SPDX-License-Identifier: Apache-2.0 */
/* The tables and what the fake kernel holds, as text that a person can review: sorted, one a line. */
#pragma once

#include "src/datapath/datapath.h"
#include "src/store/tables.h"

void print_state(GString *output, const struct tables *tables, struct datapath *datapath);
