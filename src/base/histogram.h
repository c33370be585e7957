/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took: a plain value that whoever measures embeds, zeroed to begin with. All have the
 * same buckets, from 100 µs to 10 s: those of Prometheus' clients, and finer ones below.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_N_BOUNDS 16

/* Upper ends of the buckets, in seconds, ascending. What is longer is in the bucket behind the last. */
extern const double histogram_bounds[HISTOGRAM_N_BOUNDS];

struct histogram {
	uint64_t counts[HISTOGRAM_N_BOUNDS + 1]; /* of each bucket alone */
	double sum;                              /* in seconds */
};

void histogram_add_ns(struct histogram *histogram, int64_t duration_ns);
uint64_t histogram_n(const struct histogram *histogram);
/*
 * The duration in seconds that a part of 0 to 1 of what was measured does not exceed, as
 * histogram_quantile() of PromQL estimates it: along a straight line within the bucket; the last bound
 * for what is longer. NaN where nothing was measured.
 */
double histogram_quantile(const struct histogram *histogram, double part);
