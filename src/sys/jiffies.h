/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's jiffies, as BPF programs read them. User space is told neither their number nor their
 * frequency, so a BPF program is asked.
 */
#pragma once

#include <stdint.h>
#include "src/base/error.h"

/* One tick of the conntrack clock is jiffies64 >> shift, about a second. */
struct jiffies_clock {
	unsigned int hz;
	unsigned int tick_shift;
	int64_t offset; /* jiffies that jiffies64 is ahead of CLOCK_MONOTONIC */
};

/* Takes up to 0.2 s in the rare case that one look is not enough. 0 or −errno. */
NODISCARD int jiffies_clock_init(struct jiffies_clock *ret_clock, GError **error);
/* The shift that makes a tick of hz jiffies a second closest to one second. */
unsigned int jiffies_tick_shift(unsigned int hz);
/* Rounded up; at most UINT32_MAX. */
uint32_t jiffies_ticks_from_seconds(const struct jiffies_clock *clock, uint32_t seconds);
int64_t jiffies_ns_from_ticks(const struct jiffies_clock *clock, int64_t ticks);
/* As a program computes it, give or take one jiffy. */
uint32_t jiffies_tick_now(const struct jiffies_clock *clock);
/* The frequency for which the low 32 bits of jiffies fit that long after boot; 0: not clear. */
unsigned int jiffies_guess_hz(uint32_t jiffies, int64_t monotonic_ns);
