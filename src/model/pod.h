/* SPDX-License-Identifier: Apache-2.0 */
/* A Kubernetes Pod: what the node needs of it. */
#pragma once

#include "src/model/object.h"

struct pod {
	struct row row;
	struct object_meta meta;
	const char *node_name;       /* interned; NULL where not scheduled, or not said */
	const char *service_account; /* interned; NULL: "default" */
};

extern const struct row_class pod_class;
