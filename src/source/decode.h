/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One decoder a kind, shared by all sources: the same object, wherever it came from. A decoder reads the
 * whole object and notes every problem; an object with a problem is refused whole.
 */
#pragma once

#include "src/model/object.h"
#include "src/wire/field.h"

enum object_scope {
	OBJECT_SCOPE_CLUSTER,   /* key: name */
	OBJECT_SCOPE_NAMESPACE, /* key: namespace/name */
	OBJECT_SCOPE_KIND,      /* key: kind/name; several kinds share a table */
};

struct object_kind {
	const char *api_version;
	const char *kind;
	enum object_scope scope;
	bool (*is_name)(const char *text);
	size_t table; /* offset in struct tables */
	/* A row with meta filled in; complete only where no problem was noted. */
	struct object *(*decode)(const struct field *object, struct object_meta *take_meta);
};

/* The kind that the object says it is. NULL, with a problem noted, where it is none of ours. */
const struct object_kind *decode_find_kind(const struct field *object);
/* True where the kind is one of Kubernetes' or Cilium's that this version does not act on. */
bool decode_is_other_kind(const char *kind);
/* The key that the object has or would have: also of one that is refused. NULL: it cannot be told. */
char *decode_key(const struct object_kind *kind, const struct field *object);
/* The row, or NULL with problems noted. */
struct object *decode_object(const struct object_kind *kind, const struct field *object);
