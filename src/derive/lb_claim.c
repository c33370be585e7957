// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_claim.h"

#include <string.h>

#define MIN_SLOTS 16

struct lb_claims {
	const struct lb_service **rows;
	uint32_t *hashes;
	size_t n_slots;
	size_t n;
	uint64_t seed;
};

struct lb_claims *lb_claims_new(void)
{
	struct lb_claims *claims = g_new0(struct lb_claims, 1);

	claims->n_slots = MIN_SLOTS;
	claims->rows = g_new0(const struct lb_service *, claims->n_slots);
	claims->hashes = g_new0(uint32_t, claims->n_slots);
	claims->seed = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
	return claims;
}

void lb_claims_free(struct lb_claims *claims)
{
	if (!claims)
		return;
	g_free(claims->rows);
	g_free(claims->hashes);
	g_free(claims);
}

struct lb_claim_key lb_claim_key_of(const struct lb_service *row,
				    const struct lb_plan_frontend *frontend)
{
	return (struct lb_claim_key){
		.addr = frontend->addr,
		.port = frontend->port,
		.protocol = frontend->port ? row->protocol : 0,
	};
}

/* Seeded: whoever writes services must not choose who meets whom. */
static uint32_t hash_key(const struct lb_claims *claims, const struct lb_claim_key *key)
{
	uint64_t hash = claims->seed ^ ((uint64_t)key->port << 8 | key->protocol);
	uint64_t words[2];

	memcpy(words, &key->addr, sizeof(words));
	for (int i = 0; i < 2; i++) {
		unsigned __int128 product =
			(unsigned __int128)(hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);

		hash = ((uint64_t)product ^ (uint64_t)(product >> 64)) + claims->seed;
	}
	hash *= UINT64_C(0xd6e8feb86659fd93);
	return hash >> 32;
}

/* As in a keyed_set: a table need not double to grow. */
static size_t home_of(uint32_t hash, size_t n_slots)
{
	return (uint64_t)hash * n_slots >> 32;
}

static size_t next_slot(size_t slot, size_t n_slots)
{
	return slot + 1 == n_slots ? 0 : slot + 1;
}

/* How far behind from, going round, to is. */
static size_t distance(size_t from, size_t to, size_t n_slots)
{
	return to >= from ? to - from : to + n_slots - from;
}

/* NULL: the row does not have it. */
static const struct lb_plan_frontend *find_frontend(const struct lb_service *row,
						    const struct lb_claim_key *key)
{
	unsigned int low = 0, high = row->n_frontends;

	if (key->port && row->protocol != key->protocol)
		return NULL;
	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		const struct lb_plan_frontend *frontend = &row->frontends[middle];
		int order = addr_compare(&key->addr, &frontend->addr);

		if (!order)
			order = (int)key->port - (int)frontend->port;
		if (!order)
			return frontend;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

enum lb_type lb_claim_type(const struct lb_service *row, const struct lb_claim_key *key)
{
	return find_frontend(row, key)->type;
}

/* The slot of the key, or the free one where it would go. row NULL: any. */
static size_t find_slot(const struct lb_claims *claims, uint32_t hash,
			const struct lb_claim_key *key, const struct lb_service *row)
{
	size_t slot = home_of(hash, claims->n_slots);

	for (; claims->rows[slot]; slot = next_slot(slot, claims->n_slots))
		if (claims->hashes[slot] == hash && (!row || claims->rows[slot] == row) &&
		    find_frontend(claims->rows[slot], key))
			break;
	return slot;
}

const struct lb_service *lb_claims_find(const struct lb_claims *claims,
					const struct lb_claim_key *key)
{
	return claims->rows[find_slot(claims, hash_key(claims, key), key, NULL)];
}

static void resize(struct lb_claims *claims, size_t n_slots)
{
	struct lb_claims old = *claims;

	claims->n_slots = n_slots;
	claims->rows = g_new0(const struct lb_service *, n_slots);
	claims->hashes = g_new0(uint32_t, n_slots);
	for (size_t i = 0; i < old.n_slots; i++) {
		size_t slot = home_of(old.hashes[i], n_slots);

		if (!old.rows[i])
			continue;
		while (claims->rows[slot])
			slot = next_slot(slot, n_slots);
		claims->rows[slot] = old.rows[i];
		claims->hashes[slot] = old.hashes[i];
	}
	g_free(old.rows);
	g_free(old.hashes);
}

void lb_claims_put(struct lb_claims *claims, const struct lb_claim_key *key,
		   const struct lb_service *row)
{
	uint32_t hash = hash_key(claims, key);
	size_t slot;

	if ((claims->n + 1) * 6 > claims->n_slots * 5)
		resize(claims, claims->n_slots + claims->n_slots / 4);
	slot = home_of(hash, claims->n_slots);
	while (claims->rows[slot])
		slot = next_slot(slot, claims->n_slots);
	claims->rows[slot] = row;
	claims->hashes[slot] = hash;
	claims->n++;
}

/* What stands behind the free slot moves up, so that a search never stops short of it. */
static void close_gap(struct lb_claims *claims, size_t gap)
{
	size_t n_slots = claims->n_slots;

	for (size_t slot = next_slot(gap, n_slots); claims->rows[slot];
	     slot = next_slot(slot, n_slots)) {
		size_t home = home_of(claims->hashes[slot], n_slots);

		if (distance(home, slot, n_slots) < distance(gap, slot, n_slots))
			continue;
		claims->rows[gap] = claims->rows[slot];
		claims->hashes[gap] = claims->hashes[slot];
		claims->rows[slot] = NULL;
		gap = slot;
	}
}

bool lb_claims_remove(struct lb_claims *claims, const struct lb_claim_key *key,
		      const struct lb_service *row)
{
	size_t slot = find_slot(claims, hash_key(claims, key), key, row);

	if (!claims->rows[slot])
		return false;
	claims->rows[slot] = NULL;
	claims->n--;
	close_gap(claims, slot);
	if (claims->n_slots / 2 >= MIN_SLOTS && claims->n * 8 < claims->n_slots)
		resize(claims, claims->n_slots / 2);
	return true;
}
