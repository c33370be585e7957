// SPDX-License-Identifier: Apache-2.0
/*
 * Maglev's tables. A table is kilobytes, so that none is kept here, but a sum of each chunk: only those that
 * differ are written. In a table that is half written every position holds a back end of before or of after.
 */
#include "src/datapath/lb_private.h"

#include <string.h>
#include "src/model/maglev.h"

/* Not 0. */
static uint64_t sum_bytes(const void *data, size_t n_bytes, uint64_t sum)
{
	const uint8_t *at = data;

	sum = (sum ^ n_bytes) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	while (n_bytes) {
		size_t n = MIN(n_bytes, sizeof(uint64_t));
		uint64_t word = 0;
		unsigned __int128 product;

		memcpy(&word, at, n);
		product = (unsigned __int128)(sum ^ word) * UINT64_C(0xd6e8feb86659fd93);
		sum = (uint64_t)product ^ (uint64_t)(product >> 64) ^ (sum << 1 | sum >> 63);
		at += n;
		n_bytes -= n;
	}
	return sum ? sum : 1;
}

static uint64_t sum_chunk(const struct lb_maglev_chunk *value)
{
	return sum_bytes(value, sizeof(*value), 0);
}

static uint32_t n_chunks_wanted(const struct lb_maps *maps)
{
	return (maps->maglev_size + LB_MAGLEV_CHUNK - 1) / LB_MAGLEV_CHUNK;
}

static bool is_needed(const struct lb_maps *maps, const struct lb_work *work, enum lb_set_kind kind)
{
	const struct work_set *set = &work->sets[kind];

	/* With more back ends than positions the random choice is the better one. */
	return work->target && work->target->needs_maglev && set->is_needed && set->n_next &&
	       set->n_next <= maps->maglev_size;
}

/* ---- what the kernel has ---- */

static uint64_t sum_get(const struct kernel_service *service, enum lb_set_kind kind, uint32_t chunk)
{
	const struct lb_table *table = service->tables[kind];

	return table && chunk < table->n_chunks ? table->sums[chunk] : 0;
}

uint32_t lb_table_n_missing(const struct lb_maps *maps, const struct kernel_service *service,
			    enum lb_set_kind kind)
{
	uint32_t n = 0;

	for (uint32_t chunk = 0; chunk < n_chunks_wanted(maps); chunk++)
		n += !sum_get(service, kind, chunk);
	return n;
}

static void make_room(struct lb_maps *maps, struct kernel_service *service, enum lb_set_kind kind,
		      uint32_t n_chunks)
{
	struct lb_table *table = service->tables[kind];
	uint32_t n_before = table ? table->n_chunks : 0;

	if (table && n_chunks <= n_before)
		return;
	maps->n_tables += !table;
	table = g_realloc(table, sizeof(*table) + n_chunks * sizeof(*table->sums));
	memset(table->sums + n_before, 0, (n_chunks - n_before) * sizeof(*table->sums));
	table->n_chunks = n_chunks;
	table->inputs = 0;
	service->tables[kind] = table;
}

/* Without chunks there is no table. */
static void trim(struct lb_maps *maps, struct kernel_service *service, enum lb_set_kind kind)
{
	struct lb_table *table = service->tables[kind];

	while (table->n_chunks && !table->sums[table->n_chunks - 1])
		table->n_chunks--;
	if (table->n_chunks)
		return;
	g_clear_pointer(&service->tables[kind], g_free);
	maps->n_tables--;
}

void lb_table_note(struct lb_maps *maps, struct kernel_service *service, enum lb_set_kind kind,
		   uint32_t chunk, const struct lb_maglev_chunk *value)
{
	if (value)
		make_room(maps, service, kind, chunk + 1);
	if (!service->tables[kind] || chunk >= service->tables[kind]->n_chunks)
		return;
	service->tables[kind]->sums[chunk] = value ? sum_chunk(value) : 0;
	service->tables[kind]->inputs = 0;
	if (!value)
		trim(maps, service, kind);
}

bool lb_table_has(const struct kernel_service *service, enum lb_set_kind kind, uint32_t chunk,
		  const struct lb_maglev_chunk *value)
{
	return sum_get(service, kind, chunk) == sum_chunk(value);
}

uint32_t lb_table_n_chunks(const struct kernel_service *service)
{
	uint32_t n = 0;

	for (int kind = 0; kind < LB_SET__MAX; kind++)
		for (uint32_t i = 0; service->tables[kind] && i < service->tables[kind]->n_chunks;
		     i++)
			n += service->tables[kind]->sums[i] != 0;
	return n;
}

void lb_table_free(struct lb_maps *maps, struct kernel_service *service)
{
	for (int kind = 0; kind < LB_SET__MAX; kind++) {
		maps->n_tables -= service->tables[kind] != NULL;
		g_clear_pointer(&service->tables[kind], g_free);
	}
}

/* ---- what it is to have ---- */

/* What a table is made of, and nothing else. */
struct inputs {
	struct maglev_backend *backends;
	uint32_t *ids;
	uint32_t n;
};

static void list_inputs(const struct lb_work *work, enum lb_set_kind kind,
			struct inputs *ret_inputs)
{
	uint8_t flag = kind == LB_SET_LOCAL ? LB_BACKEND_F_IN_LOCAL : LB_BACKEND_F_IN_ALL;
	uint32_t n = 0;

	ret_inputs->backends = g_new0(struct maglev_backend, work->n_backends);
	ret_inputs->ids = g_new(uint32_t, work->n_backends);
	for (uint32_t i = 0; i < work->n_backends; i++) {
		const struct lb_plan_backend *wanted = work->backends[i].wanted;

		if (!wanted || !(wanted->flags & flag))
			continue;
		ret_inputs->backends[n].addr = wanted->addr;
		ret_inputs->backends[n].port = wanted->port;
		ret_inputs->backends[n].protocol = work->target->protocol;
		ret_inputs->backends[n].weight = MAX(wanted->weight, 1);
		ret_inputs->ids[n++] = work->backends[i].id;
	}
	ret_inputs->n = n;
}

/* An id for each position. */
static uint32_t *compute(const struct lb_maps *maps, const struct inputs *inputs)
{
	uint32_t *ids = g_new(uint32_t, maps->maglev_size);

	maglev_fill(ids, maps->maglev_size, inputs->backends, inputs->n, maps->maglev_seed);
	for (uint32_t i = 0; i < maps->maglev_size; i++)
		ids[i] = inputs->ids[ids[i]];
	return ids;
}

static bool done_chunk(struct lb_work *work, uint32_t index, const void *value)
{
	bool is_new = !sum_get(work->service, index & 1, index >> 1);

	lb_table_note(work->maps, work->service, index & 1, index >> 1, value);
	return is_new;
}

static bool done_chunk_removed(struct lb_work *work, uint32_t index, const void *value)
{
	lb_table_note(work->maps, work->service, index & 1, index >> 1, NULL);
	return false;
}

static void add_chunks(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind,
		       const uint32_t *ids)
{
	for (uint32_t chunk = 0; chunk < n_chunks_wanted(maps); chunk++) {
		const struct lb_owner owner = {work, chunk << 1 | kind};
		const struct lb_maglev_key key = {LB_SET(work->service->number, kind), chunk};
		uint32_t first = chunk * LB_MAGLEV_CHUNK;
		struct lb_maglev_chunk value = {0};

		memcpy(value.backends, ids + first,
		       MIN(LB_MAGLEV_CHUNK, maps->maglev_size - first) * sizeof(*ids));
		if (!lb_table_has(work->service, kind, chunk, &value))
			lb_batch_add(maps, &owner, &key, &value);
	}
}

static uint64_t sum_inputs(const struct lb_maps *maps, const struct inputs *inputs)
{
	uint64_t sum = (uint64_t)maps->maglev_size << 32 | maps->maglev_seed;

	sum = sum_bytes(inputs->backends, inputs->n * sizeof(*inputs->backends), sum);
	return sum_bytes(inputs->ids, inputs->n * sizeof(*inputs->ids), sum);
}

static void write_table(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind)
{
	const struct lb_table *table = work->service->tables[kind];
	g_autofree uint32_t *ids = NULL;
	struct inputs inputs;
	uint64_t sum;

	list_inputs(work, kind, &inputs);
	sum = sum_inputs(maps, &inputs);
	if (!table || table->inputs != sum) {
		ids = compute(maps, &inputs);
		add_chunks(maps, work, kind, ids);
		work->inputs[kind] = sum;
	}
	g_free(inputs.backends);
	g_free(inputs.ids);
}

void lb_table_write(struct lb_maps *maps, GPtrArray *works)
{
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_maglev, false, done_chunk);
	for (guint i = 0; i < works->len; i++)
		for (int kind = 0; kind < LB_SET__MAX; kind++) {
			struct lb_work *work = works->pdata[i];

			if (!work->error && is_needed(maps, work, kind))
				write_table(maps, work, kind);
		}
	lb_batch_end(maps);
	for (guint i = 0; i < works->len; i++)
		for (int kind = 0; kind < LB_SET__MAX; kind++) {
			struct lb_work *work = works->pdata[i];

			if (!work->error && work->inputs[kind] && work->service->tables[kind])
				work->service->tables[kind]->inputs = work->inputs[kind];
		}
}

/* From the end, for the table to become shorter. */
static void add_chunk_removals(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind)
{
	uint32_t n_kept = is_needed(maps, work, kind) ? n_chunks_wanted(maps) : 0;
	const struct lb_table *table = work->service->tables[kind];
	uint32_t n = table ? table->n_chunks : 0;

	for (uint32_t chunk = n; chunk-- > n_kept;) {
		const struct lb_owner owner = {work, chunk << 1 | kind};
		const struct lb_maglev_key key = {LB_SET(work->service->number, kind), chunk};

		if (sum_get(work->service, kind, chunk))
			lb_batch_add(maps, &owner, &key, NULL);
	}
}

void lb_table_remove(struct lb_maps *maps, GPtrArray *works)
{
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_maglev, true, done_chunk_removed);
	for (guint i = 0; i < works->len; i++)
		for (int kind = 0; kind < LB_SET__MAX; kind++) {
			struct lb_work *work = works->pdata[i];

			if (!work->error)
				add_chunk_removals(maps, work, kind);
		}
	lb_batch_end(maps);
}
