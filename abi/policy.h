/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Policy, in two steps: (rule set, peer) to class, then (class, protocol, port) to verdict.
 *
 *	cilium_policy_endpoint	array, by endpoint id (0: the host): the version of its rule set
 *	cilium_policy_peer	(version, direction, peer's identity): the peer's class
 *	cilium_policy_class	(class, protocol, port prefix): what decides, where it is not the same
 *				for all ports
 *
 * A version is a number that stands for one content of one rule set, for ever: a rule that changes makes
 * a new version, written beside the old, and one store of eight bytes in cilium_policy_endpoint puts it
 * in force. So a packet is judged by the old rules or the new, never by a mix, and a connection that
 * remembers the version that judged it is judged again when there is another. Only peers that appear or
 * go are added and removed under a version in force.
 *
 * A class is immutable under its number: another content is another number.
 */
#pragma once

#include "abi/types.h"

/* Numbers are Cilium's. */
enum policy_direction {
	POLICY_INGRESS = 0,
	POLICY_EGRESS = 1,
	POLICY_DIRECTION__MAX = 2,
};

/* The element of cilium_policy_endpoint: aligned, written by one store. */
struct policy_endpoint {
	__u32 version; /* at most POLICY_VERSION_MAX; 0: no rule set yet: everything is denied */
	__u32 flags;   /* POLICY_F_* */
} __attribute__((aligned(8)));
ABI_ASSERT_SIZE(struct policy_endpoint, 8);

#define POLICY_VERSION_MAX 0x7ffffffeU /* the top bit is conntrack's: CT_POLICY_VERSION() */

#define POLICY_F_OPEN_INGRESS 0x01 /* no rule concerns the direction: no lookup, allowed */
#define POLICY_F_OPEN_EGRESS  0x02
#define POLICY_F_AUDIT        0x04 /* what would be denied is reported and goes on */
/* Some peers found no room in the map: who has no entry is denied, whatever the default class says. */
#define POLICY_F_INCOMPLETE 0x08

#define POLICY_RULE_ALLOW_ANY 2 /* the rule of what POLICY_F_OPEN_* allows */

#define POLICY_ENDPOINTS_MAX 65536 /* endpoint ids */
#define POLICY_ENDPOINT_HOST 0

struct policy_peer_key {
	__u32 version;
	__u32 identity; /* POLICY_IDENTITY_OTHERS: every identity without an entry of its own */
	__u8 direction; /* enum policy_direction, seen from the endpoint whose rule set it is */
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct policy_peer_key, 12);

#define POLICY_IDENTITY_OTHERS 0 /* identity "unknown", which no packet is judged under */

/* What the rules say; zero, the value of what is missing, denies. */
enum policy_verdict {
	POLICY_VERDICT_DEFAULT_DENY = 0, /* no rule allows it, and some rule selects the endpoint */
	POLICY_VERDICT_ALLOW = 1,
	POLICY_VERDICT_DENY = 2, /* a deny rule */
	POLICY_VERDICT_NEEDS_PROXY =
		3, /* allowed behind a proxy for L7 or TLS, which is not there */
	POLICY_VERDICT_NEEDS_AUTH = 4, /* allowed once authenticated, which nothing does */
	POLICY_VERDICT__MAX,
};

/* How closely the deciding rule looked; numbers and meanings are Cilium's. */
enum policy_match {
	POLICY_MATCH_NONE = 0,
	POLICY_MATCH_L3_ONLY = 1,
	POLICY_MATCH_L3_L4 = 2,
	POLICY_MATCH_L4_ONLY = 3,
	POLICY_MATCH_ALL = 4,
	POLICY_MATCH_L3_PROTO = 5,
	POLICY_MATCH_PROTO_ONLY = 6,
};

struct policy_leaf {
	__u32 rule;   /* the number of the rule that decides; 0: none does */
	__u8 verdict; /* enum policy_verdict */
	__u8 match;   /* enum policy_match */
	__u16 pad;
};
ABI_ASSERT_SIZE(struct policy_leaf, 8);

/* The value of cilium_policy_peer: the head of a class. */
struct policy_peer {
	__u32 class;                  /* 0: otherwise says all */
	__u32 prefix_lens;            /* bit n: the class has entries with prefix_len n; 0..16 */
	struct policy_leaf otherwise; /* where the class has no entry for protocol and port */
};
ABI_ASSERT_SIZE(struct policy_peer, 16);

/*
 * The longest prefix that matches decides. ICMP and ICMPv6: the port is the message type, prefix_len
 * 16. prefix_len 0: all ports of the protocol.
 */
struct policy_class_key {
	__u32 class;
	__u8 protocol; /* IPPROTO_* */
	__u8 prefix_len;
	__be16 port; /* bits beyond the prefix are zero */
};
ABI_ASSERT_SIZE(struct policy_class_key, 8);

#define POLICY_PORT_BITS 16

/* Which entry of cilium_policy_peer spoke for the peer. */
enum policy_entry {
	POLICY_ENTRY_NONE = 0, /* neither: denied */
	POLICY_ENTRY_OWN = 1,
	POLICY_ENTRY_OTHERS = 2,
	POLICY_ENTRY_UNASKED = 3, /* nothing is enforced, or there is no rule set yet */
};

#define POLICY_PREFIX_NONE 0xff /* no entry of the class: otherwise decides */

/* How the rules of one endpoint were asked, and what they said. */
struct policy_judgement {
	__u32 rule_set; /* version; 0: there is none yet */
	__u32 peer;     /* identity */
	__u32 class;    /* 0: the entry says all */
	struct policy_leaf leaf;
	__u16 endpoint; /* whose rules they are; 0: the host's */
	__be16 port;    /* of who answers; ICMP: the type of what the opener sent */
	__u8 protocol;
	__u8 direction;  /* enum policy_direction */
	__u8 entry;      /* enum policy_entry */
	__u8 prefix_len; /* of the class's entry that decided, or POLICY_PREFIX_NONE */
	__u8 flags;      /* POLICY_F_* of the endpoint */
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct policy_judgement, 32);
