/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/explain_agent.h"

#include <errno.h>
#include <stdio.h>
#include "src/cli/commands.h"

static GHashTable *answers; /* text of the question to json_t; NULL in it: not known */
static bool is_silent;      /* nobody answers */

static bool is_refusal(int err)
{
	return err == -ENOENT || err == -EINVAL;
}

const json_t *explain_agent_ask(enum api_call call, const char *arg, const char *query, void *data)
{
	const struct api_client_request request = {.call = call, .arg = arg, .query = query};
	g_autofree char *question =
		g_strdup_printf("%d %s %s", call, arg ? arg : "", query ? query : "");
	json_t *answer = NULL;
	GError *error = NULL;
	int err;

	if (!answers)
		answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
						(GDestroyNotify)json_decref);
	if (g_hash_table_lookup_extended(answers, question, NULL, (void **)&answer))
		return answer;
	if (is_silent)
		return NULL;
	err = api_client_call(cli_api(), &request, &answer, &error);
	if (err < 0 && !is_refusal(err)) {
		is_silent = true;
		fprintf(stderr, "Names, policies and labels are not known: %s\n", error->message);
	}
	g_clear_error(&error);
	g_hash_table_insert(answers, g_steal_pointer(&question), answer);
	return answer;
}
