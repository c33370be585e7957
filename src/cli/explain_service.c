/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/explain_service.h"

#include <string.h>
#include "abi/drop.h"
#include "src/cli/json_get.h"
#include "src/cli/service_text.h"
#include "src/model/connection_text.h"

/* NOBODY is "refused" where another reason than want of a back end dropped the packet. */
static const char *const states[] = {
	[EXPLAIN_SERVICE_KEPT] = "kept",     [EXPLAIN_SERVICE_CHOSEN] = "chosen",
	[EXPLAIN_SERVICE_NOBODY] = "nobody", [EXPLAIN_SERVICE_TOLD] = "told",
	[EXPLAIN_SERVICE_ANSWER] = "answer",
};

/* Borrowed; NULL: the agent knows none. */
static const json_t *find_service(const char *frontend, const struct explain_agent *agent)
{
	g_autofree char *encoded = g_uri_escape_string(frontend, ":", FALSE);
	g_autofree char *query = g_strdup_printf("frontend=%s", encoded);

	return json_array_get(agent->ask(API_SERVICE_LIST, NULL, query, agent->data), 0);
}

char *explain_service_at_socket(const struct addr *addr, __be16 port,
				const struct explain_agent *agent)
{
	g_autofree char *frontend = connection_format_end(addr, port);
	g_autofree char *name = NULL;
	const json_t *service;

	if (!json_is_true(json_get(agent->ask(API_HEALTHZ_GET, NULL, NULL, agent->data),
				   "kube-proxy-replacement", "features", "socketLB", "enabled",
				   NULL)))
		return NULL;
	service = find_service(frontend, agent);
	if (!service)
		return NULL;
	name = service_format_name(service);
	return g_strdup_printf("%s is the service%s%s: sockets of the host connect to one of its "
			       "back ends at once, so that no packet goes there; ask about a back "
			       "end, which \"cilium service list\" shows",
			       frontend, name ? " " : "", name ? name : "");
}

json_t *explain_service_to_json(const struct explain *explain, const struct explain_agent *agent)
{
	g_autofree char *frontend = NULL, *backend = NULL, *name = NULL;
	bool is_refused;
	json_t *json;

	if (explain->service >= G_N_ELEMENTS(states) || !states[explain->service])
		return NULL;
	frontend = connection_format_end(&explain->frontend_addr, explain->frontend_port);
	is_refused = explain->service == EXPLAIN_SERVICE_NOBODY &&
		     explain->drop_reason != DROP_SERVICE_BACKEND_NOT_FOUND;
	json = json_pack("{s:s, s:s, s:b, s:b, s:b}", "state",
			 is_refused ? "refused" : states[explain->service], "frontend", frontend,
			 "loopback", explain->service_is_loopback, "direct",
			 explain->service_is_direct, "rejected", explain->service_is_rejected);
	if (explain->backend_port) {
		backend = connection_format_end(&explain->backend_addr, explain->backend_port);
		json_object_set_new(json, "backend", json_string(backend));
		json_object_set_new(json, "backend-id", json_integer(explain->backend));
	}
	name = service_format_name(find_service(frontend, agent));
	if (name)
		json_object_set_new(json, "name", json_string(name));
	return json;
}

static void append_way(GString *text, const json_t *service)
{
	if (json_is_true(json_get(service, "loopback", NULL)))
		g_string_append(text, ", which is the sender itself");
	if (json_is_true(json_get(service, "direct", NULL)))
		g_string_append(text, "; its node answers the client directly");
}

char *explain_service_text(const json_t *service)
{
	const char *state = json_get_text(service, "state", NULL);
	const char *name = json_get_text(service, "name", NULL);
	const char *backend = json_get_text(service, "backend", NULL);
	g_autofree char *who = g_strdup_printf("%s%s%s", name, *name ? " " : "",
					       json_get_text(service, "frontend", NULL));
	GString *text = g_string_new(NULL);

	if (!strcmp(state, "kept"))
		g_string_printf(text, "%s: its connection has the back end %s", who, backend);
	else if (!strcmp(state, "chosen"))
		g_string_printf(text, "%s: would go to the back end %s", who, backend);
	else if (!strcmp(state, "nobody"))
		g_string_printf(text, "%s: has no back end for this sender, who %s", who,
				json_is_true(json_get(service, "rejected", NULL))
					? "is told so at once"
					: "is told nothing");
	else if (!strcmp(state, "refused"))
		g_string_printf(text, "%s: does not take this packet", who);
	else if (!strcmp(state, "told"))
		g_string_printf(text, "%s: to the back end of a connection through it", who);
	else if (!strcmp(state, "answer"))
		g_string_printf(text, "%s: an answer of it, which leaves from there", who);
	append_way(text, service);
	if (!strcmp(state, "chosen"))
		g_string_append(text, "; another connection perhaps to another");
	return g_string_free(text, !text->len);
}
