// SPDX-License-Identifier: Apache-2.0
#include "src/model/backend_health.h"

#include <string.h>

struct backend_health_key backend_health_key_new(const struct addr *addr, uint16_t port,
						 uint8_t protocol, const char *service_key)
{
	return (struct backend_health_key){
		.addr = *addr,
		.port = port,
		.protocol = protocol,
		.service_hash = g_str_hash(service_key),
	};
}

static void backend_health_fini(struct row *row)
{
	g_free(((struct backend_health *)row)->reason);
}

static bool backend_health_equal(const struct row *row_a, const struct row *row_b)
{
	const struct backend_health *a = (const struct backend_health *)row_a;
	const struct backend_health *b = (const struct backend_health *)row_b;

	return a->since_ns == b->since_ns && strcmp(a->reason, b->reason) == 0;
}

const struct row_class backend_health_class = {
	.name = "backend health",
	.size = sizeof(struct backend_health),
	.fini = backend_health_fini,
	.equal = backend_health_equal,
};
