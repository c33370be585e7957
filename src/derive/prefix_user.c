// SPDX-License-Identifier: Apache-2.0
#include "src/derive/prefix_user.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/derive/selector_use.h"
#include "src/model/cidr_group.h"
#include "src/model/endpoint_slice.h"
#include "src/model/policy.h"
#include "src/model/service.h"

/* In front of the row's key in the key of a user. */
#define USER_POLICY     'p'
#define USER_ACTIVE     'a'
#define USER_GROUP      'g'
#define USER_OLD_GROUP  'o' /* of active_cidr_groups */
#define USER_SLICE      's'
#define USER_API_SERVER 'k'

struct user {
	GArray *cidrs;        /* struct cidr */
	GPtrArray *selectors; /* const struct selector: of groups and services; NULL: none */
	struct prefix_use use;
};

struct prefix_users {
	const struct tables *tables;
	prefix_use_fn fn;
	void *data;
	GHashTable *users; /* char * to struct user */
	struct selector_uses *groups;
	struct selector_uses *services;
	const struct table_index *slices; /* by "namespace/service" */
	GHashTable *dirty_groups;         /* char *, keys of rows */
	GHashTable *dirty_slices;
};

static void user_free(void *data)
{
	struct user *user = data;

	g_array_unref(user->cidrs);
	if (user->selectors)
		g_ptr_array_unref(user->selectors);
	intern_unref(user->use.group);
	g_free(user);
}

static struct user *user_new(void)
{
	struct user *user = g_new0(struct user, 1);

	user->cidrs = g_array_new(false, false, sizeof(struct cidr));
	return user;
}

static void tell(const struct prefix_users *users, const struct user *user, bool added)
{
	for (unsigned int i = 0; user && i < user->cidrs->len; i++)
		users->fn(&g_array_index(user->cidrs, struct cidr, i), &user->use, added,
			  users->data);
	for (unsigned int i = 0; user && user->selectors && i < user->selectors->len; i++) {
		const struct selector *selector = user->selectors->pdata[i];
		bool is_group = selector_get_kind(selector) == SELECTOR_CIDR_GROUP;

		selector_uses_count(is_group ? users->groups : users->services, selector,
				    added ? 1 : -1);
	}
}

static bool user_equal(const struct user *a, const struct user *b)
{
	if (a->use.group != b->use.group || a->cidrs->len != b->cidrs->len || a->selectors ||
	    b->selectors)
		return false;
	for (unsigned int i = 0; i < a->cidrs->len; i++)
		if (!cidr_equal(&g_array_index(a->cidrs, struct cidr, i),
				&g_array_index(b->cidrs, struct cidr, i)))
			return false;
	return true;
}

/* take_user NULL: it is gone. The new one first: what both use does not go in between. */
static void set_user(struct prefix_users *users, char kind, const char *name,
		     struct user *take_user)
{
	g_autofree char *key = g_strdup_printf("%c%s", kind, name);
	struct user *old = g_hash_table_lookup(users->users, key);

	if (old && take_user && user_equal(old, take_user)) {
		user_free(take_user);
		return;
	}
	tell(users, take_user, true);
	tell(users, old, false);
	if (take_user)
		g_hash_table_replace(users->users, g_steal_pointer(&key), take_user);
	else
		g_hash_table_remove(users->users, key);
}

/* ---- policies ---- */

static void unref_selector(void *selector)
{
	selector_unref(selector);
}

static void add_selector(struct user *user, const struct selector *selector)
{
	enum selector_kind kind = selector_get_kind(selector);
	const GArray *excepts = NULL;

	if (kind == SELECTOR_CIDR)
		g_array_append_vals(user->cidrs, selector_get_cidr(selector), 1);
	if (kind == SELECTOR_CIDR || kind == SELECTOR_CIDR_GROUP)
		excepts = selector_get_excepts(selector);
	if (excepts)
		g_array_append_vals(user->cidrs, excepts->data, excepts->len);
	if (kind != SELECTOR_CIDR_GROUP && kind != SELECTOR_SERVICE)
		return;
	if (!user->selectors)
		user->selectors = g_ptr_array_new_with_free_func(unref_selector);
	g_ptr_array_add(user->selectors, (void *)selector_ref(selector));
}

static struct user *policy_user(const struct policy *policy)
{
	struct user *user = user_new();

	for (unsigned int i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = policy->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules->len; j++) {
			const struct policy_rule *rule = spec->rules->pdata[j];

			for (unsigned int k = 0; k < rule->peers->len; k++)
				add_selector(user, rule->peers->pdata[k]);
		}
	}
	return user;
}

static void update_policy(struct prefix_users *users, const struct table *table,
			  const struct row_key *key)
{
	char kind = table == users->tables->policies ? USER_POLICY : USER_ACTIVE;
	g_autofree char *name = g_strndup(key->data, key->n_bytes);
	const struct policy *policy =
		(const struct policy *)table_get(table, key->data, key->n_bytes);

	set_user(users, kind, name, policy ? policy_user(policy) : NULL);
}

const GArray *prefix_users_get(const struct prefix_users *users, const struct table *table,
			       const char *key)
{
	char kind = table == users->tables->policies ? USER_POLICY : USER_GROUP;
	g_autofree char *name = g_strdup_printf("%c%s", kind, key);
	const struct user *user = g_hash_table_lookup(users->users, name);

	return user ? user->cidrs : NULL;
}

/* ---- groups and services ---- */

static void update_group_in(struct prefix_users *users, const struct table *table, char kind,
			    const char *key)
{
	const struct cidr_group *group =
		(const struct cidr_group *)table_get(table, key, strlen(key));
	struct user *user = NULL;

	if (group && selector_uses_have(users->groups, NULL, &group->meta)) {
		user = user_new();
		user->use.group = intern_new(group->meta.name);
		g_array_append_vals(user->cidrs, group->cidrs->data, group->cidrs->len);
	}
	set_user(users, kind, key, user);
}

/* What is to be first: what both have does not go in between. */
static void update_group(struct prefix_users *users, const char *key)
{
	update_group_in(users, users->tables->cidr_groups, USER_GROUP, key);
	update_group_in(users, users->tables->active_cidr_groups, USER_OLD_GROUP, key);
}

/* The endpoints of a service with a selector are pods, which have identities of their own. */
static bool slice_is_used(const struct prefix_users *users, const struct endpoint_slice *slice)
{
	g_autofree char *key = NULL;
	const struct service *service;

	if (!slice->service)
		return false;
	key = g_strdup_printf("%s/%s", slice->meta.namespace, slice->service);
	service = (const struct service *)table_get(users->tables->services, key, strlen(key));
	return service && !service->selector &&
	       selector_uses_have(users->services, service->meta.namespace, &service->meta);
}

static void append_addrs(struct user *user, const GArray *addrs)
{
	for (unsigned int i = 0; i < addrs->len; i++) {
		struct cidr cidr = cidr_from_addr(&g_array_index(addrs, struct addr, i));

		g_array_append_val(user->cidrs, cidr);
	}
}

static void update_slice(struct prefix_users *users, const char *key)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)table_get(
		users->tables->endpoint_slices, key, strlen(key));
	struct user *user = NULL;

	if (slice && slice_is_used(users, slice)) {
		g_autoptr(GArray) addrs = g_array_new(false, false, sizeof(struct addr));

		endpoint_slice_get_addrs(slice, addrs);
		user = user_new();
		append_addrs(user, addrs);
	}
	set_user(users, USER_SLICE, key, user);
}

void prefix_users_set_api_server(struct prefix_users *users, const GArray *addrs)
{
	struct user *user = user_new();

	user->use.is_api_server = true;
	append_addrs(user, addrs);
	set_user(users, USER_API_SERVER, "", user);
}

/* ---- what a change concerns ---- */

static bool note_row(const struct row *row, void *data)
{
	g_hash_table_add(data, g_strdup(((const struct object *)row)->meta.key));
	return true;
}

void prefix_users_note(struct prefix_users *users, const struct table *table,
		       const struct row_key *key)
{
	if (table == users->tables->cidr_groups || table == users->tables->active_cidr_groups)
		g_hash_table_add(users->dirty_groups, g_strndup(key->data, key->n_bytes));
	else if (table == users->tables->endpoint_slices)
		g_hash_table_add(users->dirty_slices, g_strndup(key->data, key->n_bytes));
	else if (table == users->tables->services)
		table_index_foreach(users->slices, key->data, key->n_bytes, note_row,
				    users->dirty_slices);
	else
		update_policy(users, table, key);
}

static void update_all(struct prefix_users *users, GHashTable *keys,
		       void (*update)(struct prefix_users *users, const char *key))
{
	GHashTableIter iter;
	void *key;

	g_hash_table_iter_init(&iter, keys);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		update(users, key);
	g_hash_table_remove_all(keys);
}

static void note_all_groups(struct prefix_users *users)
{
	table_foreach (users->tables->cidr_groups, note_row, users->dirty_groups)
		;
	table_foreach (users->tables->active_cidr_groups, note_row, users->dirty_groups)
		;
}

void prefix_users_update(struct prefix_users *users)
{
	if (selector_uses_take_changed(users->groups))
		note_all_groups(users);
	if (selector_uses_take_changed(users->services))
		table_foreach (users->tables->endpoint_slices, note_row, users->dirty_slices)
			;
	update_all(users, users->dirty_groups, update_group);
	update_all(users, users->dirty_slices, update_slice);
}

struct prefix_users *prefix_users_new(const struct tables *tables, const struct table_index *slices,
				      prefix_use_fn fn, void *data)
{
	struct prefix_users *users = g_new0(struct prefix_users, 1);

	users->tables = tables;
	users->fn = fn;
	users->data = data;
	users->users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, user_free);
	users->groups = selector_uses_new();
	users->services = selector_uses_new();
	users->slices = slices;
	users->dirty_groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	users->dirty_slices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return users;
}

void prefix_users_free(struct prefix_users *users)
{
	if (!users)
		return;
	g_hash_table_unref(users->users);
	selector_uses_free(users->groups);
	selector_uses_free(users->services);
	g_hash_table_unref(users->dirty_groups);
	g_hash_table_unref(users->dirty_slices);
	g_free(users);
}
