// SPDX-License-Identifier: Apache-2.0
#include "src/source/file_set.h"

#include <string.h>
#include "src/source/manifest.h"

/* What a file says of an object. */
struct claim {
	const struct object_kind *kind;
	struct object *object; /* a reference; its meta.key is the claim's key */
	struct file *file;
	unsigned int line; /* where it stands now; the row may be from when it stood elsewhere */
	bool shadowed;     /* another file said it before */
	/* The ring of those who say the object: the one in force, then the others, oldest first. */
	struct claim *next;
};

struct file {
	char *name;
	GHashTable *claims;        /* struct claim, owned */
	GPtrArray *parse_problems; /* struct source_problem: of its text */
	GPtrArray *published;      /* struct source_problem: as they are in the table */
	unsigned int n_shadowed;   /* of its claims */
	bool changed;              /* its problems have to be published again */
};

struct file_set {
	struct store *store;
	const struct tables *tables;
	file_set_problem problem;
	void *data;
	GHashTable *files;   /* name to struct file, owned */
	GHashTable *owners;  /* struct claim, borrowed: those in force */
	GPtrArray *changed;  /* struct file, borrowed */
	last_good_keep keep; /* NULL: nobody keeps anything */
	void *keep_data;
	struct txn *txn;
};

static unsigned int claim_hash(const void *pointer)
{
	const struct claim *claim = pointer;

	return g_str_hash(claim->object->meta.key) ^ g_direct_hash(claim->kind);
}

static gboolean claim_equal(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return x->kind == y->kind && strcmp(x->object->meta.key, y->object->meta.key) == 0;
}

static struct claim *find_claim(GHashTable *claims, const struct object_kind *kind, const char *key)
{
	struct object object = {.meta.key = (char *)key};
	struct claim wanted = {.kind = kind, .object = &object};

	return g_hash_table_lookup(claims, &wanted);
}

static void claim_free(void *pointer)
{
	struct claim *claim = pointer;

	row_unref(&claim->object->row);
	g_free(claim);
}

static void unref_row(void *row)
{
	row_unref(row);
}

static GHashTable *claims_new(void)
{
	return g_hash_table_new_full(claim_hash, claim_equal, NULL, claim_free);
}

static void file_free(void *pointer)
{
	struct file *file = pointer;

	g_free(file->name);
	g_hash_table_unref(file->claims);
	g_ptr_array_unref(file->parse_problems);
	g_ptr_array_unref(file->published);
	g_free(file);
}

static GPtrArray *problems_new(void)
{
	return g_ptr_array_new_with_free_func(unref_row);
}

struct file_set *file_set_new(struct store *store, const struct tables *tables,
			      file_set_problem problem, void *data)
{
	struct file_set *set = g_new0(struct file_set, 1);

	set->store = store;
	set->tables = tables;
	set->problem = problem;
	set->data = data;
	set->files = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, file_free);
	set->owners = g_hash_table_new(claim_hash, claim_equal);
	set->changed = g_ptr_array_new();
	return set;
}

void file_set_free(struct file_set *set)
{
	if (!set)
		return;
	txn_abort(set->txn);
	g_hash_table_unref(set->owners);
	g_ptr_array_unref(set->changed);
	g_hash_table_unref(set->files);
	g_free(set);
}

void file_set_set_keeper(struct file_set *set, last_good_keep keep, void *data)
{
	set->keep = keep;
	set->keep_data = data;
}

void file_set_begin(struct file_set *set)
{
	g_assert(!set->txn);
	set->txn = txn_new(set->store);
}

static struct table *table_of(const struct file_set *set, const struct object_kind *kind)
{
	return *(struct table *const *)((const char *)set->tables + kind->table);
}

static void mark_changed(struct file_set *set, struct file *file)
{
	if (file->changed)
		return;
	file->changed = true;
	g_ptr_array_add(set->changed, file);
}

static void put_in_force(struct file_set *set, struct claim *claim)
{
	claim->shadowed = false;
	g_hash_table_add(set->owners, claim);
	txn_put(set->txn, table_of(set, claim->kind), row_ref(&claim->object->row));
	mark_changed(set, claim->file);
}

/* Few files say the same. */
static struct claim *before(struct claim *claim)
{
	struct claim *other = claim;

	while (other->next != claim)
		other = other->next;
	return other;
}

/* Behind a new claim that is in its file's set already. */
static void acquire(struct file_set *set, struct claim *claim)
{
	struct claim *owner = g_hash_table_lookup(set->owners, claim);

	claim->next = claim;
	if (!owner) {
		put_in_force(set, claim);
		return;
	}
	claim->shadowed = true;
	claim->file->n_shadowed++;
	claim->next = owner;
	before(owner)->next = claim;
}

/* text: as it says it now; NULL: it does no more. */
static void keep_text(struct file_set *set, const struct claim *claim, const char *text)
{
	if (set->keep && last_good_is_kept(claim->kind))
		set->keep(claim->file->name, claim->kind, claim->object->meta.key, claim->line,
			  text, set->keep_data);
}

/* Before a claim is freed. The oldest claim that it shadowed takes its place. */
static void release(struct file_set *set, struct claim *claim)
{
	const char *key = claim->object->meta.key;
	struct claim *next = claim->next;

	keep_text(set, claim, NULL);
	before(claim)->next = next;
	if (claim->shadowed) {
		claim->file->n_shadowed--;
		return;
	}
	g_hash_table_remove(set->owners, claim);
	if (next == claim) {
		txn_remove(set->txn, table_of(set, claim->kind), key, strlen(key));
		return;
	}
	next->file->n_shadowed--;
	put_in_force(set, next);
}

static void release_all(struct file_set *set, GHashTable *claims)
{
	GHashTableIter iter;
	gpointer claim;

	g_hash_table_iter_init(&iter, claims);
	while (g_hash_table_iter_next(&iter, &claim, NULL))
		release(set, claim);
	g_hash_table_remove_all(claims);
}

static struct file *ensure_file(struct file_set *set, const char *name)
{
	struct file *file = g_hash_table_lookup(set->files, name);

	if (file)
		return file;
	file = g_new0(struct file, 1);
	file->name = g_strdup(name);
	file->claims = claims_new();
	file->parse_problems = problems_new();
	file->published = problems_new();
	g_hash_table_insert(set->files, file->name, file);
	return file;
}

/* Moves a claim that stays from the old claims to the new ones. */
static void keep(struct file *file, GHashTable *old_claims, struct claim *claim)
{
	g_hash_table_steal(old_claims, claim);
	g_hash_table_add(file->claims, claim);
}

static void update(struct file_set *set, struct claim *claim, struct manifest_object *said)
{
	claim->line = said->line;
	/* The row that is there stays, so that there are not two of them. */
	if (row_equal(&claim->object->row, &said->object->row))
		return;
	/* The keys of the hash tables are equal before and after, but lie in the row. */
	row_unref(&claim->object->row);
	claim->object = g_steal_pointer(&said->object);
	keep_text(set, claim, said->text);
	if (!claim->shadowed)
		txn_put(set->txn, table_of(set, claim->kind), row_ref(&claim->object->row));
}

static void add_duplicate_problem(struct file *file, const struct manifest_object *said,
				  unsigned int first_line)
{
	g_autofree char *name = g_strdup_printf("%s %s", said->kind->kind, said->object->meta.name);
	g_autofree char *reason =
		g_strdup_printf("is already defined on line %u of this file", first_line);

	g_ptr_array_add(file->parse_problems, manifest_problem_new(file->name, said->line, name,
								   "metadata.name", reason));
}

static void put_object(struct file_set *set, struct file *file, GHashTable *old_claims,
		       struct manifest_object *said)
{
	struct claim *twin = find_claim(file->claims, said->kind, said->key);
	struct claim *old = find_claim(old_claims, said->kind, said->key);

	if (twin) {
		if (said->object)
			add_duplicate_problem(file, said, twin->line);
		return;
	}
	if (old) {
		keep(file, old_claims, old);
		if (said->object)
			update(set, old, said);
		return;
	}
	if (said->object) {
		struct claim *claim = g_new0(struct claim, 1);

		claim->kind = said->kind;
		claim->object = g_steal_pointer(&said->object);
		claim->file = file;
		claim->line = said->line;
		g_hash_table_add(file->claims, claim);
		acquire(set, claim);
		keep_text(set, claim, said->text);
	}
}

static void keep_all(struct file *file, GHashTable *old_claims)
{
	GHashTableIter iter;
	gpointer claim;

	g_hash_table_iter_init(&iter, old_claims);
	while (g_hash_table_iter_next(&iter, &claim, NULL)) {
		g_hash_table_iter_steal(&iter);
		g_hash_table_add(file->claims, claim);
	}
}

void file_set_put(struct file_set *set, const char *name, const char *text, size_t n_bytes)
{
	file_set_put_manifest(set, name, manifest_parse(name, text, n_bytes));
}

void file_set_put_manifest(struct file_set *set, const char *name, struct manifest *manifest)
{
	struct file *file = ensure_file(set, name);
	GHashTable *old_claims = file->claims;

	mark_changed(set, file);
	file->claims = claims_new();
	g_ptr_array_unref(file->parse_problems);
	file->parse_problems = g_ptr_array_ref(manifest->problems);
	for (unsigned int i = 0; i < manifest->objects->len; i++)
		put_object(set, file, old_claims,
			   &g_array_index(manifest->objects, struct manifest_object, i));
	if (!manifest->complete)
		keep_all(file, old_claims);
	release_all(set, old_claims);
	g_hash_table_unref(old_claims);
	manifest_free(manifest);
}

void file_set_put_unreadable(struct file_set *set, const char *name, const char *reason)
{
	struct file *file = ensure_file(set, name);

	mark_changed(set, file);
	g_ptr_array_set_size(file->parse_problems, 0);
	g_ptr_array_add(file->parse_problems, manifest_problem_new(name, 0, NULL, NULL, reason));
}

static void remove_problem(struct file_set *set, const struct source_problem *problem)
{
	txn_remove(set->txn, set->tables->source_problems, problem->key, strlen(problem->key));
}

void file_set_remove(struct file_set *set, const char *name)
{
	struct file *file = g_hash_table_lookup(set->files, name);

	if (!file)
		return;
	release_all(set, file->claims);
	for (unsigned int i = 0; i < file->published->len; i++)
		remove_problem(set, g_ptr_array_index(file->published, i));
	if (file->changed)
		g_ptr_array_remove(set->changed, file);
	g_hash_table_remove(set->files, name);
}

static struct source_problem *shadow_problem(const struct file_set *set, const struct claim *claim)
{
	const struct claim *owner = g_hash_table_lookup(set->owners, claim);
	g_autofree char *name =
		g_strdup_printf("%s %s", claim->kind->kind, claim->object->meta.name);
	g_autofree char *reason =
		g_strdup_printf("is already defined in %s:%u", owner->file->name, owner->line);

	return manifest_problem_new(claim->file->name, claim->line, name, "metadata.name", reason);
}

/* Of one file; more would only say the same. */
#define MAX_SHADOW_PROBLEMS 100

/* The problems of the file's text, and of what it says after another file. */
static GPtrArray *all_problems(const struct file_set *set, struct file *file)
{
	GPtrArray *problems = problems_new();
	unsigned int n_left = MIN(file->n_shadowed, MAX_SHADOW_PROBLEMS);
	GHashTableIter iter;
	gpointer claim;

	for (unsigned int i = 0; i < file->parse_problems->len; i++)
		g_ptr_array_add(problems, row_ref(g_ptr_array_index(file->parse_problems, i)));
	g_hash_table_iter_init(&iter, file->claims);
	while (n_left && g_hash_table_iter_next(&iter, &claim, NULL)) {
		if (!((struct claim *)claim)->shadowed)
			continue;
		g_ptr_array_add(problems, shadow_problem(set, claim));
		n_left--;
	}
	return problems;
}

static bool has_key(const GPtrArray *problems, const char *key)
{
	for (unsigned int i = 0; i < problems->len; i++)
		if (strcmp(((struct source_problem *)g_ptr_array_index(problems, i))->key, key) ==
		    0)
			return true;
	return false;
}

static void publish(struct file_set *set, struct file *file)
{
	struct table *table = set->tables->source_problems;
	GPtrArray *problems = all_problems(set, file);

	for (unsigned int i = 0; i < file->published->len; i++) {
		const struct source_problem *old = g_ptr_array_index(file->published, i);

		if (!has_key(problems, old->key))
			remove_problem(set, old);
	}
	for (unsigned int i = 0; i < problems->len; i++) {
		struct source_problem *problem = g_ptr_array_index(problems, i);
		const struct row *known = table_get(table, problem->key, strlen(problem->key));

		if (!known || !row_equal(known, &problem->row))
			set->problem(problem, set->data);
		txn_put(set->txn, table, row_ref(&problem->row));
	}
	g_ptr_array_unref(file->published);
	file->published = problems;
	file->changed = false;
}

void file_set_commit(struct file_set *set)
{
	for (unsigned int i = 0; i < set->changed->len; i++)
		publish(set, g_ptr_array_index(set->changed, i));
	g_ptr_array_set_size(set->changed, 0);
	txn_commit(g_steal_pointer(&set->txn));
}
