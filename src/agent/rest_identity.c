/* SPDX-License-Identifier: Apache-2.0 */
/* /identity and /ip: who is who, and where. */
#include "src/agent/rest_private.h"

#include <string.h>
#include "src/model/identity.h"
#include "src/model/ipcache_entry.h"

json_t *identity_to_json(const struct identity *identity)
{
	return json_pack("{s:i, s:o}", "id", identity->number, "labels",
			 labels_to_json(identity->labels));
}

static bool append_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

static int compare_identities(const void *a, const void *b)
{
	const struct identity *left = *(struct identity *const *)a;
	const struct identity *right = *(struct identity *const *)b;

	return (left->number > right->number) - (left->number < right->number);
}

static const struct identity *get_identity(const struct agent *agent, uint32_t number)
{
	return (const struct identity *)table_get(agent->tables.identities, &number,
						  sizeof(number));
}

static json_t *reserved_to_json(uint32_t number)
{
	const struct label_set *labels = identity_reserved_labels(number);
	json_t *json = json_pack("{s:i, s:o}", "id", number, "labels", labels_to_json(labels));

	label_set_unref(labels);
	return json;
}

/* By number; a reserved one is in the table only where it has labels that its number does not tell. */
static json_t *all_identities(const struct agent *agent)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	json_t *list = json_array();
	size_t n_reserved_rows = 0;

	table_foreach (agent->tables.identities, append_row, rows)
		;
	g_ptr_array_sort(rows, compare_identities);
	for (uint32_t number = 1; number < IDENTITY_ALLOCATED_MIN; number++)
		if (get_identity(agent, number))
			json_array_append_new(list,
					      identity_to_json(rows->pdata[n_reserved_rows++]));
		else if (identity_reserved_name(number))
			json_array_append_new(list, reserved_to_json(number));
	for (size_t i = n_reserved_rows; i < rows->len; i++)
		json_array_append_new(list, identity_to_json(g_ptr_array_index(rows, i)));
	return list;
}

/* A reserved identity has one label, its name. */
static void append_reserved(json_t *list, const struct label_set *labels)
{
	const struct label *label = label_set_n(labels) == 1 ? label_set_get(labels, 0) : NULL;

	if (!label || strcmp(label->source, "reserved"))
		return;
	for (uint32_t number = 1; number < IDENTITY_ALLOCATED_MIN; number++)
		if (!g_strcmp0(identity_reserved_name(number), label->key))
			json_array_append_new(list, reserved_to_json(number));
}

void rest_identity_list(struct rest_call *call)
{
	const struct label_set *labels = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) rows = NULL;
	json_t *list;
	int err = rest_parse_labels(call->request, &labels, &error);

	if (err < 0) {
		rest_refuse_error(call, err, error);
		return;
	}
	if (!labels) {
		rest_reply(call, 200, all_identities(call->agent));
		return;
	}
	rows = g_ptr_array_new();
	list = json_array();
	table_foreach (call->agent->tables.identities, append_row, rows)
		;
	for (size_t i = 0; i < rows->len; i++) {
		const struct identity *identity = g_ptr_array_index(rows, i);

		if (identity->labels == labels) /* sets are interned */
			json_array_append_new(list, identity_to_json(identity));
	}
	if (!json_array_size(list))
		append_reserved(list, labels);
	label_set_unref(labels);
	if (json_array_size(list)) {
		rest_reply(call, 200, list);
	} else {
		json_decref(list);
		rest_refuse(call, 404,
			    "no identity has exactly these labels, no more and no fewer: see "
			    "\"cilium identity list\"");
	}
}

void rest_identity_get(struct rest_call *call)
{
	const struct identity *identity;
	guint64 number;

	if (!g_ascii_string_to_unsigned(call->arg, 10, 0, UINT32_MAX, &number, NULL)) {
		rest_refuse(call, 400, "identity \"%s\" is not a number", call->arg);
		return;
	}
	identity = get_identity(call->agent, number);
	if (identity)
		rest_reply(call, 200, identity_to_json(identity));
	else if (number && identity_reserved_name(number))
		rest_reply(call, 200, reserved_to_json(number));
	else
		rest_refuse(call, 404, "identity %s was not found: see \"cilium identity list\"",
			    call->arg);
}

static bool count_identity(const struct row *row, void *data)
{
	const struct endpoint_state *state = (const struct endpoint_state *)row;
	void *key = GUINT_TO_POINTER(state->identity);

	g_hash_table_insert(data, key,
			    GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(data, key)) + 1));
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	unsigned int left = GPOINTER_TO_UINT(a), right = GPOINTER_TO_UINT(b);

	return (left > right) - (left < right);
}

void rest_identity_endpoints(struct rest_call *call)
{
	g_autoptr(GHashTable) counts = g_hash_table_new(NULL, NULL);
	json_t *list = json_array();
	GList *numbers;

	table_foreach (call->agent->tables.endpoint_states, count_identity, counts)
		;
	numbers = g_list_sort(g_hash_table_get_keys(counts), compare_numbers);
	for (GList *item = numbers; item; item = item->next) {
		const struct identity *identity =
			get_identity(call->agent, GPOINTER_TO_UINT(item->data));
		unsigned int n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, item->data));

		if (identity)
			json_array_append_new(list,
					      json_pack("{s:o, s:i}", "identity",
							identity_to_json(identity), "refCount", n));
	}
	g_list_free(numbers);
	rest_reply(call, 200, list);
}

/* ---- /ip ---- */

static int compare_entries(const void *a, const void *b)
{
	const struct ipcache_entry *left = *(struct ipcache_entry *const *)a;
	const struct ipcache_entry *right = *(struct ipcache_entry *const *)b;
	int order = addr_compare(&left->cidr.addr, &right->cidr.addr);

	return order ? order : left->cidr.prefix_len - right->cidr.prefix_len;
}

static json_t *entry_to_json(const struct ipcache_entry *entry)
{
	char cidr[CIDR_TEXT_BYTES], host[ADDR_TEXT_BYTES] = "";

	if (!addr_is_zero(&entry->host))
		addr_format(&entry->host, host);
	return json_pack("{s:s, s:i, s:s*, s:i, s:{s:s, s:s*, s:s*}}", "cidr",
			 cidr_format(&entry->cidr, cidr), "identity", entry->identity, "hostIP",
			 *host ? host : NULL, "encryptKey", 0, "metadata", "source", entry->source,
			 "namespace", entry->namespace, "name", entry->name);
}

struct entry_filter {
	const struct cidr *cidr;        /* this prefix; NULL: any */
	const struct label_set *labels; /* an identity with all of these; NULL: any */
};

/* NULL for a number that nobody knows. Unref it. */
static const struct label_set *labels_of(const struct agent *agent, uint32_t number)
{
	const struct identity *identity = get_identity(agent, number);

	return identity ? label_set_ref(identity->labels) : identity_reserved_labels(number);
}

static bool has_labels(const struct label_set *labels, const struct label_set *wanted)
{
	for (size_t i = 0; i < label_set_n(wanted); i++) {
		const struct label *label = label_set_get(wanted, i);
		bool any_source = !strcmp(label->source, "any") || !strcmp(label->source, "unspec");
		const char *value =
			label_set_find(labels, any_source ? NULL : label->source, label->key);

		if (!value || strcmp(value, label->value) != 0)
			return false;
	}
	return true;
}

static bool filter_accepts(const struct agent *agent, const struct entry_filter *filter,
			   const struct ipcache_entry *entry)
{
	const struct label_set *labels;
	bool accepts;

	if (filter->cidr && !cidr_equal(&entry->cidr, filter->cidr))
		return false;
	if (!filter->labels)
		return true;
	labels = labels_of(agent, entry->identity);
	accepts = labels && has_labels(labels, filter->labels);
	label_set_unref(labels);
	return accepts;
}

static void refuse_entry(struct rest_call *call, const struct entry_filter *filter)
{
	char text[CIDR_TEXT_BYTES], addr_text[ADDR_TEXT_BYTES];

	if (!filter->cidr)
		rest_refuse(call, 404,
			    "no address has an identity with all of these labels: see "
			    "\"cilium ip list\"");
	/* An address without an entry of its own belongs to the prefix around it. */
	else if (filter->cidr->prefix_len == 128)
		rest_refuse(
			call, 404,
			"%s has no entry of its own: \"cilium bpf ipcache get %s\" says what it "
			"belongs to",
			cidr_format(filter->cidr, text),
			addr_format(&filter->cidr->addr, addr_text));
	else
		rest_refuse(call, 404, "%s has no entry of its own: see \"cilium ip list\"",
			    cidr_format(filter->cidr, text));
}

static void list_entries(struct rest_call *call, const struct entry_filter *filter)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	json_t *list = json_array();

	table_foreach (call->agent->tables.ipcache, append_row, rows)
		;
	g_ptr_array_sort(rows, compare_entries);
	for (size_t i = 0; i < rows->len; i++) {
		const struct ipcache_entry *entry = g_ptr_array_index(rows, i);

		if (filter_accepts(call->agent, filter, entry))
			json_array_append_new(list, entry_to_json(entry));
	}
	if ((filter->cidr || filter->labels) && !json_array_size(list)) {
		json_decref(list);
		refuse_entry(call, filter);
	} else {
		rest_reply(call, 200, list);
	}
}

void rest_ip_list(struct rest_call *call)
{
	const char *query = http_request_query(call->request, "cidr");
	struct entry_filter filter = {0};
	g_autoptr(GError) error = NULL;
	struct cidr cidr;

	if (query && cidr_parse(query, &cidr) < 0) {
		rest_refuse(call, 400, "cidr \"%s\" is not a prefix", query);
		return;
	}
	if (rest_parse_labels(call->request, &filter.labels, &error) < 0) {
		rest_refuse_error(call, -EINVAL, error);
		return;
	}
	filter.cidr = query ? &cidr : NULL;
	list_entries(call, &filter);
	label_set_unref(filter.labels);
}
