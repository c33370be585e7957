/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/service_name.h"

#include "src/base/clock.h"
#include "src/cli/commands.h"
#include "src/cli/service_text.h"
#include "src/rpc/http_client.h"

/* Then it begins anew. */
#define NAMES_MAX 16384
/* For so long an answer is believed, also that there is none: events do not wait for it. */
#define BELIEF_NS  (5 * NSEC_PER_SEC)
#define TIMEOUT_NS (1 * NSEC_PER_SEC)

struct answer {
	char *name; /* NULL: nobody's */
	int64_t time_ns;
};

static void answer_free(gpointer data)
{
	struct answer *answer = data;

	g_free(answer->name);
	g_free(answer);
}

static char *ask(const char *frontend)
{
	g_autoptr(GString) query = g_string_new("frontend=");
	struct api_client_request request = {.call = API_SERVICE_LIST};
	json_auto_t *list = NULL;

	http_target_append(query, frontend);
	request.query = query->str;
	if (api_client_call(cli_api(), &request, &list, NULL) < 0)
		return NULL;
	return service_format_name(json_array_get(list, 0));
}

char *service_name_find(const char *frontend)
{
	static GHashTable *names; /* char * to struct answer */
	int64_t now_ns = clock_monotonic_ns();
	struct answer *answer;

	if (!names) {
		names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, answer_free);
		api_client_set_timeout(cli_api(), TIMEOUT_NS);
	}
	answer = g_hash_table_lookup(names, frontend);
	if (answer && now_ns - answer->time_ns < BELIEF_NS)
		return g_strdup(answer->name);
	if (g_hash_table_size(names) >= NAMES_MAX)
		g_hash_table_remove_all(names);
	answer = g_new(struct answer, 1);
	*answer = (struct answer){.name = ask(frontend), .time_ns = now_ns};
	g_hash_table_replace(names, g_strdup(frontend), answer);
	return g_strdup(answer->name);
}
