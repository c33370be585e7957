/* SPDX-License-Identifier: Apache-2.0 */
/* Services: the ways of packets and their answers, for each family and protocol. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/service_world.h"

static const __u8 protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

/* SCTP keeps its port. */
static __u16 backend_port(__u8 protocol, __u16 port)
{
	return protocol == IPPROTO_SCTP ? port : BACKEND_PORT;
}

/* One connection: who opens it to what, and who answers. */
struct connection {
	const struct service_addrs *w;
	__u8 protocol;
	const char *client;
	const char *front;
	__u16 front_port;
	const char *backend;
	__u8 type;
	__u16 flags;
};

static __u16 port_of(const struct connection *c)
{
	return backend_port(c->protocol, c->front_port);
}

static void begin(struct harness *harness, const struct connection *c)
{
	const struct service_front front = {
		.service = 7,
		.addr = c->front,
		.port = c->front_port,
		.protocol = c->protocol,
		.type = c->type,
		.flags = c->flags,
	};
	const struct service_backend backend = {.id = 70, .addr = c->backend, .port = port_of(c)};

	harness_reset(harness);
	service_world_clear(harness);
	service_put(harness, &front, &backend);
}

/* The packet as its client sends it, and as its back end gets it. */
static struct frame_spec asked(const struct connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->client, CLIENT_PORT, c->front, c->front_port, flags);
}

static struct frame_spec asked_backend(const struct connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->client, CLIENT_PORT, c->backend, port_of(c), flags);
}

/* And the other way. */
static struct frame_spec answered(const struct connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->backend, port_of(c), c->client, CLIENT_PORT, flags);
}

static struct frame_spec answered_front(const struct connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->front, c->front_port, c->client, CLIENT_PORT, flags);
}

static struct frame_spec hop(struct frame_spec spec)
{
	spec.ttl = 63;
	return spec;
}

static struct frame_spec into_a(struct frame_spec spec)
{
	spec.dst_mac = MAC_A;
	spec.src_mac = MAC_A_NODE;
	spec.ttl = 63;
	return spec;
}

static struct frame_spec into_b(struct frame_spec spec)
{
	spec.dst_mac = MAC_B;
	spec.src_mac = MAC_B_NODE;
	spec.ttl = 63;
	return spec;
}

/* What both entries of the connection say, and that is all there is. */
static void check_entries(struct harness *harness, const struct connection *c, __u16 flags)
{
	struct frame_spec front = asked(c, 0), back = asked_backend(c, 0);
	struct addr front_addr = harness_addr(c->front), back_addr = harness_addr(c->backend);
	struct ct_entry entry;
	struct ct_key key;

	assert_true(service_get_entry(harness, &front, &entry));
	assert_int_equal(entry.backend, 70);
	assert_int_equal(ntohs(entry.service_port), port_of(c));
	assert_memory_equal(&entry.service_addr, &back_addr, sizeof(back_addr));
	assert_true(harness_get_ct(harness, &back, &key, &entry));
	assert_int_equal(entry.flags & (CT_F_SERVICE | CT_F_DSR | CT_F_LOOPBACK), flags);
	assert_int_equal(entry.backend, 70);
	assert_int_equal(ntohs(entry.service_port), c->front_port);
	assert_memory_equal(&entry.service_addr, &front_addr, sizeof(front_addr));
}

/* ---- from a pod ---- */

/* a to the service, b or the way out for an answer. */
static void pod_to_pod(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	for (int i = 0; i < 2; i++) {
		service_leg(harness,
			    &(struct leg){.in = asked(c, i ? TCP_ACK : TCP_SYN),
					  .out = into_b(asked_backend(c, i ? TCP_ACK : TCP_SYN)),
					  .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.ifindex = IFINDEX_B,
					  .in = answered(c, TCP_SYN | TCP_ACK),
					  .out = into_a(answered_front(c, TCP_SYN | TCP_ACK)),
					  .verdict = TC_ACT_REDIRECT});
	}
	check_entries(harness, c, CT_F_SERVICE);
}

static void pod_to_remote(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	service_leg(harness, &(struct leg){.in = asked(c, TCP_SYN),
					   .out = hop(asked_backend(c, TCP_SYN)),
					   .verdict = TC_ACT_REDIRECT});
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = answered(c, TCP_SYN | TCP_ACK),
					   .out = into_a(answered_front(c, TCP_SYN | TCP_ACK)),
					   .verdict = TC_ACT_REDIRECT});
	check_entries(harness, c, CT_F_SERVICE);
}

static void pod_to_host(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	service_leg(harness,
		    &(struct leg){.in = asked(c, TCP_SYN), .out = asked_backend(c, TCP_SYN)});
	service_leg(harness,
		    &(struct leg){
			    .program = FROM_HOST,
			    .in = answered(c, TCP_SYN | TCP_ACK),
			    .out = {.src = c->front,
				    .dst = c->client,
				    .protocol = c->protocol,
				    .sport = c->front_port,
				    .dport = CLIENT_PORT,
				    .tcp_flags = c->protocol == IPPROTO_TCP ? TCP_SYN | TCP_ACK : 0,
				    .n_payload = 13,
				    .dst_mac = MAC_A,
				    .src_mac = MAC_A_NODE},
			    .verdict = TC_ACT_REDIRECT});
	check_entries(harness, c, CT_F_SERVICE);
}

/* a to itself: it sees its stand-in. */
static void pod_to_self(struct harness *harness, const struct connection *c)
{
	struct frame_spec stand_in = service_packet(c->protocol, c->w->loopback, CLIENT_PORT,
						    c->backend, port_of(c), TCP_SYN);
	struct frame_spec answer = service_packet(c->protocol, c->backend, port_of(c),
						  c->w->loopback, CLIENT_PORT, TCP_SYN | TCP_ACK);
	struct ct_entry entry;
	struct ct_key key;

	begin(harness, c);
	service_leg(harness, &(struct leg){.in = asked(c, TCP_SYN),
					   .out = into_a(stand_in),
					   .verdict = TC_ACT_REDIRECT});
	service_leg(harness, &(struct leg){.in = answer,
					   .out = into_a(answered_front(c, TCP_SYN | TCP_ACK)),
					   .verdict = TC_ACT_REDIRECT});
	assert_true(harness_get_ct(harness, &stand_in, &key, &entry));
	assert_int_equal(entry.flags & (CT_F_SERVICE | CT_F_LOOPBACK),
			 CT_F_SERVICE | CT_F_LOOPBACK);
}

static void each(struct harness *harness, struct connection c,
		 void (*run)(struct harness *harness, const struct connection *c))
{
	for (size_t i = 0; i < sizeof(protocols); i++) {
		c.protocol = protocols[i];
		run(harness, &c);
	}
}

static void from_pods(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++) {
		const struct service_addrs *w = &service_addrs[i];
		struct connection c = {.w = w,
				       .client = w->a,
				       .front = w->cluster,
				       .front_port = SERVICE_PORT,
				       .backend = w->b};

		each(harness, c, pod_to_pod);
		c.type = LB_TYPE_LOAD_BALANCER;
		c.front = w->balancer;
		each(harness, c, pod_to_pod);
		c.type = LB_TYPE_NODE_PORT;
		c.front = w->node;
		c.front_port = SERVICE_NODEPORT;
		each(harness, c, pod_to_pod);
		c.front_port = SERVICE_PORT;
		c.type = LB_TYPE_CLUSTER_IP;
		c.front = w->cluster;
		c.backend = w->remote;
		each(harness, c, pod_to_remote);
		c.backend = w->host;
		each(harness, c, pod_to_host);
		c.backend = w->node;
		each(harness, c, pod_to_host);
		c.backend = w->a;
		each(harness, c, pod_to_self);
	}
}

/* ---- from outside ---- */

static void outside_to_pod(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	for (int i = 0; i < 2; i++) {
		service_leg(harness,
			    &(struct leg){.program = FROM_NETDEV,
					  .in = asked(c, i ? TCP_ACK : TCP_SYN),
					  .out = into_b(asked_backend(c, i ? TCP_ACK : TCP_SYN)),
					  .verdict = TC_ACT_REDIRECT});
		service_leg(harness, &(struct leg){.ifindex = IFINDEX_B,
						   .in = answered(c, TCP_SYN | TCP_ACK),
						   .out = hop(answered(c, TCP_SYN | TCP_ACK)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.program = TO_NETDEV,
					  .mark = MARK_SENT_ON,
					  .in = hop(answered(c, TCP_SYN | TCP_ACK)),
					  .out = hop(answered_front(c, TCP_SYN | TCP_ACK))});
	}
	check_entries(harness, c, CT_F_SERVICE);
}

static void outside_to_host(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = asked(c, TCP_SYN),
					   .out = asked_backend(c, TCP_SYN)});
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .in = answered(c, TCP_SYN | TCP_ACK),
					   .out = answered_front(c, TCP_SYN | TCP_ACK)});
	check_entries(harness, c, CT_F_SERVICE);
}

static void outside_to_remote(struct harness *harness, const struct connection *c)
{
	struct frame_spec sent, back;

	begin(harness, c);
	for (int i = 0; i < 2; i++) {
		__u8 flags = i ? TCP_ACK : TCP_SYN;

		sent = service_packet(c->protocol, c->w->node, CLIENT_PORT, c->backend, port_of(c),
				      flags);
		back = service_packet(c->protocol, c->backend, port_of(c), c->w->node, CLIENT_PORT,
				      TCP_SYN | TCP_ACK);
		service_leg(harness, &(struct leg){.program = FROM_NETDEV,
						   .in = asked(c, flags),
						   .out = hop(asked_backend(c, flags)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness, &(struct leg){.program = TO_NETDEV,
						   .mark = MARK_SENT_ON,
						   .in = hop(asked_backend(c, flags)),
						   .out = hop(sent)});
		service_leg(harness, &(struct leg){.program = FROM_NETDEV,
						   .in = back,
						   .out = hop(answered(c, TCP_SYN | TCP_ACK)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.program = TO_NETDEV,
					  .mark = MARK_SENT_ON,
					  .in = hop(answered(c, TCP_SYN | TCP_ACK)),
					  .out = hop(answered_front(c, TCP_SYN | TCP_ACK))});
	}
	check_entries(harness, c, CT_F_SERVICE);
}

static void from_outside(struct harness *harness)
{
	static const __u8 types[] = {LB_TYPE_NODE_PORT, LB_TYPE_EXTERNAL_IP, LB_TYPE_LOAD_BALANCER,
				     LB_TYPE_HOST_PORT};

	service_world_routes();
	for (int i = 0; i < 8; i++) {
		const struct service_addrs *w = &service_addrs[i & 1];
		__u8 type = types[i >> 1];
		bool is_node = type == LB_TYPE_NODE_PORT || type == LB_TYPE_HOST_PORT;
		struct connection c = {.w = w,
				       .client = w->client,
				       .front = is_node ? w->node : w->balancer,
				       .front_port = is_node ? SERVICE_NODEPORT : SERVICE_PORT,
				       .type = type,
				       .flags = LB_FRONTEND_F_EXTERNAL,
				       .backend = w->b};

		each(harness, c, outside_to_pod);
		c.backend = w->node;
		each(harness, c, outside_to_host);
		c.backend = w->remote;
		each(harness, c, outside_to_remote);
	}
}

/* ---- other ways ---- */

static void legacy(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

/* Through the stack; the last program before the pod gives the front end's address. */
static void pod_to_pod_stack(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	service_leg(harness,
		    &(struct leg){.in = asked(c, TCP_SYN), .out = asked_backend(c, TCP_SYN)});
	service_leg(harness,
		    &(struct leg){.program = TO_CONTAINER, .in = hop(asked_backend(c, TCP_SYN))});
	service_leg(harness,
		    &(struct leg){.ifindex = IFINDEX_B, .in = answered(c, TCP_SYN | TCP_ACK)});
	service_leg(harness, &(struct leg){.program = TO_CONTAINER,
					   .ifindex = IFINDEX_A,
					   .in = hop(answered(c, TCP_SYN | TCP_ACK)),
					   .out = hop(answered_front(c, TCP_SYN | TCP_ACK))});
	check_entries(harness, c, CT_F_SERVICE);
}

static void outside_to_pod_stack(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = asked(c, TCP_SYN),
					   .out = asked_backend(c, TCP_SYN)});
	service_leg(harness,
		    &(struct leg){.program = TO_CONTAINER, .in = hop(asked_backend(c, TCP_SYN))});
	service_leg(harness,
		    &(struct leg){.ifindex = IFINDEX_B, .in = answered(c, TCP_SYN | TCP_ACK)});
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .mark = MARK_SENT_ON,
					   .in = hop(answered(c, TCP_SYN | TCP_ACK)),
					   .out = hop(answered_front(c, TCP_SYN | TCP_ACK))});
	check_entries(harness, c, CT_F_SERVICE);
}

static void outside_to_remote_stack(struct harness *harness, const struct connection *c)
{
	struct frame_spec back = service_packet(c->protocol, c->backend, port_of(c), c->w->node,
						CLIENT_PORT, TCP_SYN | TCP_ACK);

	begin(harness, c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = asked(c, TCP_SYN),
					   .out = asked_backend(c, TCP_SYN)});
	service_leg(harness,
		    &(struct leg){.program = TO_NETDEV,
				  .mark = MARK_SENT_ON,
				  .in = hop(asked_backend(c, TCP_SYN)),
				  .out = hop(service_packet(c->protocol, c->w->node, CLIENT_PORT,
							    c->backend, port_of(c), TCP_SYN))});
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = back,
					   .out = answered(c, TCP_SYN | TCP_ACK)});
	check_entries(harness, c, CT_F_SERVICE);
}

static void through_the_stack(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++) {
		const struct service_addrs *w = &service_addrs[i];
		struct connection c = {.w = w,
				       .client = w->a,
				       .front = w->cluster,
				       .front_port = SERVICE_PORT,
				       .backend = w->b};

		each(harness, c, pod_to_pod_stack);
		/* Not to itself: the stack would not let it back. */
		c.backend = w->a;
		each(harness, c, pod_to_self);
		c.client = w->client;
		c.front = w->node;
		c.front_port = SERVICE_NODEPORT;
		c.flags = LB_FRONTEND_F_EXTERNAL;
		c.backend = w->b;
		each(harness, c, outside_to_pod_stack);
		c.backend = w->remote;
		each(harness, c, outside_to_remote_stack);
	}
}

static void endpoint_routes(struct node_config *config)
{
	config->enable_endpoint_routes = 1;
}

/* The host's answer goes by the pod's own route. */
static void pod_to_host_routed(struct harness *harness, const struct connection *c)
{
	begin(harness, c);
	service_leg(harness,
		    &(struct leg){.in = asked(c, TCP_SYN), .out = asked_backend(c, TCP_SYN)});
	service_leg(harness, &(struct leg){.program = TO_CONTAINER,
					   .ifindex = IFINDEX_A,
					   .in = answered(c, TCP_SYN | TCP_ACK),
					   .out = answered_front(c, TCP_SYN | TCP_ACK)});
	check_entries(harness, c, CT_F_SERVICE);
}

static void by_endpoint_routes(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++) {
		const struct service_addrs *w = &service_addrs[i];
		struct connection c = {.w = w,
				       .client = w->a,
				       .front = w->cluster,
				       .front_port = SERVICE_PORT,
				       .backend = w->b};

		each(harness, c, pod_to_pod);
		c.backend = w->host;
		each(harness, c, pod_to_host_routed);
		c.backend = w->a;
		each(harness, c, pod_to_self);
	}
}

static void no_masquerading(struct node_config *config)
{
	config->enable_masquerade4 = config->enable_masquerade6 = 0;
}

static void host_firewall(struct node_config *config)
{
	config->enable_host_firewall = 1;
}

static const struct scenario scenarios[] = {
	{"services: from pods", NULL, from_pods},
	{"services: from outside", NULL, from_outside},
	{"services: from outside, without masquerading", no_masquerading, from_outside},
	{"services: from outside, with the host firewall", host_firewall, from_outside},
	{"services: through the stack", legacy, through_the_stack},
	{"services: endpoint routes", endpoint_routes, by_endpoint_routes},
};

const struct scenario_group service_scenarios = SCENARIOS(scenarios);
