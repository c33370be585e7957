/* SPDX-License-Identifier: Apache-2.0 */
/* Services: what a connection keeps, and ports of clients and of the node. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/service_world.h"

static void drop_tcp(struct harness *harness, const struct service_connection *c, __u32 drop,
		     __u8 flags)
{
	service_leg(harness, &(struct leg){.in = service_asked(c, flags), .drop = drop});
}

static void removal_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_a(w, IPPROTO_TCP);
	const struct service_backend away = {
		.id = 70, .addr = w->remote, .state = LB_BACKEND_TERMINATING, .is_away = true};

	for (int i = 0; i < 2; i++) {
		c.protocol = i ? IPPROTO_UDP : IPPROTO_TCP;
		service_begin(harness, &c);
		assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
		service_put_second(harness, &c);
		/* It keeps its connections, and gets no other. */
		service_put_backend(harness, 7, c.protocol, &away);
		service_put_set(harness, LB_SET(7, 0), (const __u32[]){71}, 1);
		assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_ACK), 70);
		assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT + 1, TCP_SYN), 71);
		if (c.protocol == IPPROTO_TCP) {
			assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 71);
			service_begin(harness, &c);
			assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
			service_put_second(harness, &c);
		}
		/* It is gone. */
		service_put_set(harness, LB_SET(7, 0), (const __u32[]){71}, 1);
		service_remove_backend(harness, 70);
		if (c.protocol == IPPROTO_TCP)
			drop_tcp(harness, &c, DROP_SERVICE_BACKEND_NOT_FOUND, TCP_ACK);
		assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 71);
	}
}

static void removal(struct harness *harness)
{
	service_for_both(harness, removal_of);
}

/* One slot of 64 is of 70, the others are of 71. */
static void put_few_of_first(struct harness *harness, const struct service_connection *c)
{
	__u32 ids[64] = {70};

	for (int i = 1; i < 64; i++)
		ids[i] = 71;
	service_put_second(harness, c);
	service_put_set(harness, LB_SET(7, 0), ids, 64);
}

/* A port from which the client's flow chooses 70 then. */
static __u16 port_to_first(struct harness *harness, const struct service_connection *c)
{
	__u16 port = CLIENT_PORT;

	service_begin(harness, c);
	put_few_of_first(harness, c);
	while (service_sent_to(harness, c, port, TCP_SYN) != 70)
		assert_true(++port < CLIENT_PORT + 1000);
	return port;
}

/* A client that has another connection to the back end: the service chooses another, if there is one. */
static void collision_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_a(w, IPPROTO_TCP);
	struct service_connection direct = c;
	__u16 port = port_to_first(harness, &c);
	struct frame_spec spec;

	direct.front = w->remote;
	direct.front_port = BACKEND_PORT;
	service_begin(harness, &c);
	spec = service_asked(&direct, TCP_SYN);
	spec.sport = port;
	service_leg(
		harness,
		&(struct leg){.in = spec, .out = service_hop(spec), .verdict = TC_ACT_REDIRECT});
	spec = service_asked(&c, TCP_SYN);
	spec.sport = port;
	service_leg(harness,
		    &(struct leg){.in = spec, .drop = DROP_CT_CANNOT_CREATE_ENTRY_FROM_PACKET});
	put_few_of_first(harness, &c);
	/* 70 by the flow, and thrice by chance, is a drop: 4·10⁻⁶. */
	assert_int_equal(service_sent_to(harness, &c, port, TCP_SYN), 71);
	/* By another front end: the same. */
	service_begin(harness, &c);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	service_put_front(harness, &(struct service_front){.service = 7,
							   .addr = w->balancer,
							   .port = SERVICE_PORT,
							   .protocol = IPPROTO_TCP});
	direct.front = w->balancer;
	direct.front_port = SERVICE_PORT;
	drop_tcp(harness, &direct, DROP_CT_CANNOT_CREATE_ENTRY_FROM_PACKET, TCP_SYN);
}

static void collision(struct harness *harness)
{
	service_for_both(harness, collision_of);
}

static void ports_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_a(w, IPPROTO_TCP);

	service_begin(harness, &c);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_ACK | TCP_FIN), 70);
	service_put_second(harness, &c);
	service_put_set(harness, LB_SET(7, 0), (const __u32[]){71}, 1);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_ACK), 70);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 71);
}

static void ports(struct harness *harness)
{
	service_for_both(harness, ports_of);
}

static __u32 ticks_left(struct harness *harness, const struct service_connection *c)
{
	struct frame_spec spec = service_asked(c, 0);
	struct ct_entry entry;

	assert_true(service_get_entry(harness, &spec, &entry));
	return entry.expires - entry.last_report;
}

static void answer(struct harness *harness, const struct service_connection *c, __u8 flags)
{
	service_leg(harness, &(struct leg){.ifindex = IFINDEX_B,
					   .in = service_answered(c, flags),
					   .out = service_into_a(service_answered_front(c, flags)),
					   .verdict = TC_ACT_REDIRECT});
}

static void ask(struct harness *harness, const struct service_connection *c, __u8 flags)
{
	service_leg(harness, &(struct leg){.in = service_asked(c, flags),
					   .out = service_into_b(service_asked_backend(c, flags)),
					   .verdict = TC_ACT_REDIRECT});
}

/* Both entries have little time left; what comes next gives them more. */
static void age(struct harness *harness, const struct service_connection *c)
{
	struct frame_spec front = service_asked(c, 0), back = service_asked_backend(c, 0);
	struct ct_entry entry;
	struct ct_key key;

	assert_true(harness_get_ct(harness, &back, &key, &entry));
	entry.expires -= 20;
	harness_put_ct(harness, &key, &entry);
	assert_true(service_get_entry(harness, &front, &entry));
	harness_get_ct(harness, &front, &key, &(struct ct_entry){});
	key.kind = CT_KIND_SERVICE;
	entry.expires -= 20;
	harness_put_ct(harness, &key, &entry);
}

static void timeouts_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_a(w, IPPROTO_TCP);

	c.backend = w->b;
	service_begin(harness, &c);
	ask(harness, &c, TCP_SYN);
	assert_in_range(ticks_left(harness, &c), 8000, 8005);
	answer(harness, &c, TCP_SYN | TCP_ACK);
	/* The answers say that it lives: also where the client only listens. */
	age(harness, &c);
	assert_in_range(ticks_left(harness, &c), 7980, 7990);
	answer(harness, &c, TCP_ACK);
	assert_in_range(ticks_left(harness, &c), 8000, 8005);
	/* The back end has said its last, and still listens. */
	answer(harness, &c, TCP_FIN | TCP_ACK);
	assert_in_range(ticks_left(harness, &c), 8000, 8005);
	ask(harness, &c, TCP_FIN | TCP_ACK);
	assert_in_range(ticks_left(harness, &c), 10, 15);
	service_begin(harness, &c);
	ask(harness, &c, TCP_SYN);
	answer(harness, &c, TCP_RST | TCP_ACK);
	assert_in_range(ticks_left(harness, &c), 10, 15);
	c.protocol = IPPROTO_UDP;
	service_begin(harness, &c);
	ask(harness, &c, 0);
	assert_in_range(ticks_left(harness, &c), 60, 65);
	age(harness, &c);
	answer(harness, &c, 0);
	assert_in_range(ticks_left(harness, &c), 60, 65);
}

static void timeouts(struct harness *harness)
{
	service_for_both(harness, timeouts_of);
}

/* The connection's entry is lost, and the back end speaks first: then the client's packet mends it. */
static void forgotten_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_a(w, IPPROTO_TCP);
	struct frame_spec back;
	struct ct_entry entry;
	struct ct_key key;

	c.backend = w->b;
	service_begin(harness, &c);
	ask(harness, &c, TCP_SYN);
	back = service_asked_backend(&c, 0);
	assert_true(harness_get_ct(harness, &back, &key, &entry));
	assert_int_equal(
		bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_ct_tcp_global), &key),
		0);
	service_leg(harness, &(struct leg){.ifindex = IFINDEX_B,
					   .in = service_answered(&c, TCP_ACK),
					   .out = service_into_a(service_answered(&c, TCP_ACK)),
					   .verdict = TC_ACT_REDIRECT});
	ask(harness, &c, TCP_ACK);
	answer(harness, &c, TCP_ACK);
	service_check_entries(harness, &c, CT_F_SERVICE);
}

static void forgotten(struct harness *harness)
{
	service_for_both(harness, forgotten_of);
}

/* All that is known of connections is lost: the flow itself leads to the same back ends. */
static void pushed_out_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_a(w, IPPROTO_TCP);
	__u32 first[32], n_others = 0;

	service_begin(harness, &c);
	service_put_second(harness, &c);
	for (__u16 i = 0; i < 32; i++) {
		first[i] = service_sent_to(harness, &c, CLIENT_PORT + i, TCP_SYN);
		n_others += first[i] == 71;
	}
	assert_in_range(n_others, 1, 31);
	service_begin(harness, &c);
	service_put_second(harness, &c);
	for (__u16 i = 0; i < 32; i++)
		assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT + i, TCP_ACK), first[i]);
}

static void pushed_out(struct harness *harness)
{
	service_for_both(harness, pushed_out_of);
}

/* ---- ports of the node ---- */

static void one_port(struct node_config *config)
{
	config->nat_port_min = config->nat_port_max = CLIENT_PORT;
}

static void expect_forgotten(struct harness *harness, const struct service_connection *c,
			     bool is_forgotten)
{
	struct frame_spec front = service_asked(c, 0), back = service_asked_backend(c, 0);
	struct ct_entry entry;
	struct ct_key key;

	assert_int_equal(service_get_entry(harness, &front, &entry), !is_forgotten);
	assert_int_equal(harness_get_ct(harness, &back, &key, &entry), !is_forgotten);
}

static void exhausted_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_client(w, IPPROTO_TCP);
	struct service_connection second = c;
	struct leg leg = {.program = TO_NETDEV, .mark = MARK_SENT_ON};

	service_begin(harness, &c);
	second.client = w->world;
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	assert_int_equal(service_sent_to(harness, &second, CLIENT_PORT, TCP_SYN), 70);
	leg.in = service_asked_backend(&c, TCP_SYN);
	leg.out =
		service_packet(IPPROTO_TCP, w->node, CLIENT_PORT, w->remote, BACKEND_PORT, TCP_SYN);
	service_leg(harness, &leg);
	leg.in = service_asked_backend(&second, TCP_SYN);
	leg.drop = DROP_NO_MAPPING_FOR_NAT_MASQUERADE;
	expect_forgotten(harness, &second, false);
	service_leg(harness, &leg);
	/* It takes no room from those that live. */
	expect_forgotten(harness, &second, true);
	expect_forgotten(harness, &c, false);
	/* Nor is a port taken that is a service's. */
	service_begin(harness, &c);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	service_put_front(harness, &(struct service_front){.service = 8,
							   .addr = w->node,
							   .port = CLIENT_PORT,
							   .protocol = IPPROTO_TCP});
	leg.in = service_asked_backend(&c, TCP_SYN);
	service_leg(harness, &leg);
}

static void exhausted(struct harness *harness)
{
	service_for_both(harness, exhausted_of);
}

/* Of a pod, to a back end outside: straight, and through the service. */
static void exhausted_pod_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_client(w, IPPROTO_TCP);
	const struct service_connection pod = service_from_a(w, IPPROTO_TCP);
	struct leg leg = {.program = TO_NETDEV, .mark = MARK_SENT_ON};
	struct ct_entry entry;
	struct ct_key key;

	service_begin(harness, &c);
	service_put_front(harness, &(struct service_front){.service = 7,
							   .addr = pod.front,
							   .port = pod.front_port,
							   .protocol = IPPROTO_TCP});
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	leg.in = service_asked_backend(&c, TCP_SYN);
	leg.out =
		service_packet(IPPROTO_TCP, w->node, CLIENT_PORT, w->remote, BACKEND_PORT, TCP_SYN);
	service_leg(harness, &leg);
	leg = (struct leg){.program = TO_NETDEV, .drop = DROP_NO_MAPPING_FOR_NAT_MASQUERADE};
	leg.in = service_packet(IPPROTO_TCP, w->a, CLIENT_PORT, w->remote, BACKEND_PORT, TCP_SYN);
	service_leg(harness, &leg);
	assert_false(harness_get_ct(harness, &leg.in, &key, &entry));
	assert_int_equal(service_sent_to(harness, &pod, CLIENT_PORT, TCP_SYN), 70);
	expect_forgotten(harness, &pod, false);
	leg.mark = MARK_SENT_ON;
	service_leg(harness, &leg);
	expect_forgotten(harness, &pod, true);
	expect_forgotten(harness, &c, false);
}

static void exhausted_pod(struct harness *harness)
{
	service_for_both(harness, exhausted_pod_of);
}

static void sctp_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_a(w, IPPROTO_SCTP);

	service_begin(harness, &c);
	service_put_backend(harness, 7, IPPROTO_SCTP,
			    &(struct service_backend){.id = 70, .addr = w->remote});
	service_leg(harness, &(struct leg){.in = service_asked(&c, 0),
					   .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE});
}

static void sctp(struct harness *harness)
{
	service_for_both(harness, sctp_of);
}

static const struct scenario scenarios[] = {
	{"services: a back end goes", NULL, removal},
	{"services: a client's port is used again", NULL, ports},
	{"services: another connection to the back end", NULL, collision},
	{"services: timeouts", NULL, timeouts},
	{"services: a forgotten connection", NULL, forgotten},
	{"services: connections that were pushed out", NULL, pushed_out},
	{"services: no port is left", one_port, exhausted},
	{"services: no port is left for a pod", one_port, exhausted_pod},
	{"services: SCTP keeps its port", NULL, sctp},
};

const struct scenario_group service_keep_scenarios = SCENARIOS(scenarios);
