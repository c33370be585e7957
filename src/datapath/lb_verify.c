// SPDX-License-Identifier: Apache-2.0
/* The maps read as a whole, and what somebody else changed in them put right. */
#include "src/datapath/lb_private.h"

#include <arpa/inet.h>
#include <string.h>
#include "src/base/log.h"
#include "src/datapath/layout.h"
#include "src/model/map_text.h"

struct verification {
	struct lb_maps *maps;
	GHashTable *by_number;
	enum plan_map map; /* that is read, or put right */
	uint32_t n_read, n_right;
	GArray *others;     /* struct lb_stray: entries that are not as they should be */
	GHashTable *tables; /* struct kernel_service whose tables are written anew */
	unsigned int n_repaired;
	int error;
};

/* ---- what should be there ---- */

static bool add_number(void *item, void *data)
{
	const struct kernel_service *service = item;

	if (service->number)
		g_hash_table_insert(data, GUINT_TO_POINTER(service->number), item);
	return true;
}

GHashTable *lb_services_by_number(const struct lb_maps *maps)
{
	GHashTable *by_number = g_hash_table_new(NULL, NULL);
	GHashTableIter iter;
	void *service;

	keyed_set_foreach(&maps->services, add_number, by_number);
	g_hash_table_iter_init(&iter, maps->unwanted);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		add_number(service, by_number);
	return by_number;
}

static const struct kernel_service *find_service(GHashTable *by_number, uint32_t number)
{
	return g_hash_table_lookup(by_number, GUINT_TO_POINTER(number));
}

/* 0: nothing. */
static uint32_t slot_of(GHashTable *by_number, const struct lb_slot_key *key)
{
	const struct kernel_service *service = find_service(by_number, key->set >> 1);

	if (!service || key->slot >= service->n_slot_entries[key->set & 1])
		return 0;
	return lb_service_slots(service, key->set & 1)[key->slot];
}

static uint32_t n_slots_of(GHashTable *by_number, uint32_t set)
{
	const struct kernel_service *service = find_service(by_number, set >> 1);

	return service ? service->n_slots[set & 1] : 0;
}

bool lb_knows_key(GHashTable *by_number, enum plan_map map, const void *key)
{
	struct lb_slot_key slot;
	uint32_t set;

	switch (map) {
	case PLAN_MAP_cilium_lb_sets:
		memcpy(&set, key, sizeof(set));
		return n_slots_of(by_number, set);
	case PLAN_MAP_cilium_lb_slots:
		memcpy(&slot, key, sizeof(slot));
		return slot_of(by_number, &slot);
	default:
		return false;
	}
}

static bool backend_is_right(GHashTable *by_number, uint32_t id, const struct lb_backend *value)
{
	const struct kernel_service *service = find_service(by_number, value->service);
	const struct lb_plan_backend plan = {.addr = value->addr, .port = ntohs(value->port)};
	uint32_t first = 0, end = service && service->row ? service->row->n_backends : 0;

	while (first < end) {
		uint32_t middle = (first + end) / 2;
		int order = lb_plan_backend_compare(&service->row->backends[middle], &plan);
		struct lb_backend expected;

		if (order < 0) {
			first = middle + 1;
		} else if (order > 0) {
			end = middle;
		} else {
			expected = lb_backend_value(service->row, middle, service->number);
			return service->ids[middle] == id &&
			       memcmp(&expected, value, sizeof(expected)) == 0;
		}
	}
	return false;
}

static bool range_is_right(GHashTable *by_number, const struct lb_source_range_key *key)
{
	const struct kernel_service *service = find_service(by_number, key->service);
	struct cidr range = {.prefix_len = key->prefix_len - LB_SOURCE_RANGE_BITS};

	memcpy(&range.addr, &key->addr, sizeof(range.addr));
	return service && service->row && key->prefix_len >= LB_SOURCE_RANGE_BITS &&
	       bsearch(&range, service->row->source_ranges, service->row->n_source_ranges,
		       sizeof(range), cidr_compare);
}

static bool frontend_is_right(const struct lb_maps *maps, const void *key, const void *value)
{
	const struct kernel_frontend *frontend =
		keyed_set_get(&maps->frontends, key, sizeof(frontend->key));

	return frontend && frontend->present &&
	       memcmp(&frontend->value, value, sizeof(frontend->value)) == 0;
}

static bool chunk_is_right(GHashTable *by_number, const struct lb_maglev_key *key,
			   const void *value)
{
	const struct kernel_service *service = find_service(by_number, key->set >> 1);

	return service && lb_table_has(service, key->set & 1, key->chunk, value);
}

static bool is_right(const struct verification *verification, const void *key, const void *value)
{
	GHashTable *by_number = verification->by_number;
	struct lb_source_range_key range;
	struct lb_maglev_key chunk;
	struct lb_backend backend;
	struct lb_slot_key slot;
	uint32_t number, content;

	switch (verification->map) {
	case PLAN_MAP_cilium_lb_services:
		return frontend_is_right(verification->maps, key, value);
	case PLAN_MAP_cilium_lb_sets:
		memcpy(&number, key, sizeof(number));
		memcpy(&content, value, sizeof(content));
		return content && n_slots_of(by_number, number) == content;
	case PLAN_MAP_cilium_lb_slots:
		memcpy(&slot, key, sizeof(slot));
		memcpy(&content, value, sizeof(content));
		return content && slot_of(by_number, &slot) == content;
	case PLAN_MAP_cilium_lb_backends:
		memcpy(&number, key, sizeof(number));
		memcpy(&backend, value, sizeof(backend));
		return backend_is_right(by_number, number, &backend);
	case PLAN_MAP_cilium_lb_maglev:
		memcpy(&chunk, key, sizeof(chunk));
		return chunk_is_right(by_number, &chunk, value);
	case PLAN_MAP_cilium_lb_source_range:
		memcpy(&range, key, sizeof(range));
		return range_is_right(by_number, &range);
	default:
		g_assert_not_reached();
	}
}

/* ---- each entry that should be there ---- */

typedef void (*expected_fn)(struct verification *verification, const void *key, const void *value);

static void expect_of_service(struct verification *verification, struct kernel_service *service,
			      expected_fn fn)
{
	static const struct lb_source_range no_value;
	const struct lb_service *row = service->row;

	if (verification->map == PLAN_MAP_cilium_lb_backends)
		for (uint32_t i = 0; row && i < row->n_backends; i++) {
			struct lb_backend value = lb_backend_value(row, i, service->number);

			fn(verification, &service->ids[i], &value);
		}
	if (verification->map == PLAN_MAP_cilium_lb_source_range)
		for (uint32_t i = 0; row && i < row->n_source_ranges; i++) {
			struct lb_source_range_key key =
				lb_range_key(service->number, &row->source_ranges[i]);

			fn(verification, &key, &no_value);
		}
	for (int kind = 0; kind < LB_SET__MAX; kind++) {
		const uint32_t set = LB_SET(service->number, kind);

		if (verification->map == PLAN_MAP_cilium_lb_sets && service->n_slots[kind])
			fn(verification, &set, &service->n_slots[kind]);
		if (verification->map != PLAN_MAP_cilium_lb_slots)
			continue;
		for (uint32_t i = 0; i < service->n_slot_entries[kind]; i++) {
			const struct lb_slot_key key = {set, i};
			const uint32_t *slot = &lb_service_slots(service, kind)[i];

			if (*slot)
				fn(verification, &key, slot);
		}
	}
}

struct expectation {
	struct verification *verification;
	expected_fn fn;
};

static bool expect_frontend(void *item, void *data)
{
	const struct expectation *expectation = data;
	const struct kernel_frontend *frontend = item;

	if (frontend->present)
		expectation->fn(expectation->verification, &frontend->key, &frontend->value);
	return true;
}

static void foreach_expected(struct verification *verification, expected_fn fn)
{
	struct expectation expectation = {verification, fn};
	GHashTableIter iter;
	void *service;

	if (verification->map == PLAN_MAP_cilium_lb_services) {
		keyed_set_foreach(&verification->maps->frontends, expect_frontend, &expectation);
		return;
	}
	g_hash_table_iter_init(&iter, verification->by_number);
	while (g_hash_table_iter_next(&iter, NULL, &service))
		expect_of_service(verification, service, fn);
}

/* ---- comparing ---- */

static bool read_entry(const void *key, const void *value, void *data)
{
	struct verification *verification = data;
	struct lb_stray other = {.map = verification->map};

	verification->n_read++;
	if (is_right(verification, key, value)) {
		verification->n_right++;
		return true;
	}
	memcpy(other.key, key, map_layout_get(other.map)->n_key_bytes);
	g_array_append_val(verification->others, other);
	return true;
}

static void note_repair(struct verification *verification, const void *key, const char *message)
{
	g_autofree char *text = NULL;
	g_autofree char *object = NULL;

	if (verification->n_repaired++ >= RECONCILE_LOG_MAX)
		return;
	text = map_key_format(verification->map, key);
	object = g_strdup_printf("%s %s", map_layout_get(verification->map)->name, text);
	log_warning("datapath", message, "reconciler=services object=%s", object);
}

static void repair_entry(struct verification *verification, const void *key, const void *value)
{
	struct datapath *dp = verification->maps->datapath;
	uint8_t there[sizeof(struct lb_backend)];
	int err = dp->ops->map_get(dp, verification->map, key, there);

	if (!err && memcmp(there, value, map_layout_get(verification->map)->n_value_bytes) == 0)
		return;
	note_repair(verification, key,
		    err ? "An object was removed from outside: repairing it"
			: "An object was changed from outside: repairing it");
	if (lb_write(verification->maps, verification->map, key, value))
		verification->error = EIO;
	else if (err)
		lb_count(verification->maps, verification->map, 1);
}

/* Only a sum of it is known: it is computed anew. */
static void forget_chunk(struct verification *verification, struct kernel_service *service,
			 enum lb_set_kind kind, uint32_t chunk)
{
	const struct lb_maglev_key key = {LB_SET(service->number, kind), chunk};
	struct datapath *dp = verification->maps->datapath;
	struct lb_maglev_chunk there;
	int err = dp->ops->map_get(dp, PLAN_MAP_cilium_lb_maglev, &key, &there);

	if (!err && lb_table_has(service, kind, chunk, &there))
		return;
	note_repair(verification, &key,
		    err ? "An object was removed from outside: repairing it"
			: "An object was changed from outside: repairing it");
	lb_table_note(verification->maps, service, kind, chunk, err ? NULL : &there);
	if (service->wanted)
		g_hash_table_add(verification->tables, service);
}

static uint32_t count_chunks(const struct verification *verification)
{
	GHashTableIter iter;
	uint32_t n = 0;
	void *service;

	g_hash_table_iter_init(&iter, verification->by_number);
	while (g_hash_table_iter_next(&iter, NULL, &service))
		n += lb_table_n_chunks(service);
	return n;
}

static void repair_tables(struct verification *verification)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, verification->by_number);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		struct kernel_service *service = pointer;

		for (int kind = 0; kind < LB_SET__MAX; kind++) {
			const struct lb_table *table = service->tables[kind];

			for (uint32_t n = table ? table->n_chunks : 0; n-- > 0;)
				if (service->tables[kind] && service->tables[kind]->sums[n])
					forget_chunk(verification, service, kind, n);
		}
	}
}

static void count_expected(struct verification *verification, const void *key, const void *value)
{
	verification->n_right--;
}

/* Reads the map; what should be there is written where it is not. Entries that are too many are listed. */
static int verify_map(struct verification *verification, enum plan_map map)
{
	struct datapath *dp = verification->maps->datapath;
	guint n_others = verification->others->len;
	int err;

	verification->map = map;
	verification->n_read = verification->n_right = 0;
	err = dp->ops->map_foreach(dp, map, read_entry, verification);
	if (err)
		return err;
	verification->maps->n_entries[map] = verification->n_read;
	if (map == PLAN_MAP_cilium_lb_maglev)
		verification->n_right -= count_chunks(verification);
	else
		foreach_expected(verification, count_expected);
	if (!verification->n_right && verification->others->len == n_others)
		return 0;
	if (map == PLAN_MAP_cilium_lb_maglev)
		repair_tables(verification);
	else
		foreach_expected(verification, repair_entry);
	return 0;
}

/* Unless it was put right, or is what the plan is still to say something about. */
static void remove_other(struct verification *verification, const struct lb_stray *other)
{
	struct datapath *dp = verification->maps->datapath;
	g_autofree uint8_t *value = g_malloc(map_layout_get(other->map)->n_value_bytes);

	verification->map = other->map;
	if (dp->ops->map_get(dp, other->map, other->key, value) ||
	    is_right(verification, other->key, value))
		return;
	note_repair(verification, other->key, "An object was added from outside: removing it");
	if (lb_write(verification->maps, other->map, other->key, NULL))
		verification->error = EIO;
	else
		lb_count(verification->maps, other->map, -1);
}

/* What is named before what names it. */
static const enum plan_map verify_order[LB_N_FILLED_MAPS] = {
	PLAN_MAP_cilium_lb_source_range, PLAN_MAP_cilium_lb_backends, PLAN_MAP_cilium_lb_maglev,
	PLAN_MAP_cilium_lb_slots,        PLAN_MAP_cilium_lb_sets,     PLAN_MAP_cilium_lb_services,
};

static void remove_others(struct verification *verification)
{
	struct lb_maps *maps = verification->maps;

	for (guint i = maps->others->len; maps->deletion_allowed && i-- > 0;)
		remove_other(verification, &g_array_index(maps->others, struct lb_stray, i));
	g_array_set_size(maps->others, 0);
}

/* The next of the maps; with the last what is too much in all of them. */
static int verify_next(struct verification *verification)
{
	struct lb_maps *maps = verification->maps;
	g_autoptr(GPtrArray) services = g_ptr_array_new();
	GHashTableIter iter;
	void *service;
	int err;

	if (!maps->n_verified)
		g_array_set_size(maps->others, 0);
	err = verify_map(verification, verify_order[maps->n_verified]);
	maps->n_verified = err ? 0 : (maps->n_verified + 1) % LB_N_FILLED_MAPS;
	if (err)
		return err;
	g_hash_table_iter_init(&iter, verification->tables);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		g_ptr_array_add(services, service);
	lb_maps_apply(maps, services);
	if (!maps->n_verified)
		remove_others(verification);
	return 0;
}

bool lb_maps_resync_next(struct lb_maps *maps, unsigned int *n_repaired)
{
	bool was_failing = controller_is_failing(maps->controller);
	g_autoptr(GHashTable) by_number = lb_services_by_number(maps);
	g_autoptr(GHashTable) tables = g_hash_table_new(NULL, NULL);
	struct verification verification = {
		.maps = maps,
		.by_number = by_number,
		.others = maps->others,
		.tables = tables,
	};
	g_autoptr(GError) error = NULL;
	int err;

	lb_begin_run(maps);
	err = verify_next(&verification);
	if (!err)
		err = -verification.error;
	if (err)
		error_set_errno(&error, -err, "comparing the kernel's services");
	lb_end_run(maps, error);
	if (err && !was_failing)
		log_warning("datapath", "Comparing the kernel failed, will try again",
			    "reconciler=services error=%s", g_strerror(-err));
	maps->n_repaired += verification.n_repaired;
	*n_repaired += verification.n_repaired;
	return maps->n_verified;
}

unsigned int lb_maps_resync(struct lb_maps *maps)
{
	unsigned int n_repaired = 0;

	maps->n_verified = 0;
	while (lb_maps_resync_next(maps, &n_repaired))
		;
	return n_repaired;
}
