/* SPDX-License-Identifier: Apache-2.0 */
/* An address of this node's pools that somebody has. Key: the address, 16 bytes. */
#pragma once

#include <stdint.h>
#include "src/base/row.h"
#include "src/model/addr.h"

struct ip_allocation {
	struct row row;
	struct addr addr;
	char *owner; /* "namespace/pod", "router", … */
	/*
	 * "container-id:ifname" that the address was asked for; NULL: nobody said, or an endpoint has
	 * claimed it. Whoever asks again for the same attachment is given the same.
	 */
	char *attachment;
	char *expiration_uuid; /* NULL once an endpoint has claimed it */
	int64_t expires_ns;    /* CLOCK_BOOTTIME; 0: never. Only with expiration_uuid */
	int64_t released_ns; /* CLOCK_BOOTTIME; not 0: given back, and resting before it is used again */
};

extern const struct row_class ip_allocation_class;
