// SPDX-License-Identifier: Apache-2.0
#include "src/model/maglev.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>
#include "src/model/connection_text.h"

/* "[[<IPv6>]:65535/SCTP,State:active]" */
#define TEXT_BYTES (ADDR_TEXT_BYTES + 32)

#define FREE_POSITION UINT32_MAX

/* A back end taking turns. */
struct turn {
	char text[TEXT_BYTES];
	uint32_t index;    /* in the caller's array */
	uint32_t position; /* the next of its permutation */
	uint32_t skip;
	uint32_t n_taken;
	uint16_t weight;
};

/* ---- Murmur3 ---- */

#define MURMUR_C1 UINT64_C(0x87c37b91114253d5)
#define MURMUR_C2 UINT64_C(0x4cf5ad432745937f)

static uint64_t rotate(uint64_t value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t mix_k1(uint64_t k)
{
	return rotate(k * MURMUR_C1, 31) * MURMUR_C2;
}

static uint64_t mix_k2(uint64_t k)
{
	return rotate(k * MURMUR_C2, 33) * MURMUR_C1;
}

static uint64_t finish(uint64_t k)
{
	k = (k ^ k >> 33) * UINT64_C(0xff51afd7ed558ccd);
	k = (k ^ k >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return k ^ k >> 33;
}

/* n_bytes ≤ 8, little-endian. */
static uint64_t load(const uint8_t *bytes, size_t n_bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n_bytes; i++)
		word |= (uint64_t)bytes[i] << 8 * i;
	return word;
}

static void murmur(const uint8_t *bytes, size_t n_bytes, uint32_t seed, uint64_t ret_hash[2])
{
	uint64_t h1 = seed, h2 = seed;
	size_t n_blocks = n_bytes / 16, n_tail = n_bytes % 16;
	const uint8_t *tail = bytes + n_blocks * 16;

	for (size_t i = 0; i < n_blocks; i++) {
		h1 ^= mix_k1(load(bytes + 16 * i, 8));
		h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
		h2 ^= mix_k2(load(bytes + 16 * i + 8, 8));
		h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
	}
	if (n_tail > 8)
		h2 ^= mix_k2(load(tail + 8, n_tail - 8));
	if (n_tail)
		h1 ^= mix_k1(load(tail, MIN(n_tail, 8)));
	h1 ^= n_bytes;
	h2 ^= n_bytes;
	h1 += h2;
	h2 += h1;
	h1 = finish(h1);
	h2 = finish(h2);
	h1 += h2;
	h2 += h1;
	ret_hash[0] = h1;
	ret_hash[1] = h2;
}

/* ---- turns ---- */

static void turn_init(struct turn *turn, const struct maglev_backend *backend, uint32_t index,
		      uint32_t size, uint32_t seed)
{
	bool v4 = addr_is_v4(&backend->addr);
	char addr[ADDR_TEXT_BYTES];
	uint64_t hash[2];

	g_snprintf(turn->text, sizeof(turn->text),
		   v4 ? "[%s:%u/%s,State:active]" : "[[%s]:%u/%s,State:active]",
		   addr_format(&backend->addr, addr), backend->port,
		   protocol_format(backend->protocol));
	murmur((const uint8_t *)turn->text, strlen(turn->text), seed, hash);
	turn->index = index;
	turn->position = hash[0] % size;
	turn->skip = hash[1] % (size - 1) + 1;
	turn->n_taken = 0;
	turn->weight = backend->weight;
}

static int compare_turns(const void *a, const void *b)
{
	return strcmp(((const struct turn *)a)->text, ((const struct turn *)b)->text);
}

/* The next position of the back end's permutation that is free is its own. */
static void take(struct turn *turn, uint32_t *table, uint32_t size)
{
	uint32_t position = turn->position;

	while (table[position] != FREE_POSITION) {
		position += turn->skip;
		if (position >= size)
			position -= size;
	}
	table[position] = turn->index;
	turn->position = position;
	turn->n_taken++;
}

static bool weights_differ(const struct turn *turns, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (turns[i].weight != turns[0].weight)
			return true;
	return false;
}

/* Whether a is to have a turn before b; turns are in the order of their texts. */
static bool is_before(const struct turn *a, const struct turn *b)
{
	uint64_t x = (uint64_t)a->n_taken * b->weight, y = (uint64_t)b->n_taken * a->weight;

	return x != y ? x < y : a < b;
}

/* heap: its first has become later; let it sink. */
static void sink(struct turn **heap, size_t n)
{
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;
		struct turn *turn = heap[at];

		if (child >= n)
			return;
		if (child + 1 < n && is_before(heap[child + 1], heap[child]))
			child++;
		if (is_before(turn, heap[child]))
			return;
		heap[at] = heap[child];
		heap[child] = turn;
		at = child;
	}
}

static void fill_weighted(uint32_t *table, uint32_t size, struct turn *turns, size_t n)
{
	g_autofree struct turn **heap = g_new(struct turn *, n);

	/* Nobody has taken anything: in order of the texts it is a heap. */
	for (size_t i = 0; i < n; i++)
		heap[i] = &turns[i];
	for (uint32_t i = 0; i < size; i++) {
		take(heap[0], table, size);
		sink(heap, n);
	}
}

void maglev_fill(uint32_t *ret_table, uint32_t size, const struct maglev_backend *backends,
		 size_t n, uint32_t seed)
{
	g_autofree struct turn *turns = g_new(struct turn, n);

	g_assert(n && n <= size);
	for (size_t i = 0; i < n; i++)
		turn_init(&turns[i], &backends[i], i, size, seed);
	qsort(turns, n, sizeof(*turns), compare_turns);
	for (uint32_t i = 0; i < size; i++)
		ret_table[i] = FREE_POSITION;
	if (weights_differ(turns, n)) {
		fill_weighted(ret_table, size, turns, n);
		return;
	}
	for (uint32_t i = 0; i < size; i++)
		take(&turns[i % n], ret_table, size);
}
