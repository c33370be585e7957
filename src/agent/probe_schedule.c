/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/probe_schedule.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/base/intern.h"

#define NO_SLOT UINT_MAX
/* The interval of those that have just failed is not less. */
#define MIN_STEP_NS (50 * NSEC_PER_MSEC)

struct probe_schedule {
	GHashTable *targets; /* struct probe_target by its key, owned */
	GPtrArray *heap;     /* those that are not under way, the first due first */
	GRand *chance;
	unsigned int n_under_way;
	unsigned int n_down;
};

/* ---- a heap by due_ns ---- */

static struct probe_target *at(const struct probe_schedule *schedule, unsigned int slot)
{
	return schedule->heap->pdata[slot];
}

static void place(struct probe_schedule *schedule, unsigned int slot, struct probe_target *target)
{
	schedule->heap->pdata[slot] = target;
	target->slot = slot;
}

static void sift_up(struct probe_schedule *schedule, unsigned int slot)
{
	struct probe_target *target = at(schedule, slot);

	while (slot && at(schedule, (slot - 1) / 2)->due_ns > target->due_ns) {
		place(schedule, slot, at(schedule, (slot - 1) / 2));
		slot = (slot - 1) / 2;
	}
	place(schedule, slot, target);
}

static void sift_down(struct probe_schedule *schedule, unsigned int slot)
{
	struct probe_target *target = at(schedule, slot);
	unsigned int n = schedule->heap->len;

	for (;;) {
		unsigned int child = 2 * slot + 1;

		if (child >= n)
			break;
		if (child + 1 < n && at(schedule, child + 1)->due_ns < at(schedule, child)->due_ns)
			child++;
		if (at(schedule, child)->due_ns >= target->due_ns)
			break;
		place(schedule, slot, at(schedule, child));
		slot = child;
	}
	place(schedule, slot, target);
}

static void push(struct probe_schedule *schedule, struct probe_target *target, int64_t due_ns)
{
	target->due_ns = due_ns;
	g_ptr_array_add(schedule->heap, target);
	sift_up(schedule, schedule->heap->len - 1);
}

static void pull(struct probe_schedule *schedule, struct probe_target *target)
{
	unsigned int slot = target->slot, last = schedule->heap->len - 1;
	struct probe_target *moved = at(schedule, last);

	g_ptr_array_set_size(schedule->heap, last);
	target->slot = NO_SLOT;
	if (slot == last)
		return;
	place(schedule, slot, moved);
	sift_up(schedule, slot);
	sift_down(schedule, moved->slot);
}

/* ---- targets ---- */

static unsigned int key_hash(const void *pointer)
{
	uint64_t words[sizeof(struct backend_health_key) / sizeof(uint64_t)];
	uint64_t hash = 0;

	G_STATIC_ASSERT(sizeof(words) == sizeof(struct backend_health_key));
	memcpy(words, pointer, sizeof(words));
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return hash >> 32;
}

static gboolean key_equal(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct backend_health_key)) == 0;
}

static void target_free(void *pointer)
{
	struct probe_target *target = pointer;

	intern_unref(target->health.path);
	g_free(target);
}

struct probe_schedule *probe_schedule_new(uint32_t seed)
{
	struct probe_schedule *schedule = g_new0(struct probe_schedule, 1);

	schedule->targets = g_hash_table_new_full(key_hash, key_equal, NULL, target_free);
	schedule->heap = g_ptr_array_new();
	schedule->chance = g_rand_new_with_seed(seed);
	return schedule;
}

void probe_schedule_free(struct probe_schedule *schedule)
{
	if (!schedule)
		return;
	g_hash_table_unref(schedule->targets);
	g_ptr_array_unref(schedule->heap);
	g_rand_free(schedule->chance);
	g_free(schedule);
}

static int64_t interval_ns(const struct probe_target *target)
{
	return target->health.interval_ms * NSEC_PER_MSEC;
}

/* From 0 to most_ns. */
static int64_t by_chance(struct probe_schedule *schedule, int64_t most_ns)
{
	return (int64_t)(g_rand_double(schedule->chance) * (double)most_ns);
}

/* What is asked, and how; how often and how many are no other question. */
static bool asks_the_same(const struct service_health *a, const struct service_health *b)
{
	return a->probe == b->probe && a->path == b->path;
}

static void set_health(struct probe_target *target, const struct service_health *health)
{
	const char *path = intern_ref(health->path);

	intern_unref(target->health.path);
	target->health = *health;
	target->health.path = path;
}

static struct probe_target *add(struct probe_schedule *schedule,
				const struct backend_health_key *key,
				const struct service_health *health, bool is_down, int64_t now_ns)
{
	struct probe_target *target = g_new0(struct probe_target, 1);

	target->key = *key;
	target->is_down = is_down;
	set_health(target, health);
	schedule->n_down += is_down;
	g_hash_table_insert(schedule->targets, &target->key, target);
	push(schedule, target, now_ns + by_chance(schedule, interval_ns(target)));
	return target;
}

static void change(struct probe_schedule *schedule, struct probe_target *target,
		   const struct service_health *health, int64_t now_ns)
{
	bool is_same = asks_the_same(&target->health, health);
	bool is_slower = health->interval_ms >= target->health.interval_ms;

	set_health(target, health);
	if (!is_same)
		target->n_same = 0;
	if (target->is_under_way)
		target->is_outdated |= !is_same;
	if (target->is_under_way || (is_same && is_slower))
		return;
	pull(schedule, target);
	push(schedule, target,
	     is_same ? now_ns + by_chance(schedule, interval_ns(target)) : now_ns);
}

struct probe_target *probe_schedule_put(struct probe_schedule *schedule,
					const struct backend_health_key *key,
					const struct service_health *health, bool is_down,
					int64_t now_ns)
{
	struct probe_target *target = probe_schedule_find(schedule, key);

	if (target)
		change(schedule, target, health, now_ns);
	else
		target = add(schedule, key, health, is_down, now_ns);
	target->n_users++;
	return target;
}

bool probe_schedule_remove(struct probe_schedule *schedule, struct probe_target *target)
{
	if (--target->n_users)
		return false;
	schedule->n_down -= target->is_down;
	if (target->is_under_way)
		schedule->n_under_way--;
	else
		pull(schedule, target);
	g_hash_table_remove(schedule->targets, &target->key);
	return true;
}

struct probe_target *probe_schedule_find(const struct probe_schedule *schedule,
					 const struct backend_health_key *key)
{
	return g_hash_table_lookup(schedule->targets, key);
}

unsigned int probe_schedule_n_targets(const struct probe_schedule *schedule)
{
	return g_hash_table_size(schedule->targets);
}

unsigned int probe_schedule_n_down(const struct probe_schedule *schedule)
{
	return schedule->n_down;
}

struct probe_target *probe_schedule_take(struct probe_schedule *schedule, int64_t now_ns)
{
	struct probe_target *target = schedule->heap->len ? at(schedule, 0) : NULL;

	if (!target || target->due_ns > now_ns || schedule->n_under_way >= PROBES_MAX)
		return NULL;
	pull(schedule, target);
	target->is_under_way = true;
	schedule->n_under_way++;
	return target;
}

int64_t probe_schedule_next_ns(const struct probe_schedule *schedule)
{
	if (!schedule->heap->len || schedule->n_under_way >= PROBES_MAX)
		return INT64_MAX;
	return at(schedule, 0)->due_ns;
}

/* From the start of one probe to that of the next. */
static int64_t step_ns(struct probe_schedule *schedule, const struct probe_target *target)
{
	int64_t interval = interval_ns(target);
	bool is_suspect = !target->is_down && target->n_same;

	/* The failures that it takes fit into half an interval. */
	if (is_suspect)
		return MAX(interval / 2 / (target->health.n_fail - 1), MIN_STEP_NS);
	return interval - by_chance(schedule, interval / 10);
}

static void end(struct probe_schedule *schedule, struct probe_target *target, int64_t due_ns)
{
	target->is_under_way = target->is_outdated = false;
	schedule->n_under_way--;
	push(schedule, target, due_ns);
}

enum probe_verdict probe_schedule_report(struct probe_schedule *schedule,
					 struct probe_target *target, bool is_good,
					 int64_t start_ns)
{
	uint8_t needed = target->is_down ? target->health.n_recover : target->health.n_fail;
	enum probe_verdict verdict = PROBE_UNCHANGED;

	if (target->is_outdated) {
		end(schedule, target, start_ns);
		return PROBE_UNCHANGED;
	}
	target->n_same = is_good == target->is_down ? target->n_same + 1 : 0;
	if (target->n_same >= needed) {
		target->n_same = 0;
		target->is_down = !is_good;
		verdict = is_good ? PROBE_CAME_UP : PROBE_WENT_DOWN;
	}
	schedule->n_down += verdict == PROBE_WENT_DOWN;
	schedule->n_down -= verdict == PROBE_CAME_UP;
	end(schedule, target, start_ns + step_ns(schedule, target));
	return verdict;
}

void probe_schedule_give_back(struct probe_schedule *schedule, struct probe_target *target,
			      int64_t now_ns)
{
	end(schedule, target, now_ns + NSEC_PER_SEC);
}
