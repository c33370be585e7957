/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture files, as tcpdump and Wireshark write them: pcap (draft-ietf-opsawg-pcap) and pcapng
 * (draft-ietf-opsawg-pcapng), either byte order. Pure, takes anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/base/error.h"

/* Link types of the registry at tcpdump.org that carry IP, by what stands in front of it. */
enum pcap_link {
	PCAP_LINK_ETHERNET, /* 1 */
	PCAP_LINK_RAW,      /* 12, 14, 101, 228, 229: the packet begins with the IP header */
	PCAP_LINK_SLL,      /* 113: 16 bytes of Linux "cooked" capture, as of the device "any" */
	PCAP_LINK_SLL2,     /* 276: 20 bytes */
};

/* Captures with more bytes of one packet are refused: none has them. */
#define PCAP_PACKET_BYTES_MAX (256 * 1024)
#define PCAP_INTERFACES_MAX   64

struct pcap {
	const uint8_t *bytes; /* the whole file, borrowed */
	size_t n_bytes;
	size_t offset; /* of the next record or block */
	bool is_ng;
	bool is_swapped;                            /* the file's byte order is not ours */
	unsigned int n_links;                       /* pcapng: interfaces of the section */
	enum pcap_link links[PCAP_INTERFACES_MAX];  /* pcap: the first */
	uint32_t link_numbers[PCAP_INTERFACES_MAX]; /* as the file has them */
	bool is_known[PCAP_INTERFACES_MAX];         /* the number is one of the above */
};

struct pcap_packet {
	const uint8_t *bytes;    /* inside the file; behind the link-layer header */
	size_t n_bytes;          /* captured */
	size_t n_full_bytes;     /* of the packet on the wire, without that header */
	const uint8_t *ethernet; /* the whole frame where the link is Ethernet, else NULL */
	size_t n_ethernet_bytes;
	uint16_t ether_type; /* host order; of a raw packet by its version */
};

/* bytes must outlive pcap. 0 or −EINVAL: it is no capture file. */
NODISCARD int pcap_open(const uint8_t *bytes, size_t n_bytes, struct pcap *ret_pcap,
			GError **error);
/*
 * 1 with the next packet; 0 at the end; −EINVAL with *error where the file is cut off or broken, or a link
 * type is none of the above.
 */
NODISCARD int pcap_next(struct pcap *pcap, struct pcap_packet *ret_packet, GError **error);
