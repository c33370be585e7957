// SPDX-License-Identifier: Apache-2.0
#include "src/store/keyed_set.h"

#include <string.h>

#define MIN_SLOTS 2

/* The product of two odd 64-bit numbers mixes well when both halves are folded together. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded, so that nobody who names objects can make all of them meet in one slot. */
static uint32_t hash_key(const void *data, size_t n_bytes)
{
	static uint64_t seed;
	const uint8_t *p = data;
	uint64_t hash;

	if (!seed)
		seed = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
	hash = seed ^ n_bytes;
	while (n_bytes) {
		size_t n = MIN(n_bytes, sizeof(uint64_t));
		uint64_t word = 0;

		memcpy(&word, p, n);
		hash = fold(hash ^ word, UINT64_C(0x9e3779b97f4a7c15)) + seed;
		p += n;
		n_bytes -= n;
	}
	hash = fold(hash, UINT64_C(0xd6e8feb86659fd93));
	return hash ^ hash >> 32;
}

void keyed_set_init(struct keyed_set *set, keyed_set_key key)
{
	*set = (struct keyed_set){.key = key};
}

void keyed_set_fini(struct keyed_set *set)
{
	g_free(set->items);
	g_free(set->hashes);
	*set = (struct keyed_set){};
}

/* In the order of hashes, whatever the number of slots: so that a table need not double to grow. */
static size_t home_of(uint32_t hash, size_t n_slots)
{
	return (uint64_t)hash * n_slots >> 32;
}

static size_t next_slot(size_t slot, size_t n_slots)
{
	return slot + 1 == n_slots ? 0 : slot + 1;
}

/* The slot of the key, or the free one where it would go. There is always a free slot. */
static size_t find_slot(const struct keyed_set *set, uint32_t hash, const void *key, size_t n_bytes)
{
	size_t slot = home_of(hash, set->n_slots);

	while (set->items[slot]) {
		struct row_key found;

		if (set->hashes[slot] == hash) {
			set->key(set->items[slot], &found);
			if (found.n_bytes == n_bytes && memcmp(found.data, key, n_bytes) == 0)
				break;
		}
		slot = next_slot(slot, set->n_slots);
	}
	return slot;
}

static void resize(struct keyed_set *set, size_t n_slots)
{
	struct keyed_set old = *set;

	set->n_slots = n_slots;
	set->items = g_new0(void *, n_slots);
	set->hashes = g_new(uint32_t, n_slots);
	for (size_t i = 0; i < old.n_slots; i++) {
		size_t slot;

		if (!old.items[i])
			continue;
		slot = home_of(old.hashes[i], n_slots);
		while (set->items[slot])
			slot = next_slot(slot, n_slots);
		set->items[slot] = old.items[i];
		set->hashes[slot] = old.hashes[i];
	}
	g_free(old.items);
	g_free(old.hashes);
}

void *keyed_set_get(const struct keyed_set *set, const void *key, size_t n_bytes)
{
	if (!set->n)
		return NULL;
	return set->items[find_slot(set, hash_key(key, n_bytes), key, n_bytes)];
}

void *keyed_set_put(struct keyed_set *set, void *item)
{
	struct row_key key;
	uint32_t hash;
	size_t slot;
	void *old;

	/* Five sixths full at most, and two thirds at least: empty slots are much of an agent's memory. */
	if ((set->n + 1) * 6 > set->n_slots * 5)
		resize(set, set->n_slots + MAX(set->n_slots / 4, MIN_SLOTS));
	set->key(item, &key);
	hash = hash_key(key.data, key.n_bytes);
	slot = find_slot(set, hash, key.data, key.n_bytes);
	old = set->items[slot];
	set->items[slot] = item;
	set->hashes[slot] = hash;
	if (!old)
		set->n++;
	return old;
}

/* How far behind from, going round, to is. */
static size_t distance(size_t from, size_t to, size_t n_slots)
{
	return to >= from ? to - from : to + n_slots - from;
}

/* Closes the gap: what was pushed past it by collisions moves back, so no tombstones are needed. */
static void close_gap(struct keyed_set *set, size_t gap)
{
	size_t n_slots = set->n_slots;

	for (size_t slot = next_slot(gap, n_slots); set->items[slot];
	     slot = next_slot(slot, n_slots)) {
		size_t home = home_of(set->hashes[slot], n_slots);

		if (distance(home, slot, n_slots) < distance(gap, slot, n_slots))
			continue;
		set->items[gap] = set->items[slot];
		set->hashes[gap] = set->hashes[slot];
		gap = slot;
	}
	set->items[gap] = NULL;
}

void *keyed_set_remove(struct keyed_set *set, const void *key, size_t n_bytes)
{
	size_t slot;
	void *old;

	if (!set->n)
		return NULL;
	slot = find_slot(set, hash_key(key, n_bytes), key, n_bytes);
	old = set->items[slot];
	if (!old)
		return NULL;
	close_gap(set, slot);
	set->n--;
	/* A table that was large once must not stay so. */
	if (set->n == 0) {
		keyed_set_key key_fn = set->key;

		keyed_set_fini(set);
		keyed_set_init(set, key_fn);
	} else if (set->n * 8 < set->n_slots) {
		resize(set, set->n_slots / 2);
	}
	return old;
}

void keyed_set_foreach(const struct keyed_set *set, bool (*fn)(void *item, void *data), void *data)
{
	for (size_t i = 0; i < set->n_slots; i++)
		if (set->items[i] && !fn(set->items[i], data))
			return;
}
