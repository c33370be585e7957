/* SPDX-License-Identifier: Apache-2.0 */
/* What the objects of a source have in common: a name, a namespace, labels, and where they stand.
 */
#pragma once

#include <stdbool.h>
#include "src/base/row.h"
#include "src/model/label.h"

/* Key of a namespaced object: "namespace/name"; of another: "name", of a node "Kind/name". */
struct object_meta {
	char *key;
	const char *namespace;          /* interned; NULL where the kind has none */
	const char *name;               /* the end of key */
	char *uid;                      /* may be NULL */
	const struct label_set *labels; /* source k8s; never NULL */
	GHashTable *annotations; /* char * to char *; NULL where there are none that matter */
	const char *file;        /* where it was read, interned; NULL: not from a file */
	unsigned int line;       /* 0: not known */
};

/* How every row that is such an object begins. */
struct object {
	struct row row;
	struct object_meta meta;
};

/* prefix: what stands in front of the name in the key, a namespace or a kind; NULL: nothing. No
 * labels. */
void object_meta_init(struct object_meta *meta, const char *prefix, const char *name);
/* As object_meta_init, and the prefix is the object's namespace. */
void object_meta_init_namespaced(struct object_meta *meta, const char *namespace, const char *name);
void object_meta_fini(struct object_meta *meta);
/* Takes the caller's reference to labels. */
void object_meta_take_labels(struct object_meta *meta, const struct label_set *labels);
void object_meta_put_annotation(struct object_meta *meta, const char *name, const char *value);
/* Borrowed; NULL where there is none. */
const char *object_meta_annotation(const struct object_meta *meta, const char *name);
/*
 * Compares what the objects say. Not file and line: an object that only moved within its file, or
 * to another, is the same object.
 */
bool object_meta_equal(const struct object_meta *a, const struct object_meta *b);
