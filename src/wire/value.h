/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value tree: what a YAML or JSON document says, with the line of each value. Both texts become the
 * same tree, so a decoder does not know which it reads.
 *
 * YAML: the core schema of YAML 1.2. A plain true, false, null or number is what it looks like; yes, no
 * and on are texts; 010 is a text, for versions of YAML differ on it. Duplicate keys, merge keys (<<),
 * tags other than the core ones and NUL characters are refused.
 *
 * JSON: RFC 8259. It has a parser of its own because jansson forgets the lines, which a person needs, and
 * libyaml refuses JSON's surrogate pairs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

#define VALUE_MAX_BYTES (32 * 1024 * 1024) /* of a text */
#define VALUE_MAX_DEPTH 64
#define VALUE_MAX_NODES (2 * 1000 * 1000) /* of a document, aliases expanded */

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_FLOAT,
	VALUE_STRING,
	VALUE_SEQUENCE,
	VALUE_MAPPING,
};

struct value {
	enum value_type type;
	unsigned int line;  /* where it starts; 1 is the first */
	const char *key;    /* of a mapping's member; else NULL */
	const char *text;   /* of a scalar, as written, without quotes and escapes */
	struct value *next; /* in the sequence or mapping that holds it */
	union {
		bool boolean;
		int64_t integer;
		double number;
		struct {
			struct value *first, *last;
			unsigned int n;
		};
	};
};

/* The tree is valid during the call. false: stop, and the parser returns 0. */
typedef bool (*value_document)(const struct value *root, void *data);

/* Where and why a text could not be parsed. */
struct value_error {
	unsigned int line;
	char *reason; /* free with g_free */
};

/*
 * Calls document for each document of the text; an empty one is a VALUE_NULL. 0, or −EINVAL with
 * *ret_error: the documents before the error have been delivered.
 */
NODISCARD int value_parse_yaml(const char *text, size_t n_bytes, value_document document,
			       void *data, struct value_error *ret_error);
/* The same for the one value of a JSON text. */
NODISCARD int value_parse_json(const char *text, size_t n_bytes, value_document document,
			       void *data, struct value_error *ret_error);

/* The member of a mapping, or NULL. */
const struct value *value_get(const struct value *mapping, const char *key);
/* For messages: "text \"a\"", "the number 5", "a mapping". Free with g_free. */
char *value_describe(const struct value *value);
