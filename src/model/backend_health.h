/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's own probes say of a back end. Absent: healthy, or not asked. */
#pragma once

#include "src/base/row.h"
#include "src/model/addr.h"

/* How a back end is asked, and which: the key, all bytes. */
struct backend_health_key {
	struct addr addr;
	uint16_t port; /* host byte order */
	uint8_t protocol;
	uint8_t pad;
	uint32_t service_hash; /* of the Service's key, whose annotations say how it is asked */
};

/* protocol: IPPROTO_*; service_key: "namespace/name". No byte of it is left as it was. */
struct backend_health_key backend_health_key_new(const struct addr *addr, uint16_t port,
						 uint8_t protocol, const char *service_key);

/* Key: key. A row is there while the back end is to be left out. */
struct backend_health {
	struct row row;
	struct backend_health_key key;
	int64_t since_ns; /* CLOCK_REALTIME */
	char *reason;     /* "connect: Connection refused", "HTTP status 503" */
};

extern const struct row_class backend_health_class;
