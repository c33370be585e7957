/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of a seed: the same everywhere, so that a failure can be had again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct random {
	uint64_t state;
};

static inline uint32_t random_next(struct random *random)
{
	uint64_t mixed;

	random->state += 0x9e3779b97f4a7c15;
	mixed = random->state;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed >> 32;
}

static inline unsigned int random_below(struct random *random, unsigned int n)
{
	return random_next(random) % n;
}

static inline bool random_chance(struct random *random, unsigned int percent)
{
	return random_below(random, 100) < percent;
}

#define random_pick(random, array) ((array)[random_below(random, G_N_ELEMENTS(array))])
