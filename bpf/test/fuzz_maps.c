/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of the maps and events that hostile frames leave. */
#include "bpf/test/fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_known_reason(unsigned int reason)
{
	switch (reason) {
#define DROP_HELP(name, cause, next) case DROP_##name:
#include "abi/drop_help.def"
#undef DROP_HELP
		return true;
	default:
		return false;
	}
}

static long long n_packets(int fd, const void *key)
{
	static struct metric values[CPUS_MAX];
	int n_cpus = libbpf_num_possible_cpus();
	long long sum = 0;

	if (bpf_map_lookup_elem(fd, key, values))
		return 0;
	for (int i = 0; i < n_cpus; i++)
		sum += values[i].packets;
	return sum;
}

long long fuzz_count_drops(struct harness *harness)
{
	int sites = bpf_map__fd(harness->skel->maps.cilium_drop_sites);
	int array = bpf_map__fd(harness->skel->maps.cilium_metrics);
	struct drop_site site, *previous = NULL;
	long long sum = 0;

	while (!bpf_map_get_next_key(sites, previous, &site)) {
		previous = &site;
		if (!is_known_reason(site.reason) || !site.line || !site.file)
			return -1;
		sum += n_packets(sites, &site);
	}
	for (__u32 i = DROP_INVALID_SOURCE_MAC * METRIC_DIR__MAX; i < METRIC__MAX; i++)
		sum += n_packets(array, &i);
	return sum;
}

static bool equals(const struct addr *addr, const char *text)
{
	struct addr other = harness_addr(text);

	return !memcmp(addr, &other, sizeof(other));
}

static __u32 true_generation(const struct addr *addr)
{
	if (equals(addr, A4) || equals(addr, A6))
		return 100;
	return equals(addr, B4) || equals(addr, B6) ? 200 : 0;
}

static bool is_v4(const struct addr *addr)
{
	return !addr->halves[0] && addr->words[2] == htonl(0xffff);
}

static bool is_echo(__u8 protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* Protocols that the programs track, and their family. */
static bool is_tracked(__u8 protocol, bool v4)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return true;
	case IPPROTO_ICMP:
		return v4;
	case IPPROTO_ICMPV6:
		return !v4;
	default:
		return false;
	}
}

static bool is_node(const struct addr *addr)
{
	return equals(addr, NODE4) || equals(addr, NODE6) || equals(addr, HOST4) ||
	       equals(addr, HOST6);
}

static bool is_loopback(const struct addr *addr)
{
	return equals(addr, LOOPBACK4) || equals(addr, LOOPBACK6);
}

static const char *check_connection(const struct ct_key *key, const struct ct_entry *entry)
{
	int order = memcmp(&key->addr[0], &key->addr[1], sizeof(key->addr[0]));

	if (is_v4(&key->addr[0]) != is_v4(&key->addr[1]))
		return "connection between two families";
	if (!is_tracked(key->protocol, is_v4(&key->addr[0])))
		return "connection of a protocol that is not tracked";
	if (order > 0 || key->pad || key->initiator > 2 || key->kind > fuzz_has_services)
		return "connection with a malformed key";
	if (!is_echo(key->protocol) &&
	    (key->initiator || (!order && ntohs(key->port[0]) > ntohs(key->port[1]))))
		return "connection with malformed ports";
	for (int i = 0; i < 2; i++)
		if (entry->generation[i] &&
		    entry->generation[i] != true_generation(&key->addr[i]) &&
		    !(entry->flags & CT_F_LOOPBACK && is_loopback(&key->addr[i])))
			return "connection of an endpoint that has another address";
	/* The host's own are there where they need another port. */
	if (key->kind == CT_KIND_CONNECTION && !(entry->flags & CT_F_SERVICE) &&
	    !entry->generation[0] && !entry->generation[1] && !is_node(&key->addr[0]) &&
	    !is_node(&key->addr[1]))
		return "connection between two strangers";
	return entry->nat > CT_NAT_SOURCE ? "connection with no decision" : NULL;
}

static const char *check_connections(struct bpf_map *map, bool tcp)
{
	struct ct_key key, *previous = NULL;
	struct ct_entry entry;
	const char *wrong;

	while (!bpf_map_get_next_key(bpf_map__fd(map), previous, &key)) {
		previous = &key;
		if ((key.protocol == IPPROTO_TCP) != tcp)
			return "connection in the wrong map";
		if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &entry))
			continue;
		wrong = check_connection(&key, &entry);
		if (wrong) {
			fprintf(stderr, "protocol %u, generations %u %u, flags %x:", key.protocol,
				entry.generation[0], entry.generation[1], entry.flags);
			for (size_t i = 0; i < sizeof(key); i++)
				fprintf(stderr, " %02x", ((const uint8_t *)&key)[i]);
			fprintf(stderr, "\n");
			return wrong;
		}
	}
	return NULL;
}

static const char *check_translation(const struct nat_key *key, const struct nat_entry *entry)
{
	bool is_host = is_node(&entry->addr);

	if (!is_tracked(key->protocol, is_v4(&key->addr)) || is_v4(&key->addr) != is_v4(&key->peer))
		return "translation of a protocol that is not tracked";
	/* The host's connections keep their address. */
	if (!equals(&key->addr, NODE4) && !equals(&key->addr, NODE6) &&
	    !(is_host && !memcmp(&key->addr, &entry->addr, sizeof(entry->addr))))
		return "translation to an address that is not the node's";
	if (!is_host && true_generation(&entry->addr) != entry->generation)
		return "translation of somebody else's address";
	return !is_host && !entry->generation && !fuzz_has_services
		       ? "translation of nobody's address"
		       : NULL;
}

static const char *check_translations(struct bpf_map *map)
{
	struct nat_key key, *previous = NULL;
	struct nat_entry entry;
	const char *wrong = NULL;

	while (!wrong && !bpf_map_get_next_key(bpf_map__fd(map), previous, &key)) {
		previous = &key;
		if (!bpf_map_lookup_elem(bpf_map__fd(map), &key, &entry))
			wrong = check_translation(&key, &entry);
	}
	return wrong;
}

static int check_event(void *context, void *data, size_t n_bytes)
{
	const char **wrong = context;
	const struct event *event = data;

	if (n_bytes != sizeof(*event) || event->cap_len > EVENT_PACKET_BYTES ||
	    event->cap_len > event->orig_len)
		*wrong = "event of a wrong length";
	else if (event->type != EVENT_DROP && event->type != EVENT_TRACE &&
		 event->type != EVENT_POLICY_VERDICT)
		*wrong = "event of no type";
	else if (event->type == EVENT_DROP &&
		 (!is_known_reason(event->subtype) || !event->file || !event->line))
		*wrong = "drop without reason";
	return 0;
}

static const char *check_events(struct harness *harness)
{
	const char *wrong = NULL;
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(harness->skel->maps.cilium_events),
						    check_event, &wrong, NULL);

	if (!ring)
		return "no ring";
	if (ring_buffer__consume(ring) <= 0)
		wrong = "no event";
	ring_buffer__free(ring);
	return wrong;
}

const char *fuzz_check_maps(struct harness *harness)
{
	return check_connections(harness->skel->maps.cilium_ct_tcp_global, true)
		       ?: check_connections(harness->skel->maps.cilium_ct_any_global, false)
		       ?: check_translations(harness->skel->maps.cilium_snat_external)
		       ?: check_events(harness);
}
