// SPDX-License-Identifier: Apache-2.0
/*
 * What an agent before this one has left in the maps. Each number of a service that is in them becomes a service that
 * the plan has not, with a row made of what is there; a row of the plan that has front ends of it takes it over, with
 * all numbers. The rest goes once deletion is allowed: what was begun, or not deleted, when that agent was killed.
 */
#include "src/datapath/lb_private.h"

#include <arpa/inet.h>
#include <string.h>
#include "src/datapath/layout.h"

/* Of the largest table that there can be. */
#define CHUNKS_MAX 512

struct backend_entry {
	uint32_t id;
	struct lb_backend value;
};

struct slot_entry {
	struct lb_slot_key key;
	uint32_t backend;
};

struct reading {
	struct lb_maps *maps;
	GHashTable *by_number;
	GArray *backends; /* struct backend_entry */
	GArray *slots;    /* struct slot_entry */
	GArray *ranges;   /* struct lb_source_range_key */
};

static void add_stray(struct lb_maps *maps, enum plan_map map, const void *key)
{
	struct lb_stray stray = {.map = map};

	memcpy(stray.key, key, map_layout_get(map)->n_key_bytes);
	g_array_append_val(maps->strays, stray);
}

/* NULL: 0 is no service's number. */
static struct kernel_service *get_service(struct reading *reading, uint32_t number)
{
	void *key = GUINT_TO_POINTER(number);
	struct kernel_service *service = g_hash_table_lookup(reading->by_number, key);

	if (service || !number || number > UINT32_MAX >> 1)
		return service;
	service = lb_service_new_unwanted(reading->maps, number);
	service->adopted = true;
	lb_number_adopt_service(reading->maps, number);
	g_hash_table_insert(reading->by_number, key, service);
	return service;
}

static bool read_frontend(const void *key, const void *value, void *data)
{
	struct reading *reading = data;
	struct lb_maps *maps = reading->maps;
	struct kernel_frontend *frontend;
	struct lb_frontend_key frontend_key;

	memcpy(&frontend_key, key, sizeof(frontend_key));
	frontend = lb_frontend_get(maps, &frontend_key);
	memcpy(&frontend->value, value, sizeof(frontend->value));
	frontend->present = true;
	maps->n_entries[PLAN_MAP_cilium_lb_services]++;
	/* One that two have is given to neither anew. */
	if (lb_number_has_frontend(maps, frontend->value.id))
		frontend->value.id = 0;
	else if (frontend->value.id)
		lb_number_use_frontend(maps, frontend->value.id);
	if (!frontend_key.protocol)
		return true;
	frontend->owner = get_service(reading, frontend->value.service);
	if (frontend->owner)
		lb_service_add_frontend(frontend->owner, frontend);
	return true;
}

static bool read_backend(const void *key, const void *value, void *data)
{
	struct reading *reading = data;
	struct backend_entry entry;

	memcpy(&entry.id, key, sizeof(entry.id));
	memcpy(&entry.value, value, sizeof(entry.value));
	reading->maps->n_entries[PLAN_MAP_cilium_lb_backends]++;
	lb_number_adopt_backend(reading->maps, entry.id);
	if (entry.id && get_service(reading, entry.value.service))
		g_array_append_val(reading->backends, entry);
	else
		add_stray(reading->maps, PLAN_MAP_cilium_lb_backends, key);
	return true;
}

static bool read_set(const void *key, const void *value, void *data)
{
	struct reading *reading = data;
	struct kernel_service *service;
	struct lb_set set;
	uint32_t number;

	memcpy(&number, key, sizeof(number));
	memcpy(&set, value, sizeof(set));
	reading->maps->n_entries[PLAN_MAP_cilium_lb_sets]++;
	service = get_service(reading, number >> 1);
	if (service && set.n_slots)
		service->n_slots[number & 1] = set.n_slots;
	else
		add_stray(reading->maps, PLAN_MAP_cilium_lb_sets, key);
	return true;
}

static bool read_slot(const void *key, const void *value, void *data)
{
	struct reading *reading = data;
	struct slot_entry entry;

	memcpy(&entry.key, key, sizeof(entry.key));
	memcpy(&entry.backend, value, sizeof(entry.backend));
	reading->maps->n_entries[PLAN_MAP_cilium_lb_slots]++;
	if (entry.backend && get_service(reading, entry.key.set >> 1))
		g_array_append_val(reading->slots, entry);
	else
		add_stray(reading->maps, PLAN_MAP_cilium_lb_slots, key);
	return true;
}

static bool read_chunk(const void *pointer_key, const void *value, void *data)
{
	struct reading *reading = data;
	struct kernel_service *service;
	struct lb_maglev_key key;

	memcpy(&key, pointer_key, sizeof(key));
	reading->maps->n_entries[PLAN_MAP_cilium_lb_maglev]++;
	service = get_service(reading, key.set >> 1);
	if (service && key.chunk < CHUNKS_MAX)
		lb_table_note(reading->maps, service, key.set & 1, key.chunk, value);
	else
		add_stray(reading->maps, PLAN_MAP_cilium_lb_maglev, pointer_key);
	return true;
}

static bool read_range(const void *pointer_key, const void *value, void *data)
{
	struct reading *reading = data;
	struct lb_source_range_key key;

	memcpy(&key, pointer_key, sizeof(key));
	reading->maps->n_entries[PLAN_MAP_cilium_lb_source_range]++;
	if (key.prefix_len >= LB_SOURCE_RANGE_BITS && get_service(reading, key.service))
		g_array_append_val(reading->ranges, key);
	else
		add_stray(reading->maps, PLAN_MAP_cilium_lb_source_range, pointer_key);
	return true;
}

static int read_maps(struct reading *reading)
{
	static const struct {
		enum plan_map map;
		bool (*fn)(const void *key, const void *value, void *data);
	} readers[LB_N_FILLED_MAPS] = {
		{PLAN_MAP_cilium_lb_services, read_frontend},
		{PLAN_MAP_cilium_lb_sets, read_set},
		{PLAN_MAP_cilium_lb_slots, read_slot},
		{PLAN_MAP_cilium_lb_maglev, read_chunk},
		{PLAN_MAP_cilium_lb_backends, read_backend},
		{PLAN_MAP_cilium_lb_source_range, read_range},
	};
	struct datapath *dp = reading->maps->datapath;
	int err = 0;

	for (int i = 0; !err && i < LB_N_FILLED_MAPS; i++)
		err = dp->ops->map_foreach(dp, readers[i].map, readers[i].fn, reading);
	return err;
}

/* ---- services of what was read ---- */

static int compare_backends(const void *pointer_a, const void *pointer_b)
{
	const struct backend_entry *a = pointer_a, *b = pointer_b;
	int order;

	if (a->value.service != b->value.service)
		return a->value.service < b->value.service ? -1 : 1;
	order = addr_compare(&a->value.addr, &b->value.addr);
	if (!order)
		order = (int)ntohs(a->value.port) - ntohs(b->value.port);
	return order ? order : a->id < b->id ? -1 : a->id > b->id;
}

static int compare_ranges(const void *pointer_a, const void *pointer_b)
{
	const struct lb_source_range_key *a = pointer_a, *b = pointer_b;

	return a->service < b->service ? -1 : a->service > b->service;
}

static bool is_same_backend(const struct lb_backend *a, const struct lb_plan_backend *b)
{
	return addr_equal(&a->addr, &b->addr) && ntohs(a->port) == b->port;
}

/* Those of the service, which begin at *at; ids: room for all of them. */
static GArray *take_backends(struct reading *reading, uint32_t number, guint *at, GArray *ids)
{
	GArray *backends = g_array_new(false, true, sizeof(struct lb_plan_backend));

	for (; *at < reading->backends->len; ++*at) {
		const struct backend_entry *entry =
			&g_array_index(reading->backends, struct backend_entry, *at);
		const struct lb_plan_backend plan = {
			.addr = entry->value.addr,
			.port = ntohs(entry->value.port),
			.weight = entry->value.weight,
			.state = entry->value.state,
			.flags = entry->value.flags,
			.zone = entry->value.zone,
		};

		if (entry->value.service != number)
			break;
		/* Twice the same: nobody can tell which connections have which. */
		if (backends->len &&
		    is_same_backend(&entry->value, &g_array_index(backends, struct lb_plan_backend,
								  backends->len - 1))) {
			add_stray(reading->maps, PLAN_MAP_cilium_lb_backends, &entry->id);
			continue;
		}
		g_array_append_val(backends, plan);
		g_array_append_val(ids, entry->id);
	}
	return backends;
}

static GArray *take_ranges(struct reading *reading, uint32_t number, guint *at)
{
	GArray *ranges = g_array_new(false, true, sizeof(struct cidr));

	for (; *at < reading->ranges->len; ++*at) {
		const struct lb_source_range_key *key =
			&g_array_index(reading->ranges, struct lb_source_range_key, *at);
		struct cidr range = {.prefix_len = key->prefix_len - LB_SOURCE_RANGE_BITS};

		if (key->service != number)
			break;
		memcpy(&range.addr, &key->addr, sizeof(range.addr));
		g_array_append_val(ranges, range);
	}
	g_array_sort(ranges, cidr_compare);
	return ranges;
}

static int compare_numbers(const void *pointer_a, const void *pointer_b)
{
	uint32_t a = (*(struct kernel_service *const *)pointer_a)->number;
	uint32_t b = (*(struct kernel_service *const *)pointer_b)->number;

	return a < b ? -1 : a > b;
}

/*
 * Rows of what is there are freed when the plan has come, ids stay: so these do not lie in between, where they would
 * keep the pages of those.
 */
static void make_ids(const struct reading *reading, struct kernel_service *service, guint *at)
{
	guint first = *at;

	while (*at < reading->backends->len &&
	       g_array_index(reading->backends, struct backend_entry, *at).value.service ==
		       service->number)
		++*at;
	service->ids = g_new0(uint32_t, *at - first + service->n_slot_entries[LB_SET_ALL] +
						service->n_slot_entries[LB_SET_LOCAL]);
}

static void make_service(struct reading *reading, struct kernel_service *service, guint *at_backend,
			 guint *at_range)
{
	g_autoptr(GArray) ids = g_array_new(false, true, sizeof(uint32_t));
	guint first = *at_backend;
	g_autoptr(GArray) backends = take_backends(reading, service->number, at_backend, ids);
	g_autoptr(GArray) ranges = take_ranges(reading, service->number, at_range);
	struct lb_service *row =
		lb_service_row_new(service, (const void *)backends->data, backends->len, ranges);

	if (backends->len)
		row->protocol = g_array_index(reading->backends, struct backend_entry, first)
					.value.protocol;
	service->row = row;
	if (ids->len)
		memcpy(service->ids, ids->data, ids->len * sizeof(uint32_t));
}

/* Sets have their slots from 0 on: one that is above all that there are is nobody's. */
static void measure_sets(struct reading *reading)
{
	guint n = 0;

	for (guint i = 0; i < reading->slots->len; i++) {
		struct slot_entry entry = g_array_index(reading->slots, struct slot_entry, i);
		struct kernel_service *service = get_service(reading, entry.key.set >> 1);
		uint32_t *n_entries = &service->n_slot_entries[entry.key.set & 1];

		if (entry.key.slot >= reading->maps->n_entries[PLAN_MAP_cilium_lb_slots]) {
			add_stray(reading->maps, PLAN_MAP_cilium_lb_slots, &entry.key);
			continue;
		}
		*n_entries = MAX(*n_entries, entry.key.slot + 1);
		g_array_index(reading->slots, struct slot_entry, n++) = entry;
	}
	g_array_set_size(reading->slots, n);
}

static void make_services(struct reading *reading)
{
	g_autofree void **services = g_hash_table_get_keys_as_array(reading->maps->unwanted, NULL);
	guint n = g_hash_table_size(reading->maps->unwanted);
	guint at_id = 0, at_backend = 0, at_range = 0;

	measure_sets(reading);
	g_array_sort(reading->backends, compare_backends);
	g_array_sort(reading->ranges, compare_ranges);
	qsort(services, n, sizeof(*services), compare_numbers);
	for (guint i = 0; i < n; i++)
		make_ids(reading, services[i], &at_id);
	for (guint i = 0; i < n; i++)
		make_service(reading, services[i], &at_backend, &at_range);
	for (guint i = 0; i < reading->slots->len; i++) {
		const struct slot_entry *slot =
			&g_array_index(reading->slots, struct slot_entry, i);
		const struct kernel_service *service = get_service(reading, slot->key.set >> 1);

		lb_service_slots(service, slot->key.set & 1)[slot->key.slot] = slot->backend;
	}
}

int lb_maps_adopt(struct lb_maps *maps)
{
	g_autoptr(GHashTable) by_number = g_hash_table_new(NULL, NULL);
	g_autoptr(GArray) backends = g_array_new(false, false, sizeof(struct backend_entry));
	g_autoptr(GArray) slots = g_array_new(false, false, sizeof(struct slot_entry));
	g_autoptr(GArray) ranges = g_array_new(false, false, sizeof(struct lb_source_range_key));
	struct reading reading = {maps, by_number, backends, slots, ranges};
	int err = read_maps(&reading);

	if (err)
		return err;
	make_services(&reading);
	lb_numbers_settle(maps);
	return 0;
}

void lb_remove_strays(struct lb_maps *maps)
{
	g_autoptr(GHashTable) by_number = lb_services_by_number(maps);

	for (guint i = 0; i < maps->strays->len; i++) {
		const struct lb_stray *stray = &g_array_index(maps->strays, struct lb_stray, i);

		/* Where it fails the next comparison finds it. */
		if (!lb_knows_key(by_number, stray->map, stray->key) &&
		    !lb_write(maps, stray->map, stray->key, NULL))
			lb_count(maps, stray->map, -1);
	}
	g_array_set_size(maps->strays, 0);
}
