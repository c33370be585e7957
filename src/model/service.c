// SPDX-License-Identifier: Apache-2.0
#include "src/model/service.h"

#include "src/base/intern.h"

static void service_fini(struct row *row)
{
	struct service *service = (struct service *)row;

	object_meta_fini(&service->meta);
	label_set_unref(service->selector);
}

static bool service_equal(const struct row *row_a, const struct row *row_b)
{
	const struct service *a = (const struct service *)row_a;
	const struct service *b = (const struct service *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && a->selector == b->selector;
}

const struct row_class service_class = {
	.name = "service",
	.size = sizeof(struct service),
	.fini = service_fini,
	.equal = service_equal,
};

static void endpoint_slice_fini(struct row *row)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)row;

	object_meta_fini(&slice->meta);
	intern_unref(slice->service);
	g_clear_pointer(&slice->addrs, g_array_unref);
}

static bool endpoint_slice_equal(const struct row *row_a, const struct row *row_b)
{
	const struct endpoint_slice *a = (const struct endpoint_slice *)row_a;
	const struct endpoint_slice *b = (const struct endpoint_slice *)row_b;

	if (!object_meta_equal(&a->meta, &b->meta) || a->service != b->service ||
	    a->addrs->len != b->addrs->len)
		return false;
	for (unsigned int i = 0; i < a->addrs->len; i++)
		if (!addr_equal(&g_array_index(a->addrs, struct addr, i),
				&g_array_index(b->addrs, struct addr, i)))
			return false;
	return true;
}

const struct row_class endpoint_slice_class = {
	.name = "endpoint slice",
	.size = sizeof(struct endpoint_slice),
	.fini = endpoint_slice_fini,
	.equal = endpoint_slice_equal,
};
