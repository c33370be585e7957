// SPDX-License-Identifier: Apache-2.0
#include "src/model/device.h"

#include <string.h>

static void device_fini(struct row *row)
{
	struct device *device = (struct device *)row;

	g_free(device->name);
	g_free(device->kind);
	g_clear_pointer(&device->addresses, g_array_unref);
}

static bool addresses_equal(const GArray *a, const GArray *b)
{
	if (!a || !b)
		return a == b;
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct device_address *x = &g_array_index(a, struct device_address, i);
		const struct device_address *y = &g_array_index(b, struct device_address, i);

		if (!addr_equal(&x->addr, &y->addr) || x->prefix_len != y->prefix_len ||
		    x->scope != y->scope || x->deprecated != y->deprecated)
			return false;
	}
	return true;
}

static bool device_equal(const struct row *row_a, const struct row *row_b)
{
	const struct device *a = (const struct device *)row_a;
	const struct device *b = (const struct device *)row_b;

	return a->ifindex == b->ifindex && g_strcmp0(a->name, b->name) == 0 &&
	       g_strcmp0(a->kind, b->kind) == 0 && memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 &&
	       a->mtu == b->mtu && a->up == b->up && a->has_mac == b->has_mac &&
	       a->default_route == b->default_route && a->queued == b->queued &&
	       a->filtered == b->filtered && addresses_equal(a->addresses, b->addresses);
}

const struct row_class device_class = {
	.name = "device",
	.size = sizeof(struct device),
	.fini = device_fini,
	.equal = device_equal,
};
