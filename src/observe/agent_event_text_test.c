/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/agent_event_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void check(uint64_t number, const char *json, const char *line, const char *object)
{
	g_autofree char *got = agent_event_format(number, json, strlen(json));
	json_auto_t *got_json = agent_event_to_json(number, json, strlen(json));
	json_auto_t *want_json = json_loads(object, 0, NULL);

	assert_string_equal(got, line);
	assert_non_null(want_json);
	assert_true(json_equal(got_json, want_json));
}

static void test_every_event(void **state)
{
	check(AGENT_EVENT_STARTED, "{\"time\":\"2026-01-02T03:04:05.000000006Z\"}",
	      ">> Cilium agent started: {\"time\":\"2026-01-02T03:04:05.000000006Z\"}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Cilium agent started\", "
	      "\"message\": {\"time\": \"2026-01-02T03:04:05.000000006Z\"}}");
	check(AGENT_EVENT_POLICY_UPDATED,
	      "{\"labels\":[\"k8s:a=b\"],\"revision\":3,\"rule_count\":1}",
	      ">> Policy updated: {\"labels\":[\"k8s:a=b\"],\"revision\":3,\"rule_count\":1}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Policy updated\", "
	      "\"message\": {\"labels\": [\"k8s:a=b\"], \"revision\": 3, \"rule_count\": 1}}");
	check(AGENT_EVENT_POLICY_DELETED, "{\"rule_count\":1}",
	      ">> Policy deleted: {\"rule_count\":1}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Policy deleted\", "
	      "\"message\": {\"rule_count\": 1}}");
	check(AGENT_EVENT_POLICY_OVERFLOW, "{\"rule-sets\":1}",
	      ">> Policy does not fit: {\"rule-sets\":1}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Policy does not fit\", "
	      "\"message\": {\"rule-sets\": 1}}");
	check(AGENT_EVENT_POLICY_FITS, "{\"rule-sets\":0}",
	      ">> Policy fits again: {\"rule-sets\":0}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Policy fits again\", "
	      "\"message\": {\"rule-sets\": 0}}");
	check(AGENT_EVENT_ENDPOINT_REGENERATE_SUCCESS, "{\"id\":7,\"labels\":[\"k8s:app=web\"]}",
	      ">> Endpoint regenerated: {\"id\":7,\"labels\":[\"k8s:app=web\"]}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Endpoint regenerated\", "
	      "\"message\": {\"id\": 7, \"labels\": [\"k8s:app=web\"]}}");
	check(AGENT_EVENT_ENDPOINT_REGENERATE_FAILURE,
	      "{\"id\":7,\"labels\":[],\"error\":\"route: File exists\"}",
	      ">> Failed endpoint regeneration: "
	      "{\"id\":7,\"labels\":[],\"error\":\"route: File exists\"}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Failed endpoint regeneration\", "
	      "\"message\": {\"id\": 7, \"labels\": [], \"error\": \"route: File exists\"}}");
	check(AGENT_EVENT_ENDPOINT_CREATED, "{}", ">> Endpoint created: {}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Endpoint created\", \"message\": {}}");
	check(AGENT_EVENT_ENDPOINT_DELETED, "{}", ">> Endpoint deleted: {}\n",
	      "{\"type\": \"agent\", \"subtype\": \"Endpoint deleted\", \"message\": {}}");
	check(AGENT_EVENT_IPCACHE_UPSERTED, "{\"cidr\":\"10.0.0.1/32\",\"id\":5,\"old-id\":4}",
	      ">> IPCache entry upserted: {\"cidr\":\"10.0.0.1/32\",\"id\":5,\"old-id\":4}\n",
	      "{\"type\": \"agent\", \"subtype\": \"IPCache entry upserted\", "
	      "\"message\": {\"cidr\": \"10.0.0.1/32\", \"id\": 5, \"old-id\": 4}}");
	check(AGENT_EVENT_IPCACHE_DELETED, "{}", ">> IPCache entry deleted: {}\n",
	      "{\"type\": \"agent\", \"subtype\": \"IPCache entry deleted\", \"message\": {}}");
}

/* Of a newer agent, or cut: still one line, still JSON. */
static void test_strange_ones(void **state)
{
	check(99, "{\"a\":\n1}", ">> unspecified: {\"a\": 1}\n",
	      "{\"type\": \"agent\", \"subtype\": \"unspecified\", \"message\": {\"a\": 1}}");
	check(AGENT_EVENT_ENDPOINT_CREATED, "", ">> Endpoint created: \n",
	      "{\"type\": \"agent\", \"subtype\": \"Endpoint created\", \"message\": null}");
	check(AGENT_EVENT_ENDPOINT_CREATED, "{\"id\":", ">> Endpoint created: {\"id\":\n",
	      "{\"type\": \"agent\", \"subtype\": \"Endpoint created\", \"message\": null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event),
		cmocka_unit_test(test_strange_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
