// SPDX-License-Identifier: Apache-2.0
#include "src/derive/local_identity.h"

#include "src/model/cidr_label.h"

/* Prefixes remembered of an identity in use; the oldest go first. */
#define CIDRS_MAX 64

struct local {
	uint32_t number;
	const struct label_set *labels;
	unsigned int n_users;
	GArray *cidrs; /* struct cidr: had it, since it had users last; NULL: none */
};

struct local_identities {
	const struct tables *tables;
	bool is_loaded;
	GHashTable *by_labels; /* label sets are interned; owns struct local */
	GHashTable *by_number;
	GHashTable *unused; /* set of struct local */
	uint32_t last[IDENTITY_SCOPE__MAX];
};

static void local_free(void *data)
{
	struct local *local = data;

	label_set_unref(local->labels);
	if (local->cidrs)
		g_array_unref(local->cidrs);
	g_free(local);
}

struct local_identities *local_identities_new(const struct tables *tables)
{
	struct local_identities *identities = g_new0(struct local_identities, 1);

	identities->tables = tables;
	identities->by_labels = g_hash_table_new_full(NULL, NULL, NULL, local_free);
	identities->by_number = g_hash_table_new(NULL, NULL);
	identities->unused = g_hash_table_new(NULL, NULL);
	return identities;
}

void local_identities_free(struct local_identities *identities)
{
	if (!identities)
		return;
	g_hash_table_unref(identities->unused);
	g_hash_table_unref(identities->by_number);
	g_hash_table_unref(identities->by_labels);
	g_free(identities);
}

void local_identities_set_last(struct local_identities *identities, enum identity_scope scope,
			       uint32_t number)
{
	identities->last[scope] = number;
}

static struct local *add(struct local_identities *identities, uint32_t number,
			 const struct label_set *labels)
{
	struct local *local = g_new0(struct local, 1);

	local->number = number;
	local->labels = label_set_ref(labels);
	g_hash_table_insert(identities->by_labels, (void *)labels, local);
	g_hash_table_insert(identities->by_number, GUINT_TO_POINTER(number), local);
	return local;
}

static void note_cidr(struct local *local, const struct cidr *cidr)
{
	if (!local->cidrs)
		local->cidrs = g_array_new(false, false, sizeof(struct cidr));
	if (local->cidrs->len == CIDRS_MAX)
		g_array_remove_index(local->cidrs, 0);
	g_array_append_val(local->cidrs, *cidr);
}

static bool load_row(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;
	struct local_identities *identities = data;
	enum identity_scope scope;
	struct local *local;
	struct cidr cidr;

	if (!identity_find_scope(identity->number, &scope) || scope == IDENTITY_SCOPE_LABELS)
		return true;
	local = add(identities, identity->number, identity->labels);
	g_hash_table_add(identities->unused, local);
	if (cidr_label_find(local->labels, &cidr))
		note_cidr(local, &cidr);
	identities->last[scope] = MAX(identities->last[scope], identity->number);
	return true;
}

static void load(struct local_identities *identities)
{
	if (identities->is_loaded)
		return;
	identities->is_loaded = true;
	table_foreach (identities->tables->identities, load_row, identities)
		;
}

/* A number that no labels have, or 0. */
static uint32_t find_number(struct local_identities *identities, enum identity_scope scope)
{
	struct identity_range range = identity_scope_get_range(scope);
	uint32_t number = identities->last[scope];

	for (uint32_t i = range.min; i <= range.max; i++) {
		number = number < range.min || number >= range.max ? range.min : number + 1;
		if (g_hash_table_contains(identities->by_number, GUINT_TO_POINTER(number)))
			continue;
		identities->last[scope] = number;
		return number;
	}
	return 0;
}

uint32_t local_identities_take(struct local_identities *identities, enum identity_scope scope,
			       const struct label_set *labels, struct txn *txn)
{
	struct local *local;
	struct identity *row;
	uint32_t number;

	load(identities);
	local = g_hash_table_lookup(identities->by_labels, labels);
	if (!local) {
		number = find_number(identities, scope);
		if (!number)
			return 0;
		local = add(identities, number, labels);
		row = (struct identity *)row_new(&identity_class);
		row->number = number;
		row->labels = label_set_ref(labels);
		txn_put(txn, identities->tables->identities, &row->row);
	}
	if (!local->n_users++) {
		g_hash_table_remove(identities->unused, local);
		g_clear_pointer(&local->cidrs, g_array_unref);
	}
	return local->number;
}

void local_identities_drop(struct local_identities *identities, uint32_t number,
			   const struct cidr *cidr)
{
	struct local *local = g_hash_table_lookup(identities->by_number, GUINT_TO_POINTER(number));

	if (!local)
		return;
	note_cidr(local, cidr);
	if (!--local->n_users)
		g_hash_table_add(identities->unused, local);
}

static bool may_go(const struct local *local, bool (*is_named)(const struct cidr *cidr, void *data),
		   void *data)
{
	for (unsigned int i = 0; local->cidrs && i < local->cidrs->len; i++)
		if (is_named(&g_array_index(local->cidrs, struct cidr, i), data))
			return false;
	return true;
}

bool local_identities_release(struct local_identities *identities, struct txn *txn,
			      bool (*is_named)(const struct cidr *cidr, void *data), void *data)
{
	GHashTableIter iter;
	bool released = false;
	void *item;

	load(identities);
	g_hash_table_iter_init(&iter, identities->unused);
	while (g_hash_table_iter_next(&iter, &item, NULL)) {
		struct local *local = item;

		if (!may_go(local, is_named, data))
			continue;
		g_hash_table_iter_remove(&iter);
		txn_remove(txn, identities->tables->identities, &local->number,
			   sizeof(local->number));
		g_hash_table_remove(identities->by_number, GUINT_TO_POINTER(local->number));
		g_hash_table_remove(identities->by_labels, local->labels);
		released = true;
	}
	return released;
}
