/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Services. One service here is one port of a Service in one address family: what is behind it, in up
 * to two sets (all back ends, and those of this node), and how one is chosen. Its front ends, the
 * addresses that clients know, name it.
 *
 *	cilium_lb_services   address, port, protocol ─► struct lb_frontend: service, which set for whom
 *	cilium_lb_sets       set ─► how many slots
 *	cilium_lb_slots      set, slot ─► backend id
 *	cilium_lb_maglev     set, chunk ─► backend ids             (Maglev's table, in chunks)
 *	cilium_lb_backends   backend id ─► address, port, state
 *
 * A packet chooses by the hash of its flow, a slot or a position in the table, as the front end's algorithm
 * says; with session affinity without a table, and at a socket, the slot is random. See bpf/lib/service.h.
 *
 * Writers keep an order in which no reader meets half of a change: what is named is written before what
 * names it, and goes after it. A slot that a reader does not find was taken away meanwhile: it reads the
 * set again.
 */
#pragma once

#include "abi/types.h"

/* From where a client comes; numbers are Cilium's. */
enum lb_scope {
	LB_SCOPE_EXTERNAL = 0, /* through a device of the node */
	LB_SCOPE_INTERNAL = 1, /* an endpoint, or this node */
	LB_SCOPE__MAX,
};

enum lb_type {
	LB_TYPE_CLUSTER_IP = 1,
	LB_TYPE_NODE_PORT = 2,
	LB_TYPE_EXTERNAL_IP = 3,
	LB_TYPE_LOAD_BALANCER = 4,
	LB_TYPE_HOST_PORT = 5,
	LB_TYPE_LOCAL_REDIRECT = 6,
};

enum lb_algorithm {
	LB_ALGORITHM_RANDOM = 1, /* by slot: Cilium's name and number */
	LB_ALGORITHM_MAGLEV = 2,
};

/*
 * port and protocol 0: every port of the address that no other entry names; such an entry has
 * LB_FRONTEND_F_WILDCARD and no service. The address :: or ::ffff:0.0.0.0 with a port: the NodePort on
 * any address of any node, for clients inside.
 */
struct lb_frontend_key {
	struct addr addr;
	__be16 port;
	__u8 protocol; /* IPPROTO_* */
	__u8 pad[5];
};
ABI_ASSERT_SIZE(struct lb_frontend_key, 24);

#define LB_FRONTEND_F_EXTERNAL       0x0001 /* also for clients outside; else they are dropped */
#define LB_FRONTEND_F_EXTERNAL_LOCAL 0x0002 /* they are served by this node's back ends only */
#define LB_FRONTEND_F_INTERNAL_LOCAL 0x0004 /* clients inside are */
#define LB_FRONTEND_F_SOURCE_RANGES  0x0008 /* clients outside: cilium_lb_source_range is asked */
#define LB_FRONTEND_F_DENY_RANGES    0x0010 /* … and what it finds is refused, not allowed */
#define LB_FRONTEND_F_DSR            0x0020 /* back ends of other nodes answer the client themselves */
#define LB_FRONTEND_F_WILDCARD       0x0040 /* see struct lb_frontend_key */
#define LB_FRONTEND_F_LOOPBACK       0x0080 /* a host port on a loopback address: this node's only */

struct lb_frontend {
	__u32 id;      /* from 1, of this front end alone; Cilium's REVNAT_ID */
	__u32 service; /* from 1; 0: LB_FRONTEND_F_WILDCARD, or no service has it any more */
	__u32 affinity_timeout; /* seconds; 0: no session affinity */
	__u16 flags;            /* LB_FRONTEND_F_* */
	__u8 type;              /* enum lb_type */
	__u8 algorithm;         /* enum lb_algorithm */
};
ABI_ASSERT_SIZE(struct lb_frontend, 16);

/* Sets of a service: all of its back ends that take new connections, and those of this node. */
#define LB_SET(service, local) ((service) << 1 | (local))

struct lb_set {
	__u32 n_slots; /* 0: nobody to send to; an absent set is as one of 0 */
};
ABI_ASSERT_SIZE(struct lb_set, 4);

struct lb_slot_key {
	__u32 set;
	__u32 slot; /* 0..n_slots - 1 */
};
ABI_ASSERT_SIZE(struct lb_slot_key, 8);

struct lb_slot {
	__u32 backend;
};
ABI_ASSERT_SIZE(struct lb_slot, 4);

/* Maglev's table of a set; cut up, because it is written in place, a chunk a write, and only what differs. */
#define LB_MAGLEV_CHUNK 256U

struct lb_maglev_key {
	__u32 set;
	__u32 chunk; /* position / LB_MAGLEV_CHUNK */
};
ABI_ASSERT_SIZE(struct lb_maglev_key, 8);

struct lb_maglev_chunk {
	__u32 backends[LB_MAGLEV_CHUNK]; /* 0 behind the end of the table */
};

/* Numbers are Cilium's. */
enum lb_backend_state {
	LB_BACKEND_ACTIVE = 0,
	LB_BACKEND_TERMINATING = 1, /* keeps its connections */
	LB_BACKEND_QUARANTINED = 2, /* does not answer health checks */
	LB_BACKEND_MAINTENANCE = 3, /* weight 0 */
};

#define LB_BACKEND_F_IN_ALL   0x01 /* the set of all takes new connections to it */
#define LB_BACKEND_F_IN_LOCAL 0x02 /* the set of this node's does */
#define LB_BACKEND_F_LOCAL    0x04 /* it is on this node */

/*
 * A back end of one service; the same address behind another service is another entry, so that an id
 * whose entry is gone has left its service. Ids are not used again while the agent lives.
 *
 * protocol, state, zone and weight are nothing to the programs, which see what comes of them in flags and sets:
 * a restarted agent learns from them what the maps stand for, and "cilium bpf lb list" shows the first two.
 */
struct lb_backend {
	struct addr addr;
	__be16 port;
	__u8 protocol;
	__u8 state; /* enum lb_backend_state */
	__u8 flags; /* LB_BACKEND_F_* */
	__u8 zone;  /* 0: none or not known */
	__u16 weight;
	__u32 service;
	__u32 pad;
};
ABI_ASSERT_SIZE(struct lb_backend, 32);

/*
 * Session affinity: which back end a client has. A client is its address; at sockets of the node, and
 * in a network namespace that is no endpoint's, the cookie of the namespace in halves[1].
 */
struct lb_affinity_key {
	struct addr client;
	__u32 service;
	__u32 pad;
};
ABI_ASSERT_SIZE(struct lb_affinity_key, 24);

struct lb_affinity {
	__u32 backend;
	__u32 last_used; /* CLOCK_MONOTONIC, seconds */
};
ABI_ASSERT_SIZE(struct lb_affinity, 8);

/* A trie; key for a lookup: the full length. */
struct lb_source_range_key {
	__u32 prefix_len; /* LB_SOURCE_RANGE_BITS + 0..128 */
	__u32 service;
	struct addr addr __attribute__((packed, aligned(4)));
};
ABI_ASSERT_SIZE(struct lb_source_range_key, 24);
#define LB_SOURCE_RANGE_BITS 32

struct lb_source_range {
	__u32 reserved;
};

/*
 * Sockets that were translated: what a datagram from a back end, or getpeername(), is to look like. LRU;
 * an entry goes with its socket.
 */
struct lb_socket_key {
	__u64 cookie;     /* of the socket */
	struct addr addr; /* the back end */
	__be16 port;
	__u16 pad;
	__u32 pad2;
};
ABI_ASSERT_SIZE(struct lb_socket_key, 32);

struct lb_socket {
	struct addr addr; /* the front end */
	__be16 port;
	__u16 endpoint; /* whose socket it is; 0: the host's, or not known */
	__u32 backend;
	__u32 frontend;
	__u32 pad2;
};
ABI_ASSERT_SIZE(struct lb_socket, 32);

/* Network namespaces of this node's endpoints, by their cookie. */
struct lb_netns_key {
	__u64 cookie;
};
ABI_ASSERT_SIZE(struct lb_netns_key, 8);

struct lb_netns {
	struct addr addr4; /* of the endpoint; zero: none */
	struct addr addr6;
	__u16 endpoint;
	__u16 pad;
	__u32 pad2;
};
ABI_ASSERT_SIZE(struct lb_netns, 40);

/* Front ends that are not translated for one endpoint: skipRedirectFromBackend. */
struct lb_skip_key {
	struct addr addr;
	__be16 port;
	__u8 protocol;
	__u8 pad;
	__u16 endpoint;
	__u16 pad2;
};
ABI_ASSERT_SIZE(struct lb_skip_key, 24);

struct lb_skip {
	__u32 reserved;
};
