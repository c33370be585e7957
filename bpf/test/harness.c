/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, \
				strerror(errno));                                          \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

static const char *const set_up[] = {
	"ip link set lo up",
	"ip link add pod_a index 110 type veth peer name pod_a_peer",
	"ip link set pod_a_peer up",
	"ip link add pod_b index 120 type veth peer name pod_b_peer",
	"ip link set pod_b_peer up",
	"ip link add node index 130 type veth peer name node_peer",
	"ip link set node_peer up",
	"ip link add host index 140 type veth peer name host_peer",
	"ip link set host_peer up",
	"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
	"ip link set node up",
	"ip link set host up",
	"ip link set pod_a up",
	"ip link set pod_b up",
	"ip addr add 192.0.2.1/24 dev node",
	"ip addr add 2001:db8::1/64 dev node nodad",
	"ip addr add 10.0.0.1/24 dev host",
	"ip addr add fd00::1/64 dev host nodad",
	"ip route add default via 192.0.2.254",
	"ip -6 route add default via 2001:db8::fe",
	"ip route add blackhole 203.0.113.0/24",
	"ip rule add ipproto udp dport 4242 blackhole",
	"ip -6 rule add ipproto udp dport 4242 blackhole",
	"ip route add 198.18.0.0/24 via 192.0.2.254 mtu lock 1000",
};

void harness_init(void)
{
	CHECK(!unshare(CLONE_NEWNET));
	for (size_t i = 0; i < sizeof(set_up) / sizeof(set_up[0]); i++)
		CHECK(!system(set_up[i]));
}

struct node_config harness_config(void)
{
	return (struct node_config){
		.host_ifindex = IFINDEX_HOST,
		.ct_tick_shift = 8,
		.ct_timeout_tcp = 8000,
		.ct_timeout_tcp_syn = 60,
		.ct_timeout_tcp_fin = 10,
		.ct_timeout_any = 60,
		.ct_timeout_service_tcp = 8000,
		.ct_timeout_service_tcp_closing = 10,
		.ct_timeout_service_any = 60,
		.nat_port_min = 32768,
		.nat_port_max = 65535,
		.enable_ipv4 = 1,
		.enable_ipv6 = 1,
		.enable_masquerade4 = 1,
		.enable_masquerade6 = 1,
		.enable_source_ip_verification = 1,
		.enable_fragment_tracking = 1,
		.enable_ct_accounting = 1,
		.enable_sctp = 1,
		.world_identity4 = 9,
		.world_identity6 = 10,
		.enable_node_port = 1,
		.enable_dsr_options = 1,
		.reject_without_backend = 1,
		.maglev_size = 251,
		.maglev_seed = {1, 2},
		.node_port_min = 30000,
		.node_port_max = 32767,
		.loopback4 = harness_addr(LOOPBACK4),
		.loopback6 = harness_addr(LOOPBACK6),
	};
}

void harness_load(struct harness *harness, const struct node_config *config)
{
	harness->skel = datapath_bpf__open();
	CHECK(harness->skel);
	*(struct node_config *)&harness->skel->rodata->node_config = *config;
	harness->config = *config;
	harness->ring = NULL;
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_lxc, 1024));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_lxc_device, 1024));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_ipcache, 1024));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_ct_tcp_global, 131072));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_ct_any_global, 65536));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_snat_external, 131072));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_policy_peer, 4096));
	CHECK(!bpf_map__set_max_entries(harness->skel->maps.cilium_policy_class, 4096));
	CHECK(!datapath_bpf__load(harness->skel));
	harness_reset(harness);
}

void harness_unload(struct harness *harness)
{
	ring_buffer__free(harness->ring);
	harness->ring = NULL;
	datapath_bpf__destroy(harness->skel);
}

struct addr harness_addr(const char *text)
{
	struct addr addr = {};

	if (inet_pton(AF_INET6, text, addr.bytes) == 1)
		return addr;
	addr.bytes[10] = addr.bytes[11] = 0xff;
	CHECK(inet_pton(AF_INET, text, addr.bytes + 12) == 1);
	return addr;
}

static void empty_map(struct bpf_map *map)
{
	char key[64], next[64];
	int fd = bpf_map__fd(map);

	while (!bpf_map_get_next_key(fd, NULL, next)) {
		memcpy(key, next, sizeof(key));
		CHECK(!bpf_map_delete_elem(fd, key) || errno == ENOENT);
	}
}

static void put(struct bpf_map *map, const void *key, const void *value)
{
	CHECK(!bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY));
}

static void put_endpoint(struct harness *harness, const char *ipv4, const char *ipv6,
			 const struct endpoint_info *info)
{
	struct endpoint_key key4 = {harness_addr(ipv4)}, key6 = {harness_addr(ipv6)};
	struct endpoint_device_key device = {info->ifindex};

	put(harness->skel->maps.cilium_lxc, &key4, info);
	put(harness->skel->maps.cilium_lxc, &key6, info);
	if (info->ifindex)
		put(harness->skel->maps.cilium_lxc_device, &device, info);
}

static void put_prefix(struct harness *harness, const char *text, unsigned int n_bits,
		       __u32 identity)
{
	struct ipcache_prefix_key key = {.prefix_len = n_bits, .addr = harness_addr(text)};
	struct ipcache_info info = {.identity = identity};

	put(harness->skel->maps.cilium_ipcache_prefix, &key, &info);
}

static void put_ipcache(struct harness *harness, const char *text, __u32 identity, __u8 flags)
{
	struct ipcache_key key = {harness_addr(text)};
	struct ipcache_info info = {.identity = identity, .flags = flags};

	put(harness->skel->maps.cilium_ipcache, &key, &info);
}

static void put_exclusion(struct harness *harness, const char *text, unsigned int n_bits)
{
	struct ipcache_prefix_key key = {.prefix_len = n_bits, .addr = harness_addr(text)};
	struct nat_exclusion exclusion = {};

	put(harness->skel->maps.cilium_ipmasq, &key, &exclusion);
}

static void put_endpoints(struct harness *harness)
{
	struct endpoint_info a = {
		.ifindex = IFINDEX_A, .identity = IDENTITY_A, .generation = 100, .id = ENDPOINT_A};
	struct endpoint_info b = {
		.ifindex = IFINDEX_B, .identity = IDENTITY_B, .generation = 200, .id = ENDPOINT_B};
	struct endpoint_info host = {.flags = ENDPOINT_F_HOST};

	frame_parse_mac(MAC_A, a.mac.bytes);
	frame_parse_mac(MAC_A_NODE, a.node_mac.bytes);
	frame_parse_mac(MAC_B, b.mac.bytes);
	frame_parse_mac(MAC_B_NODE, b.node_mac.bytes);
	put_endpoint(harness, A4, A6, &a);
	put_endpoint(harness, B4, B6, &b);
	put_endpoint(harness, NODE4, NODE6, &host);
	put_endpoint(harness, HOST4, HOST6, &host);
}

void harness_put_policy(struct harness *harness, __u32 endpoint, __u32 version, __u32 flags)
{
	const struct policy_endpoint policy = {.version = version, .flags = flags};

	put(harness->skel->maps.cilium_policy_endpoint, &endpoint, &policy);
}

/* Everything is allowed. */
static void open_policy(struct harness *harness)
{
	static const __u32 endpoints[] = {POLICY_ENDPOINT_HOST, ENDPOINT_A, ENDPOINT_B};

	empty_map(harness->skel->maps.cilium_policy_peer);
	empty_map(harness->skel->maps.cilium_policy_class);
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
		harness_put_policy(harness, endpoints[i], VERSION_OPEN,
				   POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS);
}

void harness_reset(struct harness *harness)
{
	struct device_info node = {.masquerade4 = harness_addr(NODE4),
				   .masquerade6 = harness_addr(NODE6),
				   .addr4 = harness_addr(NODE4),
				   .addr6 = harness_addr(NODE6),
				   .mtu = 1500};
	struct runtime_config runtime = {.drop_events = 1, .wakeup_bytes = 1 << 16};
	static const struct metric zeros[CPUS_MAX];
	struct event event;
	__u32 zero = 0, ifindex = IFINDEX_NODE;

	empty_map(harness->skel->maps.cilium_lxc);
	empty_map(harness->skel->maps.cilium_lxc_device);
	empty_map(harness->skel->maps.cilium_ct_tcp_global);
	empty_map(harness->skel->maps.cilium_ct_any_global);
	empty_map(harness->skel->maps.cilium_snat_external);
	empty_map(harness->skel->maps.cilium_frag_datagrams);
	empty_map(harness->skel->maps.cilium_drop_sites);
	put_endpoints(harness);
	open_policy(harness);
	put_ipcache(harness, "192.0.2.77", 6, IPCACHE_F_REMOTE_NODE);
	put_ipcache(harness, "192.0.2.78", 1, IPCACHE_F_LOCAL_HOST);
	put_prefix(harness, "198.51.100.0", 96 + 24, 77);
	put_exclusion(harness, "100.64.0.0", 96 + 10);
	put_exclusion(harness, "fd77::", 16);
	put(harness->skel->maps.cilium_devices, &ifindex, &node);
	put(harness->skel->maps.cilium_runtime_config, &zero, &runtime);
	for (__u32 i = 0; i < METRIC__MAX; i++)
		put(harness->skel->maps.cilium_metrics, &i, zeros);
	while (harness_take_event(harness, &event))
		;
}

int harness_program_fd(struct harness *harness, enum test_program program)
{
	const struct bpf_program *const programs[PROGRAM_ALL__MAX] = {
		[FROM_CONTAINER] = harness->skel->progs.cil_from_container,
		[TO_CONTAINER] = harness->skel->progs.cil_to_container,
		[FROM_HOST] = harness->skel->progs.cil_from_host,
		[FROM_NETDEV] = harness->skel->progs.cil_from_netdev,
		[TO_NETDEV] = harness->skel->progs.cil_to_netdev,
		[EXPLAIN_CONTAINER] = harness->skel->progs.cil_explain_container,
		[EXPLAIN_HOST] = harness->skel->progs.cil_explain_host,
		[EXPLAIN_NETDEV] = harness->skel->progs.cil_explain_netdev,
		[EXPLAIN_TO_NETDEV] = harness->skel->progs.cil_explain_to_netdev,
	};

	return bpf_program__fd(programs[program]);
}

#define SCRATCH_BYTES_MAX 512

void harness_soil(struct harness *harness)
{
	const struct bpf_map *map = harness->skel->maps.packet_scratch;
	static __u8 soil[CPUS_MAX * SCRATCH_BYTES_MAX];
	int n_cpus = libbpf_num_possible_cpus();

	CHECK(n_cpus > 0 && n_cpus <= CPUS_MAX && bpf_map__value_size(map) <= SCRATCH_BYTES_MAX);
	memset(soil, 0xa5, (size_t)n_cpus * SCRATCH_BYTES_MAX);
	for (__u32 i = 0; i < bpf_map__max_entries(map); i++)
		CHECK(!bpf_map_update_elem(bpf_map__fd(map), &i, soil, BPF_ANY));
}

struct run harness_run(struct harness *harness, enum test_program program,
		       const struct frame *frame, __u32 ifindex, __u32 mark, __u32 gso_size)
{
	struct __sk_buff skb = {.ifindex = ifindex, .mark = mark, .gso_size = gso_size};
	struct run run = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->n_bytes,
		    .data_out = run.out.data, .data_size_out = sizeof(run.out.data), .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .ctx_out = &skb, .ctx_size_out = sizeof(skb),
		    .repeat = 1);

	harness_soil(harness);
	CHECK(!bpf_prog_test_run_opts(harness_program_fd(harness, program), &opts));
	run.verdict = opts.retval;
	run.out.n_bytes = opts.data_size_out;
	run.mark = skb.mark;
	return run;
}

static __u64 n_packets_of(const struct bpf_map *map, const void *key)
{
	int n_cpus = libbpf_num_possible_cpus();
	static struct metric values[CPUS_MAX];
	__u64 n_packets = 0;

	CHECK(n_cpus > 0 && n_cpus <= CPUS_MAX);
	CHECK(!bpf_map_lookup_elem(bpf_map__fd(map), key, values));
	for (int i = 0; i < n_cpus; i++)
		n_packets += values[i].packets;
	return n_packets;
}

__u64 harness_metric(struct harness *harness, __u32 reason, enum metric_dir dir)
{
	__u32 index = reason * METRIC_DIR__MAX + dir;
	int sites = bpf_map__fd(harness->skel->maps.cilium_drop_sites);
	__u64 n_packets = n_packets_of(harness->skel->maps.cilium_metrics, &index);
	struct drop_site site;

	for (int err = bpf_map_get_next_key(sites, NULL, &site); !err;
	     err = bpf_map_get_next_key(sites, &site, &site))
		if (site.reason == reason && site.dir == dir)
			n_packets += n_packets_of(harness->skel->maps.cilium_drop_sites, &site);
	return n_packets;
}

__u64 harness_n_drops_at(struct harness *harness, const struct drop_site *site)
{
	return n_packets_of(harness->skel->maps.cilium_drop_sites, site);
}

__u64 harness_n_drops(struct harness *harness, __u32 *ret_reason)
{
	__u64 n_drops = 0;

	for (__u32 reason = DROP_INVALID_SOURCE_MAC; reason < METRIC_REASON__MAX; reason++) {
		__u64 n = harness_metric(harness, reason, METRIC_DIR_INGRESS) +
			  harness_metric(harness, reason, METRIC_DIR_EGRESS);

		n_drops += n;
		if (n)
			*ret_reason = reason;
	}
	return n_drops;
}

static int copy_event(void *context, void *data, size_t n_bytes)
{
	CHECK(n_bytes == sizeof(struct event));
	memcpy(context, data, n_bytes);
	return -ECANCELED; /* one is enough */
}

bool harness_take_event(struct harness *harness, struct event *ret_event)
{
	static struct event event;

	if (!harness->ring)
		harness->ring = ring_buffer__new(bpf_map__fd(harness->skel->maps.cilium_events),
						 copy_event, &event, NULL);
	CHECK(harness->ring);
	if (ring_buffer__consume(harness->ring) != -ECANCELED)
		return false;
	*ret_event = event;
	return true;
}

static int map_of(struct harness *harness, __u8 protocol)
{
	return bpf_map__fd(protocol == IPPROTO_TCP ? harness->skel->maps.cilium_ct_tcp_global
						   : harness->skel->maps.cilium_ct_any_global);
}

bool harness_get_ct(struct harness *harness, const struct frame_spec *spec, struct ct_key *ret_key,
		    struct ct_entry *ret_entry)
{
	struct addr source = harness_addr(spec->src), destination = harness_addr(spec->dst);
	bool icmp = spec->protocol == IPPROTO_ICMP || spec->protocol == IPPROTO_ICMPV6;
	bool reply = icmp && (spec->type == 0 || spec->type == 129);
	bool echo = reply || spec->type == 8 || spec->type == 128;
	bool side = memcmp(&source, &destination, sizeof(source)) > 0;
	__be16 sport = htons(icmp && !echo ? spec->type : spec->sport);
	__be16 dport = htons(icmp ? echo ? spec->sport : spec->code : spec->dport);

	*ret_key = (struct ct_key){
		.addr = {side ? destination : source, side ? source : destination},
		.port = {side && !icmp ? dport : sport, side && !icmp ? sport : dport},
		.protocol = spec->protocol,
		.initiator = icmp ? 1 + (side != reply) : 0,
	};
	return !bpf_map_lookup_elem(map_of(harness, spec->protocol), ret_key, ret_entry);
}

void harness_put_ct(struct harness *harness, const struct ct_key *key, const struct ct_entry *entry)
{
	CHECK(!bpf_map_update_elem(map_of(harness, key->protocol), key, entry, BPF_ANY));
}
