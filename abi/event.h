/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Records of the ring buffer cilium_events: a header, then the head of the packet. */
#pragma once

#include "abi/types.h"

/* Numbers as in Cilium's monitor protocol. */
enum event_type {
	EVENT_DROP = 1,
	EVENT_TRACE = 4,
	EVENT_POLICY_VERDICT = 5,
};

enum event_ct_state { /* trace reasons of Cilium */
	EVENT_CT_NEW = 0,
	EVENT_CT_ESTABLISHED = 1,
	EVENT_CT_REPLY = 2,
	EVENT_CT_RELATED = 3,
	EVENT_CT_REOPENED = 4,
	EVENT_CT_UNKNOWN = 5,
};

/* What became of a packet that policy judged. */
enum event_action {
	EVENT_ACTION_DENY = 0,
	EVENT_ACTION_ALLOW = 1,
	EVENT_ACTION_AUDIT = 2, /* denied, and let go because the endpoint is only audited */
};

#define EVENT_F_IPV6      0x01
#define EVENT_F_L3_DEVICE 0x02 /* the packet head starts at the IP header */

#define EVENT_PACKET_BYTES 128 /* fits event.cap_len */

struct event {
	__u8 type;    /* enum event_type */
	__u8 subtype; /* drop: reason number; trace: observation point; verdict: enum event_action */
	__u8 ct_state;  /* trace: enum event_ct_state */
	__u8 flags;     /* EVENT_F_* */
	__u16 line;     /* drop: where in the source */
	__u8 file;      /* drop: row of source_file.def */
	__s8 ext_error; /* drop: −errno of the helper that failed, or 0 */
	__u64 time_ns;  /* CLOCK_MONOTONIC */
	__u32 hash;     /* of the flow, as the kernel computed it */
	__u32 mark;
	__u32 ifindex;
	__u32 src_identity;
	__u32 dst_identity;
	__u16 src_endpoint; /* 0: not a local endpoint, or not known */
	__u16 dst_endpoint;
	__u32 orig_len; /* bytes of the packet */
	__u16 cpu;      /* that the packet was seen on */
	__u8 cap_len;   /* bytes of the packet that follow */
	__u8 direction; /* enum metric_dir */
	/* Drops that policy decided, and verdicts. */
	__u32 rule;       /* that decided; 0: none did */
	__u32 rule_set;   /* version that it was judged by; 0: policy did not decide */
	__u8 match;       /* enum policy_match */
	__u8 drop_reason; /* verdict: of the denial, also of one that only audit let go; or 0 */
	__u16 policy_endpoint; /* whose rules decided, in direction; 0: the host's, or none did */
	/*
	 * Of a packet to or from a service: the front end, which its client knows; zero: of none. The packet
	 * stands in the event as it was when that was made, with the one address or the other.
	 */
	__be16 service_port;
	__u16 pad;
	struct addr service_addr;
	__u8 packet[EVENT_PACKET_BYTES];
};
ABI_ASSERT_OFFSET(struct event, time_ns, 8);
ABI_ASSERT_OFFSET(struct event, service_addr, 64);
ABI_ASSERT_OFFSET(struct event, packet, 80);
ABI_ASSERT_SIZE(struct event, 80 + EVENT_PACKET_BYTES);

enum trace_point {
#define TRACE_POINT(name, number, text, what) TRACE_##name = number,
#include "abi/trace_point.def"
#undef TRACE_POINT
};

enum source_file {
#define SOURCE_FILE(name, number, file) SOURCE_##name = number,
#include "abi/source_file.def"
#undef SOURCE_FILE
};
