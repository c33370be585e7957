/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many packets a second the machine at the other end of a veth device forwards back to where they came
 * from, whoever does it there:
 *
 *	bench_forward DEVICE MAC SOURCE DESTINATION PORT PACKETS ROUNDS
 *
 * UDP, from 1,024 source ports, as live frames of BPF_PROG_TEST_RUN; prints one rate a round.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/test/bench_sender.h"

/* Until no more comes back: the other side may be slower than the sender. 0: nothing does. */
static double measure(const struct sender *sender, int n)
{
	unsigned long long begin = sender_n_received(sender), last, now = begin;
	double start = sender_seconds(), end = start;

	sender_send(sender, n);
	do {
		last = now;
		now = sender_n_received(sender);
		if (now != last)
			end = sender_seconds();
		usleep(2000);
	} while (now != last);
	return now == begin ? 0 : (double)(now - begin) / (end - start);
}

int main(int argc, char **argv)
{
	struct frame_spec spec = {.src_mac = "02:00:00:00:00:99",
				  .protocol = IPPROTO_UDP,
				  .sport = SENDER_PORT,
				  .n_payload = 64};
	struct sender sender;

	if (argc != 8)
		return 2;
	spec.dst_mac = argv[2];
	spec.src = argv[3];
	spec.dst = argv[4];
	spec.dport = (uint16_t)atoi(argv[5]);
	sender_init(&sender, argv[1]);
	sender_set_frame(&sender, &spec);
	sender_open_flows(&sender);
	usleep(200000);
	for (int i = 0; i < atoi(argv[7]); i++)
		printf("%.0f\n", measure(&sender, atoi(argv[6])));
	sender_free(&sender);
	return 0;
}
