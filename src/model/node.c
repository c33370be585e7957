// SPDX-License-Identifier: Apache-2.0
#include "src/model/node.h"

static void node_fini(struct row *row)
{
	struct node *node = (struct node *)row;

	object_meta_fini(&node->meta);
	g_clear_pointer(&node->addresses, g_array_unref);
	g_clear_pointer(&node->pod_cidrs, g_array_unref);
}

static bool addresses_equal(const GArray *a, const GArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct node_address *x = &g_array_index(a, struct node_address, i);
		const struct node_address *y = &g_array_index(b, struct node_address, i);

		if (x->type != y->type || !addr_equal(&x->addr, &y->addr))
			return false;
	}
	return true;
}

static bool cidrs_equal(const GArray *a, const GArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++)
		if (!cidr_equal(&g_array_index(a, struct cidr, i),
				&g_array_index(b, struct cidr, i)))
			return false;
	return true;
}

static bool node_equal(const struct row *row_a, const struct row *row_b)
{
	const struct node *a = (const struct node *)row_a;
	const struct node *b = (const struct node *)row_b;

	return object_meta_equal(&a->meta, &b->meta) &&
	       addresses_equal(a->addresses, b->addresses) &&
	       cidrs_equal(a->pod_cidrs, b->pod_cidrs);
}

const struct row_class node_class = {
	.name = "node",
	.size = sizeof(struct node),
	.fini = node_fini,
	.equal = node_equal,
};

struct node *node_new(const char *kind, const char *name)
{
	struct node *node = (struct node *)row_new(&node_class);

	object_meta_init(&node->meta, kind, name);
	node->addresses = g_array_new(FALSE, TRUE, sizeof(struct node_address));
	node->pod_cidrs = g_array_new(FALSE, TRUE, sizeof(struct cidr));
	return node;
}
