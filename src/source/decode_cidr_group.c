// SPDX-License-Identifier: Apache-2.0
#include "src/model/cidr_group.h"

#include "src/source/decode_private.h"

#define MAX_CIDRS 65536

static void remove_repeated(GArray *cidrs)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(cidrs, struct cidr, i);

		if (!n || !cidr_equal(&g_array_index(cidrs, struct cidr, n - 1), cidr))
			g_array_index(cidrs, struct cidr, n++) = *cidr;
	}
	g_array_set_size(cidrs, n);
}

struct object *decode_cidr_group(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = decode_new(&cidr_group_class, take_meta);
	struct cidr_group *group = (struct cidr_group *)decoded;
	struct field spec = field_member(object, "spec");
	struct field list = field_member(&spec, "externalCIDRs");

	group->cidrs = g_array_new(FALSE, TRUE, sizeof(struct cidr));
	if (!field_is_set(&list))
		field_add_problem(&list, "is missing");
	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		const char *text = field_required_text(&item);
		struct cidr cidr;

		/* As in a policy, bits of the host have no meaning. */
		if (text && cidr_parse(text, &cidr) == -EINVAL)
			field_want(&item, "an IPv4 or IPv6 prefix such as 10.0.0.0/24");
		else if (text && group->cidrs->len == MAX_CIDRS)
			field_add_problem(&item, "is too much: want at most %d", MAX_CIDRS);
		else if (text)
			g_array_append_val(group->cidrs, cidr);
	}
	g_array_sort(group->cidrs, cidr_compare);
	remove_repeated(group->cidrs);
	return decoded;
}
