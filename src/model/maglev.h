/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev's table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, 3.4):
 * which back end serves the flows of each position. The same back ends under the same seed have the same table on
 * every node, and when one goes, few flows of the others move.
 *
 * A back end's permutation of the positions comes from Murmur3 (x64, 128 bits) of "[10.0.0.1:80/TCP,State:active]",
 * which is the text that Cilium hashes. Back ends take turns in the order of these texts; with weights, who has had
 * least for its weight is next.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "src/model/addr.h"

/* Of a back end that takes part. No two are alike. */
struct maglev_backend {
	struct addr addr;
	uint16_t port; /* host byte order */
	uint8_t protocol;
	uint16_t weight; /* from 1 */
};

/*
 * Fills all positions with indexes into backends, in whatever order these are. size: a prime; 0 < n ≤ size; seed: the
 * first four bytes of bpf-lb-maglev-hash-seed, big-endian.
 */
void maglev_fill(uint32_t *ret_table, uint32_t size, const struct maglev_backend *backends,
		 size_t n, uint32_t seed);
