// SPDX-License-Identifier: Apache-2.0
#include "src/model/ip_allocation.h"

static void ip_allocation_fini(struct row *row)
{
	struct ip_allocation *allocation = (struct ip_allocation *)row;

	g_free(allocation->owner);
	g_free(allocation->attachment);
	g_free(allocation->expiration_uuid);
}

static bool ip_allocation_equal(const struct row *row_a, const struct row *row_b)
{
	const struct ip_allocation *a = (const struct ip_allocation *)row_a;
	const struct ip_allocation *b = (const struct ip_allocation *)row_b;

	return addr_equal(&a->addr, &b->addr) && g_strcmp0(a->owner, b->owner) == 0 &&
	       g_strcmp0(a->attachment, b->attachment) == 0 &&
	       g_strcmp0(a->expiration_uuid, b->expiration_uuid) == 0 &&
	       a->expires_ns == b->expires_ns && a->released_ns == b->released_ns;
}

const struct row_class ip_allocation_class = {
	.name = "ip allocation",
	.size = sizeof(struct ip_allocation),
	.fini = ip_allocation_fini,
	.equal = ip_allocation_equal,
};
