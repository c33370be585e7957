/* SPDX-License-Identifier: Apache-2.0 */
/* A service that somebody made by `cilium service update` or PUT /service/{id}; kept on disk. */
#pragma once

#include "abi/lb.h"
#include "src/base/row.h"
#include "src/model/addr.h"

struct service_request_backend {
	struct addr addr;
	uint16_t port;
	uint16_t weight; /* 0: maintenance */
	uint8_t state;   /* enum lb_backend_state */
};

/* Key: id, 4 bytes in host order. */
struct service_request {
	struct row row;
	uint32_t id; /* from 1 */
	struct addr addr;
	uint16_t port;
	uint8_t protocol;
	uint8_t type;        /* enum lb_type, but for LB_TYPE_LOCAL_REDIRECT */
	bool external_local; /* traffic policies */
	bool internal_local;
	const char *namespace; /* interned, as all texts here; may be NULL */
	const char *name;
	GArray *backends; /* struct service_request_backend */
};

extern const struct row_class service_request_class;
