/* SPDX-License-Identifier: Apache-2.0 */
/* What can only be counted when it happens: rows that come, change and go. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/model/node.h"

struct node_events {
	uint64_t n_added;
	uint64_t n_updated;
	uint64_t n_deleted;
};

struct metrics_changes {
	struct tables *tables;
	GHashTable *nodes; /* char *: keys of those that have been counted as added */
	struct node_events node_manifests;
	struct node_events cilium_node_manifests;
	uint64_t n_ipcache_upserts;
	uint64_t n_ipcache_deletes;
};

static void count_node(struct metrics_changes *changes, const struct row_key *key)
{
	g_autofree char *text = g_strndup(key->data, key->n_bytes);
	struct node_events *events = g_str_has_prefix(text, "CiliumNode/")
					     ? &changes->cilium_node_manifests
					     : &changes->node_manifests;

	if (!table_get(changes->tables->nodes, key->data, key->n_bytes))
		events->n_deleted += g_hash_table_remove(changes->nodes, text);
	else if (g_hash_table_add(changes->nodes, g_strdup(text)))
		events->n_added++;
	else
		events->n_updated++;
}

static void on_nodes(struct watch *watch, void *data)
{
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		count_node(data, &key);
}

static void on_ipcache(struct watch *watch, void *data)
{
	struct metrics_changes *changes = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		if (table_get(table, key.data, key.n_bytes))
			changes->n_ipcache_upserts++;
		else
			changes->n_ipcache_deletes++;
}

struct metrics_changes *metrics_changes_new(struct store *store, struct tables *tables,
					    const bool *on)
{
	struct metrics_changes *changes = g_new0(struct metrics_changes, 1);

	changes->tables = tables;
	changes->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	watch_add(watch_new(store, "metrics-nodes", on_nodes, changes), tables->nodes);
	/* There may be a hundred thousand prefixes: nobody pays for what is switched off. */
	if (on[AGENT_METRIC_ipcache_events_total])
		watch_add(watch_new(store, "metrics-ipcache", on_ipcache, changes),
			  tables->ipcache);
	return changes;
}

void metrics_changes_free(struct metrics_changes *changes)
{
	if (!changes)
		return;
	g_hash_table_unref(changes->nodes);
	g_free(changes);
}

static void add_node_events(struct metric_set *set, const char *source,
			    const struct node_events *events)
{
	metric_set_add(set, AGENT_METRIC_nodes_all_events_received_total,
		       METRIC_LABELS("add", source), events->n_added);
	metric_set_add(set, AGENT_METRIC_nodes_all_events_received_total,
		       METRIC_LABELS("update", source), events->n_updated);
	metric_set_add(set, AGENT_METRIC_nodes_all_events_received_total,
		       METRIC_LABELS("delete", source), events->n_deleted);
}

void metrics_changes_collect(const struct metrics_changes *changes, struct metric_set *set)
{
	add_node_events(set, "kubernetes", &changes->node_manifests);
	add_node_events(set, "custom-resource", &changes->cilium_node_manifests);
	metric_set_add(set, AGENT_METRIC_ipcache_events_total, METRIC_LABELS("upsert"),
		       changes->n_ipcache_upserts);
	metric_set_add(set, AGENT_METRIC_ipcache_events_total, METRIC_LABELS("delete"),
		       changes->n_ipcache_deletes);
}
