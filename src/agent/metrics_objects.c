/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, identities, addresses and nodes, as the tables have them. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/model/identity.h"
#include "src/model/node.h"

/* Sources of labels are whatever runtimes and manifests make up. */
#define LABEL_SOURCES_MAX 16

struct endpoint_count {
	const struct endpoint_manager *manager;
	unsigned int n_in[ENDPOINT_PHASE__MAX];
	uint32_t max_ifindex;
};

static bool count_endpoint(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct endpoint_count *count = data;

	count->n_in[endpoint_manager_get_phase(count->manager, endpoint->id)]++;
	count->max_ifindex = MAX(count->max_ifindex, endpoint->ifindex);
	return true;
}

static void add_endpoints(const struct agent *agent, struct metric_set *set)
{
	struct endpoint_count count = {.manager = agent->endpoints};

	table_foreach (agent->tables.endpoints, count_endpoint, &count)
		;
	metric_set_add(set, AGENT_METRIC_endpoint, METRIC_NO_LABELS,
		       table_n_rows(agent->tables.endpoints));
	metric_set_add(set, AGENT_METRIC_endpoint_max_ifindex, METRIC_NO_LABELS, count.max_ifindex);
	for (enum endpoint_phase phase = 0; phase < ENDPOINT_PHASE__MAX; phase++)
		metric_set_add(set, AGENT_METRIC_endpoint_state,
			       METRIC_LABELS(endpoint_phase_name(phase)), count.n_in[phase]);
}

static void add_creations(const struct agent *agent, struct metric_set *set)
{
	const struct endpoint_manager_statistics *statistics =
		endpoint_manager_get_statistics(agent->endpoints);

	metric_set_add(set, AGENT_METRIC_endpoint_regenerations_total, METRIC_LABELS("success"),
		       statistics->n_created);
	metric_set_add(set, AGENT_METRIC_endpoint_regenerations_total, METRIC_LABELS("fail"),
		       statistics->n_refused);
	metric_set_add_histogram(set, AGENT_METRIC_endpoint_regeneration_time_stats_seconds,
				 METRIC_LABELS("total", "success"), &statistics->created_times);
	metric_set_add_histogram(set, AGENT_METRIC_endpoint_regeneration_time_stats_seconds,
				 METRIC_LABELS("total", "fail"), &statistics->refused_times);
}

struct identity_count {
	unsigned int n_reserved;
	unsigned int n[IDENTITY_SCOPE__MAX];
	GHashTable *sources; /* text, which lives as long as the rows, to its number */
	unsigned int n_other;
};

/* Once for each source, however many labels it has given. */
static bool is_first_of_source(const struct label_set *labels, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!strcmp(label_set_get(labels, j)->source, label_set_get(labels, i)->source))
			return false;
	return true;
}

static void count_sources(struct identity_count *count, const struct label_set *labels)
{
	bool has_other = false;

	for (size_t i = 0; i < label_set_n(labels); i++) {
		const char *source = label_set_get(labels, i)->source;
		unsigned int n = GPOINTER_TO_UINT(g_hash_table_lookup(count->sources, source));

		if (!is_first_of_source(labels, i))
			continue;
		if (n || g_hash_table_size(count->sources) < LABEL_SOURCES_MAX)
			g_hash_table_insert(count->sources, (char *)source,
					    GUINT_TO_POINTER(n + 1));
		else
			has_other = true;
	}
	count->n_other += has_other;
}

static bool count_identity(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;
	struct identity_count *count = data;
	enum identity_scope scope;

	if (identity_find_scope(identity->number, &scope))
		count->n[scope]++;
	else
		count->n_reserved++;
	count_sources(count, identity->labels);
	return true;
}

static void add_identities(const struct agent *agent, struct metric_set *set)
{
	static const char *const types[IDENTITY_SCOPE__MAX] = {
		[IDENTITY_SCOPE_LABELS] = "cluster_local",
		[IDENTITY_SCOPE_PREFIX] = "node_local",
		[IDENTITY_SCOPE_NODE] = "remote_node",
	};
	struct identity_count count = {.sources = g_hash_table_new(g_str_hash, g_str_equal)};
	GHashTableIter iter;
	void *source, *n;

	table_foreach (agent->tables.identities, count_identity, &count)
		;
	metric_set_add(set, AGENT_METRIC_identity, METRIC_LABELS("reserved"), count.n_reserved);
	for (int scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		metric_set_add(set, AGENT_METRIC_identity, METRIC_LABELS(types[scope]),
			       count.n[scope]);
	/* A source that is called so itself. */
	n = g_hash_table_lookup(count.sources, "other");
	if (count.n_other) {
		g_hash_table_insert(count.sources, (char *)"other",
				    GUINT_TO_POINTER(GPOINTER_TO_UINT(n) + count.n_other));
	}
	g_hash_table_iter_init(&iter, count.sources);
	while (g_hash_table_iter_next(&iter, &source, &n))
		metric_set_add(set, AGENT_METRIC_identity_label_sources, METRIC_LABELS(source),
			       GPOINTER_TO_UINT(n));
	g_hash_table_unref(count.sources);
}

struct address_count {
	unsigned int n4;
	unsigned int n6;
};

static bool count_address(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct address_count *count = data;

	if (!allocation->released_ns)
		(*(addr_is_v4(&allocation->addr) ? &count->n4 : &count->n6))++;
	return true;
}

static void add_family(const struct agent *agent, struct metric_set *set, bool v4, unsigned int n)
{
	g_autoptr(GArray) pools = ipam_get_pools(&agent->tables, &agent->derive_config, v4);
	const struct ipam_statistics statistics = ipam_get_statistics(agent->ipam);
	const struct ipam_family_count *count = v4 ? &statistics.ipv4 : &statistics.ipv6;
	const char *family = v4 ? "ipv4" : "ipv6";

	metric_set_add(set, AGENT_METRIC_ip_addresses, METRIC_LABELS(family), n);
	metric_set_add(set, AGENT_METRIC_ipam_capacity, METRIC_LABELS(family),
		       ipam_n_addresses(pools));
	metric_set_add(set, AGENT_METRIC_ipam_events_total, METRIC_LABELS("allocate", family),
		       count->n_allocated);
	metric_set_add(set, AGENT_METRIC_ipam_events_total, METRIC_LABELS("release", family),
		       count->n_released);
}

static void add_addresses(const struct agent *agent, struct metric_set *set)
{
	struct address_count count = {0};

	table_foreach (agent->tables.ip_allocations, count_address, &count)
		;
	if (agent->settings->enable_ipv4)
		add_family(agent, set, true, count.n4);
	if (agent->settings->enable_ipv6)
		add_family(agent, set, false, count.n6);
}

static bool note_node(const struct row *row, void *data)
{
	g_hash_table_add(data, (char *)((const struct node *)row)->meta.name);
	return true;
}

static void add_nodes(const struct agent *agent, struct metric_set *set)
{
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

	g_hash_table_add(names, agent->settings->node_name);
	table_foreach (agent->tables.nodes, note_node, names)
		;
	metric_set_add(set, AGENT_METRIC_nodes_all_num, METRIC_NO_LABELS, g_hash_table_size(names));
}

void metrics_collect_objects(struct metrics *metrics, struct metric_set *set)
{
	const struct agent *agent = metrics->agent;

	add_endpoints(agent, set);
	add_creations(agent, set);
	add_identities(agent, set);
	add_addresses(agent, set);
	add_nodes(agent, set);
}
