/* SPDX-License-Identifier: Apache-2.0 */
#include "src/wire/pcap.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct pcap_packet packet;
	struct pcap pcap;

	if (pcap_open(data, n_bytes, &pcap, NULL))
		return 0;
	while (pcap_next(&pcap, &packet, NULL) == 1) {
		g_assert(packet.bytes >= data && packet.bytes + packet.n_bytes <= data + n_bytes);
		g_assert(packet.n_full_bytes >= packet.n_bytes);
		g_assert(!packet.ethernet || packet.ethernet + packet.n_ethernet_bytes ==
						     packet.bytes + packet.n_bytes);
	}
	return 0;
}
