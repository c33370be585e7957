/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/explain_run.h"

#include <errno.h>
#include <string.h>
#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/event.h"
#include "src/cli/explain_party.h"
#include "src/cli/map_dump.h"
#include "src/observe/packet_text.h"
#include "src/sys/link.h"
#include "src/sys/route.h"

#define ETHERNET_BYTES 14
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

struct explain_run {
	struct explainer *explainer;
	struct netlink *netlink;
	GArray *routes;  /* struct route: of the main table */
	GArray *devices; /* uint32_t: the node's, with link-layer headers */
	GString *packet;
	char device[IFNAMSIZ];
};

/* ---- the node's devices ---- */

/* On a device without link-layer headers no packet can be run; what the programs decide is the same on any. */
static bool add_device(const void *key, const void *value, void *data)
{
	const struct device_info *info = value;
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	if (!(info->flags & DEVICE_F_L3))
		g_array_append_val(((struct explain_run *)data)->devices, ifindex);
	return true;
}

static int read_devices(struct explain_run *run, GError **error)
{
	struct bpf_map_ref map;
	int err = bpf_map_open(map_dump_root(), "cilium_devices", &map, error);

	if (err < 0)
		return err;
	err = bpf_map_foreach(&map, add_device, run);
	bpf_map_close(&map);
	return err < 0 ? error_set_errno(error, -err, "reading cilium_devices") : 0;
}

struct explain_run *explain_run_new(GError **error)
{
	struct explain_run *run = g_new0(struct explain_run, 1);
	int err = 0;

	run->devices = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	run->packet = g_string_new(NULL);
	run->explainer = explainer_new(map_dump_root(), error);
	if (run->explainer)
		err = read_devices(run, error);
	if (run->explainer && !err)
		run->netlink = netlink_new(error);
	if (run->netlink && !route_dump(run->netlink, 0, 0, &run->routes, error))
		return run;
	explain_run_free(run);
	return NULL;
}

void explain_run_free(struct explain_run *run)
{
	if (!run)
		return;
	explainer_free(run->explainer);
	netlink_free(run->netlink);
	if (run->routes)
		g_array_unref(run->routes);
	g_array_unref(run->devices);
	g_string_free(run->packet, TRUE);
	g_free(run);
}

static bool is_device(const struct explain_run *run, uint32_t ifindex)
{
	for (guint i = 0; i < run->devices->len; i++)
		if (g_array_index(run->devices, uint32_t, i) == ifindex)
			return true;
	return false;
}

/* Where the route to the address goes, else any device; 0 where there is none. */
static uint32_t device_towards(const struct explain_run *run, const struct addr *addr)
{
	uint32_t found = run->devices->len ? g_array_index(run->devices, uint32_t, 0) : 0;
	int longest = -1;

	for (guint i = 0; i < run->routes->len; i++) {
		const struct route *route = &g_array_index(run->routes, struct route, i);
		struct cidr cidr = {.addr = route->destination, .prefix_len = route->prefix_len};

		if (addr_is_v4(&route->destination) != addr_is_v4(addr))
			continue;
		if (addr_is_v4(addr))
			cidr.prefix_len += ADDR_V4_PREFIX_BITS;
		if (route->prefix_len > longest && cidr_contains(&cidr, addr) &&
		    is_device(run, route->ifindex)) {
			longest = route->prefix_len;
			found = route->ifindex;
		}
	}
	return found;
}

/* ---- where the packet is seen ---- */

struct place {
	enum explain_program program; /* EXPLAIN_PROGRAM__MAX: none sees it */
	uint32_t ifindex;
};

static struct place find_place(const struct explain_run *run, const struct explain_end ends[2])
{
	const struct explain_end *source = &ends[0], *destination = &ends[1];

	if (source->where == EXPLAIN_ENDPOINT)
		return (struct place){EXPLAIN_CONTAINER, source->ifindex};
	if (source->where != EXPLAIN_THIS_NODE)
		return (struct place){EXPLAIN_NETDEV, device_towards(run, &source->addr)};
	if (destination->where == EXPLAIN_ENDPOINT)
		return (struct place){EXPLAIN_HOST,
				      explainer_get_config(run->explainer)->host_ifindex};
	if (destination->where != EXPLAIN_THIS_NODE)
		return (struct place){EXPLAIN_TO_NETDEV, device_towards(run, &destination->addr)};
	return (struct place){EXPLAIN_PROGRAM__MAX, 0};
}

static const char *device_name(struct explain_run *run, uint32_t ifindex)
{
	struct link_info link;
	GError *error = NULL;

	if (!ifindex || link_get_by_index(run->netlink, ifindex, &link, &error) < 0) {
		g_clear_error(&error);
		return "a device of the node";
	}
	g_strlcpy(run->device, link.name, sizeof(run->device));
	return run->device;
}

/* ---- the frame ---- */

static bool read_macs(uint32_t ifindex, struct endpoint_info *ret_info)
{
	const struct endpoint_device_key key = {ifindex};
	struct bpf_map_ref map;
	GError *error = NULL;
	bool is_found;

	if (map_dump_open("cilium_lxc_device", &map, &error) < 0) {
		g_clear_error(&error);
		return false;
	}
	is_found = bpf_map_get(&map, &key, ret_info) == 0;
	bpf_map_close(&map);
	return is_found;
}

static void put16(uint8_t *bytes, uint16_t number)
{
	bytes[0] = number >> 8;
	bytes[1] = number & 0xff;
}

/*
 * The packet with a link-layer header, whatever it had. What a capture has cut is zeros; what is too long for
 * a run is cut, with its length: no program looks at what a packet carries.
 */
static size_t make_frame(const uint8_t *ip, size_t n_bytes, size_t n_full_bytes,
			 const struct place *place, uint8_t *frame)
{
	const size_t n_max = EXPLAIN_FRAME_BYTES_MAX - ETHERNET_BYTES;
	struct endpoint_info info = {0};
	bool v6 = n_bytes && ip[0] >> 4 == 6;
	size_t n = MIN(MAX(n_full_bytes, n_bytes), n_max);
	uint8_t *copy = frame + ETHERNET_BYTES;

	memset(frame, 0, ETHERNET_BYTES + n);
	if (place->program == EXPLAIN_CONTAINER && read_macs(place->ifindex, &info)) {
		memcpy(frame, &info.node_mac, 6);
		memcpy(frame + 6, &info.mac, 6);
	}
	put16(frame + 12, v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
	memcpy(copy, ip, MIN(n_bytes, n));
	if (n_full_bytes > n_max && v6)
		put16(copy + 4, n_max - 40);
	else if (n_full_bytes > n_max)
		put16(copy + 2, n_max);
	return ETHERNET_BYTES + n;
}

static struct addr addr_of(const struct packet *packet, const uint8_t *bytes)
{
	struct in6_addr in6;
	struct in_addr in;

	memcpy(&in6, bytes, sizeof(in6));
	memcpy(&in, bytes, sizeof(in));
	return packet->layers & PACKET_IPV6 ? addr_from_v6(&in6) : addr_from_v4(in);
}

int explain_run_packet(struct explain_run *run, const uint8_t *ip, size_t n_bytes,
		       size_t n_full_bytes, struct explain_report *ret_report, GError **error)
{
	uint8_t frame[EXPLAIN_FRAME_BYTES_MAX];
	struct explain_packet asked = {.frame = frame};
	struct explain_report report = {.is_truncated = n_bytes < n_full_bytes};
	struct packet packet;
	struct addr addrs[2];
	struct place place;
	int err = 0;

	packet_decode(ip, n_bytes, true, &packet);
	if (!(packet.layers & (PACKET_IPV4 | PACKET_IPV6)))
		return error_set(error, EINVAL, "it is no IP packet");
	addrs[0] = addr_of(&packet, packet.src);
	addrs[1] = addr_of(&packet, packet.dst);
	for (int i = 0; i < 2 && !err; i++)
		err = explain_party_classify(&addrs[i], &report.ends[i], error);
	if (err)
		return err;
	g_string_truncate(run->packet, 0);
	packet_text_append_connection(run->packet, &packet);
	report.packet = run->packet->str;
	place = find_place(run, report.ends);
	if (place.program != EXPLAIN_PROGRAM__MAX) {
		report.program = explain_program_name(place.program);
		report.device = device_name(run, place.ifindex);
		report.ifindex = asked.ifindex = place.ifindex;
		asked.n_bytes = make_frame(ip, n_bytes, n_full_bytes, &place, frame);
		err = explainer_run(run->explainer, place.program, &asked, &report.explain, error);
	}
	/* What concerns no endpoint passes without a word where it is going. */
	if (report.explain.trace_point == TRACE_TO_ENDPOINT && !report.explain.dst_endpoint)
		report.explain.trace_point =
			place.program == EXPLAIN_TO_NETDEV ? TRACE_TO_NETWORK : TRACE_TO_STACK;
	if (!err)
		*ret_report = report;
	return err;
}
