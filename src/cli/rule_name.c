/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/rule_name.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/cli/commands.h"
#include "src/cli/json_get.h"

/* Then it begins anew: policies come and go while somebody listens. */
#define NAMES_MAX 16384
/* What the agent does not know, or no agent tells, is asked for so often: events do not wait for it. */
#define RETRY_INTERVAL_NS (1 * NSEC_PER_SEC)
#define TIMEOUT_NS        (1 * NSEC_PER_SEC)

static char *ask(uint32_t number)
{
	g_autofree char *query = g_strdup_printf("rule=%u", number);
	const struct api_client_request request = {.call = API_POLICY_RULES, .query = query};
	g_autofree char *policy = NULL;
	json_auto_t *answer = NULL;
	const json_t *rule;
	char *slash;

	if (api_client_call(cli_api(), &request, &answer, NULL) < 0)
		return NULL;
	rule = json_array_get(answer, 0);
	policy = g_strdup(json_get_text(rule, "policy", NULL));
	slash = strchr(policy, '/');
	if (slash)
		*slash = ' ';
	return g_strdup_printf("%s %s", policy, json_get_text(rule, "path", NULL));
}

char *rule_name_find(uint32_t number)
{
	static GHashTable *names;
	static uint32_t missed;
	static int64_t missed_ns;
	char *name;

	if (!names) {
		names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
		api_client_set_timeout(cli_api(), TIMEOUT_NS);
	}
	name = g_hash_table_lookup(names, GUINT_TO_POINTER(number));
	if (name)
		return g_strdup(name);
	if (missed == number && clock_monotonic_ns() - missed_ns < RETRY_INTERVAL_NS)
		return NULL;
	name = ask(number);
	if (!name) {
		missed = number;
		missed_ns = clock_monotonic_ns();
		return NULL;
	}
	if (g_hash_table_size(names) >= NAMES_MAX)
		g_hash_table_remove_all(names);
	g_hash_table_insert(names, GUINT_TO_POINTER(number), name);
	return g_strdup(name);
}
