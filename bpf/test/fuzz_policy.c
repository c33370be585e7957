/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rule sets, kept as lists beside the maps, and a reference that goes through these lists: no
 * frame that they refuse may get out. Nothing is shared with the programs but the numbers of abi/.
 */
#include "bpf/test/fuzz.h"

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/test/policy_world.h"

#define N_CLASSES         6
#define N_CLASS_ENTRIES   12
#define N_POLICY_VERSIONS 2 /* of pod a, of pod b */
#define IDENTITY_WORLD    9 /* of IPv4 addresses that nothing is known of */

struct entry {
	__u8 protocol, prefix_len;
	__u16 port;
	struct policy_leaf leaf;
};

static const __u32 identities[] = {POLICY_IDENTITY_OTHERS, IDENTITY_A,     IDENTITY_B,     1,
				   IDENTITY_WORLD4,        IDENTITY_WORLD, IDENTITY_WORLD6};

#define N_IDENTITIES (sizeof(identities) / sizeof(identities[0]))

static struct {
	struct entry classes[1 + N_CLASSES][N_CLASS_ENTRIES];
	struct {
		bool is_there[N_IDENTITIES];
		struct policy_peer peers[N_IDENTITIES];
	} sets[N_POLICY_VERSIONS][POLICY_DIRECTION__MAX];
	__u32 flags[N_POLICY_VERSIONS];
} rules = {
	/* As harness_reset() leaves it. */
	.flags = {POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS,
		  POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS},
};

static struct policy_leaf random_leaf(void)
{
	return (struct policy_leaf){.rule = 1 + random() % 1000,
				    .verdict = random() % 2 ? POLICY_VERDICT_ALLOW
							    : random() % POLICY_VERDICT__MAX};
}

static void put_classes(struct harness *harness)
{
	static const __u8 protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP,
					 IPPROTO_ICMPV6};
	static const __u16 ports[] = {0, 53, 80, 443, 1000, 8, 128, 13};

	for (int class = 1; class <= N_CLASSES; class ++)
		for (int i = 0; i < N_CLASS_ENTRIES; i++) {
			struct entry *entry = &rules.classes[class][i];

			entry->protocol = protocols[random() % 5];
			entry->prefix_len = random() % (POLICY_PORT_BITS + 1);
			entry->port = random() % 2 ? random() : ports[random() % 8];
			entry->port &= 0xffff0000U >> entry->prefix_len;
			entry->leaf = random_leaf();
			/* The last of two that are the same stands, in the map as in the list. */
			policy_put_leaf(harness, class, entry->protocol, entry->prefix_len,
					entry->port, entry->leaf);
		}
}

static __u32 prefix_lens_of(__u32 class)
{
	__u32 prefix_lens = 0;

	for (int i = 0; class && i < N_CLASS_ENTRIES; i++)
		prefix_lens |= 1U << rules.classes[class][i].prefix_len;
	return prefix_lens;
}

static void put_sets(struct harness *harness, int set)
{
	static const __u32 endpoints[] = {ENDPOINT_A, ENDPOINT_B};

	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		for (size_t i = 0; i < N_IDENTITIES; i++) {
			struct policy_peer *peer = &rules.sets[set][direction].peers[i];

			rules.sets[set][direction].is_there[i] = random() % 3 != 0;
			peer->class = random() % (1 + N_CLASSES);
			peer->prefix_lens = prefix_lens_of(peer->class);
			peer->otherwise = random_leaf();
			if (rules.sets[set][direction].is_there[i])
				policy_put_peer(harness, 100 + set, direction, identities[i], peer);
		}
	rules.flags[set] = random() % 4 ? 0 : random() % 4; /* POLICY_F_OPEN_* */
	if (random() % 4 == 0)
		rules.flags[set] |= POLICY_F_INCOMPLETE;
	harness_put_policy(harness, endpoints[set], 100 + set, rules.flags[set]);
}

void fuzz_put_policy(struct harness *harness)
{
	memset(&rules, 0, sizeof(rules));
	put_classes(harness);
	for (int set = 0; set < N_POLICY_VERSIONS; set++)
		put_sets(harness, set);
}

/* The number of the pod's rule set, or −1: nobody's. */
static int set_of(const struct addr *addr)
{
	static const char *const texts[] = {A4, A6, B4, B6};

	for (int i = 0; i < 4; i++) {
		const struct addr pod = harness_addr(texts[i]);

		if (!memcmp(&pod, addr, sizeof(pod)))
			return i / 2;
	}
	return -1;
}

static bool is_host(const struct addr *addr)
{
	static const char *const texts[] = {NODE4, NODE6, HOST4, HOST6, "192.0.2.78"};

	for (int i = 0; i < 5; i++) {
		const struct addr host = harness_addr(texts[i]);

		if (!memcmp(&host, addr, sizeof(host)))
			return true;
	}
	return false;
}

/* As harness_reset() fills endpoints and ipcache. */
static __u32 identity_of(const struct addr *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t net77[3] = {198, 51, 100}, remote[4] = {192, 0, 2, 77};
	int set = set_of(addr);

	if (set >= 0)
		return set ? IDENTITY_B : IDENTITY_A;
	if (is_host(addr))
		return 1;
	if (memcmp(addr->bytes, mapped, sizeof(mapped)))
		return IDENTITY_WORLD6;
	if (!memcmp(addr->bytes + 12, remote, sizeof(remote)))
		return 6;
	return memcmp(addr->bytes + 12, net77, sizeof(net77)) ? IDENTITY_WORLD : IDENTITY_WORLD4;
}

static bool is_allowed_by_class(const struct policy_peer *peer, __u8 protocol, __u16 port)
{
	const struct entry *best = NULL;

	for (int i = 0; peer->class && i < N_CLASS_ENTRIES; i++) {
		const struct entry *entry = &rules.classes[peer->class][i];

		if (entry->protocol != protocol ||
		    (port & 0xffff0000U >> entry->prefix_len) != entry->port)
			continue;
		if (!best || entry->prefix_len >= best->prefix_len)
			best = entry;
	}
	return (best ? best->leaf : peer->otherwise).verdict == POLICY_VERDICT_ALLOW;
}

static bool is_allowed_by(int set, enum policy_direction direction, __u32 peer, __u8 protocol,
			  __u16 port)
{
	__u32 open = direction == POLICY_INGRESS ? POLICY_F_OPEN_INGRESS : POLICY_F_OPEN_EGRESS;

	if (set < 0 || rules.flags[set] & open)
		return true;
	for (size_t i = N_IDENTITIES; i-- > 0;) {
		bool is_others = identities[i] == POLICY_IDENTITY_OTHERS;

		if (!rules.sets[set][direction].is_there[i] ||
		    (identities[i] != peer && !is_others) ||
		    (is_others && rules.flags[set] & POLICY_F_INCOMPLETE))
			continue;
		return is_allowed_by_class(&rules.sets[set][direction].peers[i], protocol, port);
	}
	return false;
}

static bool may_open(const struct addr *opener, const struct addr *responder, __u8 protocol,
		     __u16 port)
{
	if (set_of(opener) >= 0 && set_of(opener) == set_of(responder))
		return true;
	return is_allowed_by(set_of(opener), POLICY_EGRESS, identity_of(responder), protocol,
			     port) &&
	       is_allowed_by(set_of(responder), POLICY_INGRESS, identity_of(opener), protocol,
			     port);
}

static bool is_icmp_error(const struct fuzz_flow *flow)
{
	if (flow->protocol == IPPROTO_ICMPV6)
		return flow->type < 128;
	return flow->protocol == IPPROTO_ICMP &&
	       (flow->type == 3 || flow->type == 4 || flow->type == 5 || flow->type == 11 ||
		flow->type == 12);
}

/* Whether the destination has opened a connection to which the frame may be an answer. */
static bool is_answer(struct harness *harness, const struct fuzz_flow *flow)
{
	struct bpf_map *map = flow->protocol == IPPROTO_TCP
				      ? harness->skel->maps.cilium_ct_tcp_global
				      : harness->skel->maps.cilium_ct_any_global;
	int order = memcmp(&flow->src, &flow->dst, sizeof(flow->src));
	bool side = order ? order > 0 : flow->sport > flow->dport;
	struct ct_key key = {
		.addr = {side ? flow->dst : flow->src, side ? flow->src : flow->dst},
		.port = {htons(side ? flow->dport : flow->sport),
			 htons(side ? flow->sport : flow->dport)},
		.protocol = flow->protocol,
	};
	struct ct_entry entry;

	return !bpf_map_lookup_elem(bpf_map__fd(map), &key, &entry) &&
	       !!(entry.flags & CT_F_INITIATOR_1) != side;
}

static bool is_refused(struct harness *harness, const struct fuzz_flow *flow)
{
	bool v6 = flow->protocol == IPPROTO_ICMPV6;

	if (flow->protocol == IPPROTO_ICMP || v6) {
		__u16 reply = v6 ? 129 : 0, request = v6 ? 128 : 8;

		if (flow->type == reply)
			return !may_open(&flow->dst, &flow->src, flow->protocol, request);
		return !may_open(&flow->src, &flow->dst, flow->protocol, flow->type);
	}
	if (may_open(&flow->src, &flow->dst, flow->protocol, flow->dport))
		return false;
	return !may_open(&flow->dst, &flow->src, flow->protocol, flow->sport) ||
	       !is_answer(harness, flow);
}

const char *fuzz_check_policy(struct harness *harness, enum test_program program,
			      const struct run *run)
{
	struct fuzz_flow flow;

	/* What leaves has passed another program; what stays in the host, or is no pod's, none. */
	if (run->verdict == TC_ACT_SHOT || program == TO_NETDEV ||
	    !fuzz_parse_frame(&run->out, &flow) || flow.is_link_local || is_icmp_error(&flow))
		return NULL;
	if ((program == FROM_HOST || program == FROM_NETDEV) && run->verdict != TC_ACT_REDIRECT)
		return NULL;
	if (program != FROM_CONTAINER && set_of(&flow.dst) < 0)
		return NULL;
	return is_refused(harness, &flow) ? "went on, and the rules refuse it" : NULL;
}
