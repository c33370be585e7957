/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/identity_file.h"

#include <string.h>
#include "src/base/log.h"
#include "src/model/identity.h"

/* Each is written where a row of it has changed. */
enum file {
	FILE_LABELS,
	FILE_LOCAL,
	FILE__MAX,
};

static const char *const file_names[FILE__MAX] = {
	[FILE_LABELS] = "identities.json",
	[FILE_LOCAL] = "local-identities.json",
};

struct identity_file {
	struct store *store;
	struct tables *tables;
	struct state_dir *dir;
	struct identity_limit *limit;
	struct controller *controller;      /* NULL: nobody asked */
	uint32_t last[IDENTITY_SCOPE__MAX]; /* the greatest numbers that were ever used */
	bool is_watching;                   /* what comes now is new, and no row of a file */
	bool is_old[FILE__MAX];             /* the file lacks a change */
	/* A number of labels was used that lies below others: the limit says nothing of it. */
	bool went_round;
	GError *error; /* of the last write, or NULL */
};

/* False for a reserved number, whose labels are made anew at each start. */
static bool find_file(uint32_t number, enum file *ret_file)
{
	enum identity_scope scope;

	if (!identity_find_scope(number, &scope))
		return false;
	*ret_file = scope == IDENTITY_SCOPE_LABELS ? FILE_LABELS : FILE_LOCAL;
	return true;
}

static struct identity *decode(const json_t *member, enum file file)
{
	json_int_t number = json_integer_value(json_object_get(member, "id"));
	const char *labels = json_string_value(json_object_get(member, "labels"));
	const struct label_set *set;
	struct identity *identity;
	enum file file_of_number;

	if (number < 0 || number > UINT32_MAX || !find_file(number, &file_of_number) ||
	    file_of_number != file || !labels || label_set_parse(labels, &set))
		return NULL;
	identity = (struct identity *)row_new(&identity_class);
	identity->number = number;
	identity->labels = set;
	return identity;
}

/* In the order of the file, one commit each: revisions tell which was kept longest. */
static void put_identities(struct identity_file *file, enum file which, const json_t *identities,
			   GPtrArray *problems)
{
	const json_t *member;
	size_t i;

	json_array_foreach(identities, i, member)
	{
		struct identity *identity = decode(member, which);
		struct txn *txn;

		if (!identity) {
			g_ptr_array_add(problems, g_strdup_printf("%s: member %zu is no identity",
								  file_names[which], i));
			continue;
		}
		txn = txn_new(file->store);
		txn_put(txn, file->tables->identities, &identity->row);
		txn_commit(txn);
	}
}

static int load(struct identity_file *file, enum file which, GPtrArray *problems, GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = state_dir_read(file->dir, file_names[which], &object, &cause);

	if (err == -ENOENT)
		return 0;
	if (err == -EBADMSG) {
		g_ptr_array_add(problems, g_strdup(cause->message));
		return 0;
	}
	if (err) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	put_identities(file, which, json_object_get(object, "identities"), problems);
	json_decref(object);
	return 0;
}

static bool add_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

static int compare_revisions(const void *a, const void *b)
{
	const struct row *row_a = *(const struct row *const *)a;
	const struct row *row_b = *(const struct row *const *)b;

	return row_a->revision < row_b->revision ? -1 : row_a->revision > row_b->revision;
}

static json_t *encode(const struct identity_file *file, enum file which)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	json_t *identities = json_array();
	enum file file_of_row;

	table_foreach (file->tables->identities, add_row, rows)
		;
	g_ptr_array_sort(rows, compare_revisions);
	for (unsigned int i = 0; i < rows->len; i++) {
		const struct identity *identity = rows->pdata[i];

		if (find_file(identity->number, &file_of_row) && file_of_row == which)
			json_array_append_new(identities,
					      json_pack("{s:I, s:s}", "id",
							(json_int_t)identity->number, "labels",
							label_set_text(identity->labels)));
	}
	return json_pack("{s:o}", "identities", identities);
}

static int write_one(struct identity_file *file, enum file which)
{
	int err = 0;

	if (!file->is_old[which])
		return 0;
	if (which == FILE_LABELS && file->went_round)
		err = state_dir_write_through(file->dir, file_names[which], encode(file, which),
					      &file->error);
	else
		err = state_dir_write(file->dir, file_names[which], encode(file, which),
				      &file->error);
	file->is_old[which] = err;
	return err;
}

static int write_files(struct identity_file *file)
{
	bool was_failing = file->error;
	int err = 0;

	g_clear_error(&file->error);
	controller_begin(file->controller);
	for (int scope = 0; !err && scope < IDENTITY_SCOPE__MAX; scope++)
		err = identity_limit_ensure(file->limit, file->last[scope], &file->error);
	for (int which = 0; !err && which < FILE__MAX; which++)
		err = write_one(file, which);
	controller_end(file->controller, file->error);
	if (err) {
		if (!was_failing)
			log_error("identity", "Identities cannot be kept, will try again",
				  "error=%s hint=%s", file->error->message,
				  "until lib-dir can be written, endpoints with new labels are "
				  "refused");
		return err;
	}
	if (was_failing)
		log_info("identity", "Identities are kept again");
	return 0;
}

/* A row of the table has come, gone or changed. True where a file has to say so. */
static bool note_number(struct identity_file *file, uint32_t number)
{
	bool is_there = table_get(file->tables->identities, &number, sizeof(number));
	enum identity_scope scope;
	enum file which;

	if (!find_file(number, &which) || !identity_find_scope(number, &scope))
		return false;
	file->is_old[which] = true;
	if (!is_there)
		return true;
	file->went_round |=
		scope == IDENTITY_SCOPE_LABELS && file->is_watching && number <= file->last[scope];
	file->last[scope] = MAX(file->last[scope], number);
	return true;
}

static void run(struct watch *watch, void *data)
{
	struct identity_file *file = data;
	struct table *table;
	struct row_key key;
	bool changed = false;

	while (watch_pop(watch, &table, &key)) {
		uint32_t number;

		memcpy(&number, key.data, sizeof(number));
		changed |= note_number(file, number);
	}
	if (changed)
		(void)!write_files(file);
	file->is_watching = true;
}

static bool take_greatest(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;
	struct identity_file *file = data;
	enum identity_scope scope;

	if (identity_find_scope(identity->number, &scope))
		file->last[scope] = MAX(file->last[scope], identity->number);
	return true;
}

struct identity_file *identity_file_new(struct store *store, struct tables *tables,
					struct state_dir *dir, const char *boot_id,
					GPtrArray *problems, GError **error)
{
	struct identity_file *file = g_new0(struct identity_file, 1);

	file->store = store;
	file->tables = tables;
	file->dir = dir;
	if (!load(file, FILE_LABELS, problems, error) && !load(file, FILE_LOCAL, problems, error)) {
		table_foreach (tables->identities, take_greatest, file)
			;
		file->limit = identity_limit_new(dir, boot_id, file->last, error);
	}
	if (!file->limit) {
		g_free(file);
		return NULL;
	}
	for (int scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		file->last[scope] = identity_limit_get_start(file->limit, scope);
	return file;
}

void identity_file_set_controllers(struct identity_file *file, struct controllers *controllers)
{
	file->controller = controller_new(controllers, "identity-file", "identity", 0);
	identity_limit_set_controller(
		file->limit, controller_new(controllers, "identity-reserve", "identity", 0));
}

void identity_file_watch(struct identity_file *file)
{
	watch_add(watch_new(file->store, "identity-file", run, file), file->tables->identities);
}

void identity_file_free(struct identity_file *file)
{
	if (!file)
		return;
	identity_limit_free(file->limit);
	g_clear_error(&file->error);
	g_free(file);
}

const GError *identity_file_get_error(const struct identity_file *file)
{
	return file->error;
}

int identity_file_retry(struct identity_file *file)
{
	return file->error ? write_files(file) : 0;
}

struct row_search {
	enum file file;
	bool found;
};

static bool find_row(const struct row *row, void *data)
{
	struct row_search *search = data;
	enum file file;

	search->found =
		find_file(((const struct identity *)row)->number, &file) && file == search->file;
	return !search->found;
}

static bool has_rows(const struct identity_file *file, enum file which)
{
	struct row_search search = {.file = which};

	table_foreach (file->tables->identities, find_row, &search)
		;
	return search.found;
}

/* A file is there once a row of it has been written. */
static bool is_missing(const struct identity_file *file, enum file which)
{
	return !file->is_old[which] && has_rows(file, which) &&
	       !state_dir_has(file->dir, file_names[which]);
}

int identity_file_mend(struct identity_file *file, GError **error)
{
	int n = identity_limit_mend(file->limit, error);
	int err;

	if (n < 0 || file->error)
		return n;
	for (int which = 0; which < FILE__MAX; which++) {
		if (!is_missing(file, which))
			continue;
		file->is_old[which] = true;
		n++;
	}
	err = write_files(file);
	if (err && error)
		*error = g_error_copy(file->error);
	return err ? err : n;
}

uint32_t identity_file_get_last(const struct identity_file *file, enum identity_scope scope)
{
	return file->last[scope];
}

void identity_file_reserve_soon(struct identity_file *file, uv_loop_t *loop)
{
	uint32_t labels = MAX(file->last[IDENTITY_SCOPE_LABELS], IDENTITY_ALLOCATED_MIN);

	identity_limit_reserve_soon(file->limit, labels, loop);
	/* Of these once there is one: most nodes have none of other nodes. */
	identity_limit_reserve_soon(file->limit, file->last[IDENTITY_SCOPE_PREFIX], loop);
	identity_limit_reserve_soon(file->limit, file->last[IDENTITY_SCOPE_NODE], loop);
}
