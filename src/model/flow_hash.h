/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of bpf/lib/flow_hash.h, for whoever asks where a flow goes: its position in Maglev's table. */
#pragma once

#include <stdint.h>
#include "src/model/addr.h"

struct flow_hash_input {
	struct addr saddr;
	struct addr daddr;
	uint16_t sport; /* host byte order; 0 with session affinity */
	uint16_t dport;
	uint8_t protocol;
};

uint32_t flow_hash(const struct flow_hash_input *flow, const uint32_t seeds[static 2]);
