// SPDX-License-Identifier: Apache-2.0
#include "src/derive/prefix.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/derive/prefix_user.h"
#include "src/model/cidr_group.h"
#include "src/model/cidr_label.h"
#include "src/model/identity.h"
#include "src/store/keyed_set.h"

struct prefix {
	struct cidr cidr;
	unsigned int n_users;
	unsigned int n_api; /* of them: it is the API server's */
	GPtrArray *groups;  /* interned: names of groups that have it; NULL: none */
	uint32_t number;    /* of its identity; 0: none */
	bool is_without;    /* its labels found no number */
	bool is_closed;     /* prefix_derivation_is_closed() */
};

struct prefix_derivation {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct local_identities *local;
	struct ipcache_derivation *ipcache;
	struct prefix_users *users;
	struct keyed_set prefixes; /* struct prefix */
	/* Prefixes of groups, by their length: where to look for what holds a prefix. */
	unsigned int n_of_groups[129];
	GArray *dirty;        /* struct cidr: to be looked at */
	GArray *dirty_groups; /* struct cidr: what lies inside is to be looked at */
	unsigned int n_without;
	unsigned int n_closed;
};

static void prefix_key(const void *item, struct row_key *ret_key)
{
	*ret_key = (struct row_key){&((const struct prefix *)item)->cidr, CIDR_KEY_BYTES};
}

static struct prefix *find(const struct prefix_derivation *derivation, const struct cidr *cidr)
{
	return keyed_set_get(&derivation->prefixes, cidr, CIDR_KEY_BYTES);
}

static void prefix_free(struct prefix *prefix)
{
	if (prefix->groups)
		g_ptr_array_unref(prefix->groups);
	g_free(prefix);
}

/* ---- who uses what ---- */

static void unref_text(void *text)
{
	intern_unref(text);
}

static void add_group(struct prefix_derivation *derivation, struct prefix *prefix, const char *name)
{
	if (!prefix->groups) {
		prefix->groups = g_ptr_array_new_with_free_func(unref_text);
		derivation->n_of_groups[prefix->cidr.prefix_len]++;
	}
	g_ptr_array_add(prefix->groups, (void *)intern_ref(name));
	g_array_append_val(derivation->dirty_groups, prefix->cidr);
}

static void remove_group(struct prefix_derivation *derivation, struct prefix *prefix,
			 const char *name)
{
	g_ptr_array_remove_fast(prefix->groups, (void *)name);
	g_array_append_val(derivation->dirty_groups, prefix->cidr);
	if (prefix->groups->len)
		return;
	g_clear_pointer(&prefix->groups, g_ptr_array_unref);
	derivation->n_of_groups[prefix->cidr.prefix_len]--;
}

/* One user more or less. */
static void count_use(const struct cidr *cidr, const struct prefix_use *use, bool added, void *data)
{
	struct prefix_derivation *derivation = data;
	struct prefix *prefix = find(derivation, cidr);

	if (!prefix) {
		prefix = g_new0(struct prefix, 1);
		prefix->cidr = *cidr;
		keyed_set_put(&derivation->prefixes, prefix);
	}
	prefix->n_users += added ? 1 : -1;
	if (use->is_api_server)
		prefix->n_api += added ? 1 : -1;
	if (use->group && added)
		add_group(derivation, prefix, use->group);
	else if (use->group)
		remove_group(derivation, prefix, use->group);
	g_array_append_val(derivation->dirty, *cidr);
}

/* ---- identities ---- */

/* A whole family is the world, which needs no identity. */
static bool wants_identity(const struct prefix_derivation *derivation, const struct prefix *prefix)
{
	bool enabled = cidr_is_v4(&prefix->cidr) ? derivation->config->enable_ipv4
						 : derivation->config->enable_ipv6;

	if (!prefix->n_users || !enabled || !cidr_text_len(&prefix->cidr))
		return false;
	return prefix->n_users > prefix->n_api ||
	       !ipcache_get(derivation->ipcache, IPCACHE_LAYER_NODE, &prefix->cidr);
}

static void add_group_labels(const struct prefix_derivation *derivation, const struct cidr *cidr,
			     GArray *labels, GPtrArray *keys)
{
	int shortest = cidr_is_v4(cidr) ? ADDR_V4_PREFIX_BITS : 0;

	for (int len = cidr->prefix_len; len >= shortest; len--) {
		struct cidr around = cidr_truncate(cidr, len);
		const struct prefix *prefix;

		if (!derivation->n_of_groups[len])
			continue;
		prefix = find(derivation, &around);
		for (unsigned int i = 0; prefix && prefix->groups && i < prefix->groups->len; i++) {
			char *key = g_strconcat(CIDR_GROUP_LABEL_PREFIX,
						(const char *)prefix->groups->pdata[i], NULL);
			struct label label = {CIDR_GROUP_LABEL_SOURCE, key, ""};

			g_ptr_array_add(keys, key);
			g_array_append_val(labels, label);
		}
	}
}

static const struct label_set *make_labels(const struct prefix_derivation *derivation,
					   const struct prefix *prefix)
{
	const struct derive_config *config = derivation->config;
	bool dual = config->enable_ipv4 && config->enable_ipv6;
	const char *world = !dual                       ? "world"
			    : cidr_is_v4(&prefix->cidr) ? "world-ipv4"
							: "world-ipv6";
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	char key[CIDR_LABEL_KEY_BYTES];
	const struct label fixed[] = {
		{CIDR_LABEL_SOURCE, cidr_label_format(&prefix->cidr, key), ""},
		{"reserved", world, ""},
		{"reserved", "kube-apiserver", ""},
	};

	g_array_append_vals(labels, fixed, prefix->n_api ? 3 : 2);
	add_group_labels(derivation, &prefix->cidr, labels, keys);
	return label_set_new((const struct label *)(void *)labels->data, labels->len);
}

static void put_row(struct prefix_derivation *derivation, const struct prefix *prefix)
{
	struct ipcache_entry *entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);

	entry->cidr = prefix->cidr;
	entry->identity = prefix->number;
	entry->source = prefix->n_api ? "kube-apiserver" : "generated";
	ipcache_put(derivation->ipcache, IPCACHE_LAYER_PREFIX, entry);
}

static void set_without(struct prefix_derivation *derivation, struct prefix *prefix, bool without)
{
	derivation->n_without += without - prefix->is_without;
	prefix->is_without = without;
}

/* True where it was not so. */
static bool set_closed(struct prefix_derivation *derivation, struct prefix *prefix, bool closed)
{
	bool changed = prefix->is_closed != closed;

	derivation->n_closed += closed - prefix->is_closed;
	prefix->is_closed = closed;
	return changed;
}

static void set_number(struct prefix_derivation *derivation, struct prefix *prefix, uint32_t number)
{
	local_identities_drop(derivation->local, prefix->number, &prefix->cidr);
	prefix->number = number;
}

static void refresh_wanted(struct prefix_derivation *derivation, struct prefix *prefix,
			   struct txn *txn)
{
	const struct label_set *labels = make_labels(derivation, prefix);
	uint32_t number =
		local_identities_take(derivation->local, IDENTITY_SCOPE_PREFIX, labels, txn);

	label_set_unref(labels);
	set_without(derivation, prefix, !number);
	if (!number && !prefix->number)
		set_closed(derivation, prefix, true);
	if (!number)
		return; /* it stays what it was */
	set_number(derivation, prefix, number);
	put_row(derivation, prefix);
}

static void refresh(struct prefix_derivation *derivation, const struct cidr *cidr, struct txn *txn)
{
	struct prefix *prefix = find(derivation, cidr);

	if (!prefix)
		return;
	if (wants_identity(derivation, prefix)) {
		refresh_wanted(derivation, prefix, txn);
		return;
	}
	set_without(derivation, prefix, false);
	set_closed(derivation, prefix, false);
	set_number(derivation, prefix, 0);
	ipcache_remove(derivation->ipcache, IPCACHE_LAYER_PREFIX, cidr);
	if (!prefix->n_users) {
		keyed_set_remove(&derivation->prefixes, cidr, CIDR_KEY_BYTES);
		prefix_free(prefix);
	}
}

/* ---- what a change concerns ---- */

struct inside {
	struct prefix_derivation *derivation;
	struct keyed_set *groups; /* struct cidr */
	bool lens[129];
};

static void cidr_key(const void *item, struct row_key *ret_key)
{
	*ret_key = (struct row_key){item, CIDR_KEY_BYTES};
}

static bool mark_inside(void *item, void *data)
{
	const struct prefix *prefix = item;
	struct inside *inside = data;
	int shortest = cidr_is_v4(&prefix->cidr) ? ADDR_V4_PREFIX_BITS : 0;

	for (int len = prefix->cidr.prefix_len; len >= shortest; len--) {
		struct cidr around = cidr_truncate(&prefix->cidr, len);

		if (!inside->lens[len] || !keyed_set_get(inside->groups, &around, CIDR_KEY_BYTES))
			continue;
		g_array_append_val(inside->derivation->dirty, prefix->cidr);
		break;
	}
	return true;
}

static void mark_inside_groups(struct prefix_derivation *derivation)
{
	struct keyed_set groups;
	struct inside inside = {.derivation = derivation, .groups = &groups};

	if (!derivation->dirty_groups->len)
		return;
	keyed_set_init(&groups, cidr_key);
	for (unsigned int i = 0; i < derivation->dirty_groups->len; i++) {
		struct cidr *cidr = &g_array_index(derivation->dirty_groups, struct cidr, i);

		keyed_set_put(&groups, cidr);
		inside.lens[cidr->prefix_len] = true;
	}
	keyed_set_foreach(&derivation->prefixes, mark_inside, &inside);
	keyed_set_fini(&groups);
	g_array_set_size(derivation->dirty_groups, 0);
}

/* In the order of the prefixes, so that the same input gives the same numbers. */
static void refresh_dirty(struct prefix_derivation *derivation, struct txn *txn)
{
	mark_inside_groups(derivation);
	g_array_sort(derivation->dirty, cidr_compare);
	for (unsigned int i = 0; i < derivation->dirty->len; i++) {
		const struct cidr *cidr = &g_array_index(derivation->dirty, struct cidr, i);

		if (!i || !cidr_equal(cidr, cidr - 1))
			refresh(derivation, cidr, txn);
	}
	g_array_set_size(derivation->dirty, 0);
}

static void run(struct watch *watch, void *data)
{
	struct prefix_derivation *derivation = data;
	struct txn *txn;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		prefix_users_note(derivation->users, table, &key);
	prefix_users_update(derivation->users);
	txn = txn_new(derivation->store);
	refresh_dirty(derivation, txn);
	ipcache_flush(derivation->ipcache, txn);
	txn_commit(txn);
}

void prefix_derivation_set_api_server(struct prefix_derivation *derivation, struct txn *txn,
				      const GArray *addrs)
{
	prefix_users_set_api_server(derivation->users, addrs);
	/* Those that stay may be nodes' now, or no longer. */
	for (unsigned int i = 0; i < addrs->len; i++) {
		struct cidr cidr = cidr_from_addr(&g_array_index(addrs, struct addr, i));

		g_array_append_val(derivation->dirty, cidr);
	}
	refresh_dirty(derivation, txn);
}

static bool mark_without(void *item, void *data)
{
	const struct prefix *prefix = item;

	if (prefix->is_without)
		g_array_append_val((GArray *)data, prefix->cidr);
	return true;
}

void prefix_derivation_retry(struct prefix_derivation *derivation)
{
	struct txn *txn;

	if (!derivation->n_without)
		return;
	txn = txn_new(derivation->store);
	keyed_set_foreach(&derivation->prefixes, mark_without, derivation->dirty);
	refresh_dirty(derivation, txn);
	ipcache_flush(derivation->ipcache, txn);
	txn_commit(txn);
}

static bool take_without(void *item, void *data)
{
	const struct prefix *prefix = item;

	if (prefix->is_without)
		*(struct cidr *)data = prefix->cidr;
	return !prefix->is_without;
}

unsigned int prefix_derivation_n_without(const struct prefix_derivation *derivation,
					 struct cidr *ret_cidr)
{
	if (derivation->n_without)
		keyed_set_foreach(&derivation->prefixes, take_without, ret_cidr);
	return derivation->n_without;
}

bool prefix_derivation_is_closed(const struct prefix_derivation *derivation,
				 const struct cidr *cidr)
{
	const struct prefix *prefix = derivation->n_closed ? find(derivation, cidr) : NULL;

	return prefix && prefix->is_closed;
}

bool prefix_derivation_close(struct prefix_derivation *derivation, const struct table *table,
			     const char *key,
			     bool (*is_pending)(const struct cidr *cidr, void *data), void *data)
{
	const GArray *cidrs = prefix_users_get(derivation->users, table, key);
	bool changed = false;

	for (unsigned int i = 0; cidrs && i < cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(cidrs, struct cidr, i);
		struct prefix *prefix = find(derivation, cidr);

		if (prefix->number && is_pending(cidr, data))
			changed |= set_closed(derivation, prefix, true);
	}
	return changed;
}

struct opening {
	struct prefix_derivation *derivation;
	bool (*is_pending)(const struct cidr *cidr, void *data);
	void *data;
	bool changed;
};

static bool open_prefix(void *item, void *data)
{
	struct prefix *prefix = item;
	struct opening *opening = data;

	if (prefix->is_closed && prefix->number &&
	    !opening->is_pending(&prefix->cidr, opening->data))
		opening->changed |= set_closed(opening->derivation, prefix, false);
	return true;
}

bool prefix_derivation_open(struct prefix_derivation *derivation,
			    bool (*is_pending)(const struct cidr *cidr, void *data), void *data)
{
	struct opening opening = {derivation, is_pending, data, false};

	if (derivation->n_closed)
		keyed_set_foreach(&derivation->prefixes, open_prefix, &opening);
	return opening.changed;
}

enum prefix_state prefix_derivation_check(const struct prefix_derivation *derivation,
					  const struct table *table, const char *key,
					  bool (*is_pending)(const struct cidr *cidr, void *data),
					  void *data, struct cidr *ret_cidr)
{
	const GArray *cidrs = prefix_users_get(derivation->users, table, key);

	for (unsigned int i = 0; cidrs && i < cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(cidrs, struct cidr, i);
		const struct prefix *prefix = find(derivation, cidr);
		enum prefix_state state = PREFIX_READY;

		if (prefix->is_without)
			state = PREFIX_WITHOUT_IDENTITY;
		else if (prefix->number && is_pending(cidr, data))
			state = PREFIX_NOT_IN_KERNEL;
		if (state != PREFIX_READY) {
			*ret_cidr = *cidr;
			return state;
		}
	}
	return PREFIX_READY;
}

struct prefix_derivation *prefix_derivation_new(struct store *store, struct tables *tables,
						const struct derive_config *config,
						struct local_identities *local,
						struct ipcache_derivation *ipcache,
						const struct table_index *slices)
{
	struct prefix_derivation *derivation = g_new0(struct prefix_derivation, 1);
	struct watch *watch = watch_new(store, "prefix", run, derivation);

	derivation->store = store;
	derivation->tables = tables;
	derivation->config = config;
	derivation->local = local;
	derivation->ipcache = ipcache;
	derivation->users = prefix_users_new(tables, slices, count_use, derivation);
	keyed_set_init(&derivation->prefixes, prefix_key);
	derivation->dirty = g_array_new(false, false, sizeof(struct cidr));
	derivation->dirty_groups = g_array_new(false, false, sizeof(struct cidr));
	watch_add(watch, tables->policies);
	watch_add(watch, tables->active_policies);
	watch_add(watch, tables->cidr_groups);
	watch_add(watch, tables->active_cidr_groups);
	watch_add(watch, tables->services);
	watch_add(watch, tables->endpoint_slices);
	return derivation;
}

static bool free_item(void *item, void *data)
{
	prefix_free(item);
	return true;
}

void prefix_derivation_free(struct prefix_derivation *derivation)
{
	if (!derivation)
		return;
	prefix_users_free(derivation->users);
	keyed_set_foreach(&derivation->prefixes, free_item, NULL);
	keyed_set_fini(&derivation->prefixes);
	g_array_unref(derivation->dirty);
	g_array_unref(derivation->dirty_groups);
	g_free(derivation);
}
