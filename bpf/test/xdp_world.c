/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/xdp_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT         80
#define BACKEND_PORT 8080

static const char *const set_up[] = {
	"ip link set node address " NODE_MAC,
	"ip neigh replace 192.0.2.254 lladdr " GATEWAY_MAC " dev node nud permanent",
	"ip neigh replace 2001:db8::fe lladdr " GATEWAY_MAC " dev node nud permanent",
	"ip link set pod_b address 02:00:00:00:fe:03",
	"ip addr replace 203.0.114.1/24 dev pod_b",
	"ip addr replace fd14::1/64 dev pod_b nodad",
	"ip neigh replace 203.0.114.2 lladdr 02:00:00:00:fe:04 dev pod_b nud permanent",
	"ip neigh replace fd14::2 lladdr 02:00:00:00:fe:04 dev pod_b nud permanent",
	"ip route replace 203.0.115.0/24 via 192.0.2.253",
	"ip -6 route replace fd15::/64 via 2001:db8::fd",
};

static void put(struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		abort();
}

void xdp_world_init(void)
{
	static bool done;

	for (size_t i = 0; !done && i < sizeof(set_up) / sizeof(set_up[0]); i++)
		if (system(set_up[i]))
			abort();
	done = true;
}

static void put_device(struct harness *harness, __u32 ifindex, const char *addr4, const char *addr6)
{
	struct device_info device = {.masquerade4 = harness_addr(addr4),
				     .masquerade6 = harness_addr(addr6),
				     .addr4 = harness_addr(addr4),
				     .addr6 = harness_addr(addr6),
				     .mtu = 1500,
				     .flags = DEVICE_F_XDP};

	put(harness->skel->maps.cilium_devices, &ifindex, &device);
}

static void put_backend(struct harness *harness, __u32 id, const char *addr, __u8 protocol,
			__u8 flags)
{
	const struct lb_backend backend = {
		.addr = harness_addr(addr),
		.port = htons(BACKEND_PORT),
		.protocol = protocol,
		.flags = LB_BACKEND_F_IN_ALL | flags,
		.service = id - XDP_WORLD_BACKEND + XDP_WORLD_SERVICE,
	};

	put(harness->skel->maps.cilium_lb_backends, &id, &backend);
}

/* Services by family and protocol: four of them. */
static __u32 number_of(bool ipv6, __u8 protocol)
{
	return ipv6 * 2 + (protocol == IPPROTO_UDP);
}

static void put_service(struct harness *harness, const char *vip, __u8 protocol, __u16 flags)
{
	__u32 number = number_of(strchr(vip, ':'), protocol);
	const struct lb_frontend_key key = {
		.addr = harness_addr(vip), .port = htons(PORT), .protocol = protocol};
	const struct lb_frontend frontend = {
		.id = 1 + number,
		.service = XDP_WORLD_SERVICE + number,
		.flags = flags,
		.type = LB_TYPE_LOAD_BALANCER,
		.algorithm = LB_ALGORITHM_RANDOM,
	};
	__u32 set = LB_SET(frontend.service, 0);
	const struct lb_set one = {.n_slots = 1};
	const struct lb_slot_key slot_key = {.set = set};
	const struct lb_slot slot = {.backend = XDP_WORLD_BACKEND + number};

	put(harness->skel->maps.cilium_lb_slots, &slot_key, &slot);
	put(harness->skel->maps.cilium_lb_sets, &set, &one);
	put(harness->skel->maps.cilium_lb_services, &key, &frontend);
}

static void put_backends(struct harness *harness, const char *addr4, const char *addr6, __u8 flags)
{
	static const __u8 protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	for (size_t i = 0; i < 2; i++) {
		put_backend(harness, XDP_WORLD_BACKEND + number_of(false, protocols[i]), addr4,
			    protocols[i], flags);
		put_backend(harness, XDP_WORLD_BACKEND + number_of(true, protocols[i]), addr6,
			    protocols[i], flags);
	}
}

void xdp_world_put_service(struct harness *harness, __u16 flags, __u8 backend_flags)
{
	put_device(harness, IFINDEX_NODE, NODE4, NODE6);
	put_device(harness, IFINDEX_B, "203.0.114.1", "fd14::1");
	put_backends(harness, BACKEND4, BACKEND6, backend_flags);
	put_service(harness, VIP4, IPPROTO_TCP, flags);
	put_service(harness, VIP4, IPPROTO_UDP, flags);
	put_service(harness, VIP6, IPPROTO_TCP, flags);
	put_service(harness, VIP6, IPPROTO_UDP, flags);
}

void xdp_world_move_backend(struct harness *harness, const char *backend4, const char *backend6)
{
	put_backends(harness, backend4, backend6, 0);
}

void xdp_world_remove_backends(struct harness *harness)
{
	int sets = bpf_map__fd(harness->skel->maps.cilium_lb_sets);
	int backends = bpf_map__fd(harness->skel->maps.cilium_lb_backends);

	for (__u32 i = 0; i < 4; i++) {
		__u32 set = LB_SET(XDP_WORLD_SERVICE + i, 0), backend = XDP_WORLD_BACKEND + i;

		bpf_map_delete_elem(sets, &set);
		bpf_map_delete_elem(backends, &backend);
	}
}

static void put_nat(struct harness *harness, const struct frame_spec *spec, const char *backend,
		    __u16 port)
{
	const struct nat_key key = {
		.peer = harness_addr(backend),
		.addr = harness_addr(strchr(backend, ':') ? NODE6 : NODE4),
		.peer_port = htons(BACKEND_PORT),
		.port = htons(port),
		.protocol = spec->protocol,
	};
	const struct nat_entry entry = {.addr = harness_addr(spec->src),
					.port = htons(spec->sport)};

	put(harness->skel->maps.cilium_snat_external, &key, &entry);
}

void xdp_world_put_connection(struct harness *harness, const struct frame_spec *spec, __u16 port)
{
	bool ipv6 = strchr(spec->src, ':');
	const char *backend = ipv6 ? BACKEND6 : BACKEND4;
	struct frame_spec to_backend = *spec;
	struct addr from = harness_addr(spec->src), to = harness_addr(backend);
	struct ct_key key;
	struct ct_entry old;
	struct ct_entry entry = {
		.expires = UINT32_MAX / 2,
		.flags = CT_F_SERVICE | CT_F_SEEN_NON_SYN | CT_F_SEEN_REPLY,
		.nat = CT_NAT_SOURCE,
		.nat_addr = harness_addr(ipv6 ? NODE6 : NODE4),
		.nat_port = htons(port),
		.service_addr = harness_addr(spec->dst),
		.service_port = htons(spec->dport),
	};

	to_backend.dst = backend;
	to_backend.dport = BACKEND_PORT;
	if (memcmp(&from, &to, sizeof(from)) > 0)
		entry.flags |= CT_F_INITIATOR_1;
	harness_get_ct(harness, &to_backend, &key, &old);
	harness_put_ct(harness, &key, &entry);
	put_nat(harness, spec, backend, port);
}

struct run xdp_world_run(struct harness *harness, const struct frame *frame, __u32 ifindex)
{
	struct xdp_md md = {.data_end = frame->n_bytes, .ingress_ifindex = ifindex};
	struct run run = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->n_bytes,
		    .data_out = run.out.data, .data_size_out = sizeof(run.out.data), .ctx_in = &md,
		    .ctx_size_in = sizeof(md), .repeat = 1);

	harness_soil(harness);
	if (bpf_prog_test_run_opts(bpf_program__fd(harness->skel->progs.cil_xdp_entry), &opts)) {
		perror("running cil_xdp_entry");
		abort();
	}
	run.verdict = opts.retval;
	run.out.n_bytes = opts.data_size_out;
	return run;
}
