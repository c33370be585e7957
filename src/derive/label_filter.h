/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which labels make an identity. Each pattern is a regular expression matched at the start of the label's
 * key; "!" in front excludes, "source:" in front of that restricts it to labels of one source. A label
 * counts when nothing excludes it (and the user included nothing), or when its longest including match
 * is longer than its shortest excluding one.
 */
#pragma once

#include "src/base/error.h"
#include "src/model/label.h"

struct label_filter;

/*
 * The built-in list and then the user's patterns (NULL-terminated; may be NULL). NULL and *error for a
 * pattern that is no regular expression.
 */
struct label_filter *label_filter_new(const char *const *patterns, GError **error);
/* Of the labels of nodes, which have no built-in list: without patterns every label counts. */
struct label_filter *label_filter_new_nodes(const char *const *patterns, GError **error);
void label_filter_free(struct label_filter *filter); /* takes NULL */
bool label_filter_accepts(const struct label_filter *filter, const struct label *label);
/* The labels of set that the filter accepts. Unref it. */
const struct label_set *label_filter_apply(const struct label_filter *filter,
					   const struct label_set *set);
