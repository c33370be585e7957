// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_activation.h"

#include <string.h>
#include "src/derive/ipcache.h"
#include "src/model/policy.h"

enum kind {
	KIND_POLICY,
	KIND_GROUP, /* CiliumCIDRGroup */
	KIND__MAX,
};

struct policy_activation {
	struct policy_activation_parts parts;
	struct table *wanted[KIND__MAX];
	struct table *active[KIND__MAX];
	GHashTable
		*waiting[KIND__MAX]; /* char *: keys of rows that are to be looked at, or again */
	bool may_release;
	bool closed; /* a prefix since the policies were compiled */
};

/* ---- the kernel ---- */

static bool is_failing(const struct policy_activation *activation, enum plan_map map,
		       const void *key, size_t n_bytes)
{
	const struct policy_activation_parts *parts = &activation->parts;

	return parts->is_failing && parts->is_failing(map, key, n_bytes, parts->data);
}

/* As the prefix of a policy. */
static bool prefix_is_failing(const struct cidr *cidr, void *data)
{
	struct ipcache_prefix_key key = ipcache_prefix_map_key(cidr);

	return is_failing(data, PLAN_MAP_cilium_ipcache_prefix, &key, sizeof(key));
}

/* As such, or as the address of a node. */
static bool is_failing_anywhere(const struct cidr *cidr, void *data)
{
	struct ipcache_key key = {.addr = cidr->addr};

	return prefix_is_failing(cidr, data) ||
	       (cidr->prefix_len == 128 &&
		is_failing(data, PLAN_MAP_cilium_ipcache, &key, sizeof(key)));
}

/* ---- what waits ---- */

static char *object_text(enum kind kind, const struct object *object)
{
	if (kind == KIND_GROUP)
		return g_strdup_printf("CiliumCIDRGroup %s", object->meta.name);
	return g_strdup_printf("%s %s%s%s", policy_kind_name(((const struct policy *)object)->kind),
			       object->meta.namespace ? object->meta.namespace : "",
			       object->meta.namespace ? "/" : "", object->meta.name);
}

static char *problem_key(enum kind kind, const char *key)
{
	return g_strdup_printf("waiting %s%s", kind == KIND_GROUP ? "CiliumCIDRGroup/" : "", key);
}

static void put_problem(struct policy_activation *activation, struct txn *txn, enum kind kind,
			const struct object *object, const char *reason)
{
	const struct policy_activation_parts *parts = &activation->parts;
	struct source_problem *problem = (struct source_problem *)row_new(&source_problem_class);
	const struct row *old;

	problem->key = problem_key(kind, object->meta.key);
	problem->file = g_strdup(object->meta.file ? object->meta.file : object->meta.key);
	problem->line = object->meta.line;
	problem->object = object_text(kind, object);
	problem->reason = g_strdup(reason);
	old = table_get(parts->tables->source_problems, problem->key, strlen(problem->key));
	if ((!old || !row_equal(old, &problem->row)) && parts->on_waiting)
		parts->on_waiting(problem, parts->data);
	txn_put(txn, parts->tables->source_problems, &problem->row);
}

static void remove_problem(struct policy_activation *activation, struct txn *txn, enum kind kind,
			   const char *key)
{
	g_autofree char *name = problem_key(kind, key);

	txn_remove(txn, activation->parts.tables->source_problems, name, strlen(name));
}

/* Why the row cannot be in force; NULL: it can. Free with g_free. */
static char *find_obstacle(struct policy_activation *activation, enum kind kind, const char *key)
{
	const struct prefix_derivation *prefixes = derive_get_prefixes(activation->parts.derive);
	char text[CIDR_TEXT_BYTES];
	struct cidr cidr;

	switch (prefix_derivation_check(prefixes, activation->wanted[kind], key, prefix_is_failing,
					activation, &cidr)) {
	case PREFIX_WITHOUT_IDENTITY:
		return g_strdup_printf("no identity is left for %s: policies, CIDR groups and "
				       "services use more than %u prefixes",
				       cidr_format(&cidr, text),
				       IDENTITY_PREFIX_MAX - IDENTITY_PREFIX_MIN + 1);
	case PREFIX_NOT_IN_KERNEL:
		return g_strdup_printf("the kernel has not taken %s into cilium_ipcache_prefix, "
				       "see \"cilium status\"",
				       cidr_format(&cidr, text));
	case PREFIX_READY:
		break;
	}
	return NULL;
}

/* ---- activation ---- */

static void tell_obstacle(struct policy_activation *activation, struct txn *txn, enum kind kind,
			  const struct row *row, const char *obstacle, bool is_active)
{
	g_autofree char *reason = g_strdup_printf("%s; %s", obstacle,
						  is_active ? "until then it allows less than it "
							      "says"
							    : "what it said before stays in force");

	put_problem(activation, txn, kind, (const struct object *)row, reason);
}

/* False where it waits further. */
static bool activate(struct policy_activation *activation, struct txn *txn, enum kind kind,
		     const char *key, bool unconditionally)
{
	const struct row *row = table_get(activation->wanted[kind], key, strlen(key));
	const struct row *active = table_get(activation->active[kind], key, strlen(key));
	g_autofree char *obstacle = row ? find_obstacle(activation, kind, key) : NULL;
	bool is_active = unconditionally || (row && active && row_equal(active, row));

	if (obstacle && is_active)
		activation->closed |= prefix_derivation_close(
			derive_get_prefixes(activation->parts.derive), activation->wanted[kind],
			key, prefix_is_failing, activation);
	if (obstacle)
		tell_obstacle(activation, txn, kind, row, obstacle, is_active);
	else
		remove_problem(activation, txn, kind, key);
	if (row && (!obstacle || is_active))
		txn_put(txn, activation->active[kind], row_ref(row));
	else if (!row)
		txn_remove(txn, activation->active[kind], key, strlen(key));
	return !obstacle;
}

static void activate_waiting(struct policy_activation *activation, bool unconditionally)
{
	struct txn *txn = txn_new(activation->parts.store);
	GHashTableIter iter;
	void *key;

	for (enum kind kind = 0; kind < KIND__MAX; kind++) {
		g_hash_table_iter_init(&iter, activation->waiting[kind]);
		while (g_hash_table_iter_next(&iter, &key, NULL))
			if (activate(activation, txn, kind, key, unconditionally))
				g_hash_table_iter_remove(&iter);
	}
	txn_commit(txn);
}

/* What is released may serve a prefix that found no number, and then a policy that waits for it. */
static void release(struct policy_activation *activation)
{
	struct derive *derive = activation->parts.derive;
	struct local_identities *local = derive_get_local_identities(derive);
	struct txn *txn;

	if (!activation->may_release)
		return;
	txn = txn_new(activation->parts.store);
	if (!local_identities_release(local, txn, is_failing_anywhere, activation)) {
		txn_abort(txn);
		return;
	}
	txn_commit(txn);
	prefix_derivation_retry(derive_get_prefixes(derive));
}

static bool add_key(const struct row *row, void *data)
{
	g_hash_table_add(data, g_strdup(((const struct object *)row)->meta.key));
	return true;
}

void policy_activation_begin(struct policy_activation *activation)
{
	for (enum kind kind = 0; kind < KIND__MAX; kind++)
		table_foreach (activation->wanted[kind], add_key, activation->waiting[kind])
			;
	activate_waiting(activation, true);
	for (enum kind kind = 0; kind < KIND__MAX; kind++)
		table_set_synced(activation->active[kind]);
}

static void run(struct watch *watch, void *data)
{
	struct policy_activation *activation = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		for (enum kind kind = 0; kind < KIND__MAX; kind++)
			if (table == activation->wanted[kind])
				g_hash_table_add(activation->waiting[kind],
						 g_strndup(key.data, key.n_bytes));
	policy_activation_retry(activation);
}

void policy_activation_watch(struct policy_activation *activation)
{
	struct watch *watch =
		watch_new(activation->parts.store, "policy-activation", run, activation);

	for (enum kind kind = 0; kind < KIND__MAX; kind++)
		watch_add(watch, activation->wanted[kind]);
	watch_add(watch, activation->parts.tables->plan_map_entries);
}

/* Rules are made anew where prefixes are closed, or open, that were not. */
static void recompile(struct policy_activation *activation)
{
	struct prefix_derivation *prefixes = derive_get_prefixes(activation->parts.derive);

	if (prefix_derivation_open(prefixes, prefix_is_failing, activation) || activation->closed)
		derive_recompile_policies(activation->parts.derive);
	activation->closed = false;
}

void policy_activation_allow_release(struct policy_activation *activation)
{
	activation->may_release = true;
	release(activation);
}

unsigned int policy_activation_n_waiting(const struct policy_activation *activation)
{
	return g_hash_table_size(activation->waiting[KIND_POLICY]) +
	       g_hash_table_size(activation->waiting[KIND_GROUP]);
}

void policy_activation_retry(struct policy_activation *activation)
{
	if (policy_activation_n_waiting(activation))
		activate_waiting(activation, false);
	release(activation);
	recompile(activation);
}

struct policy_activation *policy_activation_new(const struct policy_activation_parts *parts)
{
	struct policy_activation *activation = g_new0(struct policy_activation, 1);

	activation->parts = *parts;
	activation->wanted[KIND_POLICY] = parts->tables->policies;
	activation->active[KIND_POLICY] = parts->tables->active_policies;
	activation->wanted[KIND_GROUP] = parts->tables->cidr_groups;
	activation->active[KIND_GROUP] = parts->tables->active_cidr_groups;
	for (enum kind kind = 0; kind < KIND__MAX; kind++)
		activation->waiting[kind] =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return activation;
}

void policy_activation_free(struct policy_activation *activation)
{
	if (!activation)
		return;
	for (enum kind kind = 0; kind < KIND__MAX; kind++)
		g_hash_table_unref(activation->waiting[kind]);
	g_free(activation);
}
