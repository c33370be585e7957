/* SPDX-License-Identifier: Apache-2.0 */
/* What the two parsers build trees with. */
#pragma once

#include "src/wire/value.h"

/* A document under construction; all of it is freed together. */
struct value_tree {
	GPtrArray *blocks; /* memory that nodes and texts are cut from */
	size_t n_free;     /* bytes left at the end of the last block */
	char *free;
	unsigned int n_nodes;
	struct value_error *error; /* the caller's */
};

void value_tree_init(struct value_tree *tree, struct value_error *error);
void value_tree_fini(struct value_tree *tree);
/* NULL, with the error set, where the document has too many nodes. */
struct value *value_tree_node(struct value_tree *tree, enum value_type type, unsigned int line);
/* A copy of n bytes with a NUL behind it. */
char *value_tree_text(struct value_tree *tree, const char *text, size_t n_bytes);
void value_tree_append(struct value *container, struct value *item);
/* Refuses a mapping that has a key twice. 0 or −EINVAL. */
int value_tree_check_keys(struct value_tree *tree, const struct value *mapping);
/* Sets the error, if it is the first: that is the cause of the others. */
void value_tree_set_error(struct value_tree *tree, unsigned int line, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* As value_tree_set_error; is −EINVAL, which a static analyser sees only here. */
#define value_tree_fail(tree, line, ...) (value_tree_set_error(tree, line, __VA_ARGS__), -EINVAL)
/* Sets type and number of a scalar that may be a decimal number; false where it is none. */
bool value_tree_number(struct value *value);
