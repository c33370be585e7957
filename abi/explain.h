/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the programs cil_explain_… made of a packet: the one element of the array cilium_explain, which
 * is not pinned. They run the code of cil_from_container, cil_from_host, cil_from_netdev and
 * cil_to_netdev, but write to no map, count nothing and report nothing.
 */
#pragma once

#include "abi/policy.h"
#include "abi/types.h"

enum explain_connection {
	EXPLAIN_CONNECTION_UNASKED = 0, /* the packet did not come so far */
	EXPLAIN_CONNECTION_NEW = 1,     /* none is there: judged */
	EXPLAIN_CONNECTION_DEAD = 2,    /* expired, or another endpoint's: judged as a new one */
	EXPLAIN_CONNECTION_REOPENED = 3,
	EXPLAIN_CONNECTION_FOUND = 4, /* passes unjudged; what the rules say is told all the same */
	EXPLAIN_CONNECTION_STALE = 5, /* judged again */
	EXPLAIN_CONNECTION_RELATED = 6, /* an ICMP error: found by the packet inside */
	EXPLAIN_CONNECTION_RELATED_STALE = 7,
};

/* What a service had to do with the packet. */
enum explain_service {
	EXPLAIN_SERVICE_NONE = 0,
	EXPLAIN_SERVICE_KEPT = 1, /* to the front end: its connection has the back end */
	EXPLAIN_SERVICE_CHOSEN =
		2, /* … has none yet: this is the choice, by the flow or at random */
	EXPLAIN_SERVICE_NOBODY =
		3, /* … no back end is there, or it is not for this sender: dropped */
	EXPLAIN_SERVICE_TOLD = 4,   /* to the back end: of a connection through the front end */
	EXPLAIN_SERVICE_ANSWER = 5, /* from the back end: leaves as the front end's */
};

struct explain {
	__s32 verdict;    /* TC_ACT_*; TC_ACT_SHOT: dropped, or not run to the end */
	__u8 drop_reason; /* DROP_*, 0: not dropped */
	__u8 drop_file;   /* row of source_file.def */
	__u16 drop_line;
	__u8 trace_point; /* enum trace_point: where the packet goes, if it is not dropped */
	__u8 connection;  /* enum explain_connection */
	__u8 from_opener; /* 1: the packet is one of who opened the connection; 0: of who answers */
	__u8 judged;      /* bit n: judgements[n] is there */
	__u16 src_endpoint; /* 0: not local, or the host */
	__u16 dst_endpoint;
	__u32 src_identity; /* 0: not known */
	__u32 dst_identity;
	/* By enum policy_direction: egress of who opened, ingress of who answers. */
	struct policy_judgement judgements[POLICY_DIRECTION__MAX];
	/* Zero where service is EXPLAIN_SERVICE_NONE, and what of them there is none of. */
	struct addr frontend_addr;
	struct addr backend_addr; /* of KEPT and CHOSEN */
	__be16 frontend_port;
	__be16 backend_port;
	__u32 backend;            /* id */
	__u8 service;             /* enum explain_service */
	__u8 service_is_loopback; /* 1: the sender is its own back end */
	__u8 service_is_direct;   /* 1: the back end answers the client itself */
	__u8 service_is_rejected; /* 1: with NOBODY, the sender is told so */
	__u32 pad;
};
ABI_ASSERT_OFFSET(struct explain, judgements, 24);
ABI_ASSERT_OFFSET(struct explain, frontend_addr, 24 + 2 * sizeof(struct policy_judgement));
ABI_ASSERT_SIZE(struct explain, 24 + 2 * sizeof(struct policy_judgement) + 48);
