/* SPDX-License-Identifier: Apache-2.0 */
/* Services: who may, and who serves. */
#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "bpf/test/service_world.h"

#define MAGLEV_SIZE 251

/* ---- who may ---- */

static void put_range(struct harness *harness, const char *addr, __u32 n_bits)
{
	struct lb_source_range_key key = {.prefix_len = LB_SOURCE_RANGE_BITS + n_bits,
					  .service = 7};
	const struct lb_source_range range = {};
	struct addr bytes = harness_addr(addr);

	memcpy(&key.addr, &bytes, sizeof(bytes));
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_lb_source_range), &key,
				    &range, BPF_ANY),
		0);
}

static void admission_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_client(w, IPPROTO_TCP);
	const __u32 n_bits = w->ipv6 ? 64 : 96 + 24;
	struct leg leg = {.program = FROM_NETDEV, .in = service_asked(&c, TCP_SYN)};
	struct ct_entry entry;

	c.flags = 0;
	service_begin(harness, &c);
	leg.drop = DROP_IS_A_CLUSTERIP;
	service_leg(harness, &leg);
	service_put_front_again(harness, &c, LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_SOURCE_RANGES,
				0, 0);
	leg.drop = DROP_DENIED_BY_LB_SRC_RANGE_CHECK;
	service_leg(harness, &leg);
	put_range(harness, w->client, n_bits);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	/* Also of a connection that is there. */
	service_put_front_again(harness, &c,
				LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_SOURCE_RANGES |
					LB_FRONTEND_F_DENY_RANGES,
				0, 0);
	leg.in = service_asked(&c, TCP_ACK);
	service_leg(harness, &leg);
	service_world_clear(harness);
	/* A pod's address does not come from outside; nor is a link's sent on. */
	c.flags = LB_FRONTEND_F_EXTERNAL;
	service_begin(harness, &c);
	leg.in.src = w->a;
	leg.drop = DROP_INVALID_SOURCE_IP;
	service_leg(harness, &leg);
	assert_false(service_get_entry(harness, &leg.in, &entry));
	leg.in.src = w->ipv6 ? "fe80::1" : "0.0.0.1";
	leg.drop = 0;
	service_leg(harness, &leg);
	assert_false(service_get_entry(harness, &leg.in, &entry));
	/* Pods may, whatever the ranges are. */
	c.client = w->a;
	service_put_front_again(harness, &c, LB_FRONTEND_F_SOURCE_RANGES, 0, 0);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
}

static void admission(struct harness *harness)
{
	service_for_both(harness, admission_of);
}

static void skips_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_a(w, IPPROTO_UDP);
	struct lb_skip_key key = {
		.addr = harness_addr(w->cluster),
		.port = htons(SERVICE_PORT),
		.protocol = IPPROTO_UDP,
		.endpoint = ENDPOINT_A,
	};
	const struct lb_skip skip = {};
	int fd = bpf_map__fd(harness->skel->maps.cilium_skip_lb);

	c.type = LB_TYPE_LOCAL_REDIRECT;
	service_begin(harness, &c);
	assert_int_equal(bpf_map_update_elem(fd, &key, &skip, BPF_ANY), 0);
	/* To the default route, whose neighbour is not known: to the stack. */
	service_leg(harness, &(struct leg){.in = service_asked(&c, 0),
					   .out = service_hop(service_asked(&c, 0)),
					   .verdict = TC_ACT_REDIRECT});
	assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, 0), 70);
}

static void skips(struct harness *harness)
{
	service_for_both(harness, skips_of);
}

/* A node port on another node's address. */
static void other_nodes_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_a(w, IPPROTO_TCP);
	const struct ipcache_key key = {harness_addr(w->other_node)};
	const struct ipcache_info info = {.identity = 6, .flags = IPCACHE_F_REMOTE_NODE};
	struct service_front front = {.service = 7,
				      .addr = w->any,
				      .port = SERVICE_NODEPORT,
				      .protocol = IPPROTO_TCP,
				      .type = LB_TYPE_NODE_PORT,
				      .flags = LB_FRONTEND_F_EXTERNAL};

	c.type = LB_TYPE_NODE_PORT;
	c.front = w->other_node;
	c.front_port = SERVICE_NODEPORT;
	service_begin(harness, &c);
	service_world_clear(harness);
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_ipcache), &key, &info, BPF_ANY);
	service_put(harness, &front, &(struct service_backend){.id = 70, .addr = w->remote});
	assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	/* Who is local there is not for this node to say. */
	front.flags |= LB_FRONTEND_F_EXTERNAL_LOCAL;
	service_put_front(harness, &front);
	service_leg(harness, &(struct leg){.in = service_asked(&c, TCP_SYN),
					   .out = service_hop(service_asked(&c, TCP_SYN)),
					   .verdict = TC_ACT_REDIRECT});
	/* An address outside is no node's. */
	front.flags = 0;
	service_put_front(harness, &front);
	c.front = w->world;
	service_leg(harness, &(struct leg){.in = service_asked(&c, TCP_SYN),
					   .out = service_hop(service_asked(&c, TCP_SYN)),
					   .verdict = TC_ACT_REDIRECT});
}

static void other_nodes(struct harness *harness)
{
	service_for_both(harness, other_nodes_of);
}

/* ---- who serves ---- */

static void algorithms_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_client(w, IPPROTO_TCP);
	struct lb_maglev_key key = {.set = LB_SET(7, 0)};
	struct lb_maglev_chunk chunk = {};
	__u32 n_first = 0, id;

	service_begin(harness, &c);
	service_put_second(harness, &c);
	for (__u16 port = 1; port <= 64; port++)
		n_first += service_sent_to(harness, &c, port, TCP_SYN) == 70;
	assert_in_range(n_first, 10, 54); /* the seeds are given: the same in each run */
	/* The table says who, not the slots; the same for the same packet. */
	service_put_front_again(harness, &c, 0, 0, LB_ALGORITHM_MAGLEV);
	for (int i = 0; i < MAGLEV_SIZE; i++)
		chunk.backends[i] = 71;
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_lb_maglev), &key, &chunk,
			    BPF_ANY);
	for (__u16 port = 101; port <= 132; port++)
		assert_int_equal(service_sent_to(harness, &c, port, TCP_SYN), 71);
	for (int i = 0; i < MAGLEV_SIZE; i++)
		chunk.backends[i] = 70 + i % 2;
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_lb_maglev), &key, &chunk,
			    BPF_ANY);
	n_first = 0;
	for (__u16 port = 201; port <= 264; port++) {
		struct frame_spec spec = service_asked(&c, 0);

		id = service_sent_to(harness, &c, port, TCP_SYN);
		n_first += id == 70;
		spec.sport = port;
		service_forget_entry(harness, &spec);
		assert_int_equal(service_sent_to(harness, &c, port, TCP_SYN), id);
	}
	assert_in_range(n_first, 10, 54);
	/* With affinity every connection of a client has the same place. */
	service_put_front_again(harness, &c, 0, 60, LB_ALGORITHM_MAGLEV);
	id = service_sent_to(harness, &c, 301, TCP_SYN);
	for (__u16 port = 302; port <= 316; port++)
		assert_int_equal(service_sent_to(harness, &c, port, TCP_SYN), id);
}

static void algorithms(struct harness *harness)
{
	service_for_both(harness, algorithms_of);
}

static void affinity_of(struct harness *harness, const struct service_addrs *w)
{
	const struct service_connection c = service_from_a(w, IPPROTO_UDP);
	struct lb_affinity_key key = {.client = harness_addr(w->a), .service = 7};
	struct lb_affinity affinity;
	int fd = bpf_map__fd(harness->skel->maps.cilium_lb_affinity);
	__u32 id, n_others = 0;

	service_begin(harness, &c);
	service_put_second(harness, &c);
	service_put_front_again(harness, &c, 0, 60, LB_ALGORITHM_RANDOM);
	id = service_sent_to(harness, &c, 1, 0);
	for (__u16 port = 2; port <= 32; port++)
		assert_int_equal(service_sent_to(harness, &c, port, 0), id);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &affinity), 0);
	assert_int_equal(affinity.backend, id);
	/* Too long ago. */
	for (__u16 port = 101; port <= 132; port++) {
		affinity.backend = 70;
		affinity.last_used -= 62;
		assert_int_equal(bpf_map_update_elem(fd, &key, &affinity, BPF_ANY), 0);
		n_others += service_sent_to(harness, &c, port, 0) == 71;
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &affinity), 0);
	}
	assert_in_range(n_others, 1, 31);
	/* Who is gone has nobody. */
	affinity.backend = 71;
	assert_int_equal(bpf_map_update_elem(fd, &key, &affinity, BPF_ANY), 0);
	service_put_set(harness, LB_SET(7, 0), (const __u32[]){70}, 1);
	service_remove_backend(harness, 71);
	assert_int_equal(service_sent_to(harness, &c, 200, 0), 70);
}

static void affinity(struct harness *harness)
{
	service_for_both(harness, affinity_of);
}

/* ---- nobody serves ---- */

/* The answer to a packet, from who was asked to who asked. */
static struct frame_spec unreachable(const struct frame_spec *spec)
{
	bool ipv6 = strchr(spec->src, ':');

	return (struct frame_spec){
		.src_mac = MAC_A_NODE, /* turned round */
		.dst_mac = MAC_A,
		.src = spec->dst,
		.dst = spec->src,
		.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.type = ipv6 ? 1 : 3,
		.code = ipv6 ? 4 : 3,
		.tos = ipv6 ? 0 : 0xc0,
		.dont_fragment = !ipv6,
		.inner = spec,
	};
}

static void refused(struct harness *harness, enum test_program program,
		    const struct frame_spec *spec)
{
	enum metric_dir dir = program == FROM_CONTAINER ? METRIC_DIR_EGRESS : METRIC_DIR_INGRESS;
	__u64 n_drops = harness_metric(harness, DROP_SERVICE_BACKEND_NOT_FOUND, dir);
	struct leg leg = {.program = program, .in = *spec};

	if (harness->config.reject_without_backend) {
		leg.out = unreachable(spec);
		leg.verdict = TC_ACT_REDIRECT;
	} else {
		leg.drop = DROP_SERVICE_BACKEND_NOT_FOUND;
	}
	service_leg(harness, &leg);
	assert_int_equal(harness_metric(harness, DROP_SERVICE_BACKEND_NOT_FOUND, dir), n_drops + 1);
}

static void nobody_of(struct harness *harness, const struct service_addrs *w)
{
	static const __u8 protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct service_connection c;
	struct frame_spec spec;

	for (size_t i = 0; i < sizeof(protocols); i++) {
		c = service_from_a(w, protocols[i]);
		service_begin(harness, &c);
		service_put_set(harness, LB_SET(7, 0), NULL, 0);
		service_put_wildcard(harness, c.front, LB_FRONTEND_F_EXTERNAL);
		spec = service_asked(&c, TCP_SYN);
		refused(harness, FROM_CONTAINER, &spec);
		/* A port that is no service's. */
		spec.dport++;
		refused(harness, FROM_CONTAINER, &spec);
		c = service_from_client(w, protocols[i]);
		c.flags |= LB_FRONTEND_F_EXTERNAL_LOCAL;
		service_begin(harness, &c);
		service_put_set(harness, LB_SET(7, 1), NULL, 0);
		service_put_wildcard(harness, c.front, LB_FRONTEND_F_EXTERNAL);
		spec = service_asked(&c, TCP_SYN);
		refused(harness, FROM_NETDEV, &spec);
		spec.dport++;
		refused(harness, FROM_NETDEV, &spec);
		/* Only for clients outside. */
		c.client = w->a;
		if (protocols[i] != IPPROTO_SCTP)
			assert_int_equal(service_sent_to(harness, &c, CLIENT_PORT, TCP_SYN), 70);
	}
}

static void nobody(struct harness *harness)
{
	service_for_both(harness, nobody_of);
}

/* ---- floods ---- */

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Until when no CPU has made up for the errors that it has sent. */
static void put_even(struct harness *harness, __u64 even_ns)
{
	__u64 values[CPUS_MAX];
	__u32 zero = 0;

	for (int i = 0; i < CPUS_MAX; i++)
		values[i] = even_ns;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(harness->skel->maps.reject_even_ns), &zero,
					     values, BPF_ANY),
			 0);
}

/* Whether a packet that nobody serves is answered; it is dropped and counted anyway. */
static bool is_answered(struct harness *harness, const struct frame_spec *spec)
{
	__u64 n_drops = harness_metric(harness, DROP_SERVICE_BACKEND_NOT_FOUND, METRIC_DIR_INGRESS);
	struct frame frame;
	struct run run;

	frame_build(&frame, spec);
	run = harness_run(harness, FROM_NETDEV, &frame, IFINDEX_NODE, 0, 0);
	assert_true(run.verdict == TC_ACT_REDIRECT || run.verdict == TC_ACT_SHOT);
	assert_int_equal(
		harness_metric(harness, DROP_SERVICE_BACKEND_NOT_FOUND, METRIC_DIR_INGRESS),
		n_drops + 1);
	return run.verdict == TC_ACT_REDIRECT;
}

static void flood_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c = service_from_client(w, IPPROTO_TCP);
	__u64 n_answered = 0, started, n_elapsed_ms;
	struct frame_spec spec;
	cpu_set_t one, all;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	service_begin(harness, &c);
	service_put_set(harness, LB_SET(7, 0), NULL, 0);
	spec = service_asked(&c, TCP_SYN);
	put_even(harness, now_ns() + 60000000000);
	assert_false(is_answered(harness, &spec));
	put_even(harness, 0);
	started = now_ns();
	for (int i = 0; i < 300; i++) {
		bool answered = is_answered(harness, &spec);

		assert_true(answered || i >= 50);
		n_answered += answered;
	}
	n_elapsed_ms = (now_ns() - started) / 1000000;
	assert_true(n_answered <= 50 + n_elapsed_ms + 1);
	put_even(harness, 0);
	sched_setaffinity(0, sizeof(all), &all);
}

static void flood(struct harness *harness)
{
	service_for_both(harness, flood_of);
}

static void silent(struct node_config *config)
{
	config->reject_without_backend = 0;
}

static const struct scenario scenarios[] = {
	{"services: who may", NULL, admission},
	{"services: an endpoint that is not redirected", NULL, skips},
	{"services: node ports of other nodes", NULL, other_nodes},
	{"services: random and Maglev", NULL, algorithms},
	{"services: affinity", NULL, affinity},
	{"services: nobody serves, and it is said", NULL, nobody},
	{"services: nobody serves, and nothing is said", silent, nobody},
	{"services: a flood is not answered by another", NULL, flood},
};

const struct scenario_group service_choice_scenarios = SCENARIOS(scenarios);
