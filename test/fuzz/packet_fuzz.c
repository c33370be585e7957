/* SPDX-License-Identifier: Apache-2.0 */
#include "src/wire/packet.h"
#include "test/fuzz/fuzz.h"

/* The first byte says whether the packet has a link layer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct packet packet;

	if (!n_bytes)
		return 0;
	packet_decode(data + 1, n_bytes - 1, data[0] & 1, &packet);
	/* A transport header is behind an IP header, and never in a later fragment. */
	g_assert(!(packet.layers & (PACKET_TCP | PACKET_UDP | PACKET_SCTP)) ||
		 ((packet.layers & (PACKET_IPV4 | PACKET_IPV6)) && !packet.fragment_offset));
	g_assert(!(packet.layers & PACKET_IPV4) || !(packet.layers & PACKET_IPV6));
	return 0;
}
