// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy.h"

#include <string.h>
#include "src/derive/policy_endpoint.h"
#include "src/derive/policy_origin.h"
#include "src/model/identity.h"

struct known_policy {
	const struct policy *policy;      /* a reference: the row in force */
	struct compiled_policy *compiled; /* of it, or of one before that says the same */
};

struct policy_derivation {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct policy_compile_world world;
	struct policy_selectors *selectors;
	struct policy_subjects *subjects;
	struct policy_rule_sets *rule_sets;
	struct policy_origins *origins;
	struct policy_endpoints *endpoints;
	struct policy_named_ports *named_ports;
	GHashTable *policies; /* key to struct known_policy */
	GPtrArray *replaced; /* struct compiled_policy: looked at until the rule sets are flushed */
	uint64_t policy_revision;
	bool is_started;
};

/* Keys that have changed. */
struct changes {
	GHashTable *policies; /* char * */
	GHashTable *identities;
	bool cidr_groups;
	bool services; /* or endpoint_slices */
};

static void changes_init(struct changes *changes)
{
	*changes = (struct changes){
		.policies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.identities = g_hash_table_new(NULL, NULL),
	};
}

static void changes_fini(struct changes *changes)
{
	g_hash_table_unref(changes->policies);
	g_hash_table_unref(changes->identities);
}

static void free_compiled(void *compiled)
{
	compiled_policy_free(compiled);
}

static void free_known(void *pointer)
{
	struct known_policy *known = pointer;

	compiled_policy_free(known->compiled);
	row_unref(&known->policy->row);
	g_free(known);
}

static void remove_specs(struct policy_derivation *derivation, struct known_policy *known)
{
	if (!known->compiled)
		return;
	for (unsigned int i = 0; i < known->compiled->specs->len; i++)
		policy_subjects_remove_spec(derivation->subjects, known->compiled->specs->pdata[i]);
	g_ptr_array_add(derivation->replaced, g_steal_pointer(&known->compiled));
}

/* What the policy means now; where that is what it meant before, nobody hears of it. */
static void compile(struct policy_derivation *derivation, struct known_policy *known)
{
	struct compiled_policy *compiled =
		policy_compile(&derivation->world, known->policy, known->compiled);

	if (known->compiled && compiled_policy_is_same(known->compiled, compiled)) {
		compiled_policy_free(compiled);
		return;
	}
	remove_specs(derivation, known);
	known->compiled = compiled;
	for (unsigned int i = 0; i < compiled->specs->len; i++)
		policy_subjects_add_spec(derivation->subjects, compiled->specs->pdata[i]);
}

/* The policy, if it counts. */
static const struct policy *find_policy(const struct policy_derivation *derivation, const char *key)
{
	const struct derive_config *config = derivation->config;
	const struct policy *policy = (const struct policy *)table_get(
		derivation->tables->active_policies, key, strlen(key));

	if (config->policy_mode == POLICY_MODE_NEVER || !policy)
		return NULL;
	return config->enable_policy_kind[policy->kind] ? policy : NULL;
}

static void put_policy(struct policy_derivation *derivation, const char *key)
{
	struct known_policy *known = g_hash_table_lookup(derivation->policies, key);
	const struct policy *policy = find_policy(derivation, key);
	const struct policy *before = known ? known->policy : NULL;

	if (before)
		policy_origins_remove(derivation->origins, before);
	if (policy)
		policy_origins_add(derivation->origins, policy);
	if (!policy) {
		if (!known)
			return;
		remove_specs(derivation, known);
		g_hash_table_remove(derivation->policies, key);
		return;
	}
	if (!known) {
		known = g_new0(struct known_policy, 1);
		g_hash_table_insert(derivation->policies, g_strdup(key), known);
	}
	known->policy = (const struct policy *)row_ref(&policy->row);
	compile(derivation, known);
	if (before)
		row_unref(&before->row);
}

static bool is_concerned(const struct policy_derivation *derivation, const struct policy *policy,
			 const struct changes *changes)
{
	const struct tables *tables = derivation->tables;

	return (changes->cidr_groups &&
		policy_compile_uses(tables, policy, tables->active_cidr_groups)) ||
	       (changes->services && policy_compile_uses(tables, policy, tables->services));
}

static void put_policies(struct policy_derivation *derivation, const struct changes *changes)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, changes->policies);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		put_policy(derivation, key);
	g_hash_table_iter_init(&iter, derivation->policies);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct known_policy *known = value;

		if (is_concerned(derivation, known->policy, changes))
			compile(derivation, known);
	}
}

struct touch {
	struct policy_rule_sets *rule_sets;
	uint32_t identity;
};

static void touch(struct policy_selector *selector, void *data)
{
	const struct touch *touch = data;

	policy_rule_sets_touch(touch->rule_sets, selector, touch->identity);
}

static void put_identities(struct policy_derivation *derivation, const struct changes *changes)
{
	GHashTableIter iter;
	void *key;

	g_hash_table_iter_init(&iter, changes->identities);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		struct touch data = {derivation->rule_sets, GPOINTER_TO_UINT(key)};
		const struct identity *identity = (const struct identity *)table_get(
			derivation->tables->identities, &data.identity, sizeof(data.identity));

		if (policy_selectors_put_identity(derivation->selectors, data.identity,
						  identity ? identity->labels : NULL, touch, &data))
			policy_rule_sets_mark_replaced(derivation->rule_sets, data.identity);
	}
}

static void derive(struct policy_derivation *derivation, const struct changes *changes)
{
	struct tables *tables = derivation->tables;
	struct txn *txn = txn_new(derivation->store);

	put_identities(derivation, changes);
	put_policies(derivation, changes);
	policy_endpoints_collect(derivation->endpoints);
	policy_subjects_settle(derivation->subjects);
	policy_endpoints_choose(derivation->endpoints, derivation->rule_sets);
	policy_subjects_take_changes(derivation->subjects);
	if (policy_named_ports_take_changed(derivation->named_ports) ||
	    g_hash_table_size(changes->identities))
		policy_rule_sets_check_ports(derivation->rule_sets);
	policy_rule_sets_flush(derivation->rule_sets, txn, tables->rule_sets);
	g_ptr_array_set_size(derivation->replaced, 0);
	policy_endpoints_flush(derivation->endpoints, derivation->policy_revision, txn);
	policy_origins_flush(derivation->origins, txn, tables->rule_origins);
	txn_commit(txn);
}

static bool is_synced(const struct policy_derivation *derivation)
{
	const struct tables *tables = derivation->tables;

	return table_synced(tables->active_policies) && table_synced(tables->pods) &&
	       table_synced(tables->namespaces) && table_synced(tables->active_cidr_groups) &&
	       table_synced(tables->services) && table_synced(tables->endpoint_slices);
}

static void add_policy(struct changes *changes, const char *key, size_t n_bytes)
{
	g_hash_table_add(changes->policies, g_strndup(key, n_bytes));
}

static void add_change(struct policy_derivation *derivation, const struct table *table,
		       const struct row_key *key, struct changes *changes)
{
	const struct tables *tables = derivation->tables;
	uint32_t number;

	if (table == tables->active_policies) {
		add_policy(changes, key->data, key->n_bytes);
	} else if (table == tables->identities) {
		memcpy(&number, key->data, sizeof(number));
		g_hash_table_add(changes->identities, GUINT_TO_POINTER(number));
	} else if (table == tables->active_cidr_groups) {
		changes->cidr_groups = true;
	} else if (table == tables->services || table == tables->endpoint_slices) {
		changes->services = true;
	} else {
		policy_endpoints_mark(derivation->endpoints, table, key);
	}
}

static bool add_policy_row(const struct row *row, void *data)
{
	const struct policy *policy = (const struct policy *)row;

	add_policy(data, policy->meta.key, strlen(policy->meta.key));
	return true;
}

static bool add_identity_row(const struct row *row, void *data)
{
	struct changes *changes = data;

	g_hash_table_add(changes->identities,
			 GUINT_TO_POINTER(((const struct identity *)row)->number));
	return true;
}

static void add_all(struct policy_derivation *derivation, struct changes *changes)
{
	table_foreach (derivation->tables->active_policies, add_policy_row, changes)
		;
	table_foreach (derivation->tables->identities, add_identity_row, changes)
		;
	policy_endpoints_mark_all(derivation->endpoints);
}

static void run(struct watch *watch, void *data)
{
	struct policy_derivation *derivation = data;
	struct changes changes;
	struct table *table;
	struct row_key key;

	changes_init(&changes);
	while (watch_pop(watch, &table, &key))
		if (derivation->is_started)
			add_change(derivation, table, &key, &changes);
	if (is_synced(derivation)) {
		if (!derivation->is_started)
			add_all(derivation, &changes);
		derivation->is_started = true;
		derivation->policy_revision += g_hash_table_size(changes.policies);
		derive(derivation, &changes);
	}
	changes_fini(&changes);
}

void policy_derivation_reconfigure(struct policy_derivation *derivation)
{
	struct changes changes;

	if (!derivation->is_started)
		return;
	changes_init(&changes);
	add_all(derivation, &changes);
	policy_rule_sets_mark_stale(derivation->rule_sets);
	derive(derivation, &changes);
	changes_fini(&changes);
}

void policy_derivation_recompile(struct policy_derivation *derivation)
{
	struct changes changes;

	if (!derivation->is_started)
		return;
	changes_init(&changes);
	table_foreach (derivation->tables->active_policies, add_policy_row, &changes)
		;
	derive(derivation, &changes);
	changes_fini(&changes);
}

struct policy_derivation *policy_derivation_new(struct store *store, struct tables *tables,
						const struct derive_config *config,
						const struct prefix_derivation *prefixes,
						struct policy_named_ports *named_ports,
						const struct table_index *slices)
{
	struct policy_derivation *derivation = g_new0(struct policy_derivation, 1);
	struct table *const watched[] = {
		tables->active_policies,
		tables->identities,
		tables->endpoint_states,
		tables->endpoints,
		tables->pods,
		tables->namespaces,
		tables->nodes,
		tables->services,
		tables->endpoint_slices,
		tables->active_cidr_groups,
	};
	struct watch *watch = watch_new(store, "policy", run, derivation);

	derivation->store = store;
	derivation->tables = tables;
	derivation->config = config;
	derivation->world = (struct policy_compile_world){
		.tables = tables,
		.config = config,
		.slices = slices,
		.prefixes = prefixes,
	};
	derivation->selectors = policy_selectors_new(config);
	derivation->subjects = policy_subjects_new();
	derivation->endpoints =
		policy_endpoints_new(tables, config, derivation->subjects, named_ports);
	derivation->named_ports = named_ports;
	derivation->rule_sets = policy_rule_sets_new(config, derivation->selectors, named_ports);
	derivation->origins = policy_origins_new();
	derivation->policies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_known);
	derivation->replaced = g_ptr_array_new_with_free_func(free_compiled);
	derivation->policy_revision = 1;
	for (unsigned int i = 0; i < G_N_ELEMENTS(watched); i++)
		watch_add(watch, watched[i]);
	return derivation;
}

uint64_t policy_derivation_get_revision(const struct policy_derivation *derivation)
{
	return derivation->policy_revision;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

typedef void (*selector_fn)(const struct selector *selector, const GArray *identities,
			    const struct policy_spec *spec, void *data);

static void foreach_selector_of(const struct policy_derivation *derivation,
				const struct compiled_spec *spec, selector_fn fn, void *data)
{
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		for (unsigned int j = 0; j < spec->rules[i]->len; j++) {
			const struct compiled_rule *rule = spec->rules[i]->pdata[j];

			for (unsigned int k = 0; k < rule->peers->len; k++) {
				const struct policy_selector *selector = policy_selector_find(
					derivation->selectors, rule->peers->pdata[k]);

				fn(rule->peers->pdata[k], selector ? selector->identities : NULL,
				   spec->spec, data);
			}
		}
}

void policy_derivation_foreach_selector(const struct policy_derivation *derivation, selector_fn fn,
					void *data)
{
	GList *keys = g_list_sort(g_hash_table_get_keys(derivation->policies), compare_keys);

	for (GList *key = keys; key; key = key->next) {
		const struct known_policy *known =
			g_hash_table_lookup(derivation->policies, key->data);

		for (unsigned int i = 0; known->compiled && i < known->compiled->specs->len; i++)
			foreach_selector_of(derivation, known->compiled->specs->pdata[i], fn, data);
	}
	g_list_free(keys);
}

void policy_derivation_free(struct policy_derivation *derivation)
{
	if (!derivation)
		return;
	policy_endpoints_free(derivation->endpoints);
	policy_rule_sets_free(derivation->rule_sets);
	policy_subjects_free(derivation->subjects);
	policy_origins_free(derivation->origins);
	g_hash_table_unref(derivation->policies);
	g_ptr_array_unref(derivation->replaced);
	policy_selectors_free(derivation->selectors);
	g_free(derivation);
}
