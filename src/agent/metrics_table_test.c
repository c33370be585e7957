/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/metrics_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void note(const char *word, const char *near, void *data)
{
	g_string_append_printf(data, "%s: %s; ", word, near ? near : "(none)");
}

/* Switches as words say. The text of what was not understood is for g_free. */
static char *select_metrics(const char *words, bool on[static AGENT_METRIC__MAX])
{
	g_auto(GStrv) list = g_strsplit(words, " ", -1);
	GString *unknown = g_string_new(NULL);

	metrics_table_select(list, on, note, unknown);
	return g_string_free(unknown, FALSE);
}

static void rows_make_sense(void **state)
{
	for (int i = 0; i < AGENT_METRIC__MAX; i++) {
		const struct metric_family *family = &metrics_table[i];
		g_auto(GStrv) labels = g_strsplit(family->labels, ",", -1);

		assert_true(g_str_has_prefix(family->name, "cilium_"));
		assert_true(strlen(family->help) > 0);
		assert_true(g_strv_length(labels) <= METRIC_LABELS_MAX);
		assert_int_equal(g_str_has_suffix(family->name, "_total"),
				 family->type == METRIC_TYPE_COUNTER);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(family->name, metrics_table[j].name);
	}
}

static void the_default_is_the_column(void **state)
{
	bool on[AGENT_METRIC__MAX];

	metrics_table_select(NULL, on, note, NULL);
	for (int i = 0; i < AGENT_METRIC__MAX; i++)
		assert_int_equal(on[i], metrics_table[i].is_on);
	assert_true(on[AGENT_METRIC_endpoint]);
	assert_false(on[AGENT_METRIC_ipcache_events_total]);
}

static void words_switch(void **state)
{
	bool on[AGENT_METRIC__MAX];
	g_autofree char *unknown = select_metrics(
		"+cilium_ipcache_events_total -cilium_endpoint -cilium_version +cilium_version",
		on);

	assert_string_equal(unknown, "");
	assert_true(on[AGENT_METRIC_ipcache_events_total]);
	assert_false(on[AGENT_METRIC_endpoint]);
	assert_true(on[AGENT_METRIC_version]);
	assert_true(on[AGENT_METRIC_endpoint_state]);
}

static void says_what_was_meant(void **state)
{
	bool on[AGENT_METRIC__MAX];
	g_autofree char *unknown = select_metrics(
		"+cilium_ipcache_event_total +endpoint cilium_version + nothing_like_it", on);

	assert_string_equal(unknown, "+cilium_ipcache_event_total: cilium_ipcache_events_total; "
				     "+endpoint: cilium_endpoint; cilium_version: cilium_version; "
				     "+: (none); nothing_like_it: (none); ");
	assert_false(on[AGENT_METRIC_ipcache_events_total]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_make_sense),
		cmocka_unit_test(the_default_is_the_column),
		cmocka_unit_test(words_switch),
		cmocka_unit_test(says_what_was_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
