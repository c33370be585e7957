/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services in the maps of the harness, and packets of them on their way, in both families. Beside who
 * lives there anyway:
 *
 *	clients outside  by a gateway behind device 130 whose neighbour entry is there, and WORLD by one
 *	                 whose is not
 *	remote           a pod of another node, by the same gateway as the clients
 */
#pragma once

#include "abi/lb.h"
#include "bpf/test/cases.h"

#define SERVICE_PORT     80
#define SERVICE_NODEPORT 30080
#define BACKEND_PORT     8080
#define CLIENT_PORT      41000 /* of the range of masqueraded ports: it is kept */

/* Everybody's address in one family. */
struct service_addrs {
	const char *a, *b, *node, *host, *other_node, *world, *client, *remote, *remote2;
	const char *cluster, *balancer, *loopback, *any;
	bool ipv6;
};

extern const struct service_addrs service_addrs[2]; /* IPv4, IPv6 */

/* Once: routes of the world. */
void service_world_routes(void);

struct service_backend {
	__u32 id;
	const char *addr;
	__u16 port;
	__u8 state;   /* enum lb_backend_state */
	bool is_away; /* in no set */
};

struct service_front {
	__u32 service;
	const char *addr;
	__u16 port;
	__u8 protocol;
	__u8 type;      /* enum lb_type; 0: LB_TYPE_CLUSTER_IP */
	__u8 algorithm; /* enum lb_algorithm; 0: random */
	__u16 flags;    /* LB_FRONTEND_F_* */
	__u32 affinity; /* seconds */
};

void service_world_clear(struct harness *harness);
void service_put_front(struct harness *harness, const struct service_front *front);
/* Every port of the address that is no service's. */
void service_put_wildcard(struct harness *harness, const char *addr, __u16 flags);
void service_put_backend(struct harness *harness, __u32 service, __u8 protocol,
			 const struct service_backend *backend);
/* Ids of a set; none: the set goes. */
void service_put_set(struct harness *harness, __u32 set, const __u32 *ids, __u32 n_ids);
/* A front end, and one back end behind it in both sets. */
void service_put(struct harness *harness, const struct service_front *front,
		 const struct service_backend *backend);
void service_remove_backend(struct harness *harness, __u32 id);

/* The entry between client and front end; false when there is none. */
bool service_get_entry(struct harness *harness, const struct frame_spec *spec,
		       struct ct_entry *ret_entry);
void service_forget_entry(struct harness *harness, const struct frame_spec *spec);

/* A packet between two ends, without TTL and link. */
struct frame_spec service_packet(__u8 protocol, const char *src, __u16 sport, const char *dst,
				 __u16 dport, __u8 tcp_flags);
/* One leg of a packet's way; hop: the TTL before it, and what it takes off. */
struct leg {
	enum test_program program;
	__u32 ifindex; /* 0: the program's usual one */
	__u32 mark;
	struct frame_spec in;
	struct frame_spec out; /* nothing: unchanged */
	int verdict;           /* 0: TC_ACT_UNSPEC */
	__u32 drop;
	__u32 gso_size;
};

struct run service_leg(struct harness *harness, const struct leg *leg);
/* Mark of a packet that this node has sent on. */
#define MARK_SENT_ON MARK_MAGIC_IDENTITY

/* One connection: who opens it to what, and who answers. */
struct service_connection {
	const struct service_addrs *w;
	__u8 protocol;
	const char *client;
	const char *front;
	__u16 front_port;
	const char *backend;
	__u8 type;
	__u16 flags;
};

__u16 service_backend_port(const struct service_connection *c);
/* Maps after a reset, with the connection's service, 7, and its back end, 70. */
void service_begin(struct harness *harness, const struct service_connection *c);
/* The packet as its client sends it, as its back end gets it; and the other way. */
struct frame_spec service_asked(const struct service_connection *c, __u8 flags);
struct frame_spec service_asked_backend(const struct service_connection *c, __u8 flags);
struct frame_spec service_answered(const struct service_connection *c, __u8 flags);
struct frame_spec service_answered_front(const struct service_connection *c, __u8 flags);
void service_check_entries(struct harness *harness, const struct service_connection *c,
			   __u16 flags);
/* One hop later; and into a pod. */
struct frame_spec service_hop(struct frame_spec spec);
struct frame_spec service_into_a(struct frame_spec spec);
struct frame_spec service_into_b(struct frame_spec spec);

/* A pod's connection to a cluster address, and one of a client outside to a balancer's; to a pod outside. */
struct service_connection service_from_a(const struct service_addrs *w, __u8 protocol);
struct service_connection service_from_client(const struct service_addrs *w, __u8 protocol);
/* Behind the service stands another back end too, 71. */
void service_put_second(struct harness *harness, const struct service_connection *c);
void service_put_front_again(struct harness *harness, const struct service_connection *c,
			     __u16 flags, __u32 affinity, __u8 algorithm);
/* The back end of a packet of the connection from that port, or 0: it was not sent on. */
__u32 service_sent_to(struct harness *harness, const struct service_connection *c, __u16 port,
		      __u8 flags);
void service_for_both(struct harness *harness,
		      void (*run)(struct harness *harness, const struct service_addrs *w));
