/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/metrics_table.h"

#include <string.h>
#include "src/base/nearest.h"

#define ON     true
#define OFF    false
#define PREFIX "cilium_"

const struct metric_family metrics_table[AGENT_METRIC__MAX] = {
#define METRIC(name, type, labels, default, help) \
	[AGENT_METRIC_##name] = {PREFIX #name, METRIC_TYPE_##type, labels, default, help},
#include "src/agent/metric.def"
#undef METRIC
};

/* The name that the text may have meant, with or without the prefix; NULL: none is like it. */
static const char *find_near(const char *text)
{
	struct nearest nearest;

	nearest_init(&nearest, g_str_has_prefix(text, PREFIX) ? text + strlen(PREFIX) : text);
	for (int i = 0; i < AGENT_METRIC__MAX; i++)
		nearest_offer(&nearest, metrics_table[i].name + strlen(PREFIX));
	return nearest.best ? nearest.best - strlen(PREFIX) : NULL;
}

static int find(const char *name)
{
	for (int i = 0; i < AGENT_METRIC__MAX; i++)
		if (!strcmp(metrics_table[i].name, name))
			return i;
	return -1;
}

void metrics_table_select(char *const *words, bool ret_on[static AGENT_METRIC__MAX],
			  void (*unknown)(const char *word, const char *near, void *data),
			  void *data)
{
	for (int i = 0; i < AGENT_METRIC__MAX; i++)
		ret_on[i] = metrics_table[i].is_on;
	for (; words && *words; words++) {
		const char *name = *words + (**words == '+' || **words == '-');
		int i = name == *words ? -1 : find(name);

		if (i >= 0) {
			ret_on[i] = **words == '+';
			continue;
		}
		unknown(*words, find_near(name), data);
	}
}
