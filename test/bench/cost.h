/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the measurements in C have in common. Times are of this process alone, the kernel's part included: what
 * others do on the machine is theirs. None of them ever sleeps, so that on an idle machine this is what passes.
 */
#pragma once

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "src/base/clock.h"

/* Of CPU. */
static inline double cost_ms(void)
{
	return (double)clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) / NSEC_PER_MSEC;
}

/* All that is allocated, in the heap and beside it. */
static inline double cost_heap_mb(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)(info.uordblks + info.hblkhd) / 1e6;
}

static inline int cost_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline void cost_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), cost_compare);
}

/* Members of a JSON object, with a comma behind them: the median and the 99th percentile. Sorts the values. */
static inline void cost_print_json(const char *name, double *values, size_t n)
{
	cost_sort(values, n);
	printf("\"%s_ms\": %.3f, \"%s_p99_ms\": %.3f, ", name, values[n / 2], name,
	       values[n * 99 / 100]);
}

/* error: NULL where errno says it. */
_Noreturn static inline void cost_die(const char *what, const GError *error)
{
	fprintf(stderr, "%s: %s\n", what, error ? error->message : strerror(errno));
	exit(1);
}
