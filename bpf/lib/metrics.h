/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counters per reason and direction, of drops per place in the source too; per CPU. */
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

/* verdict: as DROP() made it. */
static __always_inline void metrics_add_drop(int verdict, enum metric_dir dir, __u64 n_bytes)
{
	const struct drop_site site = {
		.reason = drop_reason(verdict),
		.dir = dir,
		.line = drop_line(verdict),
		.file = drop_file(verdict),
	};
	const struct metric first = {.packets = 1, .bytes = n_bytes};
	struct metric *metric = bpf_map_lookup_elem(&cilium_drop_sites, &site);

	if (!metric) {
		if (!bpf_map_update_elem(&cilium_drop_sites, &site, &first, BPF_NOEXIST))
			return;
		/* Another CPU was faster; or the map is full. */
		metric = bpf_map_lookup_elem(&cilium_drop_sites, &site);
	}
	if (!metric) {
		metrics_add(site.reason, dir, n_bytes);
		return;
	}
	metric->packets++;
	metric->bytes += n_bytes;
}
