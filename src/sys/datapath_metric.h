/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters of the programs, from cilium_metrics and cilium_drop_sites: see abi/metrics.h. One reader
 * for the command line, with or without an agent, and for the agent.
 */
#pragma once

#include <stdint.h>
#include "abi/metrics.h"
#include "src/base/error.h"

struct datapath_metric {
	uint8_t reason;
	uint8_t dir;       /* enum metric_dir */
	uint8_t file;      /* of source_file.def; 0: not a drop, or not known */
	uint16_t line;     /* 0: the same */
	struct metric sum; /* of all CPUs; packets is not 0 */
};

/*
 * Calls fn with each counter that is not 0. A reason and direction may come more than once, with other
 * places: its packets are the sum. 0; −ENOENT where no agent has run since the boot; another −errno.
 */
NODISCARD int datapath_metric_foreach(const char *bpf_root,
				      void (*fn)(const struct datapath_metric *metric, void *data),
				      void *data, GError **error);
