/* SPDX-License-Identifier: Apache-2.0 */
/* Services as texts: a line for each row, each of its front ends, its source ranges and its back ends. */
#pragma once

#include <glib.h>
#include "src/store/tables.h"

/* Append lines, to be sorted. */
void print_lb_services(const struct tables *tables, GPtrArray *lines);
