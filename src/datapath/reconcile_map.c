// SPDX-License-Identifier: Apache-2.0
/* The kind "map-entries". */
#include "src/datapath/reconciler_private.h"

#include <string.h>
#include "src/datapath/layout.h"
#include "src/model/map_text.h"

static const struct plan_map_entry *entry_of(const struct row *row)
{
	return (const struct plan_map_entry *)row;
}

static void entry_key(const void *row, struct row_key *ret_key)
{
	const struct plan_map_entry *entry = row;

	*ret_key = (struct row_key){.data = entry->data, .n_bytes = 1 + entry->n_key_bytes};
}

static const void *value_of(const struct plan_map_entry *entry)
{
	return entry->data + 1 + entry->n_key_bytes;
}

/*
 * Reads one map. A row serves for entry after entry, until somebody keeps it: most entries are as the
 * plan wants them, and nobody does.
 */
struct reading {
	enum plan_map map;
	const struct map_layout *layout;
	struct plan_map_entry *scratch;
	bool (*fn)(const struct row *actual, void *data);
	void *data;
	bool wanted;
};

static bool read_entry(const void *key, const void *value, void *data)
{
	struct reading *reading = data;
	struct plan_map_entry *entry = reading->scratch;

	if (entry && entry->row.n_refs == 1) {
		memcpy(entry->data + 1, key, reading->layout->n_key_bytes);
		memcpy(entry->data + 1 + reading->layout->n_key_bytes, value,
		       reading->layout->n_value_bytes);
	} else {
		if (entry)
			row_unref(&entry->row);
		entry = plan_map_entry_new(reading->map, key, reading->layout->n_key_bytes, value,
					   reading->layout->n_value_bytes, 0);
		reading->scratch = entry;
	}
	reading->wanted = reading->fn(&entry->row, reading->data);
	return reading->wanted;
}

static int entry_foreach(struct datapath *dp, bool (*fn)(const struct row *actual, void *data),
			 void *data)
{
	struct reading reading = {.fn = fn, .data = data, .wanted = true};
	int err = 0;

	for (enum plan_map map = 0; !err && reading.wanted && map < PLAN_MAP__MAX; map++) {
		reading.map = map;
		reading.layout = map_layout_get(map);
		if (reading.layout->filler != MAP_FILLED_BY_ENTRIES)
			continue;
		err = dp->ops->map_foreach(dp, map, read_entry, &reading);
		if (reading.scratch)
			row_unref(&reading.scratch->row);
		reading.scratch = NULL;
	}
	return err;
}

static bool entry_matches(const struct row *wanted, const struct row *actual)
{
	const struct plan_map_entry *a = entry_of(wanted);
	const struct plan_map_entry *b = entry_of(actual);

	return a->n_value_bytes == b->n_value_bytes &&
	       memcmp(value_of(a), value_of(b), a->n_value_bytes) == 0;
}

static int entry_apply(struct datapath *dp, const struct row *row)
{
	const struct plan_map_entry *entry = entry_of(row);

	return dp->ops->map_update(dp, entry->data[0], entry->data + 1, value_of(entry));
}

static int entry_remove(struct datapath *dp, const struct row *row)
{
	const struct plan_map_entry *entry = entry_of(row);

	return dp->ops->map_delete(dp, entry->data[0], entry->data + 1);
}

static uint16_t entry_endpoint_id(const struct row *row)
{
	return entry_of(row)->endpoint_id;
}

/* "cilium_lxc 10.0.0.5:0", "cilium_ipmasq 10.0.0.0/8", "cilium_devices 2". */
static char *entry_describe(const struct row *row)
{
	const struct plan_map_entry *entry = entry_of(row);
	g_autofree char *key = map_key_format(entry->data[0], entry->data + 1);

	return g_strdup_printf("%s %s", map_layout_get(entry->data[0])->name, key);
}

const struct reconcile_kind reconcile_map_kind = {
	.name = "map-entries",
	.controller_name = "reconcile-map-entries",
	.key = entry_key,
	.foreach = entry_foreach,
	.matches = entry_matches,
	.apply = entry_apply,
	.remove = entry_remove,
	.endpoint_id = entry_endpoint_id,
	.describe = entry_describe,
};
