/* SPDX-License-Identifier: Apache-2.0 */
/* The pairs of the key bpf-map-event-buffers. */
#pragma once

#include <stdint.h>
#include "src/base/error.h"

#define MAP_EVENT_BUFFER_MAX 65536

struct map_event_buffer {
	unsigned int n_events_max; /* 0: nothing is kept */
	int64_t age_max_ns;        /* 0: however old */
};

/*
 * "cilium_lxc=enabled_128_0": name of the map, enabled or disabled, how many, how long (1h; 0: however
 * long). 0 or −EINVAL. ret_name: g_free.
 */
NODISCARD int map_event_buffer_parse(const char *pair, char **ret_name,
				     struct map_event_buffer *ret_buffer);
