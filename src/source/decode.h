/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One decoder a kind, shared by all sources: the same object, wherever it came from. A decoder reads the
 * whole object and notes every problem; an object with a problem is refused whole.
 */
#pragma once

#include "src/model/object.h"
#include "src/wire/field.h"

enum object_scope {
	OBJECT_SCOPE_CLUSTER,        /* key: name */
	OBJECT_SCOPE_NAMESPACE,      /* key: namespace/name */
	OBJECT_SCOPE_KIND,           /* key: kind/name; several kinds share a table */
	OBJECT_SCOPE_KIND_NAMESPACE, /* key: kind/namespace/name; likewise */
};

struct object_kind {
	const char *api_version;
	const char *other_api_version; /* NULL: the kind has only one */
	const char *kind;
	enum object_scope scope;
	bool (*is_name)(const char *text);
	size_t table; /* offset in struct tables */
	/* A row with meta filled in; complete only where no problem was noted. */
	struct object *(*decode)(const struct field *object, struct object_meta *take_meta);
};

/*
 * What toEntities: [cluster] means depends on the name of the cluster. It is fixed before anything is decoded,
 * for the process; "default" where nobody says it.
 */
void decode_set_cluster_name(const char *name);

/* The kind that the object says it is. NULL, with a problem noted, where it is none of ours. */
const struct object_kind *decode_find_kind(const struct field *object);
/* True where the kind is one of Kubernetes' or Cilium's that this version does not act on. */
bool decode_is_other_kind(const char *kind);
/* The kind begins the key of its objects. */
bool decode_key_has_kind(const struct object_kind *kind);
/* The key that the object has or would have: also of one that is refused. NULL: it cannot be told. */
char *decode_key(const struct object_kind *kind, const struct field *object);
/* The row, or NULL with problems noted. */
struct object *decode_object(const struct object_kind *kind, const struct field *object);
