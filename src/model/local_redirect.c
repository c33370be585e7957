// SPDX-License-Identifier: Apache-2.0
#include "src/model/local_redirect.h"

#include "src/base/intern.h"

static void port_clear(void *pointer)
{
	struct redirect_port *port = pointer;

	intern_unref(port->name);
}

GArray *redirect_ports_new(void)
{
	GArray *ports = g_array_new(FALSE, FALSE, sizeof(struct redirect_port));

	g_array_set_clear_func(ports, port_clear);
	return ports;
}

static void local_redirect_fini(struct row *row)
{
	struct local_redirect *redirect = (struct local_redirect *)row;

	object_meta_fini(&redirect->meta);
	intern_unref(redirect->service);
	selector_unref(redirect->backend);
	g_clear_pointer(&redirect->frontend_ports, g_array_unref);
	g_clear_pointer(&redirect->backend_ports, g_array_unref);
}

static bool ports_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct redirect_port *x = &g_array_index(a, struct redirect_port, i);
		const struct redirect_port *y = &g_array_index(b, struct redirect_port, i);

		if (x->name != y->name || x->protocol != y->protocol || x->port != y->port)
			return false;
	}
	return true;
}

static bool local_redirect_equal(const struct row *row_a, const struct row *row_b)
{
	const struct local_redirect *a = (const struct local_redirect *)row_a;
	const struct local_redirect *b = (const struct local_redirect *)row_b;

	return object_meta_equal(&a->meta, &b->meta) && addr_equal(&a->addr, &b->addr) &&
	       a->service == b->service && a->backend == b->backend &&
	       a->skip_from_backend == b->skip_from_backend &&
	       ports_equal(a->frontend_ports, b->frontend_ports) &&
	       ports_equal(a->backend_ports, b->backend_ports);
}

const struct row_class local_redirect_class = {
	.name = "local redirect policy",
	.size = sizeof(struct local_redirect),
	.fini = local_redirect_fini,
	.equal = local_redirect_equal,
};
