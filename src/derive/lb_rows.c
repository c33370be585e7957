// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_rows.h"

#include <string.h>
#include "src/derive/lb_claim.h"
#include "src/derive/lb_loss.h"
#include "src/store/keyed_set.h"

struct lb_rows {
	struct store *store;
	struct tables *tables;
	struct lb_rows_ops ops;
	struct keyed_set rows; /* struct lb_service, a reference each */
	struct lb_claims *claims;
	struct lb_losses *losses;
	GHashTable *changed; /* keys of rows, since the last commit */
};

/* One call of lb_rows_replace(). */
struct replacement {
	struct lb_rows *rows;
	const struct lb_owner *owner;
	GPtrArray *drafts;
	GPtrArray *losses; /* GArray of struct lb_claim_key, one for each draft */
	GArray *released;  /* struct release */
};

/* What an old row had. */
struct release {
	struct lb_claim_key key;
	enum lb_type type;
};

static void row_key_of(const void *item, struct row_key *ret_key)
{
	const struct lb_service *row = item;

	*ret_key = (struct row_key){row->key, strlen(row->key)};
}

static void free_array(void *array)
{
	g_array_unref(array);
}

struct lb_rows *lb_rows_new(struct store *store, struct tables *tables,
			    const struct lb_rows_ops *ops)
{
	struct lb_rows *rows = g_new0(struct lb_rows, 1);

	rows->store = store;
	rows->tables = tables;
	rows->ops = *ops;
	keyed_set_init(&rows->rows, row_key_of);
	rows->claims = lb_claims_new();
	rows->losses = lb_losses_new();
	rows->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return rows;
}

static bool unref_item(void *item, void *data)
{
	row_unref(item);
	return true;
}

void lb_rows_free(struct lb_rows *rows)
{
	if (!rows)
		return;
	keyed_set_foreach(&rows->rows, unref_item, NULL);
	keyed_set_fini(&rows->rows);
	lb_claims_free(rows->claims);
	lb_losses_free(rows->losses);
	g_hash_table_unref(rows->changed);
	g_free(rows);
}

static struct lb_service *get_row(const struct lb_rows *rows, const char *key)
{
	return keyed_set_get(&rows->rows, key, strlen(key));
}

static void wake_owner_of(struct lb_rows *rows, const char *row_key)
{
	struct lb_owner owner;
	g_autofree char *key = lb_owner_of(row_key, &owner.kind);

	owner.key = key;
	rows->ops.wake(&owner, rows->ops.data);
}

static bool is_of(const struct lb_owner *owner, const char *row_key)
{
	enum lb_owner_kind kind;
	g_autofree char *key = lb_owner_of(row_key, &kind);

	return kind == owner->kind && !strcmp(key, owner->key);
}

static void wake_loser(const char *row_key, void *data)
{
	wake_owner_of(data, row_key);
}

/* ---- a replacement ---- */

static struct lb_bid bid_of(const struct lb_service *row, const struct lb_claim_key *key)
{
	return (struct lb_bid){row->key, lb_claim_type(row, key)};
}

/* Whether the row gets it. One that has it and comes later is to look again. */
static bool win(struct replacement *replacement, const struct lb_bid *bid,
		const struct lb_claim_key *key)
{
	struct lb_rows *rows = replacement->rows;
	const struct lb_service *holder = lb_claims_find(rows->claims, key);
	struct lb_bid other;

	if (!holder || is_of(replacement->owner, holder->key))
		return true;
	other = bid_of(holder, key);
	if (lb_bid_compare(bid, &other) > 0)
		return false;
	lb_claims_remove(rows->claims, key, holder);
	wake_owner_of(rows, holder->key);
	return true;
}

static bool has_frontend(const struct lb_draft *draft, const struct lb_plan_frontend *wanted)
{
	for (unsigned int i = 0; i < draft->frontends->len; i++) {
		const struct lb_plan_frontend *frontend =
			&g_array_index(draft->frontends, struct lb_plan_frontend, i);

		if (frontend->port == wanted->port && addr_equal(&frontend->addr, &wanted->addr))
			return true;
	}
	return false;
}

/* Another port of the owner has it by its node port, say. */
static bool is_taken_before(const struct replacement *replacement, unsigned int n_before,
			    const struct lb_plan_frontend *frontend)
{
	const struct lb_draft *draft = replacement->drafts->pdata[n_before];

	for (unsigned int i = 0; i < n_before; i++) {
		const struct lb_draft *before = replacement->drafts->pdata[i];

		if (before->fields.protocol == draft->fields.protocol &&
		    has_frontend(before, frontend))
			return true;
	}
	return false;
}

/* Leaves the draft those that it gets. */
static void decide_frontends(struct replacement *replacement, unsigned int i)
{
	struct lb_draft *draft = replacement->drafts->pdata[i];
	GArray *losses = g_array_new(false, false, sizeof(struct lb_claim_key));
	unsigned int n = 0;

	lb_draft_sort(draft);
	for (unsigned int j = 0; j < draft->frontends->len; j++) {
		struct lb_plan_frontend *all =
			(struct lb_plan_frontend *)(void *)draft->frontends->data;
		struct lb_claim_key key = lb_claim_key_of(&draft->fields, &all[j]);
		struct lb_bid bid = {draft->key, all[j].type};

		if (is_taken_before(replacement, i, &all[j]))
			continue;
		if (win(replacement, &bid, &key))
			all[n++] = all[j];
		else
			g_array_append_val(losses, key);
	}
	g_array_set_size(draft->frontends, n);
	g_ptr_array_add(replacement->losses, losses);
}

static bool is_guarded_type(uint8_t type)
{
	return type == LB_TYPE_CLUSTER_IP || type == LB_TYPE_EXTERNAL_IP ||
	       type == LB_TYPE_LOAD_BALANCER || type == LB_TYPE_LOCAL_REDIRECT;
}

static bool is_guarded(const struct replacement *replacement, unsigned int n_drafts,
		       const struct lb_plan_frontend *wildcard)
{
	for (unsigned int i = 0; i < n_drafts; i++)
		if (has_frontend(replacement->drafts->pdata[i], wildcard))
			return true;
	return false;
}

static void guard_addr(struct replacement *replacement, unsigned int i,
		       const struct lb_plan_frontend *frontend)
{
	const struct lb_rows_ops *ops = &replacement->rows->ops;
	struct lb_draft *draft = replacement->drafts->pdata[i];
	struct lb_plan_frontend wildcard = {
		.addr = frontend->addr,
		.flags = LB_FRONTEND_F_WILDCARD | (frontend->flags & LB_FRONTEND_F_EXTERNAL),
		.type = frontend->type,
	};
	struct lb_claim_key key = lb_claim_key_of(&draft->fields, &wildcard);
	struct lb_bid bid = {draft->key, frontend->type};

	if (is_guarded(replacement, i + 1, &wildcard))
		return;
	if (!ops->is_node_addr(&frontend->addr, ops->data) && win(replacement, &bid, &key))
		g_array_append_val(draft->frontends, wildcard);
	else
		g_array_append_val((GArray *)replacement->losses->pdata[i], key);
}

static void guard_addrs(struct replacement *replacement, unsigned int i)
{
	struct lb_draft *draft = replacement->drafts->pdata[i];
	unsigned int n = draft->frontends->len;

	if (!draft->guards_addrs)
		return;
	for (unsigned int j = 0; j < n; j++) {
		/* A copy: the array grows. */
		struct lb_plan_frontend frontend =
			g_array_index(draft->frontends, struct lb_plan_frontend, j);

		if (is_guarded_type(frontend.type))
			guard_addr(replacement, i, &frontend);
	}
}

static void note_changed(struct lb_rows *rows, const char *row_key)
{
	g_hash_table_add(rows->changed, g_strdup(row_key));
}

/* The row is not in the way of others any more. */
static void retire(struct replacement *replacement, struct lb_service *row)
{
	struct lb_rows *rows = replacement->rows;

	for (unsigned int i = 0; i < row->n_frontends; i++) {
		struct lb_claim_key key = lb_claim_key_of(row, &row->frontends[i]);

		if (lb_claims_remove(rows->claims, &key, row)) {
			struct release release = {key, row->frontends[i].type};

			g_array_append_val(replacement->released, release);
		}
	}
	keyed_set_remove(&rows->rows, row->key, strlen(row->key));
	note_changed(rows, row->key);
	row_unref(&row->row);
}

/* A row that stays may have lost something to somebody who has given it up meanwhile. */
static void claim(struct lb_rows *rows, const struct lb_service *row)
{
	for (unsigned int i = 0; i < row->n_frontends; i++) {
		struct lb_claim_key key = lb_claim_key_of(row, &row->frontends[i]);

		if (!lb_claims_find(rows->claims, &key))
			lb_claims_put(rows->claims, &key, row);
	}
}

static void install(struct lb_rows *rows, struct lb_service *take_row)
{
	claim(rows, take_row);
	if (keyed_set_put(&rows->rows, take_row))
		return;
	note_changed(rows, take_row->key);
}

/* A row that stays as it is stays the same row. */
static bool is_as_before(const struct lb_service *row, const struct lb_service *before)
{
	return row && before && row_equal(&row->row, &before->row);
}

static bool is_drafted(const GPtrArray *drafts, const char *row_key)
{
	for (unsigned int i = 0; i < drafts->len; i++)
		if (!strcmp(((const struct lb_draft *)drafts->pdata[i])->key, row_key))
			return true;
	return false;
}

static void retire_old(struct replacement *replacement, const GPtrArray *old_keys)
{
	struct lb_rows *rows = replacement->rows;

	for (unsigned int i = 0; old_keys && i < old_keys->len; i++) {
		struct lb_service *row = get_row(rows, old_keys->pdata[i]);

		if (is_drafted(replacement->drafts, old_keys->pdata[i]))
			continue;
		lb_losses_set(rows->losses, old_keys->pdata[i], NULL);
		if (row)
			retire(replacement, row);
	}
}

/* What is of the owner goes first: two of its rows may change places. */
static void exchange(struct replacement *replacement, const GPtrArray *old_keys)
{
	struct lb_rows *rows = replacement->rows;
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();

	retire_old(replacement, old_keys);
	for (unsigned int i = 0; i < replacement->drafts->len; i++) {
		struct lb_draft *draft = replacement->drafts->pdata[i];
		struct lb_service *before = get_row(rows, draft->key);
		struct lb_service *row = draft->frontends->len ? lb_draft_finish(draft) : NULL;

		lb_losses_set(rows->losses, draft->key, replacement->losses->pdata[i]);
		if (is_as_before(row, before)) {
			row_unref(&row->row);
			row = before;
		} else if (before) {
			retire(replacement, before);
		}
		if (row)
			g_ptr_array_add(wanted, row);
	}
	for (unsigned int i = 0; i < wanted->len; i++)
		install(rows, wanted->pdata[i]);
}

/* Others may get it now: the owner has it no more, or by a weaker type. */
static bool is_weaker(const struct lb_rows *rows, const struct release *release)
{
	const struct lb_service *holder = lb_claims_find(rows->claims, &release->key);
	struct lb_bid before, now;

	if (!holder)
		return true;
	before = (struct lb_bid){holder->key, release->type};
	now = bid_of(holder, &release->key);
	return lb_bid_compare(&now, &before) > 0;
}

void lb_rows_replace(struct lb_rows *rows, const struct lb_owner *owner, const GPtrArray *old_keys,
		     GPtrArray *drafts)
{
	struct replacement replacement = {
		.rows = rows,
		.owner = owner,
		.drafts = drafts,
		.losses = g_ptr_array_new_with_free_func(free_array),
		.released = g_array_new(false, false, sizeof(struct release)),
	};
	for (unsigned int i = 0; i < drafts->len; i++)
		decide_frontends(&replacement, i);
	for (unsigned int i = 0; i < drafts->len; i++)
		guard_addrs(&replacement, i);
	exchange(&replacement, old_keys);
	for (unsigned int i = 0; i < replacement.released->len; i++) {
		const struct release *release =
			&g_array_index(replacement.released, struct release, i);

		if (is_weaker(rows, release))
			lb_losses_foreach_of(rows->losses, &release->key, wake_loser, rows);
	}
	g_ptr_array_unref(replacement.losses);
	g_array_unref(replacement.released);
}

void lb_rows_note_node_addr(struct lb_rows *rows, const struct addr *addr)
{
	const struct lb_claim_key key = {.addr = *addr};
	const struct lb_service *holder = lb_claims_find(rows->claims, &key);

	if (holder)
		wake_owner_of(rows, holder->key);
	lb_losses_foreach_of(rows->losses, &key, wake_loser, rows);
}

void lb_rows_commit(struct lb_rows *rows)
{
	struct table *table = rows->tables->lb_services;
	struct txn *txn;
	GHashTableIter iter;
	void *key;

	if (!g_hash_table_size(rows->changed))
		return;
	txn = txn_new(rows->store);
	g_hash_table_iter_init(&iter, rows->changed);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		struct lb_service *row = get_row(rows, key);

		if (row)
			txn_put(txn, table, row_ref(&row->row));
		else
			txn_remove(txn, table, key, strlen(key));
	}
	txn_commit(txn);
	g_hash_table_remove_all(rows->changed);
}

struct walk {
	void (*fn)(const struct lb_service *row, void *data);
	void *data;
};

static bool visit(void *item, void *data)
{
	const struct walk *walk = data;

	walk->fn(item, walk->data);
	return true;
}

void lb_rows_foreach(const struct lb_rows *rows,
		     void (*fn)(const struct lb_service *row, void *data), void *data)
{
	struct walk walk = {fn, data};

	keyed_set_foreach(&rows->rows, visit, &walk);
}

/* A service whose address is redirected is as its owner wants it. */
static bool is_redirected(const char *loser, const char *winner)
{
	return lb_owner_kind_of(winner) == LB_OWNER_REDIRECT &&
	       lb_owner_kind_of(loser) != LB_OWNER_REDIRECT;
}

struct conflict_walk {
	const struct lb_rows *rows;
	void (*fn)(const char *loser, const char *winner, const struct addr *addr, uint16_t port,
		   void *data);
	void *data;
};

static void visit_loss(const char *row_key, const struct lb_claim_key *key, void *data)
{
	const struct conflict_walk *walk = data;
	const struct lb_service *holder =
		key->port ? lb_claims_find(walk->rows->claims, key) : NULL;

	if (holder && !is_redirected(row_key, holder->key))
		walk->fn(row_key, holder->key, &key->addr, key->port, walk->data);
}

void lb_rows_foreach_conflict(const struct lb_rows *rows,
			      void (*fn)(const char *loser, const char *winner,
					 const struct addr *addr, uint16_t port, void *data),
			      void *data)
{
	struct conflict_walk walk = {rows, fn, data};

	lb_losses_foreach(rows->losses, visit_loss, &walk);
}
