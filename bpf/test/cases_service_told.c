/* SPDX-License-Identifier: Apache-2.0 */
/* Services: back ends that answer by themselves; what events say, and what cil_explain_… programs do. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/service_world.h"

/* ---- another node's client ---- */

/* What the front node puts into the packet for the front end of the connection. */
struct option {
	uint8_t bytes[24];
};

static void put_option(struct frame_spec *spec, const struct service_connection *c,
		       struct option *option)
{
	struct addr addr = harness_addr(c->front);

	memset(option, 0, sizeof(*option));
	if (c->w->ipv6) {
		memcpy(option->bytes,
		       (const uint8_t[]){2, 0x1b, 20, c->front_port >> 8, c->front_port & 0xff, 0,
					 0},
		       7);
		memcpy(option->bytes + 7, &addr, sizeof(addr));
		spec->extension = IPPROTO_DSTOPTS;
	} else {
		memcpy(option->bytes,
		       (const uint8_t[]){0x9a, 8, c->front_port >> 8, c->front_port & 0xff}, 4);
		memcpy(option->bytes + 4, addr.bytes + 12, 4);
		spec->n_options = 2;
	}
	spec->options = option->bytes;
}

/* The front node: with the first packet goes an option, and no connection is kept. */
static void direct_front(struct harness *harness, const struct service_addrs *w, __u8 protocol)
{
	struct service_connection c = service_from_client(w, protocol);
	struct frame_spec out;
	struct option option;
	struct ct_entry entry;
	struct ct_key key;
	struct run run;

	c.flags |= LB_FRONTEND_F_DSR;
	service_begin(harness, &c);
	out = service_hop(service_asked_backend(&c, TCP_SYN));
	put_option(&out, &c, &option);
	run = service_leg(harness, &(struct leg){.program = FROM_NETDEV,
						 .in = service_asked(&c, TCP_SYN),
						 .out = out,
						 .verdict = TC_ACT_REDIRECT});
	assert_int_equal(run.mark & MARK_MAGIC_MASK, MARK_MAGIC_SNAT_DONE);
	out = service_hop(service_asked_backend(&c, TCP_ACK));
	if (protocol == IPPROTO_UDP)
		put_option(&out, &c, &option);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = service_asked(&c, TCP_ACK),
					   .out = out,
					   .verdict = TC_ACT_REDIRECT});
	out = service_asked(&c, 0);
	assert_true(service_get_entry(harness, &out, &entry));
	assert_int_equal(entry.backend, 70);
	out = service_asked_backend(&c, 0);
	assert_false(harness_get_ct(harness, &out, &key, &entry));
	/* A back end of this node is no other node's business. */
	c.backend = w->b;
	service_begin(harness, &c);
	service_leg(harness,
		    &(struct leg){.program = FROM_NETDEV,
				  .in = service_asked(&c, TCP_SYN),
				  .out = service_into_b(service_asked_backend(&c, TCP_SYN)),
				  .verdict = TC_ACT_REDIRECT});
	service_check_entries(harness, &c, CT_F_SERVICE);
}

/* The back end's node: what b, or the node itself, answers is the front end's. */
static void direct_back(struct harness *harness, const struct service_addrs *w, __u8 protocol,
			bool is_host)
{
	struct service_connection c = service_from_client(w, protocol);
	struct frame_spec in, out;
	struct ct_entry entry;
	struct option option;
	struct ct_key key;

	c.backend = is_host ? w->node : w->b;
	service_begin(harness, &c);
	service_world_clear(harness); /* it need not know the service */
	in = service_asked_backend(&c, TCP_SYN);
	put_option(&in, &c, &option);
	out = in;
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = in,
					   .out = is_host ? out : service_into_b(out),
					   .verdict = is_host ? 0 : TC_ACT_REDIRECT});
	if (!is_host) {
		service_leg(harness,
			    &(struct leg){.program = FROM_NETDEV,
					  .in = service_asked_backend(&c, TCP_ACK),
					  .out = service_into_b(service_asked_backend(&c, TCP_ACK)),
					  .verdict = TC_ACT_REDIRECT});
		service_leg(harness,
			    &(struct leg){.ifindex = IFINDEX_B,
					  .in = service_answered(&c, TCP_ACK),
					  .out = service_hop(service_answered(&c, TCP_ACK)),
					  .verdict = TC_ACT_REDIRECT});
	}
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .mark = is_host ? 0 : MARK_SENT_ON,
					   .in = service_answered(&c, TCP_ACK),
					   .out = service_answered_front(&c, TCP_ACK)});
	in = service_asked_backend(&c, 0);
	assert_true(harness_get_ct(harness, &in, &key, &entry));
	assert_int_equal(entry.flags & (CT_F_SERVICE | CT_F_DSR), CT_F_SERVICE | CT_F_DSR);
	if (is_host || protocol != IPPROTO_TCP)
		return;
	/* Its port again, to another front end. */
	c.front_port++;
	in = service_asked_backend(&c, TCP_SYN);
	put_option(&in, &c, &option);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = in,
					   .out = service_into_b(in),
					   .verdict = TC_ACT_REDIRECT});
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .mark = MARK_SENT_ON,
					   .in = service_answered(&c, TCP_ACK),
					   .out = service_answered_front(&c, TCP_ACK)});
}

static void direct_of(struct harness *harness, const struct service_addrs *w)
{
	direct_front(harness, w, IPPROTO_TCP);
	direct_front(harness, w, IPPROTO_UDP);
	for (int i = 0; i < 2; i++) {
		direct_back(harness, w, IPPROTO_TCP, i);
		direct_back(harness, w, IPPROTO_UDP, i);
	}
}

static void direct(struct harness *harness)
{
	service_for_both(harness, direct_of);
}

/* This node knows two services, a node, and a pod of another node. */
static void little_known(struct harness *harness, const struct service_connection *c)
{
	const struct ipcache_info pod = {.identity = 5000};
	const struct ipcache_info node = {.identity = 6, .flags = IPCACHE_F_REMOTE_NODE};
	struct ipcache_key pod_key = {harness_addr(c->w->remote)};
	struct ipcache_key node_key = {harness_addr(c->w->other_node)};
	int ipcache = bpf_map__fd(harness->skel->maps.cilium_ipcache);

	harness_reset(harness);
	service_world_clear(harness);
	service_put_front(harness, &(struct service_front){.service = 8,
							   .addr = c->w->balancer,
							   .port = SERVICE_PORT,
							   .protocol = IPPROTO_TCP,
							   .type = LB_TYPE_LOAD_BALANCER,
							   .flags = LB_FRONTEND_F_EXTERNAL});
	service_put_wildcard(harness, c->w->balancer, LB_FRONTEND_F_EXTERNAL);
	service_put_front(harness, &(struct service_front){.service = 9,
							   .addr = c->w->cluster,
							   .port = SERVICE_PORT,
							   .protocol = IPPROTO_TCP});
	service_put_front(harness, &(struct service_front){.service = 10,
							   .addr = c->w->any,
							   .port = SERVICE_NODEPORT,
							   .protocol = IPPROTO_TCP,
							   .type = LB_TYPE_NODE_PORT,
							   .flags = LB_FRONTEND_F_EXTERNAL});
	bpf_map_update_elem(ipcache, &pod_key, &pod, BPF_ANY);
	bpf_map_update_elem(ipcache, &node_key, &node, BPF_ANY);
}

/* What an option may say: the answer leaves from there, or from the back end itself. */
static void believe(struct harness *harness, const struct service_addrs *w, const char *front,
		    __u16 port, bool is_believed)
{
	struct service_connection c = service_from_client(w, IPPROTO_TCP);
	struct frame_spec in, answer;
	struct ct_entry entry;
	struct option option;
	struct ct_key key;

	c.backend = w->b;
	c.front = front;
	c.front_port = port;
	little_known(harness, &c);
	in = service_asked_backend(&c, TCP_SYN);
	put_option(&in, &c, &option);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = in,
					   .out = service_into_b(in),
					   .verdict = TC_ACT_REDIRECT});
	answer = service_answered(&c, TCP_ACK);
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .mark = MARK_SENT_ON,
					   .in = answer,
					   .out = is_believed ? service_answered_front(&c, TCP_ACK)
							      : answer});
	in = service_asked_backend(&c, 0);
	assert_true(harness_get_ct(harness, &in, &key, &entry));
	assert_int_equal(!!(entry.flags & CT_F_DSR), is_believed);
}

static void beliefs_of(struct harness *harness, const struct service_addrs *w)
{
	bool is_on = harness->config.enable_dsr_options;

	/* Known: a front end for clients outside; one that is not for them; no port of a service's address. */
	believe(harness, w, w->balancer, SERVICE_PORT, is_on);
	believe(harness, w, w->balancer, SERVICE_PORT + 1, false);
	believe(harness, w, w->cluster, SERVICE_PORT, false);
	/* Other nodes may serve front ends that this one does not know, and their node ports. */
	believe(harness, w, w->ipv6 ? "2001:db8:e::5" : "203.0.116.5", 443, is_on);
	believe(harness, w, w->other_node, SERVICE_NODEPORT, is_on);
	believe(harness, w, w->other_node, 22, false);
	/* Pods and this node answer for themselves. */
	believe(harness, w, w->a, SERVICE_PORT, false);
	believe(harness, w, w->b, SERVICE_NODEPORT, false);
	believe(harness, w, w->node, 22, false);
	believe(harness, w, w->remote, SERVICE_PORT, false);
	believe(harness, w, w->ipv6 ? "ff02::1" : "224.0.0.1", SERVICE_PORT, false);
	believe(harness, w, w->ipv6 ? "::1" : "127.0.0.1", SERVICE_PORT, false);
	believe(harness, w, w->any, SERVICE_NODEPORT, false);
}

static void beliefs(struct harness *harness)
{
	service_for_both(harness, beliefs_of);
}

static void no_options(struct node_config *config)
{
	config->enable_dsr_options = 0;
}

/* ---- events ---- */

static void check_event(struct harness *harness, const struct service_connection *c, __u8 type)
{
	struct addr front = harness_addr(c->front);
	struct event event;

	assert_true(harness_take_event(harness, &event));
	assert_int_equal(event.type, type);
	assert_int_equal(ntohs(event.service_port), c->front_port);
	assert_memory_equal(&event.service_addr, &front, sizeof(front));
	assert_false(harness_take_event(harness, &event));
}

static void events_of(struct harness *harness, const struct service_addrs *w)
{
	const struct runtime_config runtime = {.drop_events = 1,
					       .trace_events = 1,
					       .trace_aggregation = TRACE_AGGREGATION_LOW,
					       .wakeup_bytes = 1 << 16};
	struct service_connection c = service_from_a(w, IPPROTO_TCP), admission;
	static const struct addr none;
	struct frame_spec spec;
	struct event event;
	__u32 zero = 0;

	c.backend = w->b;
	service_begin(harness, &c);
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_runtime_config), &zero, &runtime,
			    BPF_ANY);
	service_leg(harness,
		    &(struct leg){.in = service_asked(&c, TCP_SYN),
				  .out = service_into_b(service_asked_backend(&c, TCP_SYN)),
				  .verdict = TC_ACT_REDIRECT});
	check_event(harness, &c, EVENT_TRACE);
	service_leg(harness,
		    &(struct leg){.ifindex = IFINDEX_B,
				  .in = service_answered(&c, TCP_ACK),
				  .out = service_into_a(service_answered_front(&c, TCP_ACK)),
				  .verdict = TC_ACT_REDIRECT});
	check_event(harness, &c, EVENT_TRACE);
	/* What is refused names it too: a pod's rules, and for lack of anybody. */
	service_begin(harness, &c);
	harness_put_policy(harness, ENDPOINT_B, 2, POLICY_F_OPEN_EGRESS);
	{
		struct frame frame;

		spec = service_asked(&c, TCP_SYN);
		frame_build(&frame, &spec);
		assert_int_equal(
			harness_run(harness, FROM_CONTAINER, &frame, IFINDEX_A, 0, 0).verdict,
			TC_ACT_SHOT);
		check_event(harness, &c, EVENT_DROP);
		service_put_set(harness, LB_SET(7, 0), NULL, 0);
		spec.sport++;
		frame_build(&frame, &spec);
		assert_int_equal(
			harness_run(harness, FROM_CONTAINER, &frame, IFINDEX_A, 0, 0).verdict,
			TC_ACT_REDIRECT);
		check_event(harness, &c, EVENT_DROP);
		/* Who may not use it. */
		admission = service_from_client(w, IPPROTO_TCP);
		spec = service_asked(&admission, TCP_SYN);
		frame_build(&frame, &spec);
		service_put_front_again(harness, &admission,
					LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_SOURCE_RANGES, 0, 0);
		assert_int_equal(harness_run(harness, FROM_NETDEV, &frame, 0, 0, 0).verdict,
				 TC_ACT_SHOT);
		check_event(harness, &admission, EVENT_DROP);
		/* Who asks for no service has none in his event. */
		spec = service_packet(IPPROTO_TCP, w->a, 1, w->b, 2, TCP_SYN);
		frame_build(&frame, &spec);
		assert_int_equal(
			harness_run(harness, FROM_CONTAINER, &frame, IFINDEX_A, 0, 0).verdict,
			TC_ACT_SHOT);
		assert_true(harness_take_event(harness, &event));
		assert_int_equal(event.service_port, 0);
		assert_memory_equal(&event.service_addr, &none, sizeof(none));
	}
}

static void events(struct harness *harness)
{
	service_for_both(harness, events_of);
}

/* ---- explaining ---- */

static size_t n_entries(const struct bpf_map *map)
{
	char key[64];
	size_t n = 0;
	int fd = bpf_map__fd(map);

	for (int err = bpf_map_get_next_key(fd, NULL, key); !err;
	     err = bpf_map_get_next_key(fd, key, key))
		n++;
	return n;
}

static size_t n_written(struct harness *harness)
{
	__u32 reason;

	return n_entries(harness->skel->maps.cilium_ct_tcp_global) +
	       n_entries(harness->skel->maps.cilium_ct_any_global) +
	       n_entries(harness->skel->maps.cilium_snat_external) +
	       n_entries(harness->skel->maps.cilium_lb_affinity) +
	       n_entries(harness->skel->maps.cilium_frag_datagrams) +
	       harness_n_drops(harness, &reason);
}

static struct explain explained(struct harness *harness, enum test_program program,
				const struct frame_spec *spec, __u32 ifindex)
{
	size_t n_before = n_written(harness);
	struct explain explain;
	struct frame frame;
	__u32 zero = 0;

	frame_build(&frame, spec);
	harness_run(harness, program, &frame, ifindex, 0, 0);
	assert_int_equal(n_written(harness), n_before);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(harness->skel->maps.cilium_explain), &zero,
					     &explain),
			 0);
	return explain;
}

static void check_explained(const struct explain *told, const struct service_connection *c,
			    enum explain_service service)
{
	struct addr front = harness_addr(c->front), back = harness_addr(c->backend);
	bool is_forward = service == EXPLAIN_SERVICE_KEPT || service == EXPLAIN_SERVICE_CHOSEN;

	assert_int_equal(told->service, service);
	assert_memory_equal(&told->frontend_addr, &front, sizeof(front));
	assert_int_equal(ntohs(told->frontend_port), c->front_port);
	if (!is_forward)
		return;
	assert_int_equal(told->backend, 70);
	assert_memory_equal(&told->backend_addr, &back, sizeof(back));
	assert_int_equal(ntohs(told->backend_port), BACKEND_PORT);
}

static void explain_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_a(w, IPPROTO_TCP);
	struct frame_spec spec;
	struct explain told;

	c.backend = w->b;
	service_begin(harness, &c);
	service_put_front_again(harness, &c, 0, 60, 0);
	spec = service_asked(&c, TCP_SYN);
	told = explained(harness, EXPLAIN_CONTAINER, &spec, IFINDEX_A);
	check_explained(&told, &c, EXPLAIN_SERVICE_CHOSEN);
	assert_int_equal(told.verdict, TC_ACT_REDIRECT);
	assert_int_equal(told.dst_endpoint, ENDPOINT_B);
	assert_int_equal(told.connection, EXPLAIN_CONNECTION_NEW);
	service_leg(harness,
		    &(struct leg){.in = spec,
				  .out = service_into_b(service_asked_backend(&c, TCP_SYN)),
				  .verdict = TC_ACT_REDIRECT});
	told = explained(harness, EXPLAIN_CONTAINER, &spec, IFINDEX_A);
	check_explained(&told, &c, EXPLAIN_SERVICE_KEPT);
	assert_int_equal(told.connection, EXPLAIN_CONNECTION_FOUND);
	spec = service_answered(&c, TCP_ACK);
	told = explained(harness, EXPLAIN_CONTAINER, &spec, IFINDEX_B);
	check_explained(&told, &c, EXPLAIN_SERVICE_ANSWER);
	service_remove_backend(harness, 70);
	service_put_set(harness, LB_SET(7, 0), NULL, 0);
	spec = service_asked(&c, TCP_SYN);
	spec.sport++;
	told = explained(harness, EXPLAIN_CONTAINER, &spec, IFINDEX_A);
	check_explained(&told, &c, EXPLAIN_SERVICE_NOBODY);
	assert_int_equal(told.drop_reason, DROP_SERVICE_BACKEND_NOT_FOUND);
	assert_true(told.service_is_rejected);

	c.backend = w->a;
	service_begin(harness, &c);
	spec = service_asked(&c, TCP_SYN);
	told = explained(harness, EXPLAIN_CONTAINER, &spec, IFINDEX_A);
	check_explained(&told, &c, EXPLAIN_SERVICE_CHOSEN);
	assert_true(told.service_is_loopback);

	c = service_from_client(w, IPPROTO_TCP);
	service_begin(harness, &c);
	spec = service_asked(&c, TCP_SYN);
	told = explained(harness, EXPLAIN_NETDEV, &spec, IFINDEX_NODE);
	check_explained(&told, &c, EXPLAIN_SERVICE_CHOSEN);
	assert_int_equal(told.trace_point, TRACE_TO_NETWORK);
	assert_false(told.service_is_direct);
	service_put_front_again(harness, &c, LB_FRONTEND_F_DSR, 0, 0);
	told = explained(harness, EXPLAIN_NETDEV, &spec, IFINDEX_NODE);
	check_explained(&told, &c, EXPLAIN_SERVICE_CHOSEN);
	assert_true(told.service_is_direct);
	/* To none. */
	spec = service_packet(IPPROTO_TCP, w->a, 1, w->b, 2, TCP_SYN);
	told = explained(harness, EXPLAIN_CONTAINER, &spec, IFINDEX_A);
	assert_int_equal(told.service, EXPLAIN_SERVICE_NONE);
	assert_int_equal(told.frontend_port, 0);
}

static void explain(struct harness *harness)
{
	service_for_both(harness, explain_of);
}

static const struct scenario scenarios[] = {
	{"services: back ends that answer by themselves", NULL, direct},
	{"services: whom an option may name", NULL, beliefs},
	{"services: options are no matter", no_options, beliefs},
	{"services: events name the front end", NULL, events},
	{"services: explaining", NULL, explain},
};

const struct scenario_group service_told_scenarios = SCENARIOS(scenarios);
