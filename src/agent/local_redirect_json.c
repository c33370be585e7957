/* SPDX-License-Identifier: Apache-2.0 */
/* Local redirects, as Cilium lists them: what each policy takes over, and who is behind it now. */
#include "src/agent/service_json.h"

#include <string.h>
#include "src/agent/agent.h"
#include "src/derive/lb_draft.h"
#include "src/model/local_redirect.h"
#include "src/model/pod.h"

/* Pods by their addresses; keys and rows are borrowed from the table. */
static bool index_pod(const struct row *row, void *pods)
{
	const struct pod *pod = (const struct pod *)row;

	if (pod->host_network)
		return true;
	if (!addr_is_zero(&pod->addr4))
		g_hash_table_insert(pods, (gpointer)&pod->addr4, (gpointer)pod);
	if (!addr_is_zero(&pod->addr6))
		g_hash_table_insert(pods, (gpointer)&pod->addr6, (gpointer)pod);
	return true;
}

static guint hash_addr(gconstpointer key)
{
	guint32 words[4];

	memcpy(words, key, sizeof(words));
	return words[0] ^ words[1] * 31 ^ words[2] * 961 ^ words[3] * 29791;
}

static gboolean equal_addrs(gconstpointer a, gconstpointer b)
{
	return addr_equal(a, b);
}

static bool add_policy(const struct row *row, void *data)
{
	g_ptr_array_add(data, (gpointer)row);
	return true;
}

static int compare_policies(gconstpointer a, gconstpointer b)
{
	const struct local_redirect *left = *(struct local_redirect *const *)a;
	const struct local_redirect *right = *(struct local_redirect *const *)b;

	return strcmp(left->meta.key, right->meta.key);
}

/* Cilium's words. */
static const char *frontend_type(const struct local_redirect *policy)
{
	bool by_address = !policy->service;
	unsigned int n_ports = policy->frontend_ports ? policy->frontend_ports->len : 0;

	if (!n_ports)
		return "clusterIP + all svc ports";
	if (n_ports > 1)
		return by_address ? "IP + named ports" : "clusterIP + named ports";
	return by_address ? "IP + port" : "clusterIP + port";
}

struct mappings {
	const struct local_redirect *policy;
	GHashTable *pods;
	json_t *list;
};

static json_t *backends_to_json(const struct mappings *mappings, const struct lb_service *service)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_BYTES];

	for (uint32_t i = 0; i < service->n_backends; i++) {
		const struct lb_plan_backend *backend = &service->backends[i];
		const struct pod *pod = g_hash_table_lookup(mappings->pods, &backend->addr);

		json_array_append_new(list, json_pack("{s:s, s:{s:s, s:i}}", "pod-id",
						      pod ? pod->meta.key : "", "backend-address",
						      "ip", addr_format(&backend->addr, text),
						      "port", backend->port));
	}
	return list;
}

static bool add_mapping(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;
	struct mappings *mappings = data;
	char text[ADDR_TEXT_BYTES];

	if (lb_owner_kind_of(service->key) != LB_OWNER_REDIRECT ||
	    g_strcmp0(service->name, mappings->policy->meta.name) ||
	    g_strcmp0(service->namespace, mappings->policy->meta.namespace))
		return true;
	for (unsigned int i = 0; i < service->n_frontends; i++) {
		const struct lb_plan_frontend *frontend = &service->frontends[i];

		if (frontend->flags & LB_FRONTEND_F_WILDCARD)
			continue;
		json_array_append_new(mappings->list,
				      json_pack("{s:{s:s, s:i, s:s}, s:o}", "frontend-address",
						"ip", addr_format(&frontend->addr, text), "port",
						frontend->port, "protocol",
						service->protocol == IPPROTO_UDP ? "UDP" : "TCP",
						"backends", backends_to_json(mappings, service)));
	}
	return true;
}

static json_t *policy_to_lrp(const struct agent *agent, const struct local_redirect *policy,
			     GHashTable *pods)
{
	struct mappings mappings = {.policy = policy, .pods = pods, .list = json_array()};
	const char *namespace = policy->meta.namespace;
	g_autofree char *service =
		policy->service ? g_strdup_printf("%s/%s", namespace, policy->service) : NULL;
	json_t *json;

	table_foreach (agent->tables.lb_services, add_mapping, &mappings)
		;
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", policy->meta.name, "namespace",
			 namespace, "lrp-type", service ? "svc" : "addr", "frontend-type",
			 frontend_type(policy), "service-id", service ? service : "",
			 "frontend-mappings", mappings.list);
	if (policy->meta.uid)
		json_object_set_new(json, "uid", json_string(policy->meta.uid));
	return json;
}

json_t *local_redirects_to_json(const struct agent *agent)
{
	g_autoptr(GHashTable) pods = g_hash_table_new(hash_addr, equal_addrs);
	g_autoptr(GPtrArray) policies = g_ptr_array_new();
	json_t *list = json_array();

	table_foreach (agent->tables.local_redirects, add_policy, policies)
		;
	if (policies->len)
		table_foreach (agent->tables.pods, index_pod, pods)
			;
	g_ptr_array_sort(policies, compare_policies);
	for (unsigned int i = 0; i < policies->len; i++)
		json_array_append_new(list, policy_to_lrp(agent, policies->pdata[i], pods));
	return list;
}
