/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/backend_health_file.h"

#include <string.h>
#include "src/model/backend_health.h"

#define FILE_NAME "backend-health.json"
/* Some text of a person's, not more. */
#define REASON_MAX_BYTES 1024

static bool get_number(const json_t *object, const char *name, int64_t max, int64_t *ret_number)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_integer(member) || json_integer_value(member) < 0 ||
	    json_integer_value(member) > max)
		return false;
	*ret_number = json_integer_value(member);
	return true;
}

/* NULL where it makes no sense. */
static struct backend_health *decode(const json_t *object)
{
	const char *address = json_string_value(json_object_get(object, "address"));
	const char *reason = json_string_value(json_object_get(object, "reason"));
	int64_t port, protocol, service, since_ns;
	struct backend_health *row;
	struct addr addr;

	if (!address || addr_parse(address, &addr) || !reason ||
	    strlen(reason) > REASON_MAX_BYTES || !get_number(object, "port", UINT16_MAX, &port) ||
	    !get_number(object, "protocol", UINT8_MAX, &protocol) ||
	    !get_number(object, "service", UINT32_MAX, &service) ||
	    !get_number(object, "since_ns", INT64_MAX, &since_ns))
		return NULL;
	row = (struct backend_health *)row_new(&backend_health_class);
	row->key = (struct backend_health_key){
		.addr = addr,
		.port = port,
		.protocol = protocol,
		.service_hash = service,
	};
	row->since_ns = since_ns;
	row->reason = g_strdup(reason);
	return row;
}

/* False: something in it makes no sense; the rest counts. */
static bool put_all(const json_t *list, struct txn *txn, const struct tables *tables)
{
	bool is_good = json_is_array(list);
	json_t *object;
	size_t i;

	json_array_foreach((json_t *)list, i, object)
	{
		struct backend_health *row = decode(object);

		if (row)
			txn_put(txn, tables->backend_health, &row->row);
		else
			is_good = false;
	}
	return is_good;
}

void backend_health_file_load(struct state_dir *dir, struct store *store,
			      const struct tables *tables, GPtrArray *problems)
{
	g_autoptr(GError) error = NULL;
	struct txn *txn = txn_new(store);
	json_t *object = NULL;
	int err = state_dir_read(dir, FILE_NAME, &object, &error);

	if (!err && !put_all(json_object_get(object, "down"), txn, tables)) {
		state_dir_set_aside(dir, FILE_NAME);
		g_ptr_array_add(problems, g_strdup(FILE_NAME ": not all of it is back ends"));
	} else if (err && err != -ENOENT) {
		g_ptr_array_add(problems, g_strdup(error->message));
	}
	json_decref(object);
	txn_commit(txn);
	table_set_synced(tables->backend_health);
}

static bool append(const struct row *row, void *data)
{
	const struct backend_health *health = (const struct backend_health *)row;
	char text[ADDR_TEXT_BYTES];

	json_array_append_new(data,
			      json_pack("{s:s, s:i, s:i, s:I, s:I, s:s}", "address",
					addr_format(&health->key.addr, text), "port",
					health->key.port, "protocol", health->key.protocol,
					"service", (json_int_t)health->key.service_hash, "since_ns",
					(json_int_t)health->since_ns, "reason", health->reason));
	return true;
}

int backend_health_file_save(struct state_dir *dir, const struct tables *tables, GError **error)
{
	json_t *list = json_array();

	table_foreach (tables->backend_health, append, list)
		;
	return state_dir_write(dir, FILE_NAME, json_pack("{s:o}", "down", list), error);
}
