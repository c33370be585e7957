/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/service_world.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

const struct service_addrs service_addrs[2] = {
	{
		.a = A4,
		.b = B4,
		.node = NODE4,
		.host = HOST4,
		.other_node = "192.0.2.77",
		.world = WORLD4,
		.client = "203.0.115.9",
		.remote = "10.0.9.30",
		.remote2 = "10.0.9.31",
		.cluster = "10.96.0.10",
		.balancer = "172.30.0.10",
		.loopback = LOOPBACK4,
		.any = "0.0.0.0",
	},
	{
		.a = A6,
		.b = B6,
		.node = NODE6,
		.host = HOST6,
		.other_node = "2001:db8::77",
		.world = WORLD6,
		.client = "2001:db8:c::9",
		.remote = "fd09::30",
		.remote2 = "fd09::31",
		.cluster = "fd96::10",
		.balancer = "fd30::10",
		.loopback = LOOPBACK6,
		.any = "::",
		.ipv6 = true,
	},
};

void service_world_routes(void)
{
	static const char *const commands[] = {
		"ip neigh replace 192.0.2.253 lladdr 02:00:00:00:09:09 dev node nud permanent",
		"ip neigh replace 2001:db8::fd lladdr 02:00:00:00:09:09 dev node nud permanent",
		"ip route replace 10.0.9.0/24 via 192.0.2.253",
		"ip route replace 203.0.115.0/24 via 192.0.2.253",
		"ip -6 route replace fd09::/64 via 2001:db8::fd",
		"ip -6 route replace 2001:db8:c::/64 via 2001:db8::fd",
		"ip route replace 10.0.8.0/24 via 192.0.2.253 mtu lock 1000",
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_int_equal(system(commands[i]), 0);
}

static void put(struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

static void empty(struct bpf_map *map)
{
	char key[64];

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

void service_world_clear(struct harness *harness)
{
	empty(harness->skel->maps.cilium_lb_services);
	empty(harness->skel->maps.cilium_lb_sets);
	empty(harness->skel->maps.cilium_lb_slots);
	empty(harness->skel->maps.cilium_lb_backends);
	empty(harness->skel->maps.cilium_lb_maglev);
	empty(harness->skel->maps.cilium_lb_source_range);
	empty(harness->skel->maps.cilium_lb_affinity);
	empty(harness->skel->maps.cilium_skip_lb);
}

void service_put_front(struct harness *harness, const struct service_front *front)
{
	const struct lb_frontend_key key = {
		.addr = harness_addr(front->addr),
		.port = htons(front->port),
		.protocol = front->protocol,
	};
	const struct lb_frontend value = {
		.id = front->service,
		.service = front->service,
		.affinity_timeout = front->affinity,
		.flags = front->flags,
		.type = front->type ? front->type : LB_TYPE_CLUSTER_IP,
		.algorithm = front->algorithm ? front->algorithm : LB_ALGORITHM_RANDOM,
	};

	put(harness->skel->maps.cilium_lb_services, &key, &value);
}

void service_put_wildcard(struct harness *harness, const char *addr, __u16 flags)
{
	service_put_front(harness, &(struct service_front){
					   .addr = addr, .flags = LB_FRONTEND_F_WILDCARD | flags});
}

void service_put_backend(struct harness *harness, __u32 service, __u8 protocol,
			 const struct service_backend *backend)
{
	const struct lb_backend value = {
		.addr = harness_addr(backend->addr),
		.port = htons(backend->port ? backend->port : BACKEND_PORT),
		.protocol = protocol,
		.state = backend->state,
		.flags = backend->is_away ? 0 : LB_BACKEND_F_IN_ALL | LB_BACKEND_F_IN_LOCAL,
		.service = service,
	};

	put(harness->skel->maps.cilium_lb_backends, &backend->id, &value);
}

void service_put_set(struct harness *harness, __u32 set, const __u32 *ids, __u32 n_ids)
{
	const struct lb_set value = {.n_slots = n_ids};

	for (__u32 i = 0; i < n_ids; i++) {
		const struct lb_slot_key key = {.set = set, .slot = i};
		const struct lb_slot slot = {.backend = ids[i]};

		put(harness->skel->maps.cilium_lb_slots, &key, &slot);
	}
	if (n_ids)
		put(harness->skel->maps.cilium_lb_sets, &set, &value);
	else
		bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_lb_sets), &set);
}

void service_put(struct harness *harness, const struct service_front *front,
		 const struct service_backend *backend)
{
	service_put_backend(harness, front->service, front->protocol, backend);
	service_put_set(harness, LB_SET(front->service, 0), &backend->id, 1);
	service_put_set(harness, LB_SET(front->service, 1), &backend->id, 1);
	service_put_front(harness, front);
}

void service_remove_backend(struct harness *harness, __u32 id)
{
	assert_int_equal(
		bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_lb_backends), &id), 0);
}

static int ct_map_of(struct harness *harness, __u8 protocol)
{
	return bpf_map__fd(protocol == IPPROTO_TCP ? harness->skel->maps.cilium_ct_tcp_global
						   : harness->skel->maps.cilium_ct_any_global);
}

static struct ct_key entry_key(struct harness *harness, const struct frame_spec *spec)
{
	struct ct_entry entry;
	struct ct_key key;

	harness_get_ct(harness, spec, &key, &entry);
	key.kind = CT_KIND_SERVICE;
	return key;
}

bool service_get_entry(struct harness *harness, const struct frame_spec *spec,
		       struct ct_entry *ret_entry)
{
	const struct ct_key key = entry_key(harness, spec);

	return !bpf_map_lookup_elem(ct_map_of(harness, spec->protocol), &key, ret_entry);
}

void service_forget_entry(struct harness *harness, const struct frame_spec *spec)
{
	const struct ct_key key = entry_key(harness, spec);

	bpf_map_delete_elem(ct_map_of(harness, spec->protocol), &key);
}

struct frame_spec service_packet(__u8 protocol, const char *src, __u16 sport, const char *dst,
				 __u16 dport, __u8 tcp_flags)
{
	return (struct frame_spec){
		.src = src,
		.dst = dst,
		.protocol = protocol,
		.sport = sport,
		.dport = dport,
		.tcp_flags = protocol == IPPROTO_TCP ? tcp_flags : 0,
		.n_payload = 13,
	};
}

struct run service_leg(struct harness *harness, const struct leg *leg)
{
	const struct step step = {
		.program = leg->program,
		.ifindex = leg->ifindex,
		.mark = leg->mark,
		.gso_size = leg->gso_size,
		.in = leg->in,
		.out = leg->out,
		.verdict = leg->verdict,
		.drop = leg->drop,
	};

	return step_run(&step);
}

/* SCTP keeps its port. */
static __u16 backend_port(__u8 protocol, __u16 port)
{
	return protocol == IPPROTO_SCTP ? port : BACKEND_PORT;
}

__u16 service_backend_port(const struct service_connection *c)
{
	return backend_port(c->protocol, c->front_port);
}

void service_begin(struct harness *harness, const struct service_connection *c)
{
	const struct service_front front = {
		.service = 7,
		.addr = c->front,
		.port = c->front_port,
		.protocol = c->protocol,
		.type = c->type,
		.flags = c->flags,
	};
	const struct service_backend backend = {
		.id = 70, .addr = c->backend, .port = service_backend_port(c)};

	harness_reset(harness);
	service_world_clear(harness);
	service_put(harness, &front, &backend);
}

/* The packet as its client sends it, and as its back end gets it. */
struct frame_spec service_asked(const struct service_connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->client, CLIENT_PORT, c->front, c->front_port, flags);
}

struct frame_spec service_asked_backend(const struct service_connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->client, CLIENT_PORT, c->backend,
			      service_backend_port(c), flags);
}

/* And the other way. */
struct frame_spec service_answered(const struct service_connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->backend, service_backend_port(c), c->client,
			      CLIENT_PORT, flags);
}

struct frame_spec service_answered_front(const struct service_connection *c, __u8 flags)
{
	return service_packet(c->protocol, c->front, c->front_port, c->client, CLIENT_PORT, flags);
}

struct frame_spec service_hop(struct frame_spec spec)
{
	spec.ttl = 63;
	return spec;
}

struct frame_spec service_into_a(struct frame_spec spec)
{
	spec.dst_mac = MAC_A;
	spec.src_mac = MAC_A_NODE;
	spec.ttl = 63;
	return spec;
}

struct frame_spec service_into_b(struct frame_spec spec)
{
	spec.dst_mac = MAC_B;
	spec.src_mac = MAC_B_NODE;
	spec.ttl = 63;
	return spec;
}

/* What both entries of the connection say, and that is all there is. */
void service_check_entries(struct harness *harness, const struct service_connection *c, __u16 flags)
{
	struct frame_spec front = service_asked(c, 0), back = service_asked_backend(c, 0);
	struct addr front_addr = harness_addr(c->front), back_addr = harness_addr(c->backend);
	struct ct_entry entry;
	struct ct_key key;

	assert_true(service_get_entry(harness, &front, &entry));
	assert_int_equal(entry.backend, 70);
	assert_int_equal(ntohs(entry.service_port), service_backend_port(c));
	assert_memory_equal(&entry.service_addr, &back_addr, sizeof(back_addr));
	assert_true(harness_get_ct(harness, &back, &key, &entry));
	assert_int_equal(entry.flags & (CT_F_SERVICE | CT_F_DSR | CT_F_LOOPBACK), flags);
	assert_int_equal(entry.backend, 70);
	assert_int_equal(ntohs(entry.service_port), c->front_port);
	assert_memory_equal(&entry.service_addr, &front_addr, sizeof(front_addr));
}

struct service_connection service_from_a(const struct service_addrs *w, __u8 protocol)
{
	return (struct service_connection){
		.w = w,
		.protocol = protocol,
		.client = w->a,
		.front = w->cluster,
		.front_port = SERVICE_PORT,
		.backend = w->remote,
	};
}

struct service_connection service_from_client(const struct service_addrs *w, __u8 protocol)
{
	return (struct service_connection){
		.w = w,
		.protocol = protocol,
		.client = w->client,
		.front = w->balancer,
		.front_port = SERVICE_PORT,
		.backend = w->remote,
		.type = LB_TYPE_LOAD_BALANCER,
		.flags = LB_FRONTEND_F_EXTERNAL,
	};
}

/* Behind the service stands another back end too, 71. */
void service_put_second(struct harness *harness, const struct service_connection *c)
{
	const struct service_backend second = {.id = 71, .addr = c->w->remote2};

	service_put_backend(harness, 7, c->protocol, &second);
	service_put_set(harness, LB_SET(7, 0), (const __u32[]){70, 71}, 2);
}

void service_put_front_again(struct harness *harness, const struct service_connection *c,
			     __u16 flags, __u32 affinity, __u8 algorithm)
{
	const struct service_front front = {
		.service = 7,
		.addr = c->front,
		.port = c->front_port,
		.protocol = c->protocol,
		.type = c->type,
		.flags = c->flags | flags,
		.affinity = affinity,
		.algorithm = algorithm,
	};

	service_put_front(harness, &front);
}

/* The back end of a packet of the connection from that port, or 0: it was not sent on. */
__u32 service_sent_to(struct harness *harness, const struct service_connection *c, __u16 port,
		      __u8 flags)
{
	struct frame_spec spec = service_asked(c, flags);
	bool is_pod = c->client == c->w->a;
	struct ct_entry entry;
	struct frame frame;
	struct run run;

	spec.sport = port;
	frame_build(&frame, &spec);
	run = harness_run(harness, is_pod ? FROM_CONTAINER : FROM_NETDEV, &frame,
			  is_pod ? IFINDEX_A : IFINDEX_NODE, 0, 0);
	if (run.verdict != TC_ACT_REDIRECT || !service_get_entry(harness, &spec, &entry))
		return 0;
	/* What the entry says is where the packet went. */
	for (__u32 id = 70; id <= 71; id++) {
		struct addr addr = harness_addr(id == 70 ? c->w->remote : c->w->remote2);
		size_t off = 14 + (c->w->ipv6 ? 24 : 16), n_bytes = c->w->ipv6 ? 16 : 4;

		if (!memcmp(run.out.data + off, addr.bytes + 16 - n_bytes, n_bytes)) {
			assert_int_equal(entry.backend, id);
			return id;
		}
	}
	return 0;
}

void service_for_both(struct harness *harness,
		      void (*run)(struct harness *harness, const struct service_addrs *w))
{
	service_world_routes();
	for (int i = 0; i < 2; i++)
		run(harness, &service_addrs[i]);
}
