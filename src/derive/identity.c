/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/identity.h"

#include <string.h>
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/ipcache_entry.h"
#include "src/model/namespace.h"
#include "src/model/pod.h"

#define KEY_POD_NAMESPACE   "io.kubernetes.pod.namespace"
#define KEY_NAMESPACE_LABEL "io.cilium.k8s.namespace.labels."
#define KEY_METADATA_NAME   KEY_NAMESPACE_LABEL "kubernetes.io/metadata.name"
#define KEY_CLUSTER         "io.cilium.k8s.policy.cluster"
#define KEY_SERVICE_ACCOUNT "io.cilium.k8s.policy.serviceaccount"

#define N_NUMBERS (IDENTITY_ALLOCATED_MAX - IDENTITY_ALLOCATED_MIN + 1)

struct identity_derivation {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct label_filter *filter;
	struct table_index *endpoints_by_pod; /* "namespace/name" */
	struct table_index *endpoints_by_namespace;
	struct table_index *identities_by_labels; /* the pointer: label sets are interned */
	struct table_index *states_by_identity;
	uint32_t last_number; /* 0: none handed out yet */
};

typedef void (*add_key)(const void *key, size_t n_bytes, void *data);

static void key_endpoint_pod(const struct row *row, add_key add, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	g_autofree char *key = NULL;

	if (!endpoint->pod_name || !endpoint->namespace)
		return;
	key = g_strdup_printf("%s/%s", endpoint->namespace, endpoint->pod_name);
	add(key, strlen(key), data);
}

static void key_endpoint_namespace(const struct row *row, add_key add, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;

	if (endpoint->namespace)
		add(endpoint->namespace, strlen(endpoint->namespace), data);
}

static void key_identity_labels(const struct row *row, add_key add, void *data)
{
	const struct identity *identity = (const struct identity *)row;

	add(&identity->labels, sizeof(identity->labels), data);
}

static void key_state_identity(const struct row *row, add_key add, void *data)
{
	const struct endpoint_state *state = (const struct endpoint_state *)row;

	add(&state->identity, sizeof(state->identity), data);
}

static void add_label(GArray *labels, const char *key, const char *value)
{
	struct label label = {.source = "k8s", .key = key, .value = value};

	g_array_append_val(labels, label);
}

/* The API server gives every namespace the label of its name; so do we where no server is. */
static void add_namespace_labels(GArray *labels, GPtrArray *keys, const char *name,
				 const struct namespace *namespace)
{
	add_label(labels, KEY_METADATA_NAME, name);
	for (size_t i = 0; namespace && i < label_set_n(namespace->meta.labels); i++) {
		const struct label *label = label_set_get(namespace->meta.labels, i);
		char *key = g_strconcat(KEY_NAMESPACE_LABEL, label->key, NULL);

		g_ptr_array_add(keys, key);
		add_label(labels, key, label->value);
	}
}

/* Its own labels and those that come of the namespace it is in. account: NULL where none is known. */
static const struct label_set *pod_labels(const struct tables *tables,
					  const struct derive_config *config, const char *name,
					  const struct label_set *own, const char *account)
{
	const struct namespace *namespace =
		(const struct namespace *)table_get(tables->namespaces, name, strlen(name));
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);

	for (size_t i = 0; i < label_set_n(own); i++)
		g_array_append_vals(labels, label_set_get(own, i), 1);
	/* After the pod's own: a repeated key keeps the last, so a pod cannot claim another's. */
	add_namespace_labels(labels, keys, name, namespace);
	add_label(labels, KEY_POD_NAMESPACE, name);
	add_label(labels, KEY_CLUSTER, config->cluster_name);
	if (account)
		add_label(labels, KEY_SERVICE_ACCOUNT, account);
	return label_set_new((const struct label *)(void *)labels->data, labels->len);
}

const struct label_set *identity_pod_labels(const struct tables *tables,
					    const struct derive_config *config,
					    const struct pod *pod)
{
	return pod_labels(tables, config, pod->meta.namespace, pod->meta.labels,
			  pod->service_account ? pod->service_account : "default");
}

static const struct pod *find_pod(const struct identity_derivation *derivation,
				  const struct endpoint *endpoint)
{
	g_autofree char *key = NULL;

	if (!endpoint->pod_name || !endpoint->namespace)
		return NULL;
	key = g_strdup_printf("%s/%s", endpoint->namespace, endpoint->pod_name);
	return (const struct pod *)table_get(derivation->tables->pods, key, strlen(key));
}

static const struct label_set *init_labels(void)
{
	static const struct label init = {.source = "reserved", .key = "init", .value = ""};

	return label_set_new(&init, 1);
}

/* A pod's manifest counts instead of what the runtime said of the container, not beside it. */
static const struct label_set *given_labels(const struct identity_derivation *derivation,
					    const struct endpoint *endpoint)
{
	const struct pod *pod = find_pod(derivation, endpoint);

	if (pod)
		return identity_pod_labels(derivation->tables, derivation->config, pod);
	if (endpoint->namespace && label_set_n(endpoint->runtime_labels))
		return pod_labels(derivation->tables, derivation->config, endpoint->namespace,
				  endpoint->runtime_labels, NULL);
	return label_set_ref(endpoint->runtime_labels);
}

static bool has_label(const struct label_set *set, const struct label *label)
{
	return label_set_find(set, label->source, label->key);
}

/* The labels of given that are in others, or those that are not, and then all of more. */
static const struct label_set *choose_labels(const struct label_set *given,
					     const struct label_set *others, bool in_others,
					     const struct label_set *more)
{
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));

	for (size_t i = 0; i < label_set_n(given); i++)
		if (has_label(others, label_set_get(given, i)) == in_others)
			g_array_append_vals(labels, label_set_get(given, i), 1);
	for (size_t i = 0; more && i < label_set_n(more); i++)
		g_array_append_vals(labels, label_set_get(more, i), 1);
	return label_set_new((const struct label *)(void *)labels->data, labels->len);
}

/* What an operator has changed comes on top. A label that is disabled and not given now stays so. */
static void set_labels(const struct identity_derivation *derivation,
		       const struct endpoint *endpoint, struct endpoint_state *state)
{
	const struct label_set *given = given_labels(derivation, endpoint);
	const struct label_set *disabled = endpoint->disabled_labels;
	const struct label_set *now = choose_labels(given, disabled, true, NULL);

	state->labels = choose_labels(given, disabled, false, endpoint->user_labels);
	state->disabled_labels = choose_labels(disabled, now, false, now);
	label_set_unref(now);
	label_set_unref(given);
	if (label_set_n(state->labels))
		return;
	label_set_unref(state->labels);
	state->labels = init_labels();
}

/* Those that make the identity; labels that the filter leaves nothing of are as good as none. */
static const struct label_set *identity_labels(const struct identity_derivation *derivation,
					       const struct label_set *labels)
{
	const struct label_set *kept = label_filter_apply(derivation->filter, labels);

	if (label_set_n(kept))
		return kept;
	label_set_unref(kept);
	return init_labels();
}

struct search {
	const struct row *found;
};

static bool take_first(const struct row *row, void *data)
{
	struct search *search = data;

	search->found = row;
	return false;
}

static bool is_used(const struct identity_derivation *derivation, uint32_t number)
{
	struct search search = {0};

	table_index_foreach(derivation->states_by_identity, &number, sizeof(number), take_first,
			    &search);
	return search.found;
}

/* The others are of prefixes and nodes: src/derive/local_identity.h. */
static bool is_of_labels(const struct identity *identity)
{
	enum identity_scope scope;

	return identity_find_scope(identity->number, &scope) && scope == IDENTITY_SCOPE_LABELS;
}

struct oldest {
	const struct identity_derivation *derivation;
	GHashTable *named; /* numbers that addresses have, those of other nodes' pods among them */
	const struct identity *found;
};

static bool take_oldest_unused(const struct row *row, void *data)
{
	struct oldest *oldest = data;
	const struct identity *identity = (const struct identity *)row;

	if (is_of_labels(identity) &&
	    (!oldest->found || row->revision < oldest->found->row.revision) &&
	    !g_hash_table_contains(oldest->named, GUINT_TO_POINTER(identity->number)) &&
	    !is_used(oldest->derivation, identity->number))
		oldest->found = identity;
	return true;
}

static bool take_greatest(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;
	uint32_t *greatest = data;

	if (is_of_labels(identity))
		*greatest = MAX(*greatest, identity->number);
	return true;
}

static bool add_named(const struct row *row, void *data)
{
	g_hash_table_add(data, GUINT_TO_POINTER(((const struct ipcache_entry *)row)->identity));
	return true;
}

/* Of labels that nobody has, the longest kept first; 0: there are none. Rare, and goes through all. */
static uint32_t take_unused_number(const struct identity_derivation *derivation)
{
	g_autoptr(GHashTable) named = g_hash_table_new(NULL, NULL);
	struct oldest oldest = {.derivation = derivation, .named = named};

	table_foreach (derivation->tables->ipcache, add_named, named)
		;
	table_foreach (derivation->tables->identities, take_oldest_unused, &oldest)
		;
	return oldest.found ? oldest.found->number : 0;
}

/* A number that no labels have, or 0. */
static uint32_t take_number(struct identity_derivation *derivation)
{
	struct table *identities = derivation->tables->identities;

	if (!derivation->last_number)
		table_foreach (identities, take_greatest, &derivation->last_number)
			;
	for (unsigned int i = 0; i < N_NUMBERS; i++) {
		uint32_t number =
			MAX(derivation->last_number + 1, (uint32_t)IDENTITY_ALLOCATED_MIN);

		if (number > IDENTITY_ALLOCATED_MAX)
			number = IDENTITY_ALLOCATED_MIN;
		derivation->last_number = number;
		if (!table_get(identities, &number, sizeof(number)))
			return number;
	}
	return take_unused_number(derivation);
}

/* The number of a set that consists of one reserved label, or 0. */
static uint32_t reserved_number(const struct label_set *labels)
{
	const struct label *label = label_set_n(labels) == 1 ? label_set_get(labels, 0) : NULL;

	if (!label || strcmp(label->source, "reserved") != 0)
		return 0;
	for (uint32_t number = 1; number < IDENTITY_ALLOCATED_MIN; number++)
		if (g_strcmp0(identity_reserved_name(number), label->key) == 0)
			return number;
	return 0;
}

/* The number of the labels; a new one is put into txn. 0: none is left. */
static uint32_t labels_number(struct identity_derivation *derivation,
			      const struct label_set *labels, struct txn *txn)
{
	struct search search = {0};
	struct identity *identity;
	uint32_t number = reserved_number(labels);

	if (number)
		return number;
	table_index_foreach(derivation->identities_by_labels, &labels, sizeof(labels), take_first,
			    &search);
	if (search.found)
		return ((const struct identity *)search.found)->number;
	number = take_number(derivation);
	if (!number)
		return 0;
	identity = (struct identity *)row_new(&identity_class);
	identity->number = number;
	identity->labels = label_set_ref(labels);
	txn_put(txn, derivation->tables->identities, &identity->row);
	return number;
}

static void derive_endpoint(struct identity_derivation *derivation, uint16_t id)
{
	const struct endpoint *endpoint =
		(const struct endpoint *)table_get(derivation->tables->endpoints, &id, sizeof(id));
	struct table *states = derivation->tables->endpoint_states;
	struct txn *txn = txn_new(derivation->store);
	struct endpoint_state *state;

	if (!endpoint) {
		txn_remove(txn, states, &id, sizeof(id));
		txn_commit(txn);
		return;
	}
	state = (struct endpoint_state *)row_new(&endpoint_state_class);
	state->id = id;
	set_labels(derivation, endpoint, state);
	state->identity_labels = identity_labels(derivation, state->labels);
	state->identity = labels_number(derivation, state->identity_labels, txn);
	txn_put(txn, states, &state->row);
	txn_commit(txn);
}

static bool add_endpoint(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;

	g_hash_table_add(data, GUINT_TO_POINTER(endpoint->id));
	return true;
}

static bool add_state(const struct row *row, void *data)
{
	const struct endpoint_state *state = (const struct endpoint_state *)row;

	g_hash_table_add(data, GUINT_TO_POINTER(state->id));
	return true;
}

/* Endpoints that a changed key concerns. */
static void collect(const struct identity_derivation *derivation, const struct table *table,
		    const struct row_key *key, GHashTable *ids)
{
	static const uint32_t no_identity;
	uint16_t id;

	if (table == derivation->tables->pods) {
		table_index_foreach(derivation->endpoints_by_pod, key->data, key->n_bytes,
				    add_endpoint, ids);
		return;
	}
	if (table == derivation->tables->namespaces) {
		table_index_foreach(derivation->endpoints_by_namespace, key->data, key->n_bytes,
				    add_endpoint, ids);
		return;
	}
	memcpy(&id, key->data, sizeof(id));
	g_hash_table_add(ids, GUINT_TO_POINTER(id));
	/* One that goes may leave its number to one that found none. */
	table_index_foreach(derivation->states_by_identity, &no_identity, sizeof(no_identity),
			    add_state, ids);
}

static int compare_ids(const void *a, const void *b)
{
	return GPOINTER_TO_INT(a) - GPOINTER_TO_INT(b);
}

/* In the order of the ids, so that the same input gives the same numbers. */
static void run(struct watch *watch, void *data)
{
	struct identity_derivation *derivation = data;
	g_autoptr(GHashTable) ids = g_hash_table_new(NULL, NULL);
	g_autoptr(GList) sorted = NULL;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		collect(derivation, table, &key, ids);
	sorted = g_list_sort(g_hash_table_get_keys(ids), compare_ids);
	for (const GList *item = sorted; item; item = item->next)
		derive_endpoint(derivation, GPOINTER_TO_UINT(item->data));
}

const struct label_set *identity_derivation_pod_labels(const struct identity_derivation *derivation,
						       const struct pod *pod)
{
	const struct label_set *labels =
		identity_pod_labels(derivation->tables, derivation->config, pod);
	const struct label_set *kept = identity_labels(derivation, labels);

	label_set_unref(labels);
	return kept;
}

uint32_t identity_derivation_find_number(struct identity_derivation *derivation,
					 const struct label_set *labels, struct txn *txn)
{
	return labels_number(derivation, labels, txn);
}

struct identity_derivation *identity_derivation_new(struct store *store, struct tables *tables,
						    const struct derive_config *config,
						    struct label_filter *filter)
{
	struct identity_derivation *derivation = g_new0(struct identity_derivation, 1);
	struct watch *watch = watch_new(store, "identity", run, derivation);

	derivation->store = store;
	derivation->tables = tables;
	derivation->config = config;
	derivation->filter = filter;
	derivation->endpoints_by_pod = table_index_new(tables->endpoints, key_endpoint_pod);
	derivation->endpoints_by_namespace =
		table_index_new(tables->endpoints, key_endpoint_namespace);
	derivation->identities_by_labels = table_index_new(tables->identities, key_identity_labels);
	derivation->states_by_identity =
		table_index_new(tables->endpoint_states, key_state_identity);
	watch_add(watch, tables->endpoints);
	watch_add(watch, tables->pods);
	watch_add(watch, tables->namespaces);
	return derivation;
}

void identity_derivation_set_last(struct identity_derivation *derivation, uint32_t number)
{
	derivation->last_number = number;
}

void identity_derivation_free(struct identity_derivation *derivation)
{
	if (!derivation)
		return;
	label_filter_free(derivation->filter);
	g_free(derivation);
}
