/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels: source:key=value. A label set is immutable, reference-counted and sorted by key, then
 * source; equal sets are the same pointer (interned), so that comparing is comparing pointers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct label {
	const char *source; /* "k8s", "reserved", "container", "cni", "unspec", … */
	const char *key;
	const char *value; /* "" where there is none */
};

struct label_set;

/* Builds a set from n labels; a repeated source and key keeps the last. The strings are copied. */
const struct label_set *label_set_new(const struct label *labels, size_t n);
const struct label_set *label_set_ref(const struct label_set *set);
void label_set_unref(const struct label_set *set); /* takes NULL */
size_t label_set_n(const struct label_set *set);
const struct label *label_set_get(const struct label_set *set, size_t i);
/* The value under source and key, or NULL. source NULL: any source. */
const char *label_set_find(const struct label_set *set, const char *source, const char *key);
/* How many labels have the key, of whatever source; the first of them is *ret_first. */
size_t label_set_find_key(const struct label_set *set, const char *key, size_t *ret_first);
/*
 * Bits that say cheaply what is not in the set: label_filter_key() of each key and label_filter_pair() of
 * each key and value. Where one of them is missing, the set has no such label.
 */
uint64_t label_set_filter(const struct label_set *set);
uint64_t label_filter_key(const char *key);
uint64_t label_filter_pair(const char *key, const char *value);
/* "k8s:app=web;k8s:tier=x;": the canonical form, the key of an identity. Lives as long as the set. */
const char *label_set_text(const struct label_set *set);
/* Parses the canonical form. 0 or −EINVAL. */
int label_set_parse(const char *text, const struct label_set **ret_set);

/* "k8s:app=web", "reserved:host", "app=web" (source unspec). 0 or −EINVAL; free with label_fini. */
int label_parse(const char *text, struct label *ret_label);
void label_fini(struct label *label);
/* "source:key=value", or "source:key" where the value is empty. Free with g_free. */
char *label_format(const struct label *label);
