/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * cilium_metrics: a per-CPU array of counters. Index: reason * METRIC_DIR__MAX + direction. Reason
 * 0 is forwarded; the others are the rows of drop_reason.def.
 */
#pragma once

#include "abi/types.h"

enum metric_dir {
	METRIC_DIR_UNKNOWN = 0,
	METRIC_DIR_INGRESS = 1, /* towards an endpoint, or into the node */
	METRIC_DIR_EGRESS = 2,
	METRIC_DIR_SERVICE = 3,
	METRIC_DIR__MAX = 4,
};

#define METRIC_REASON_FORWARDED  0
#define METRIC_REASON_EVENT_LOST 1 /* no packet's fate: events for which the ring had no room */
#define METRIC_REASON_INTERFACE  3 /* seen on a device of the node */
#define METRIC_REASON__MAX       256
#define METRIC__MAX              (METRIC_REASON__MAX * METRIC_DIR__MAX)

struct metric {
	__u64 packets;
	__u64 bytes;
};
ABI_ASSERT_SIZE(struct metric, 16);
