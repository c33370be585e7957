// SPDX-License-Identifier: Apache-2.0
#include "src/model/service_request.h"

#include <string.h>
#include "src/base/intern.h"

static void service_request_fini(struct row *row)
{
	struct service_request *request = (struct service_request *)row;

	intern_unref(request->namespace);
	intern_unref(request->name);
	g_clear_pointer(&request->backends, g_array_unref);
}

static bool backends_equal(const GArray *a, const GArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct service_request_backend *x =
			&g_array_index(a, struct service_request_backend, i);
		const struct service_request_backend *y =
			&g_array_index(b, struct service_request_backend, i);

		if (!addr_equal(&x->addr, &y->addr) || x->port != y->port ||
		    x->weight != y->weight || x->state != y->state)
			return false;
	}
	return true;
}

static bool service_request_equal(const struct row *row_a, const struct row *row_b)
{
	const struct service_request *a = (const struct service_request *)row_a;
	const struct service_request *b = (const struct service_request *)row_b;

	return a->id == b->id && addr_equal(&a->addr, &b->addr) && a->port == b->port &&
	       a->protocol == b->protocol && a->type == b->type &&
	       a->external_local == b->external_local && a->internal_local == b->internal_local &&
	       a->namespace == b->namespace && a->name == b->name &&
	       backends_equal(a->backends, b->backends);
}

const struct row_class service_request_class = {
	.name = "service request",
	.size = sizeof(struct service_request),
	.fini = service_request_fini,
	.equal = service_request_equal,
};
