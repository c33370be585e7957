/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the programs are told. struct node_config is in .rodata: set before the load, so that the
 * verifier removes what is off. struct runtime_config is the one element of the array
 * cilium_runtime_config: changed while the programs run.
 */
#pragma once

#include "abi/types.h"

struct node_config {
	__u32 host_ifindex;  /* cilium_host */
	__u32 ct_tick_shift; /* tick = jiffies64 >> this */
	/* Conntrack timeouts in ticks. */
	__u32 ct_timeout_tcp;
	__u32 ct_timeout_tcp_syn;
	__u32 ct_timeout_tcp_fin;
	__u32 ct_timeout_any;
	/* Of entries of CT_KIND_SERVICE; closing: once the client has sent FIN or RST. */
	__u32 ct_timeout_service_tcp;
	__u32 ct_timeout_service_tcp_closing;
	__u32 ct_timeout_service_any;
	/*
	 * Masquerading takes ports from nat_port_min..nat_port_max, both included, host byte order.
	 */
	__u16 nat_port_min;
	__u16 nat_port_max;
	__u8 enable_ipv4;
	__u8 enable_ipv6;
	__u8 enable_masquerade4;
	__u8 enable_masquerade6;
	__u8 enable_host_legacy_routing;
	__u8 enable_endpoint_routes;
	__u8 enable_source_ip_verification;
	__u8 enable_fragment_tracking;
	__u8 enable_ct_accounting;
	__u8 enable_sctp;
	__u8 enable_host_firewall;
	/* Services; of endpoints they always are, packet by packet. */
	__u8 enable_node_port;       /* of clients outside, too */
	__u8 enable_socket_lb;       /* programs on sockets translate … */
	__u8 enable_socket_lb_pods;  /* … also those of endpoints */
	__u8 reject_without_backend; /* answer ICMP; else drop */
	__u8 dsr_dispatch;           /* enum dsr_dispatch */
	__u8 protect_node_ports;     /* bind() to a port of a service is refused */
	__u8 has_set_retval;         /* the kernel has bpf_set_retval() */
	__u8 enable_dsr_options;     /* what DSR_DISPATCH_OPTION of other nodes says counts */
	__u8 pad;
	/* Of addresses that no ipcache entry knows: 2, or with both families enabled 9 and 10. */
	__u32 world_identity4;
	__u32 world_identity6;
	__u32 maglev_size;    /* positions of a Maglev table; 0: none is in use */
	__u32 maglev_seed[2]; /* of the hash over the packet */
	__u16 node_port_min;  /* host byte order, both included */
	__u16 node_port_max;
	__u32 pad2;
	__u64 host_netns_cookie;
	/* What stands for an endpoint that reaches itself through a service. */
	struct addr loopback4;
	struct addr loopback6;
	/* Outer source of DSR by IPIP; the client's address fills the bits behind the prefix. */
	struct addr dsr_source4;
	struct addr dsr_source6;
	__u8 dsr_source4_bits; /* as in struct addr: 96..128; 0: the device's address */
	__u8 dsr_source6_bits;
	__u8 pad3[6];
};
ABI_ASSERT_SIZE(struct node_config, 168);

/* How a packet to another node's back end carries the front end's address. */
enum dsr_dispatch {
	DSR_DISPATCH_OPTION = 0, /* IPv4 option 0x9a, IPv6 destination option 0x1b */
	DSR_DISPATCH_IPIP = 1,
};

/* monitor-aggregation: which forwarded packets become trace events. */
enum trace_aggregation {
	TRACE_AGGREGATION_NONE = 0,   /* every packet */
	TRACE_AGGREGATION_LOW = 1,    /* every packet, at the last point only */
	TRACE_AGGREGATION_MEDIUM = 3, /* new and closing connections, and one report an interval */
	TRACE_AGGREGATION_MAX = 4,
};

/* An event costs more than its packet: nobody listens, nothing is traced. */
enum trace_events {
	TRACE_EVENTS_OFF = 0,
	TRACE_EVENTS_ON = 1,    /* but for endpoints with ENDPOINT_F_NO_TRACE */
	TRACE_EVENTS_ASKED = 2, /* only endpoints with ENDPOINT_F_TRACE */
};

enum verdict_events {
	VERDICT_EVENTS_OFF = 0,
	VERDICT_EVENTS_ON = 1,    /* but for endpoints with ENDPOINT_F_NO_VERDICTS */
	VERDICT_EVENTS_ASKED = 2, /* only endpoints with ENDPOINT_F_VERDICTS */
};

struct runtime_config {
	__u8 drop_events;       /* of endpoints that say nothing else, and of no endpoint */
	__u8 trace_events;      /* enum trace_events */
	__u8 trace_aggregation; /* enum trace_aggregation */
	__u8 trace_tcp_flags;   /* TCP flags whose first appearance is reported */
	__u32 trace_interval;   /* ticks between two reports of a connection */
	__u32 wakeup_bytes;     /* the reader is woken when so much is in the ring */
	__u8 verdict_events;    /* enum verdict_events */
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct runtime_config, 16);

/* Bits 8..11 of skb->mark say what the packet is (numbers are Cilium's). */
#define MARK_MAGIC_MASK      0x0F00
#define MARK_MAGIC_SNAT_DONE 0x0300
#define MARK_MAGIC_HOST      0x0C00
#define MARK_MAGIC_IDENTITY  0x0F00 /* low 16 bits of it from bit 16 on, the rest in the low byte */
