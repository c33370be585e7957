/* SPDX-License-Identifier: Apache-2.0 */
/* Services: ICMP errors, which carry a packet of the connection, both ways; and fragments. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/service_world.h"

#define MTU 1400

static const __u8 protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

/* "Fragmentation needed", or "packet too big", about inner. */
static struct frame_spec too_big(const char *src, const char *dst, const struct frame_spec *inner)
{
	bool ipv6 = strchr(src, ':');

	return (struct frame_spec){
		.src = src,
		.dst = dst,
		.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.type = ipv6 ? 2 : 3,
		.code = ipv6 ? 0 : 4,
		.dport = MTU,
		.inner = inner,
	};
}

/* Of 28 bytes of the inner packet, as old routers send it: no checksum of TCP is in it. */
static struct frame_spec cut(struct frame_spec spec)
{
	spec.n_inner = strchr(spec.src, ':') ? 48 : 28;
	return spec;
}

static struct service_connection connection(const struct service_addrs *w, __u8 protocol,
					    const char *client, const char *front, __u16 port,
					    const char *backend)
{
	return (struct service_connection){
		.w = w,
		.protocol = protocol,
		.client = client,
		.front = front,
		.front_port = port,
		.backend = backend,
		.type = LB_TYPE_NODE_PORT,
		.flags = LB_FRONTEND_F_EXTERNAL,
	};
}

/* One error on one leg: in about in_inner, out about out_inner. */
static void error_leg(struct harness *harness, struct leg leg, struct frame_spec in,
		      struct frame_spec out)
{
	leg.in = in;
	leg.out = out;
	service_leg(harness, &leg);
	leg.in = cut(in);
	leg.out = cut(out);
	service_leg(harness, &leg);
}

/* A router on the way to the back end, and the back end itself, complain to a. */
static void to_pod_client(struct harness *harness, const struct service_addrs *w, __u8 protocol)
{
	const struct service_connection c =
		connection(w, protocol, w->a, w->cluster, SERVICE_PORT, w->remote);
	const struct frame_spec inner = service_asked_backend(&c, TCP_ACK);
	const struct frame_spec told = service_asked(&c, TCP_ACK);

	service_begin(harness, &c);
	service_leg(harness, &(struct leg){.in = service_asked(&c, TCP_SYN),
					   .out = service_hop(service_asked_backend(&c, TCP_SYN)),
					   .verdict = TC_ACT_REDIRECT});
	error_leg(harness, (struct leg){.program = FROM_NETDEV, .verdict = TC_ACT_REDIRECT},
		  too_big(w->world, w->a, &inner), service_into_a(too_big(w->world, w->a, &told)));
	error_leg(harness, (struct leg){.program = FROM_NETDEV, .verdict = TC_ACT_REDIRECT},
		  too_big(w->remote, w->a, &inner),
		  service_into_a(too_big(w->cluster, w->a, &told)));
	/* And the node's stack, to which the packet was too large. */
	error_leg(harness, (struct leg){.program = FROM_HOST, .verdict = TC_ACT_REDIRECT},
		  too_big(w->host, w->a, &inner), ({
			  struct frame_spec spec = service_into_a(too_big(w->host, w->a, &told));
			  spec.ttl = 0;
			  spec;
		  }));
}

/* a complains of an answer: to b, which is the back end. */
static void from_pod_client(struct harness *harness, const struct service_addrs *w, __u8 protocol)
{
	const struct service_connection c =
		connection(w, protocol, w->a, w->cluster, SERVICE_PORT, w->b);
	const struct frame_spec inner = service_answered_front(&c, TCP_ACK);
	const struct frame_spec told = service_answered(&c, TCP_ACK);

	service_begin(harness, &c);
	service_leg(harness,
		    &(struct leg){.in = service_asked(&c, TCP_SYN),
				  .out = service_into_b(service_asked_backend(&c, TCP_SYN)),
				  .verdict = TC_ACT_REDIRECT});
	error_leg(harness, (struct leg){.verdict = TC_ACT_REDIRECT},
		  too_big(w->a, w->cluster, &inner), service_into_b(too_big(w->a, w->b, &told)));
	/* Nothing is known of another port. */
	service_put_wildcard(harness, w->cluster, 0);
	{
		struct frame_spec other = inner;

		other.sport++;
		service_leg(harness, &(struct leg){.in = too_big(w->a, w->cluster, &other),
						   .drop = DROP_SERVICE_BACKEND_NOT_FOUND});
	}
}

/* a is its own back end, and complains of both. */
static void of_self(struct harness *harness, const struct service_addrs *w, __u8 protocol)
{
	const struct service_connection c =
		connection(w, protocol, w->a, w->cluster, SERVICE_PORT, w->a);
	const struct frame_spec stand_in =
		service_packet(protocol, w->loopback, CLIENT_PORT, w->a, BACKEND_PORT, TCP_SYN);
	const struct frame_spec asked = service_asked(&c, TCP_SYN);
	const struct frame_spec answer = service_packet(protocol, w->a, BACKEND_PORT, w->loopback,
							CLIENT_PORT, TCP_SYN | TCP_ACK);
	const struct frame_spec answered = service_answered_front(&c, TCP_SYN | TCP_ACK);

	service_begin(harness, &c);
	service_leg(harness, &(struct leg){.in = asked,
					   .out = service_into_a(stand_in),
					   .verdict = TC_ACT_REDIRECT});
	error_leg(harness, (struct leg){.verdict = TC_ACT_REDIRECT},
		  too_big(w->a, w->loopback, &stand_in),
		  service_into_a(too_big(w->cluster, w->a, &asked)));
	error_leg(harness, (struct leg){.verdict = TC_ACT_REDIRECT},
		  too_big(w->a, w->cluster, &answered),
		  service_into_a(too_big(w->loopback, w->a, &answer)));
}

/* A client outside, b as the back end: either complains, or a router does. */
static void of_node_port(struct harness *harness, const struct service_addrs *w, __u8 protocol)
{
	const struct service_connection c =
		connection(w, protocol, w->client, w->node, SERVICE_NODEPORT, w->b);
	const struct frame_spec asked = service_asked(&c, TCP_SYN);
	const struct frame_spec asked_backend = service_asked_backend(&c, TCP_SYN);
	const struct frame_spec answered = service_answered(&c, TCP_ACK);
	const struct frame_spec answered_front = service_answered_front(&c, TCP_ACK);

	service_begin(harness, &c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = asked,
					   .out = service_into_b(asked_backend),
					   .verdict = TC_ACT_REDIRECT});
	error_leg(harness, (struct leg){.program = FROM_NETDEV, .verdict = TC_ACT_REDIRECT},
		  too_big(w->world, w->node, &answered_front),
		  service_into_b(too_big(w->world, w->b, &answered)));
	error_leg(harness, (struct leg){.program = FROM_NETDEV, .verdict = TC_ACT_REDIRECT},
		  too_big(w->client, w->node, &answered_front),
		  service_into_b(too_big(w->client, w->b, &answered)));
	error_leg(harness, (struct leg){.program = TO_NETDEV, .mark = MARK_SENT_ON},
		  too_big(w->b, w->client, &asked_backend), too_big(w->node, w->client, &asked));
	/* The stack, to which an answer of the pod's was too large, tells the pod in its terms. */
	error_leg(
		harness,
		(struct leg){
			.program = FROM_HOST, .ifindex = IFINDEX_HOST, .verdict = TC_ACT_REDIRECT},
		too_big(w->host, w->b, &answered), ({
			struct frame_spec spec = service_into_b(too_big(w->host, w->b, &answered));
			spec.ttl = 0;
			spec;
		}));
}

/* A client outside, a back end outside. */
static void of_remote(struct harness *harness, const struct service_addrs *w, __u8 protocol)
{
	const struct service_connection c =
		connection(w, protocol, w->client, w->node, SERVICE_NODEPORT, w->remote);
	const struct frame_spec asked = service_asked(&c, TCP_SYN);
	const struct frame_spec asked_backend = service_asked_backend(&c, TCP_SYN);
	const struct frame_spec sent =
		service_packet(protocol, w->node, CLIENT_PORT, w->remote, BACKEND_PORT, TCP_SYN);
	const struct frame_spec answered = service_answered(&c, TCP_ACK);
	const struct frame_spec answered_front = service_answered_front(&c, TCP_ACK);
	const struct frame_spec back =
		service_packet(protocol, w->remote, BACKEND_PORT, w->node, CLIENT_PORT, TCP_ACK);
	const struct leg in = {.program = FROM_NETDEV, .verdict = TC_ACT_REDIRECT};
	const struct leg out = {.program = TO_NETDEV, .mark = MARK_SENT_ON};

	service_begin(harness, &c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = asked,
					   .out = service_hop(asked_backend),
					   .verdict = TC_ACT_REDIRECT});
	service_leg(harness, &(struct leg){.program = TO_NETDEV,
					   .mark = MARK_SENT_ON,
					   .in = asked_backend,
					   .out = sent});
	/* From the back end's side, a router first. */
	error_leg(harness, in, too_big(w->world, w->node, &sent),
		  service_hop(too_big(w->world, w->client, &asked_backend)));
	error_leg(harness, out, too_big(w->world, w->client, &asked_backend),
		  too_big(w->world, w->client, &asked));
	error_leg(harness, in, too_big(w->remote, w->node, &sent),
		  service_hop(too_big(w->remote, w->client, &asked_backend)));
	error_leg(harness, out, too_big(w->remote, w->client, &asked_backend),
		  too_big(w->node, w->client, &asked));
	/* From the node's stack. */
	error_leg(harness, (struct leg){.program = TO_NETDEV},
		  too_big(w->node, w->client, &asked_backend), too_big(w->node, w->client, &asked));
	/* From the client's side. */
	error_leg(harness, in, too_big(w->world, w->node, &answered_front),
		  service_hop(too_big(w->world, w->remote, &answered)));
	error_leg(harness, out, too_big(w->world, w->remote, &answered),
		  too_big(w->node, w->remote, &back));
}

static void errors(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof(protocols); j++) {
			to_pod_client(harness, &service_addrs[i], protocols[j]);
			from_pod_client(harness, &service_addrs[i], protocols[j]);
			of_self(harness, &service_addrs[i], protocols[j]);
			of_node_port(harness, &service_addrs[i], protocols[j]);
			of_remote(harness, &service_addrs[i], protocols[j]);
		}
	}
}

/* The stack's advice of a better way to the back end is no advice of one to the front end. */
static void redirects(struct harness *harness)
{
	const struct service_addrs *w = &service_addrs[0];
	const struct service_connection c =
		connection(w, IPPROTO_UDP, w->client, w->node, SERVICE_NODEPORT, w->remote);
	const struct frame_spec asked_backend = service_asked_backend(&c, 0);
	struct frame_spec redirect = too_big(w->node, w->client, &asked_backend);

	service_world_routes();
	service_begin(harness, &c);
	service_leg(harness, &(struct leg){.program = FROM_NETDEV,
					   .in = service_asked(&c, 0),
					   .out = service_hop(asked_backend),
					   .verdict = TC_ACT_REDIRECT});
	redirect.type = 5;
	redirect.code = 1;
	service_leg(harness, &(struct leg){.program = TO_NETDEV, .in = redirect});
}

/* ---- fragments ---- */

static struct frame_spec piece(struct frame_spec spec, __u16 off)
{
	spec.fragment_id = 77;
	spec.fragment_off = off;
	spec.more_fragments = !off;
	spec.n_payload = off ? 9 : 32;
	return spec;
}

/* Both pieces on one leg. */
static void pieces(struct harness *harness, struct leg leg)
{
	struct frame_spec in = leg.in, out = leg.out;

	for (__u16 off = 0; off <= 40; off += 40) {
		leg.in = piece(in, off);
		leg.out = piece(out, off);
		service_leg(harness, &leg);
	}
}

static void fragments_of(struct harness *harness, const struct service_addrs *w)
{
	struct service_connection c =
		connection(w, IPPROTO_UDP, w->a, w->cluster, SERVICE_PORT, w->b);

	service_begin(harness, &c);
	pieces(harness, (struct leg){.in = service_asked(&c, 0),
				     .out = service_into_b(service_asked_backend(&c, 0)),
				     .verdict = TC_ACT_REDIRECT});
	pieces(harness, (struct leg){.ifindex = IFINDEX_B,
				     .in = service_answered(&c, 0),
				     .out = service_into_a(service_answered_front(&c, 0)),
				     .verdict = TC_ACT_REDIRECT});
	c = connection(w, IPPROTO_UDP, w->client, w->node, SERVICE_NODEPORT, w->remote);
	service_begin(harness, &c);
	pieces(harness, (struct leg){.program = FROM_NETDEV,
				     .in = service_asked(&c, 0),
				     .out = service_hop(service_asked_backend(&c, 0)),
				     .verdict = TC_ACT_REDIRECT});
	pieces(harness, (struct leg){.program = TO_NETDEV,
				     .mark = MARK_SENT_ON,
				     .in = service_asked_backend(&c, 0),
				     .out = service_packet(IPPROTO_UDP, w->node, CLIENT_PORT,
							   w->remote, BACKEND_PORT, 0)});
	pieces(harness, (struct leg){.program = FROM_NETDEV,
				     .in = service_packet(IPPROTO_UDP, w->remote, BACKEND_PORT,
							  w->node, CLIENT_PORT, 0),
				     .out = service_hop(service_answered(&c, 0)),
				     .verdict = TC_ACT_REDIRECT});
	pieces(harness, (struct leg){.program = TO_NETDEV,
				     .mark = MARK_SENT_ON,
				     .in = service_answered(&c, 0),
				     .out = service_answered_front(&c, 0)});
}

static void fragments(struct harness *harness)
{
	service_world_routes();
	for (int i = 0; i < 2; i++)
		fragments_of(harness, &service_addrs[i]);
}

static const struct scenario scenarios[] = {
	{"services: ICMP errors, each way", NULL, errors},
	{"services: redirects stay as they are", NULL, redirects},
	{"services: fragments", NULL, fragments},
};

const struct scenario_group service_error_scenarios = SCENARIOS(scenarios);
