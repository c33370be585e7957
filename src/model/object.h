/* SPDX-License-Identifier: Apache-2.0 */
/* What the objects of a source have in common: a name, a namespace, labels, and where they stand. */
#pragma once

#include "src/base/row.h"
#include "src/model/label.h"

/* Key of a namespaced object: "namespace/name"; of another: "name". */
struct object_meta {
	char *key;
	char *namespace; /* NULL where the kind has none */
	char *name;
	char *uid; /* may be NULL */
	const struct label_set *labels; /* source k8s; never NULL */
	GHashTable *annotations; /* char * to char *; NULL where there are none */
	char *origin; /* where it was read: "/etc/cilium/manifests/web.yaml:12" */
};

void object_meta_fini(struct object_meta *meta);
const char *object_meta_annotation(const struct object_meta *meta, const char *name);
