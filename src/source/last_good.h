/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guards pods, policies and groups of prefixes, as a text that outlives the agent: with it an object that is bad
 * when an agent starts stays what it was when it was good. The text is JSON with each value on its line of the file,
 * so that what is decoded from it equals what was decoded from the file.
 */
#pragma once

#include <stdbool.h>
#include "src/source/manifest.h"

/* Longer ones are not kept: three times a policy of all prefixes that there can be. */
#define LAST_GOOD_MAX_BYTES (8 * 1024 * 1024)

/* An object, as it was when it was good. */
struct last_good {
	char *file;        /* its path */
	unsigned int line; /* where it began there */
	char *text;
};

/*
 * The object is in force as text says, in this place; text NULL: nothing says it any more, or it is too long to keep.
 * object is its kind and key; what it says is borrowed for the call.
 */
typedef void (*last_good_keep)(const char *file, const struct object_kind *kind, const char *key,
			       unsigned int line, const char *text, void *data);

struct last_good *last_good_new(const char *file, unsigned int line, const char *text);
void last_good_free(struct last_good *good); /* takes NULL */
/* Objects of this kind are kept. */
bool last_good_is_kept(const struct object_kind *kind);
/* Free with g_free. NULL: it would be too long. */
char *last_good_text(const struct value *object);
/* The objects of one file, in the order of their lines, as if they were the file. */
struct manifest *last_good_parse(struct last_good *const *objects, unsigned int n);
