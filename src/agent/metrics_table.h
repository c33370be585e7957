/* SPDX-License-Identifier: Apache-2.0 */
/* The table of metric.def, and which of its rows the key metrics switches on and off. */
#pragma once

#include <stdbool.h>
#include "src/base/metric.h"

enum agent_metric {
#define METRIC(name, type, labels, default, help) AGENT_METRIC_##name,
#include "src/agent/metric.def"
#undef METRIC
	AGENT_METRIC__MAX,
};

extern const struct metric_family metrics_table[AGENT_METRIC__MAX];

/*
 * words: "+name" and "-name", names with the prefix; a later word outranks an earlier one. unknown is
 * called for each word that is neither, with the name that is most like it, or NULL.
 */
void metrics_table_select(char *const *words, bool ret_on[static AGENT_METRIC__MAX],
			  void (*unknown)(const char *word, const char *near, void *data),
			  void *data);
