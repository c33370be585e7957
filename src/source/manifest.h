/* SPDX-License-Identifier: Apache-2.0 */
/* A file of objects: YAML documents or one JSON value, a List counting as its items. */
#pragma once

#include "src/model/source_problem.h"
#include "src/source/decode.h"

struct manifest_object {
	const struct object_kind *kind;
	char *key;
	struct object *object; /* NULL: it was refused */
	unsigned int line;
	char *text; /* last_good_text() of what was accepted and is kept; else NULL */
};

struct manifest {
	GArray *objects;     /* struct manifest_object, in the order of the text */
	GPtrArray *problems; /* struct source_problem */
	/*
	 * False where the text ends in a syntax error, or an object has no name or kind that could be
	 * told: then an object that seems to be gone from the file may only be misspelt.
	 */
	bool complete;
};

/* Never NULL: what is wrong is in problems. file ends in .json for JSON. */
struct manifest *manifest_parse(const char *file, const char *text, size_t n_bytes);
void manifest_free(struct manifest *manifest);

/*
 * The same in steps, for who parses the text elsewhere: decoding makes rows and interned texts, which belong
 * to the thread of the store.
 */
struct manifest_builder;

struct manifest_builder *manifest_builder_new(const char *file);
/*
 * Decodes a document until deadline_ns (CLOCK_MONOTONIC) or its end. False: there is more of it; call
 * again with the same.
 */
bool manifest_builder_add(struct manifest_builder *builder, const struct value *document,
			  int64_t deadline_ns);
/* error: why the text ends here, or NULL. Frees the builder. */
struct manifest *manifest_builder_end(struct manifest_builder *take_builder,
				      const struct value_error *error);

/* Parses as file's name says: .json for JSON, else YAML. Touches nothing but the text. As value_parse_yaml(). */
NODISCARD int manifest_parse_text(const char *file, const char *text, size_t n_bytes,
				  value_document document, void *data,
				  struct value_error *ret_error);

/* A problem that has its key. object and field may be NULL. */
struct source_problem *manifest_problem_new(const char *file, unsigned int line, const char *object,
					    const char *field, const char *reason);
