// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_endpoint.h"

#include <string.h>
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/node.h"
#include "src/model/pod.h"

struct policed {
	uint16_t id;
	bool is_marked; /* may have another rule set */
	bool audit;
	const struct pod *pod; /* a reference; NULL: none */
	uint32_t identity;     /* under which the pod's ports are known */
	struct policy_subject *subject;
	struct policy_rule_set *set;
};

struct policy_endpoints {
	const struct tables *tables;
	const struct derive_config *config;
	struct policy_subjects *subjects;
	struct policy_named_ports *ports;
	struct table_index *by_pod;
	GHashTable *policed; /* id to struct policed; of the host: 0 */
	GHashTable *marked;  /* ids */
	GHashTable *gone;    /* ids: their rows must go */
	uint64_t flushed_revision;
};

static void key_pod(const struct row *row, void (*add)(const void *key, size_t n_bytes, void *data),
		    void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	g_autofree char *key = NULL;

	if (!endpoint->pod_name || !endpoint->namespace)
		return;
	key = g_strdup_printf("%s/%s", endpoint->namespace, endpoint->pod_name);
	add(key, strlen(key), data);
}

struct policy_endpoints *policy_endpoints_new(const struct tables *tables,
					      const struct derive_config *config,
					      struct policy_subjects *subjects,
					      struct policy_named_ports *ports)
{
	struct policy_endpoints *endpoints = g_new0(struct policy_endpoints, 1);

	endpoints->tables = tables;
	endpoints->config = config;
	endpoints->subjects = subjects;
	endpoints->ports = ports;
	endpoints->by_pod = table_index_new(tables->endpoints, key_pod);
	endpoints->policed = g_hash_table_new(NULL, NULL);
	endpoints->marked = g_hash_table_new(NULL, NULL);
	endpoints->gone = g_hash_table_new(NULL, NULL);
	return endpoints;
}

static void policed_free(struct policy_endpoints *endpoints, struct policed *policed)
{
	policy_rule_set_unref(policed->set);
	policy_subject_unref(endpoints->subjects, policed->subject);
	if (policed->pod)
		row_unref(&policed->pod->row);
	g_free(policed);
}

void policy_endpoints_free(struct policy_endpoints *endpoints)
{
	GHashTableIter iter;
	void *policed;

	if (!endpoints)
		return;
	g_hash_table_iter_init(&iter, endpoints->policed);
	while (g_hash_table_iter_next(&iter, NULL, &policed))
		policed_free(endpoints, policed);
	g_hash_table_unref(endpoints->policed);
	g_hash_table_unref(endpoints->marked);
	g_hash_table_unref(endpoints->gone);
	g_free(endpoints);
}

static bool mark_endpoint(const struct row *row, void *data)
{
	g_hash_table_add(data, GUINT_TO_POINTER(((const struct endpoint *)row)->id));
	return true;
}

static bool mark_state(const struct row *row, void *data)
{
	g_hash_table_add(data, GUINT_TO_POINTER(((const struct endpoint_state *)row)->id));
	return true;
}

void policy_endpoints_mark(struct policy_endpoints *endpoints, const struct table *table,
			   const struct row_key *key)
{
	const struct tables *tables = endpoints->tables;
	uint16_t id;

	if (table == tables->pods) {
		table_index_foreach(endpoints->by_pod, key->data, key->n_bytes, mark_endpoint,
				    endpoints->marked);
	} else if (table == tables->nodes) {
		g_hash_table_add(endpoints->marked, GUINT_TO_POINTER(POLICY_ENDPOINT_HOST));
	} else if (table == tables->endpoints || table == tables->endpoint_states) {
		memcpy(&id, key->data, sizeof(id));
		g_hash_table_add(endpoints->marked, GUINT_TO_POINTER(id));
	}
}

void policy_endpoints_mark_all(struct policy_endpoints *endpoints)
{
	table_foreach (endpoints->tables->endpoint_states, mark_state, endpoints->marked)
		;
	g_hash_table_add(endpoints->marked, GUINT_TO_POINTER(POLICY_ENDPOINT_HOST));
}

static const struct node *find_node(const struct policy_endpoints *endpoints, const char *kind)
{
	g_autofree char *key = g_strdup_printf("%s/%s", kind, endpoints->config->node_name);

	return (const struct node *)table_get(endpoints->tables->nodes, key, strlen(key));
}

/* Those of its Node object, by which a nodeSelector selects it; without one, of its CiliumNode. */
static const struct label_set *host_labels(const struct policy_endpoints *endpoints)
{
	static const struct label host = {.source = "reserved", .key = "host", .value = ""};
	const struct node *node = find_node(endpoints, "Node");
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));

	if (!node)
		node = find_node(endpoints, "CiliumNode");
	for (size_t i = 0; node && i < label_set_n(node->meta.labels); i++)
		g_array_append_vals(labels, label_set_get(node->meta.labels, i), 1);
	g_array_append_val(labels, host);
	return label_set_new((const struct label *)(void *)labels->data, labels->len);
}

static const struct pod *find_pod(const struct policy_endpoints *endpoints,
				  const struct endpoint *endpoint)
{
	g_autofree char *key = NULL;

	if (!endpoint || !endpoint->pod_name || !endpoint->namespace)
		return NULL;
	key = g_strdup_printf("%s/%s", endpoint->namespace, endpoint->pod_name);
	return (const struct pod *)table_get(endpoints->tables->pods, key, strlen(key));
}

static struct policed *get_policed(struct policy_endpoints *endpoints, uint16_t id)
{
	struct policed *policed = g_hash_table_lookup(endpoints->policed, GUINT_TO_POINTER(id));

	if (policed)
		return policed;
	policed = g_new0(struct policed, 1);
	policed->id = id;
	g_hash_table_insert(endpoints->policed, GUINT_TO_POINTER(id), policed);
	g_hash_table_remove(endpoints->gone, GUINT_TO_POINTER(id));
	return policed;
}

static void set_subject(struct policy_endpoints *endpoints, struct policed *policed,
			const struct label_set *labels)
{
	struct policy_subject *before = policed->subject;

	policed->subject = policy_subject_ref(endpoints->subjects, labels,
					      policed->id == POLICY_ENDPOINT_HOST);
	if (before)
		policy_subject_unref(endpoints->subjects, before);
}

static void collect_host(struct policy_endpoints *endpoints)
{
	const struct label_set *labels;
	struct policed *host;

	if (!endpoints->config->enable_host_firewall)
		return;
	labels = host_labels(endpoints);
	host = get_policed(endpoints, POLICY_ENDPOINT_HOST);
	set_subject(endpoints, host, labels);
	host->audit = endpoints->config->policy_audit;
	host->is_marked = true;
	label_set_unref(labels);
}

/* The new first, so that what stays is no change. */
static void set_pod(struct policy_endpoints *endpoints, struct policed *policed,
		    const struct pod *pod, uint32_t identity)
{
	const struct pod *before = policed->pod;

	if (pod)
		policy_named_ports_add(endpoints->ports, identity, pod->ports);
	if (before)
		policy_named_ports_remove(endpoints->ports, policed->identity, before->ports);
	policed->pod = pod ? (const struct pod *)row_ref(&pod->row) : NULL;
	policed->identity = identity;
	if (before)
		row_unref(&before->row);
}

static void forget(struct policy_endpoints *endpoints, uint16_t id)
{
	void *key = GUINT_TO_POINTER(id);
	struct policed *policed = g_hash_table_lookup(endpoints->policed, key);

	if (!policed)
		return;
	set_pod(endpoints, policed, NULL, IDENTITY_UNKNOWN);
	g_hash_table_remove(endpoints->policed, key);
	g_hash_table_add(endpoints->gone, key);
	policed_free(endpoints, policed);
}

static bool is_audited(const struct policy_endpoints *endpoints, const struct endpoint *endpoint)
{
	switch (endpoint ? endpoint->options[ENDPOINT_OPTION_POLICY_AUDIT_MODE]
			 : ENDPOINT_OPTION_UNSET) {
	case ENDPOINT_OPTION_ON:
		return true;
	case ENDPOINT_OPTION_OFF:
		return false;
	default:
		return endpoints->config->policy_audit;
	}
}

static void collect_endpoint(struct policy_endpoints *endpoints, uint16_t id)
{
	const struct endpoint_state *state = (const struct endpoint_state *)table_get(
		endpoints->tables->endpoint_states, &id, sizeof(id));
	const struct endpoint *endpoint =
		(const struct endpoint *)table_get(endpoints->tables->endpoints, &id, sizeof(id));
	struct policed *policed;

	if (!state) {
		forget(endpoints, id);
		return;
	}
	policed = get_policed(endpoints, id);
	set_subject(endpoints, policed, state->identity_labels);
	set_pod(endpoints, policed, find_pod(endpoints, endpoint), state->identity);
	policed->audit = is_audited(endpoints, endpoint);
	policed->is_marked = true;
}

void policy_endpoints_collect(struct policy_endpoints *endpoints)
{
	GHashTableIter iter;
	void *key;

	g_hash_table_iter_init(&iter, endpoints->marked);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		uint16_t id = GPOINTER_TO_UINT(key);

		if (id == POLICY_ENDPOINT_HOST)
			collect_host(endpoints);
		else
			collect_endpoint(endpoints, id);
	}
	g_hash_table_remove_all(endpoints->marked);
}

static int compare_ids(const void *a, const void *b)
{
	return (*(struct policed *const *)a)->id - (*(struct policed *const *)b)->id;
}

/* In the order of the ids, so that the same input gives the same numbers. */
static GPtrArray *find_concerned(const struct policy_endpoints *endpoints)
{
	GPtrArray *concerned = g_ptr_array_new();
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, endpoints->policed);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policed *policed = value;

		if (policed->is_marked || policed->subject->is_changed)
			g_ptr_array_add(concerned, policed);
	}
	g_ptr_array_sort(concerned, compare_ids);
	return concerned;
}

void policy_endpoints_choose(struct policy_endpoints *endpoints, struct policy_rule_sets *sets)
{
	g_autoptr(GPtrArray) concerned = find_concerned(endpoints);

	for (unsigned int i = 0; i < concerned->len; i++) {
		struct policed *policed = concerned->pdata[i];
		struct policy_rule_set *before = policed->set;
		const struct policy_rule_set_key key = {
			.subject = policed->subject,
			.ports = policed->pod ? policed->pod->ports : NULL,
		};

		policed->is_marked = true;
		policed->set = policy_rule_set_ref(sets, &key);
		policy_rule_set_unref(before);
	}
}

static void put_row(const struct policy_endpoints *endpoints, const struct policed *policed,
		    uint64_t policy_revision, struct txn *txn)
{
	struct endpoint_policy *row = (struct endpoint_policy *)row_new(&endpoint_policy_class);

	row->endpoint_id = policed->id;
	row->rule_set = policy_rule_set_get_number(policed->set);
	row->audit = policed->audit;
	row->policy_revision = policy_revision;
	txn_put(txn, endpoints->tables->endpoint_policies, &row->row);
}

void policy_endpoints_flush(struct policy_endpoints *endpoints, uint64_t policy_revision,
			    struct txn *txn)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, endpoints->policed);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policed *policed = value;

		if (policed->is_marked || policy_revision != endpoints->flushed_revision)
			put_row(endpoints, policed, policy_revision, txn);
		policed->is_marked = false;
	}
	endpoints->flushed_revision = policy_revision;
	g_hash_table_iter_init(&iter, endpoints->gone);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		uint16_t id = GPOINTER_TO_UINT(key);

		txn_remove(txn, endpoints->tables->endpoint_policies, &id, sizeof(id));
	}
	g_hash_table_remove_all(endpoints->gone);
}
