/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/nat_fill.h"

#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define RANGE 32768 /* of harness_config() */

static void fill(struct harness *harness, const struct frame_spec *base)
{
	static bool taken[65536];
	struct frame_spec spec = *base;
	size_t l4_off = 14 + (base->protocol == IPPROTO_TCP ? 20 : 40);
	unsigned int n_given = 0;

	for (int i = 0; i < 65536; i++)
		taken[i] = false;
	/* From ports below the range, then, since there are not enough, from another endpoint. */
	for (int i = 0; i < RANGE; i++) {
		struct frame frame;
		struct run run;
		__u16 port;

		if (i == RANGE / 2)
			spec.src = base->protocol == IPPROTO_TCP ? B4 : B6;
		spec.sport = 1 + i % (RANGE / 2);
		frame_build(&frame, &spec);
		run = harness_run(harness, TO_NETDEV, &frame, IFINDEX_NODE, 0, 0);
		if (run.verdict == TC_ACT_SHOT)
			continue;
		port = run.out.data[l4_off] << 8 | run.out.data[l4_off + 1];
		if (port < 65536 - RANGE || taken[port])
			abort();
		taken[port] = true;
		n_given++;
	}
	printf("%u of %d ports given\n", n_given, RANGE);
	if (n_given < RANGE / 100 * 99)
		abort();
}

void nat_fill_run(struct harness *harness)
{
	const struct frame_spec tcp4 = {.src = A4,
					.dst = WORLD4,
					.protocol = IPPROTO_TCP,
					.dport = 443,
					.tcp_flags = TCP_SYN};
	const struct frame_spec udp6 = {
		.src = A6, .dst = WORLD6, .protocol = IPPROTO_UDP, .dport = 443};

	harness_reset(harness);
	fill(harness, &tcp4);
	fill(harness, &udp6);
}
