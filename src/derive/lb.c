// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_private.h"

#include <string.h>
#include "src/derive/lb_redirect.h"
#include "src/derive/lb_request.h"
#include "src/derive/lb_service.h"
#include "src/derive/row_set.h"
#include "src/model/backend_health.h"

static void object_key(const void *item, struct row_key *ret_key)
{
	const struct object *object = item;

	*ret_key = (struct row_key){object->meta.key, strlen(object->meta.key)};
}

/* ---- owners ---- */

static bool add_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

static void free_draft(void *draft)
{
	lb_draft_free(draft);
}

/* What of the owner cannot be as it is wanted, in place of what could not be before. */
static void set_refused(struct lb_derivation *derivation, enum lb_owner_kind kind, const char *key,
			GPtrArray *take_problems)
{
	if (take_problems->len) {
		g_hash_table_insert(derivation->refused[kind], g_strdup(key), take_problems);
		return;
	}
	g_hash_table_remove(derivation->refused[kind], key);
	g_ptr_array_unref(take_problems);
}

/* Once for all ports and families. */
static void check_weights(const GPtrArray *drafts, GPtrArray *problems)
{
	for (unsigned int i = 0; i < drafts->len; i++) {
		const struct lb_draft *draft = drafts->pdata[i];
		const char *fault = lb_draft_weight_fault(draft);
		g_autofree char *owner = fault ? lb_owner_text(draft->key) : NULL;

		if (!fault)
			continue;
		g_ptr_array_add(problems,
				g_strdup_printf("%s: the weights of its back ends, but for 0, have "
						"no effect: they are shares of Maglev's table, "
						"which %s",
						owner, fault));
		return;
	}
}

static void derive_service(struct lb_derivation *derivation, const char *key, GPtrArray *drafts)
{
	const struct row *row = table_get(derivation->tables->services, key, strlen(key));
	g_autoptr(GPtrArray) slices = g_ptr_array_new();
	g_autoptr(GPtrArray) old_keys = g_ptr_array_new_with_free_func(g_free);
	const struct lb_owner owner = {LB_OWNER_SERVICE, key};
	const struct lb_backend_source source = {
		.node = derivation->node,
		.config = derivation->config,
		.backend_health = derivation->tables->backend_health,
		.slices = slices,
	};
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);
	struct service *before = keyed_set_remove(&derivation->derived_services, key, strlen(key));

	if (row) {
		table_index_foreach(derivation->slices, key, strlen(key), add_row, slices);
		lb_service_derive(&source, (const struct service *)row, drafts);
		lb_service_check(derivation->config, (const struct service *)row, problems);
		check_weights(drafts, problems);
		keyed_set_put(&derivation->derived_services, row_ref(row));
	}
	if (before)
		lb_service_add_keys(before, old_keys);
	lb_rows_replace(derivation->rows, &owner, old_keys, drafts);
	set_refused(derivation, LB_OWNER_SERVICE, key, problems);
	if (before)
		row_unref(&before->row);
}

/* Of the other kinds, whose rows are few. */
static void replace_rows(struct lb_derivation *derivation, const struct lb_owner *owner,
			 GPtrArray *drafts)
{
	GHashTable *owner_rows = derivation->owner_rows[owner->kind];
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);

	for (unsigned int i = 0; i < drafts->len; i++)
		g_ptr_array_add(keys, g_strdup(((struct lb_draft *)drafts->pdata[i])->key));
	lb_rows_replace(derivation->rows, owner, g_hash_table_lookup(owner_rows, owner->key),
			drafts);
	if (keys->len) {
		g_hash_table_insert(owner_rows, g_strdup(owner->key), keys);
		return;
	}
	g_hash_table_remove(owner_rows, owner->key);
	g_ptr_array_unref(keys);
}

static void set_skips(struct lb_derivation *derivation, const char *key, GPtrArray *take_skips)
{
	if (take_skips->len || g_hash_table_contains(derivation->skips, key))
		derivation->skips_changed = true;
	if (take_skips->len) {
		g_hash_table_insert(derivation->skips, g_strdup(key), take_skips);
		return;
	}
	g_hash_table_remove(derivation->skips, key);
	g_ptr_array_unref(take_skips);
}

static void derive_redirect(struct lb_derivation *derivation, const char *key, GPtrArray *drafts)
{
	const struct row *row = table_get(derivation->tables->local_redirects, key, strlen(key));
	const struct lb_redirect_source source = {
		.tables = derivation->tables,
		.config = derivation->config,
		.node = derivation->node,
		.pods = derivation->pods,
	};
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *skips = row_set_new();

	if (row)
		lb_redirect_derive(&source, (const struct local_redirect *)row,
				   &(struct lb_redirect_result){drafts, skips, problems});
	set_skips(derivation, key, skips);
	set_refused(derivation, LB_OWNER_REDIRECT, key, problems);
}

static void derive_host_ports(struct lb_derivation *derivation, const char *key, GPtrArray *drafts)
{
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);

	lb_pod_derive(derivation->pods, derivation->node, key, drafts, problems);
	set_refused(derivation, LB_OWNER_HOST_PORT, key, problems);
}

static void derive_request(struct lb_derivation *derivation, const char *key, GPtrArray *drafts)
{
	uint32_t id = g_ascii_strtoull(key, NULL, 10);
	const struct row *row = table_get(derivation->tables->service_requests, &id, sizeof(id));
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);
	struct lb_draft *draft = NULL;

	if (row)
		draft = lb_request_derive(derivation->config, derivation->node,
					  derivation->tables->endpoints,
					  (const struct service_request *)row);
	if (draft)
		g_ptr_array_add(drafts, draft);
	check_weights(drafts, problems);
	set_refused(derivation, LB_OWNER_REQUEST, key, problems);
}

static void derive_owner(struct lb_derivation *derivation, const struct lb_owner *owner)
{
	g_autoptr(GPtrArray) drafts = g_ptr_array_new_with_free_func(free_draft);

	switch (owner->kind) {
	case LB_OWNER_SERVICE:
		derive_service(derivation, owner->key, drafts);
		return;
	case LB_OWNER_REDIRECT:
		derive_redirect(derivation, owner->key, drafts);
		break;
	case LB_OWNER_HOST_PORT:
		derive_host_ports(derivation, owner->key, drafts);
		break;
	case LB_OWNER_REQUEST:
		derive_request(derivation, owner->key, drafts);
		break;
	case LB_OWNER__MAX:
		break;
	}
	replace_rows(derivation, owner, drafts);
}

static GHashTable *text_set_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* One may wake others: who is before them in the order has taken or given up something. */
static bool derive_dirty(struct lb_derivation *derivation)
{
	bool worked = false;

	for (enum lb_owner_kind kind = 0; kind < LB_OWNER__MAX; kind++) {
		GHashTable *dirty = derivation->dirty[kind];
		GHashTableIter iter;
		void *key;

		if (!g_hash_table_size(dirty))
			continue;
		derivation->dirty[kind] = text_set_new();
		g_hash_table_iter_init(&iter, dirty);
		while (g_hash_table_iter_next(&iter, &key, NULL))
			derive_owner(derivation, &(const struct lb_owner){kind, key});
		g_hash_table_unref(dirty);
		worked = true;
	}
	return worked;
}

/* Two policies may want the same entry. */
static void commit_skips(struct lb_derivation *derivation)
{
	GPtrArray *wanted = row_set_new();
	struct txn *txn = txn_new(derivation->store);
	GHashTableIter iter;
	void *skips;

	g_hash_table_iter_init(&iter, derivation->skips);
	while (g_hash_table_iter_next(&iter, NULL, &skips)) {
		const GPtrArray *rows = skips;

		for (unsigned int i = 0; i < rows->len; i++)
			g_ptr_array_add(wanted, row_ref(rows->pdata[i]));
	}
	row_set_replace(txn, derivation->tables->plan_map_entries, row_set_key_map_entry,
			derivation->all_skips, wanted);
	txn_commit(txn);
	g_ptr_array_unref(derivation->all_skips);
	derivation->all_skips = wanted;
	derivation->skips_changed = false;
}

static void run(struct watch *watch, void *data)
{
	struct lb_derivation *derivation = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		lb_note(derivation, table, &key);
	lb_node_finish_update(derivation->node);
	while (derive_dirty(derivation))
		;
	lb_rows_commit(derivation->rows);
	if (derivation->skips_changed)
		commit_skips(derivation);
}

/* ---- the module ---- */

typedef void (*add_key)(const void *key, size_t n_bytes, void *data);

static void key_probed(const struct row *row, add_key add, void *data)
{
	const struct service *service = (const struct service *)row;
	static const struct addr none;
	uint32_t hash;

	if (!service->health)
		return;
	hash = backend_health_key_new(&none, 0, 0, service->meta.key).service_hash;
	add(&hash, sizeof(hash), data);
}

static void key_target(const struct row *row, add_key add, void *data)
{
	const struct local_redirect *redirect = (const struct local_redirect *)row;
	g_autofree char *key = NULL;

	if (!redirect->service)
		return;
	key = g_strdup_printf("%s/%s", redirect->meta.namespace, redirect->service);
	add(key, strlen(key), data);
}

static bool is_node_addr(const struct addr *addr, void *data)
{
	return lb_node_is_node_addr(((struct lb_derivation *)data)->node, addr);
}

static void make_watch(struct lb_derivation *derivation)
{
	struct tables *tables = derivation->tables;
	struct watch *watch = watch_new(derivation->store, "services", run, derivation);
	/* What says something of the node first: so that it is known when rows are made. */
	struct table *const watched[] = {
		tables->nodes,
		tables->devices,
		tables->services,
		tables->endpoint_slices,
		tables->pods,
		tables->endpoints,
		tables->namespaces,
		tables->local_redirects,
		tables->service_requests,
		tables->backend_health,
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(watched); i++)
		watch_add(watch, watched[i]);
}

static void free_array(void *array)
{
	g_ptr_array_unref(array);
}

static GHashTable *text_map_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_array);
}

static struct lb_node *make_node(struct lb_derivation *derivation)
{
	struct lb_node_ops ops = lb_note_node_ops;

	ops.data = derivation;
	return lb_node_new(derivation->tables, derivation->config, &ops);
}

struct lb_derivation *lb_derivation_new(struct store *store, struct tables *tables,
					const struct derive_config *config,
					const struct table_index *slices)
{
	struct lb_derivation *derivation = g_new0(struct lb_derivation, 1);

	derivation->store = store;
	derivation->tables = tables;
	derivation->config = config;
	derivation->slices = slices;
	derivation->services_by_hash = table_index_new(tables->services, key_probed);
	derivation->redirects_by_target = table_index_new(tables->local_redirects, key_target);
	derivation->node = make_node(derivation);
	derivation->pods = lb_pods_new(tables, config, lb_note_pod, derivation);
	derivation->rows = lb_rows_new(store, tables,
				       &(const struct lb_rows_ops){
					       .wake = lb_note_owner,
					       .is_node_addr = is_node_addr,
					       .data = derivation,
				       });
	for (enum lb_owner_kind kind = 0; kind < LB_OWNER__MAX; kind++) {
		derivation->dirty[kind] = text_set_new();
		derivation->owner_rows[kind] = text_map_new();
		derivation->refused[kind] = text_map_new();
	}
	keyed_set_init(&derivation->derived_services, object_key);
	keyed_set_init(&derivation->derived_slices, object_key);
	derivation->skips = text_map_new();
	derivation->all_skips = row_set_new();
	make_watch(derivation);
	return derivation;
}

static bool unref_item(void *item, void *data)
{
	row_unref(item);
	return true;
}

void lb_derivation_free(struct lb_derivation *derivation)
{
	if (!derivation)
		return;
	for (enum lb_owner_kind kind = 0; kind < LB_OWNER__MAX; kind++) {
		g_hash_table_unref(derivation->dirty[kind]);
		g_hash_table_unref(derivation->owner_rows[kind]);
		g_hash_table_unref(derivation->refused[kind]);
	}
	keyed_set_foreach(&derivation->derived_services, unref_item, NULL);
	keyed_set_fini(&derivation->derived_services);
	keyed_set_foreach(&derivation->derived_slices, unref_item, NULL);
	keyed_set_fini(&derivation->derived_slices);
	g_hash_table_unref(derivation->skips);
	g_ptr_array_unref(derivation->all_skips);
	lb_rows_free(derivation->rows);
	lb_pods_free(derivation->pods);
	lb_node_free(derivation->node);
	g_free(derivation);
}
