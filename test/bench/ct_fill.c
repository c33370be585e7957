/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ct_fill MAP N: puts N connections between addresses of the world into a pinned conntrack map, alive
 * for a year of ticks.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <stdlib.h>
#include "abi/conntrack.h"

#define BATCH 4096

int main(int argc, char **argv)
{
	static struct ct_key keys[BATCH];
	static struct ct_entry entries[BATCH];
	__u32 n_left = argc == 3 ? (__u32)atoi(argv[2]) : 0;
	__u32 number = 0;
	int fd = argc == 3 ? bpf_obj_get(argv[1]) : -1;

	if (fd < 0)
		err(1, "usage: ct_fill MAP N");
	while (n_left > 0) {
		__u32 n = n_left < BATCH ? n_left : BATCH;

		for (__u32 i = 0; i < n; i++, number++) {
			keys[i] = (struct ct_key){.protocol = 6, .port = {0x5000, 0x5100}};
			keys[i].addr[0].words[0] = 0x0db80120;
			keys[i].addr[0].words[3] = number;
			keys[i].addr[1].words[0] = 0x0db80220;
			keys[i].addr[1].words[3] = number;
			entries[i] =
				(struct ct_entry){.expires = 0x7fffffff, .flags = CT_F_SEEN_REPLY};
		}
		for (__u32 i = 0; i < n; i++)
			if (bpf_map_update_elem(fd, &keys[i], &entries[i], BPF_ANY))
				err(1, "%s", argv[1]);
		n_left -= n;
	}
	return 0;
}
