// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_rule_set.h"

#include <string.h>
#include "src/model/pod.h"

struct policy_rule_set {
	struct policy_rule_sets *sets;
	GBytes *key;
	uint32_t number;
	unsigned int n_users;
	bool is_init;
	bool is_stale;    /* the rules must be made anew */
	GArray *ports;    /* struct pod_port: those that a spec names, which keeps the name */
	GPtrArray *specs; /* struct compiled_spec */
	struct policy_rules *rules[POLICY_DIRECTION__MAX];
	struct rule_set *row;                       /* as it was put last; NULL: never */
	GHashTable *changes[POLICY_DIRECTION__MAX]; /* identity to class, or to NULL: it goes */
	bool is_revised;                            /* by changes */
};

struct policy_rule_sets {
	const struct derive_config *config;
	struct policy_selectors *selectors;
	const struct policy_named_ports *named_ports;
	GHashTable *by_key;   /* key to struct policy_rule_set */
	GHashTable *touched;  /* identity to GPtrArray of struct policy_rules */
	GHashTable *replaced; /* identities */
	uint32_t last_number;
	uint64_t last_revision;
};

static void unref_class(void *class)
{
	rule_class_unref(class);
}

static void unref_array(void *array)
{
	g_ptr_array_unref(array);
}

struct policy_rule_sets *policy_rule_sets_new(const struct derive_config *config,
					      struct policy_selectors *selectors,
					      const struct policy_named_ports *named_ports)
{
	struct policy_rule_sets *sets = g_new0(struct policy_rule_sets, 1);

	sets->config = config;
	sets->selectors = selectors;
	sets->named_ports = named_ports;
	sets->by_key = g_hash_table_new(g_bytes_hash, g_bytes_equal);
	sets->touched = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	sets->replaced = g_hash_table_new(NULL, NULL);
	return sets;
}

static void set_free(struct policy_rule_set *set)
{
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		policy_rules_free(set->rules[i]);
		g_hash_table_unref(set->changes[i]);
	}
	if (set->row)
		row_unref(&set->row->row);
	g_array_unref(set->ports);
	g_ptr_array_unref(set->specs);
	g_bytes_unref(set->key);
	g_free(set);
}

void policy_rule_sets_free(struct policy_rule_sets *sets)
{
	GHashTableIter iter;
	void *set;

	if (!sets)
		return;
	g_hash_table_iter_init(&iter, sets->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &set))
		set_free(set);
	g_hash_table_unref(sets->by_key);
	g_hash_table_unref(sets->touched);
	g_hash_table_unref(sets->replaced);
	g_free(sets);
}

/* The endpoint's ports that a spec names. */
static GArray *find_ports(const struct policy_rule_set_key *key)
{
	GArray *ports = g_array_new(false, false, sizeof(struct pod_port));

	for (unsigned int i = 0; key->ports && i < key->ports->len; i++) {
		const struct pod_port *port = &g_array_index(key->ports, struct pod_port, i);

		if (port->name && g_hash_table_contains(key->subject->port_names, port->name))
			g_array_append_vals(ports, port, 1);
	}
	return ports;
}

/* Ids of specs, 0, and each port: number, protocol, name. */
static GBytes *make_key(const struct policy_rule_set_key *key, const GArray *ports)
{
	GByteArray *bytes = g_byte_array_new();
	uint32_t zero = 0;

	g_byte_array_append(bytes, (const uint8_t *)key->subject->ids->data,
			    key->subject->ids->len * sizeof(uint32_t));
	g_byte_array_append(bytes, (const uint8_t *)&zero, sizeof(zero));
	for (unsigned int i = 0; i < ports->len; i++) {
		const struct pod_port *port = &g_array_index(ports, struct pod_port, i);

		g_byte_array_append(bytes, (const uint8_t *)&port->number, sizeof(port->number));
		g_byte_array_append(bytes, &port->protocol, sizeof(port->protocol));
		g_byte_array_append(bytes, (const uint8_t *)port->name, strlen(port->name) + 1);
	}
	return g_byte_array_free_to_bytes(bytes);
}

static struct policy_rule_set *set_new(struct policy_rule_sets *sets, GBytes *take_key,
				       const struct policy_rule_set_key *key)
{
	struct policy_rule_set *set = g_new0(struct policy_rule_set, 1);

	set->sets = sets;
	set->key = take_key;
	set->number = ++sets->last_number;
	set->is_init = key->subject->is_init;
	set->specs = g_ptr_array_new();
	set->is_stale = true;
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		set->changes[i] = g_hash_table_new_full(NULL, NULL, NULL, unref_class);
	g_hash_table_insert(sets->by_key, set->key, set);
	return set;
}

static bool has_specs(const struct policy_rule_set *set, const GPtrArray *specs)
{
	return set->specs->len == specs->len &&
	       (!specs->len ||
		memcmp(set->specs->pdata, specs->pdata, specs->len * sizeof(void *)) == 0);
}

struct policy_rule_set *policy_rule_set_ref(struct policy_rule_sets *sets,
					    const struct policy_rule_set_key *key)
{
	g_autoptr(GArray) ports = find_ports(key);
	GBytes *bytes = make_key(key, ports);
	struct policy_rule_set *set = g_hash_table_lookup(sets->by_key, bytes);

	if (set)
		g_bytes_unref(bytes);
	else
		set = set_new(sets, bytes, key);
	if (!set->ports || !has_specs(set, key->subject->specs)) {
		g_clear_pointer(&set->ports, g_array_unref);
		set->ports = g_steal_pointer(&ports);
		g_ptr_array_set_size(set->specs, 0);
		g_ptr_array_extend(set->specs, key->subject->specs, NULL, NULL);
		set->is_stale = true;
	}
	set->n_users++;
	return set;
}

void policy_rule_set_unref(struct policy_rule_set *set)
{
	if (!set)
		return;
	g_assert(set->n_users > 0);
	set->n_users--;
}

uint32_t policy_rule_set_get_number(const struct policy_rule_set *set)
{
	return set->number;
}

void policy_rule_sets_touch(struct policy_rule_sets *sets, const struct policy_selector *selector,
			    uint32_t identity)
{
	void *key = GUINT_TO_POINTER(identity);
	GPtrArray *rules = g_hash_table_lookup(sets->touched, key);
	GHashTableIter iter;
	void *user;

	if (!g_hash_table_size(selector->users))
		return;
	if (!rules) {
		rules = g_ptr_array_new();
		g_hash_table_insert(sets->touched, key, rules);
	}
	g_hash_table_iter_init(&iter, selector->users);
	while (g_hash_table_iter_next(&iter, &user, NULL))
		g_ptr_array_add(rules, user);
}

void policy_rule_sets_mark_replaced(struct policy_rule_sets *sets, uint32_t identity)
{
	g_hash_table_add(sets->replaced, GUINT_TO_POINTER(identity));
}

void policy_rule_sets_check_ports(struct policy_rule_sets *sets)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, sets->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policy_rule_set *set = value;

		if (!set->is_stale && policy_rules_are_stale(set->rules[POLICY_EGRESS]))
			set->is_stale = true;
	}
}

void policy_rule_sets_mark_stale(struct policy_rule_sets *sets)
{
	GHashTableIter iter;
	void *set;

	g_hash_table_iter_init(&iter, sets->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &set))
		((struct policy_rule_set *)set)->is_stale = true;
}

/* Notes that the class of the peer is this one, or that it has no entry of its own. */
static void change_peer(struct policy_rule_set *set, struct policy_rules *rules, uint32_t identity,
			const GPtrArray *matching)
{
	enum policy_direction direction = policy_rules_get_direction(rules);
	const struct rule_class *before = rule_set_get_class(set->row, direction, identity);
	const struct rule_class *class = policy_rules_find_class(rules, identity, matching);

	if (class == before) {
		rule_class_unref(class);
		return;
	}
	if (class == policy_rules_get_others(rules)) {
		rule_class_unref(class);
		class = NULL;
	}
	g_hash_table_insert(set->changes[direction], GUINT_TO_POINTER(identity), (void *)class);
	if (g_hash_table_contains(set->sets->replaced, GUINT_TO_POINTER(identity)))
		set->is_revised = true;
}

static void collect_selector(struct policy_selector *selector, void *data)
{
	g_ptr_array_add(data, selector);
}

static void change_peers(struct policy_rule_sets *sets)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, sets->touched);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		uint32_t identity = GPOINTER_TO_UINT(key);
		g_autoptr(GPtrArray) matching = g_ptr_array_new();
		GPtrArray *touched = value;

		policy_selectors_foreach(sets->selectors, identity, collect_selector, matching);
		for (unsigned int i = 0; i < touched->len; i++) {
			struct policy_rules *rules = touched->pdata[i];
			struct policy_rule_set *set = policy_rules_get_owner(rules);

			if (set->n_users && !set->is_stale)
				change_peer(set, rules, identity, matching);
		}
	}
	g_hash_table_remove_all(sets->touched);
	g_hash_table_remove_all(sets->replaced);
}

static int compare_peers(const void *pointer_a, const void *pointer_b)
{
	const struct rule_set_peer *a = pointer_a, *b = pointer_b;

	return (a->identity > b->identity) - (a->identity < b->identity);
}

static void sort_changes(GHashTable *changes, GArray *sorted)
{
	GHashTableIter iter;
	void *key, *class;

	g_hash_table_iter_init(&iter, changes);
	while (g_hash_table_iter_next(&iter, &key, &class)) {
		struct rule_set_peer peer = {GPOINTER_TO_UINT(key), class};

		g_array_append_val(sorted, peer);
	}
	g_array_sort(sorted, compare_peers);
}

/* The peers of before, with the changes; takes over nothing. */
static void merge_peers(const struct rule_set_direction *before, GHashTable *changes,
			struct rule_set_direction *ret_direction)
{
	g_autoptr(GArray) sorted = g_array_new(false, true, sizeof(struct rule_set_peer));
	struct rule_set_peer *peers;
	unsigned int i = 0, n = 0;

	sort_changes(changes, sorted);
	peers = g_new(struct rule_set_peer, before->n_peers + sorted->len + 1);
	for (unsigned int j = 0; j <= sorted->len; j++) {
		const struct rule_set_peer *change =
			&g_array_index(sorted, struct rule_set_peer, j);
		bool last = j == sorted->len;

		while (i < before->n_peers &&
		       (last || before->peers[i].identity < change->identity))
			peers[n++] = before->peers[i++];
		if (last)
			break;
		if (i < before->n_peers && before->peers[i].identity == change->identity)
			i++;
		if (change->class)
			peers[n++] = *change;
	}
	for (i = 0; i < n; i++)
		rule_class_ref(peers[i].class);
	ret_direction->peers = peers;
	ret_direction->n_peers = n;
}

static void put_row(struct policy_rule_set *set, struct rule_set *take_row, struct txn *txn,
		    struct table *table)
{
	if (set->row)
		row_unref(&set->row->row);
	set->row = take_row;
	txn_put(txn, table, row_ref(&take_row->row));
}

static void apply_changes(struct policy_rule_set *set, struct txn *txn, struct table *table)
{
	const struct rule_set *before = set->row;
	struct rule_set *row = rule_set_new(set->number, before->revision);

	if (set->is_revised)
		row->revision = ++set->sets->last_revision;
	set->is_revised = false;
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		row->directions[i].enforced = before->directions[i].enforced;
		row->directions[i].open = before->directions[i].open;
		row->directions[i].others = rule_class_ref(before->directions[i].others);
		merge_peers(&before->directions[i], set->changes[i], &row->directions[i]);
		g_hash_table_remove_all(set->changes[i]);
	}
	for (unsigned int i = 0; i < before->policies->len; i++)
		g_ptr_array_add(row->policies, g_strdup(before->policies->pdata[i]));
	put_row(set, row, txn, table);
}

static bool is_enforced(const struct policy_rule_set *set, enum policy_direction direction)
{
	switch (set->sets->config->policy_mode) {
	case POLICY_MODE_ALWAYS:
		return true;
	case POLICY_MODE_NEVER:
		return false;
	case POLICY_MODE_DEFAULT:
		break;
	}
	for (unsigned int i = 0; i < set->specs->len; i++)
		if (((const struct compiled_spec *)set->specs->pdata[i])->default_deny[direction])
			return true;
	return set->is_init && set->sets->config->enforce_init;
}

static void make_direction(struct policy_rule_set *set, enum policy_direction direction,
			   struct rule_set_direction *ret_direction)
{
	bool enforced = is_enforced(set, direction);
	struct policy_rules *rules = policy_rules_new(&(const struct policy_rules_input){
		.selectors = set->sets->selectors,
		.named_ports = set->sets->named_ports,
		.own_ports = set->ports,
		.specs = set->specs,
		.direction = direction,
		.enforced = enforced,
		.allow_localhost = set->sets->config->allow_localhost,
		.owner = set,
	});
	GArray *peers;

	policy_rules_free(set->rules[direction]);
	set->rules[direction] = rules;
	ret_direction->enforced = enforced;
	ret_direction->open = !enforced && policy_rules_is_empty(rules);
	ret_direction->others = rule_class_ref(policy_rules_get_others(rules));
	if (ret_direction->open)
		return;
	peers = policy_rules_find_peers(rules);
	ret_direction->n_peers = peers->len;
	ret_direction->peers = (struct rule_set_peer *)(void *)g_array_free(peers, false);
}

/* Specs stand in the order of the policies, so those of one policy stand together. */
static void add_policies(const struct policy_rule_set *set, GPtrArray *policies)
{
	for (unsigned int i = 0; i < set->specs->len; i++) {
		const struct compiled_spec *spec = set->specs->pdata[i];
		const char *key = spec->policy->policy->meta.key;

		if (!policies->len || strcmp(policies->pdata[policies->len - 1], key) != 0)
			g_ptr_array_add(policies, g_strdup(key));
	}
}

static void make_anew(struct policy_rule_set *set, struct txn *txn, struct table *table)
{
	uint64_t revision = set->row ? set->row->revision : 0;
	struct rule_set *row = rule_set_new(set->number, revision);

	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		make_direction(set, i, &row->directions[i]);
		g_hash_table_remove_all(set->changes[i]);
	}
	add_policies(set, row->policies);
	set->is_stale = false;
	set->is_revised = false;
	if (set->row && row_equal(&set->row->row, &row->row)) {
		row_unref(&row->row);
		return;
	}
	row->revision = ++set->sets->last_revision;
	put_row(set, row, txn, table);
}

static void remove_unused(struct policy_rule_sets *sets, struct txn *txn, struct table *table)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, sets->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policy_rule_set *set = value;

		if (set->n_users)
			continue;
		g_hash_table_iter_remove(&iter);
		txn_remove(txn, table, &set->number, sizeof(set->number));
		set_free(set);
	}
}

void policy_rule_sets_flush(struct policy_rule_sets *sets, struct txn *txn, struct table *table)
{
	GHashTableIter iter;
	void *value;

	change_peers(sets);
	g_hash_table_iter_init(&iter, sets->by_key);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policy_rule_set *set = value;

		if (set->n_users && set->is_stale)
			make_anew(set, txn, table);
		else if (g_hash_table_size(set->changes[POLICY_INGRESS]) ||
			 g_hash_table_size(set->changes[POLICY_EGRESS]))
			apply_changes(set, txn, table);
	}
	/* After those in whose place others come, which go on to use most of their selectors. */
	remove_unused(sets, txn, table);
}
