/* SPDX-License-Identifier: Apache-2.0 */
/* A network device of the node, as the kernel reports it. Key: ifindex, 4 bytes in host order. */
#pragma once

#include <stdbool.h>
#include "src/base/row.h"
#include "src/model/addr.h"

struct device_address {
	struct addr addr;
	uint8_t prefix_len; /* as in struct cidr */
	uint8_t scope;      /* RT_SCOPE_* */
	bool deprecated;    /* or tentative: not to be used as a source */
};

struct device {
	struct row row;
	uint32_t ifindex;
	char *name;
	char *kind; /* "veth", "bridge", …; NULL for hardware */
	struct mac mac;
	uint32_t mtu;
	bool up;
	bool has_mac;       /* false: layer 3 only */
	bool default_route; /* of either family, in the main table, goes out here */
	/* Of endpoints' devices only, and put there by others. */
	bool queued;       /* packets wait in a queue on the way out of the device */
	bool filtered;     /* an ingress qdisc stands there, for filters on what comes in */
	GArray *addresses; /* struct device_address */
};

extern const struct row_class device_class;
