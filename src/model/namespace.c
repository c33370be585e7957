// SPDX-License-Identifier: Apache-2.0
#include "src/model/namespace.h"

static void namespace_fini(struct row *row)
{
	object_meta_fini(&((struct namespace *)row)->meta);
}

static bool namespace_equal(const struct row *a, const struct row *b)
{
	return object_meta_equal(&((const struct namespace *)a)->meta,
				 &((const struct namespace *)b)->meta);
}

const struct row_class namespace_class = {
	.name = "namespace",
	.size = sizeof(struct namespace),
	.fini = namespace_fini,
	.equal = namespace_equal,
};
