// SPDX-License-Identifier: Apache-2.0
#include "src/model/cidr_group.h"

static void cidr_group_fini(struct row *row)
{
	struct cidr_group *group = (struct cidr_group *)row;

	object_meta_fini(&group->meta);
	g_clear_pointer(&group->cidrs, g_array_unref);
}

static bool cidr_group_equal(const struct row *row_a, const struct row *row_b)
{
	const struct cidr_group *a = (const struct cidr_group *)row_a;
	const struct cidr_group *b = (const struct cidr_group *)row_b;

	if (!object_meta_equal(&a->meta, &b->meta) || a->cidrs->len != b->cidrs->len)
		return false;
	for (unsigned int i = 0; i < a->cidrs->len; i++)
		if (!cidr_equal(&g_array_index(a->cidrs, struct cidr, i),
				&g_array_index(b->cidrs, struct cidr, i)))
			return false;
	return true;
}

const struct row_class cidr_group_class = {
	.name = "cidr group",
	.size = sizeof(struct cidr_group),
	.fini = cidr_group_fini,
	.equal = cidr_group_equal,
};
