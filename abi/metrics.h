/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * cilium_metrics: a per-CPU array of counters. Index: reason * METRIC_DIR__MAX + direction. Reason
 * 0 is forwarded; the others are the rows of drop_reason.def.
 *
 * cilium_drop_sites: a per-CPU hash that counts drops by where in the source they were decided, in
 * place of the array. Where it is full, the array counts: each packet is in one of the two, and
 * what a reason dropped is the sum of both.
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
/* No packet's fate either: connections, in the direction of the rules. */
#define METRIC_REASON_POLICY_ALLOWED 120 /* that a rule let in or out */
#define METRIC_REASON_POLICY_AUDITED 121 /* that would have been denied, but for audit mode */
#define METRIC_REASON__MAX           256
#define METRIC__MAX                  (METRIC_REASON__MAX * METRIC_DIR__MAX)

struct metric {
	__u64 packets;
	__u64 bytes;
};
ABI_ASSERT_SIZE(struct metric, 16);

struct drop_site {
	__u8 reason;
	__u8 dir;   /* enum metric_dir */
	__u16 line; /* as in struct event */
	__u8 file;
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct drop_site, 8);

/*
 * Several times the places that drop, in both directions: an upgrade moves lines, and leaves the
 * counters of the old ones.
 */
#define DROP_SITES_MAX 1024
