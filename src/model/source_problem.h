/* SPDX-License-Identifier: Apache-2.0 */
/* Something a source could not accept. The last good version of the object stays in force. */
#pragma once

#include <stdbool.h>
#include "src/base/row.h"

/* Key: "file:line" and the field, as text. */
struct source_problem {
	struct row row;
	char *key;
	char *file;        /* or the resource's name, where it did not come from a file */
	unsigned int line; /* 0: not known */
	char *object;      /* "Pod default/web"; NULL where it could not be told */
	char *field;       /* "spec.podCIDR"; NULL for a syntax error */
	char *reason;      /* what was got, what was expected */
	bool is_ignored;   /* the object is of a kind that this version does not act on */
};

extern const struct row_class source_problem_class;
