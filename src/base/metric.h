/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scrape collects: samples of the families that a table of the program lists. A set lives for one
 * scrape; the counters themselves are plain values in the modules that count.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "src/base/histogram.h"

#define METRIC_LABELS_MAX 4

enum metric_type {
	METRIC_TYPE_GAUGE,
	METRIC_TYPE_COUNTER,
	METRIC_TYPE_HISTOGRAM,
	METRIC_TYPE__MAX,
};

struct metric_family {
	const char *name; /* with the prefix */
	enum metric_type type;
	const char *labels; /* names, separated by commas; "": none */
	bool is_on;         /* unless the configuration says otherwise */
	const char *help;
};

struct metric_sample {
	const char *values[METRIC_LABELS_MAX]; /* of the labels, in their order; UTF-8 */
	double value;                          /* of a histogram: the sum */
	const struct histogram *histogram;     /* NULL where the type is another */
};

struct metric_set;

/* Both borrowed as long as the set lives; on[i]: the samples of families[i] are wanted. */
struct metric_set *metric_set_new(const struct metric_family *families, unsigned int n_families,
				  const bool *on);
void metric_set_free(struct metric_set *set); /* takes NULL */
/* False: collecting it would be for nothing; metric_set_add() ignores it. */
bool metric_set_wants(const struct metric_set *set, unsigned int family);

/* METRIC_LABELS("a", "b"): the values of the labels, as many as the family has; METRIC_NO_LABELS. */
#define METRIC_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define METRIC_NO_LABELS   ((const char *const[]){NULL})

/* Copies the values. No two samples of a family have the same ones. */
void metric_set_add(struct metric_set *set, unsigned int family, const char *const *values,
		    double value);
/* The histogram is borrowed as long as the set lives. One that measured nothing is left out. */
void metric_set_add_histogram(struct metric_set *set, unsigned int family,
			      const char *const *values, const struct histogram *histogram);

/* Every sample, family by family in the order of the table. */
void metric_set_foreach(const struct metric_set *set,
			void (*fn)(const struct metric_family *family,
				   const struct metric_sample *sample, void *data),
			void *data);

#define METRIC_TEXT_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends everything in Prometheus' text format. */
void metric_set_format(const struct metric_set *set, GString *out);
/* The shortest text that reads as the same number; "NaN", "+Inf", "-Inf". */
void metric_format_number(GString *out, double number);
