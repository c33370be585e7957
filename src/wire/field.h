/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a value tree as a typed object. A field knows the way to it, so that every problem says line,
 * path ("spec.podCIDRs[1]") and reason. A getter that meets something else than it wants notes a problem
 * and answers as if nothing were there: a decoder reads on and so finds all problems of an object.
 *
 * Fields live on the stack of whoever reads and point to their parent there.
 */
#pragma once

#include "src/wire/value.h"

struct field_problem {
	unsigned int line;
	char *path; /* "" for the object itself */
	char *reason;
};

struct field {
	const struct field *parent; /* NULL: the object itself */
	const struct value *value;  /* NULL: not there */
	const char *name;           /* of a member */
	unsigned int index;         /* of an item; only where name is NULL */
	GPtrArray *problems;        /* struct field_problem; the caller's */
};

/* For GPtrArray; takes NULL. */
void field_problem_free(struct field_problem *problem);

struct field field_root(const struct value *value, GPtrArray *problems);
/* The member of a mapping. Notes a problem where the parent is there and is none. */
struct field field_member(const struct field *parent, const char *name);
/*
 * The items of a list, or the members of a mapping (their keys are value->key):
 *	for (struct field item = field_first(&list); item.value; item = field_next(&item))
 * Something else than a list or mapping is a problem, and empty.
 */
struct field field_first(const struct field *list);
struct field field_first_member(const struct field *mapping);
struct field field_next(const struct field *item);
/* There, and not null. */
bool field_is_set(const struct field *field);
/* NULL where it is not set. */
const char *field_text(const struct field *field);
/* As field_text; not set, or empty, is a problem too. */
const char *field_required_text(const struct field *field);
bool field_bool(const struct field *field, bool otherwise);
/* An integer from min to max. False where it is not set, or something else, which is a problem. */
bool field_int(const struct field *field, int64_t min, int64_t max, int64_t *ret_number);
/* A list that is there and has nothing in it. */
bool field_is_empty(const struct field *field);

/* "spec.podCIDRs[1]", from below the given field, or from the root where that is NULL. Free with g_free. */
char *field_path(const struct field *field, const struct field *below);
/* The line of the field; where it is not there, of what it would be in. */
unsigned int field_line(const struct field *field);

/* Of an object; more are not noted: nobody reads them. */
#define FIELD_MAX_PROBLEMS 50

/* Notes a problem with the field, once. */
void field_add_problem(const struct field *field, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* "got <the value>, want <wanted>" */
void field_want(const struct field *field, const char *wanted);
