/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/nat_world.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_icmp(const struct frame_spec *spec)
{
	return spec->protocol == IPPROTO_ICMP || spec->protocol == IPPROTO_ICMPV6;
}

static struct nat_key nat_key_of(const struct frame_spec *spec, __u16 port)
{
	return (struct nat_key){
		.peer = harness_addr(spec->dst),
		.addr = harness_addr(strchr(spec->src, ':') ? NODE6 : NODE4),
		.peer_port = is_icmp(spec) ? 0 : htons(spec->dport),
		.port = htons(port),
		.protocol = spec->protocol,
	};
}

static void put_way_back(struct harness *harness, const struct frame_spec *spec, __u16 port,
			 const char *owner, __u32 generation)
{
	struct nat_key key = nat_key_of(spec, port);
	/* Tick 0 is long ago: jiffies start at a day's worth of them. */
	struct nat_entry entry = {
		.addr = harness_addr(owner), .port = htons(spec->sport), .generation = generation};

	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_snat_external), &key, &entry,
			    BPF_ANY);
}

void nat_world_put(struct harness *harness, const struct frame_spec *spec, __u16 port)
{
	struct ct_key key;
	struct ct_entry entry;
	struct addr source = harness_addr(spec->src);
	struct nat_key nat_key = nat_key_of(spec, port);
	bool side;

	harness_get_ct(harness, spec, &key, &entry);
	side = !memcmp(&key.addr[1], &source, sizeof(source));
	entry = (struct ct_entry){
		.expires = UINT32_MAX,
		.flags = CT_F_SEEN_NON_SYN | (side ? CT_F_INITIATOR_1 : 0),
		.nat = CT_NAT_SOURCE,
		.nat_addr = nat_key.addr,
		.nat_port = nat_key.port,
	};
	entry.generation[side] = 100;
	harness_put_ct(harness, &key, &entry);
	put_way_back(harness, spec, port, spec->src, 100);
}

__u16 nat_world_port(struct harness *harness, const struct frame_spec *spec)
{
	struct ct_key key;
	struct ct_entry entry;
	struct nat_key nat_key;
	struct nat_entry nat_entry;

	if (!harness_get_ct(harness, spec, &key, &entry) || entry.nat != CT_NAT_SOURCE)
		return 0;
	nat_key = nat_key_of(spec, ntohs(entry.nat_port));
	if (bpf_map_lookup_elem(bpf_map__fd(harness->skel->maps.cilium_snat_external), &nat_key,
				&nat_entry) ||
	    nat_entry.port != htons(spec->sport))
		return 0;
	return ntohs(entry.nat_port);
}

bool nat_world_forget(struct harness *harness, const struct frame_spec *spec, __u16 port)
{
	struct nat_key key = nat_key_of(spec, port);

	return !bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_snat_external), &key);
}

void nat_world_forget_ct(struct harness *harness, const struct frame_spec *spec)
{
	struct ct_key key;
	struct ct_entry entry;

	if (harness_get_ct(harness, spec, &key, &entry))
		bpf_map_delete_elem(bpf_map__fd(spec->protocol == IPPROTO_TCP
							? harness->skel->maps.cilium_ct_tcp_global
							: harness->skel->maps.cilium_ct_any_global),
				    &key);
}

void nat_world_give_away(struct harness *harness, const struct frame_spec *spec, __u16 port,
			 const char *owner)
{
	put_way_back(harness, spec, port, owner, 200);
}
