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

/* ---- from a pod ---- */

/* a to the service, b or the way out for an answer. */
static void pod_to_pod(struct harness *harness, const struct service_connection *c)
{
	service_begin(harness, c);
	for (int i = 0; i < 2; i++) {
		service_leg(harness, &(struct leg){.in = service_asked(c, i ? TCP_ACK : TCP_SYN),
						   .out = service_into_b(service_asked_backend(
							   c, i ? TCP_ACK : TCP_SYN)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness, &(struct leg){.ifindex = IFINDEX_B,
						   .in = service_answered(c, TCP_SYN | TCP_ACK),
						   .out = service_into_a(service_answered_front(
							   c, TCP_SYN | TCP_ACK)),
						   .verdict = TC_ACT_REDIRECT});
	}
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void pod_to_remote(struct harness *harness, const struct service_connection *c)
{
	service_begin(harness, c);
	service_leg(harness, &(struct leg){.in = service_asked(c, TCP_SYN),
					   .out = service_hop(service_asked_backend(c, TCP_SYN)),
					   .verdict = TC_ACT_REDIRECT});
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = service_answered(c, TCP_SYN | TCP_ACK),
					   .out = service_into_a(
						   service_answered_front(c, TCP_SYN | TCP_ACK)),
					   .verdict = TC_ACT_REDIRECT});
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void pod_to_host(struct harness *harness, const struct service_connection *c)
{
	service_begin(harness, c);
	service_leg(harness, &(struct leg){.in = service_asked(c, TCP_SYN),
					   .out = service_asked_backend(c, TCP_SYN)});
	service_leg(harness,
		    &(struct leg){
			    .program = FROM_HOST,
			    .in = service_answered(c, TCP_SYN | TCP_ACK),
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
	service_check_entries(harness, c, CT_F_SERVICE);
}

/* a to itself: it sees its stand-in. */
static void pod_to_self(struct harness *harness, const struct service_connection *c)
{
	struct frame_spec stand_in = service_packet(c->protocol, c->w->loopback, CLIENT_PORT,
						    c->backend, service_backend_port(c), TCP_SYN);
	struct frame_spec answer = service_packet(c->protocol, c->backend, service_backend_port(c),
						  c->w->loopback, CLIENT_PORT, TCP_SYN | TCP_ACK);
	struct ct_entry entry;
	struct ct_key key;

	service_begin(harness, c);
	service_leg(harness, &(struct leg){.in = service_asked(c, TCP_SYN),
					   .out = service_into_a(stand_in),
					   .verdict = TC_ACT_REDIRECT});
	service_leg(harness, &(struct leg){.in = answer,
					   .out = service_into_a(
						   service_answered_front(c, TCP_SYN | TCP_ACK)),
					   .verdict = TC_ACT_REDIRECT});
	assert_true(harness_get_ct(harness, &stand_in, &key, &entry));
	assert_int_equal(entry.flags & (CT_F_SERVICE | CT_F_LOOPBACK),
			 CT_F_SERVICE | CT_F_LOOPBACK);
}

static void each(struct harness *harness, struct service_connection c,
		 void (*run)(struct harness *harness, const struct service_connection *c))
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
		struct service_connection c = service_from_a(w, 0);

		c.backend = w->b;
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

static void outside_to_pod(struct harness *harness, const struct service_connection *c)
{
	service_begin(harness, c);
	for (int i = 0; i < 2; i++) {
		service_leg(harness, &(struct leg){.program = FROM_NETDEV,
						   .in = service_asked(c, i ? TCP_ACK : TCP_SYN),
						   .out = service_into_b(service_asked_backend(
							   c, i ? TCP_ACK : TCP_SYN)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness, &(struct leg){.ifindex = IFINDEX_B,
						   .in = service_answered(c, TCP_SYN | TCP_ACK),
						   .out = service_hop(
							   service_answered(c, TCP_SYN | TCP_ACK)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.program = TO_NETDEV,
					  .mark = MARK_SENT_ON,
					  .in = service_hop(service_answered(c, TCP_SYN | TCP_ACK)),
					  .out = service_hop(
						  service_answered_front(c, TCP_SYN | TCP_ACK))});
	}
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void outside_to_host(struct harness *harness, const struct service_connection *c)
{
	service_begin(harness, c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = service_asked(c, TCP_SYN),
					   .out = service_asked_backend(c, TCP_SYN)});
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .in = service_answered(c, TCP_SYN | TCP_ACK),
					   .out = service_answered_front(c, TCP_SYN | TCP_ACK)});
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void outside_to_remote(struct harness *harness, const struct service_connection *c)
{
	struct frame_spec sent, back;

	service_begin(harness, c);
	for (int i = 0; i < 2; i++) {
		__u8 flags = i ? TCP_ACK : TCP_SYN;

		sent = service_packet(c->protocol, c->w->node, CLIENT_PORT, c->backend,
				      service_backend_port(c), flags);
		back = service_packet(c->protocol, c->backend, service_backend_port(c), c->w->node,
				      CLIENT_PORT, TCP_SYN | TCP_ACK);
		service_leg(harness,
			    &(struct leg){.program = FROM_NETDEV,
					  .in = service_asked(c, flags),
					  .out = service_hop(service_asked_backend(c, flags)),
					  .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.program = TO_NETDEV,
					  .mark = MARK_SENT_ON,
					  .in = service_hop(service_asked_backend(c, flags)),
					  .out = service_hop(sent)});
		service_leg(harness, &(struct leg){.program = FROM_NETDEV,
						   .in = back,
						   .out = service_hop(
							   service_answered(c, TCP_SYN | TCP_ACK)),
						   .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.program = TO_NETDEV,
					  .mark = MARK_SENT_ON,
					  .in = service_hop(service_answered(c, TCP_SYN | TCP_ACK)),
					  .out = service_hop(
						  service_answered_front(c, TCP_SYN | TCP_ACK))});
	}
	service_check_entries(harness, c, CT_F_SERVICE);
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
		struct service_connection c = {.w = w,
					       .client = w->client,
					       .front = is_node ? w->node : w->balancer,
					       .front_port =
						       is_node ? SERVICE_NODEPORT : SERVICE_PORT,
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
static void stack_to_pod(struct harness *harness, const struct service_connection *c,
			 enum test_program first, struct leg last)
{
	service_begin(harness, c);
	service_leg(harness, &(struct leg){.program = first,
					   .in = service_asked(c, TCP_SYN),
					   .out = service_asked_backend(c, TCP_SYN)});
	service_leg(harness, &(struct leg){.program = TO_CONTAINER,
					   .in = service_hop(service_asked_backend(c, TCP_SYN))});
	service_leg(harness, &(struct leg){.ifindex = IFINDEX_B,
					   .in = service_answered(c, TCP_SYN | TCP_ACK)});
	last.in = service_hop(service_answered(c, TCP_SYN | TCP_ACK));
	last.out = service_hop(service_answered_front(c, TCP_SYN | TCP_ACK));
	service_leg(harness, &last);
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void pod_to_pod_stack(struct harness *harness, const struct service_connection *c)
{
	stack_to_pod(harness, c, FROM_CONTAINER,
		     (struct leg){.program = TO_CONTAINER, .ifindex = IFINDEX_A});
}

static void outside_to_pod_stack(struct harness *harness, const struct service_connection *c)
{
	stack_to_pod(harness, c, FROM_NETDEV,
		     (struct leg){.program = TO_NETDEV, .mark = MARK_SENT_ON});
}

static void outside_to_remote_stack(struct harness *harness, const struct service_connection *c)
{
	struct frame_spec back = service_packet(c->protocol, c->backend, service_backend_port(c),
						c->w->node, CLIENT_PORT, TCP_SYN | TCP_ACK);

	service_begin(harness, c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = service_asked(c, TCP_SYN),
					   .out = service_asked_backend(c, TCP_SYN)});
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .mark = MARK_SENT_ON,
					   .in = service_hop(service_asked_backend(c, TCP_SYN)),
					   .out = service_hop(service_packet(
						   c->protocol, c->w->node, CLIENT_PORT, c->backend,
						   service_backend_port(c), TCP_SYN))});
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = back,
					   .out = service_answered(c, TCP_SYN | TCP_ACK)});
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void through_the_stack(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++) {
		const struct service_addrs *w = &service_addrs[i];
		struct service_connection c = service_from_a(w, 0);

		c.backend = w->b;
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
static void pod_to_host_routed(struct harness *harness, const struct service_connection *c)
{
	service_begin(harness, c);
	service_leg(harness, &(struct leg){.in = service_asked(c, TCP_SYN),
					   .out = service_asked_backend(c, TCP_SYN)});
	service_leg(harness, &(struct leg){.program = TO_CONTAINER,
					   .ifindex = IFINDEX_A,
					   .in = service_answered(c, TCP_SYN | TCP_ACK),
					   .out = service_answered_front(c, TCP_SYN | TCP_ACK)});
	service_check_entries(harness, c, CT_F_SERVICE);
}

static void by_endpoint_routes(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++) {
		const struct service_addrs *w = &service_addrs[i];
		struct service_connection c = service_from_a(w, 0);

		c.backend = w->b;
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
