/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counters per reason and direction, per CPU. */
#pragma once

#include "bpf/lib/maps.h"

static __always_inline void metrics_add(__u32 reason, enum metric_dir dir, __u64 n_bytes)
{
	__u32 index = reason * METRIC_DIR__MAX + dir;
	struct metric *metric = bpf_map_lookup_elem(&cilium_metrics, &index);

	if (!metric)
		return;
	metric->packets++;
	metric->bytes += n_bytes;
}
