/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/identity_file.h"

#include <string.h>
#include "src/base/log.h"
#include "src/model/identity.h"

#define FILE_NAME "identities.json"

struct identity_file {
	struct store *store;
	struct tables *tables;
	struct state_dir *dir;
	struct identity_limit *limit;
	struct controller *controller; /* NULL: nobody asked */
	uint32_t last;                 /* the greatest number that was ever used */
	bool is_watching;              /* what comes now is new, and no row of the file */
	bool went_round; /* a number was used that lies below others: the limit says nothing of it */
	GError *error;   /* of the last write, or NULL */
};

static struct identity *decode(const json_t *member)
{
	json_int_t number = json_integer_value(json_object_get(member, "id"));
	const char *labels = json_string_value(json_object_get(member, "labels"));
	const struct label_set *set;
	struct identity *identity;

	if (number < IDENTITY_ALLOCATED_MIN || number > IDENTITY_ALLOCATED_MAX || !labels ||
	    label_set_parse(labels, &set))
		return NULL;
	identity = (struct identity *)row_new(&identity_class);
	identity->number = number;
	identity->labels = set;
	return identity;
}

/* In the order of the file, one commit each: revisions tell which was kept longest. */
static void put_identities(struct identity_file *file, const json_t *identities,
			   GPtrArray *problems)
{
	const json_t *member;
	size_t i;

	json_array_foreach(identities, i, member)
	{
		struct identity *identity = decode(member);
		struct txn *txn;

		if (!identity) {
			g_ptr_array_add(
				problems,
				g_strdup_printf(FILE_NAME ": member %zu is no identity", i));
			continue;
		}
		txn = txn_new(file->store);
		txn_put(txn, file->tables->identities, &identity->row);
		txn_commit(txn);
	}
}

static int load(struct identity_file *file, GPtrArray *problems, GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = state_dir_read(file->dir, FILE_NAME, &object, &cause);

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
	put_identities(file, json_object_get(object, "identities"), problems);
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

static json_t *encode(const struct identity_file *file)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	json_t *identities = json_array();

	table_foreach (file->tables->identities, add_row, rows)
		;
	g_ptr_array_sort(rows, compare_revisions);
	for (unsigned int i = 0; i < rows->len; i++) {
		const struct identity *identity = rows->pdata[i];

		json_array_append_new(identities,
				      json_pack("{s:i, s:s}", "id", (int)identity->number, "labels",
						label_set_text(identity->labels)));
	}
	return json_pack("{s:o}", "identities", identities);
}

static int write_file(struct identity_file *file)
{
	bool was_failing = file->error;
	int err;

	g_clear_error(&file->error);
	controller_begin(file->controller);
	err = identity_limit_ensure(file->limit, file->last, &file->error);
	if (!err && file->went_round)
		err = state_dir_write_through(file->dir, FILE_NAME, encode(file), &file->error);
	else if (!err)
		err = state_dir_write(file->dir, FILE_NAME, encode(file), &file->error);
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

static void note_number(struct identity_file *file, const struct row_key *key)
{
	uint32_t number;

	memcpy(&number, key->data, sizeof(number));
	file->went_round |= file->is_watching && number <= file->last;
	file->last = MAX(file->last, number);
}

static void run(struct watch *watch, void *data)
{
	struct identity_file *file = data;
	struct table *table;
	struct row_key key;
	bool changed = false;

	while (watch_pop(watch, &table, &key)) {
		note_number(file, &key);
		changed = true;
	}
	if (changed)
		(void)!write_file(file);
	file->is_watching = true;
}

static bool take_greatest(const struct row *row, void *data)
{
	uint32_t *greatest = data;

	*greatest = MAX(*greatest, ((const struct identity *)row)->number);
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
	if (!load(file, problems, error)) {
		table_foreach (tables->identities, take_greatest, &file->last)
			;
		file->limit = identity_limit_new(dir, boot_id, file->last, error);
	}
	if (!file->limit) {
		g_free(file);
		return NULL;
	}
	file->last = identity_limit_get_start(file->limit);
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
	return file->error ? write_file(file) : 0;
}

int identity_file_mend(struct identity_file *file, GError **error)
{
	int n = identity_limit_mend(file->limit, error);
	int err = 0;

	if (n < 0 || file->error || !table_n_rows(file->tables->identities) ||
	    state_dir_has(file->dir, FILE_NAME))
		return n;
	err = write_file(file);
	if (err && error)
		*error = g_error_copy(file->error);
	return err ? err : n + 1;
}

uint32_t identity_file_get_last(const struct identity_file *file)
{
	return file->last;
}

void identity_file_reserve_soon(struct identity_file *file, uv_loop_t *loop)
{
	identity_limit_reserve_soon(file->limit, MAX(file->last, IDENTITY_ALLOCATED_MIN), loop);
}
