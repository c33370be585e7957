/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/metrics_table.h"

#include <string.h>

#define ON  true
#define OFF false
/* Names that a mistyped one may have meant. */
#define N_NEAR 3
/* Words are compared up to this length. */
#define NAME_MAX_BYTES 128

const struct metric_family metrics_table[AGENT_METRIC__MAX] = {
#define METRIC(name, type, labels, default, help) \
	[AGENT_METRIC_##name] = {"cilium_" #name, METRIC_TYPE_##type, labels, default, help},
#include "src/agent/metric.def"
#undef METRIC
};

/* How many characters have to be put in, left out or replaced to make b of a. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_BYTES + 1], n_b = MIN(strlen(b), NAME_MAX_BYTES);

	for (unsigned int j = 0; j <= n_b; j++)
		row[j] = j;
	for (unsigned int i = 0; a[i] && i < NAME_MAX_BYTES; i++) {
		unsigned int diagonal = row[0];

		row[0] = i + 1;
		for (unsigned int j = 0; j < n_b; j++) {
			unsigned int replaced = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = MIN(replaced, MIN(row[j], row[j + 1]) + 1);
		}
	}
	return row[n_b];
}

/* Free with g_free; NULL: no name is like it. */
static char *find_near(const char *name)
{
	g_autofree char *full = g_str_has_prefix(name, "cilium_")
					? g_strdup(name)
					: g_strconcat("cilium_", name, NULL);
	unsigned int limit = MAX(strlen(full) / 4, 2);
	g_autoptr(GString) near = g_string_new(NULL);
	unsigned int n = 0;

	for (unsigned int of = 0; of <= limit && n < N_NEAR; of++)
		for (unsigned int i = 0; i < AGENT_METRIC__MAX && n < N_NEAR; i++)
			if (distance(full, metrics_table[i].name) == of)
				g_string_append_printf(near, "%s%s", n++ ? ", " : "",
						       metrics_table[i].name);
	return n ? g_strdup(near->str) : NULL;
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
		g_autofree char *near = NULL;
		int i = name == *words ? -1 : find(name);

		if (i >= 0) {
			ret_on[i] = **words == '+';
			continue;
		}
		near = find_near(name);
		unknown(*words, near, data);
	}
}
