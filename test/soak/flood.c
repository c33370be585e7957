/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames out of a device, as fast as it takes them, past every check of the sender's kernel:
 *
 *	flood DEVICE KIND COUNT SEED SRC_MAC DST_MAC IPV4… IPV6…
 *
 * The addresses are those of enum frame_place, of one family, then of the other. KIND is "random", for
 * frame_random(), or a series of well-formed frames from self to the world's place; what differs:
 *
 *	syn4 syn6 udp4 udp6       source port that masquerading keeps, then destination port
 *	ports4 ports6             UDP: source port, towards one port
 *	sweep4 sweep6             UDP: destination port, then source port
 *	fragment4 fragment6       number of the datagram, of which the first fragment is sent
 *
 * Prints how many the kernel took.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bpf/test/frame_random.h"

#define N_BATCH   64
#define N_ARGS    (7 + 2 * FRAME_PLACE__MAX)
#define PORT_LOW  1024  /* of a series: below are ports on which somebody may listen */
#define PORT_HIGH 32768 /* above it masquerading keeps the port */
#define TCP_CHECK 16
#define UDP_CHECK 6

static void fail(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_device(const char *device)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(device)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	if (fd < 0 || !addr.sll_ifindex || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail(device);
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)))
		fail("PACKET_VNET_HDR");
	return fd;
}

struct series {
	const char *kind;
	struct frame_world world;
};

static void make_one_of_series(struct frame *frame, const struct series *series, unsigned long i)
{
	const char *kind = series->kind;
	bool ipv6 = kind[strlen(kind) - 1] == '6', is_fragment = !strncmp(kind, "fragment", 8);
	const char *const *places = ipv6 ? series->world.ipv6 : series->world.ipv4;
	struct frame_spec spec = {
		.src_mac = series->world.src_mac,
		.dst_mac = series->world.dst_mac,
		.src = places[FRAME_PLACE_SELF],
		.dst = places[FRAME_PLACE_WORLD],
		.protocol = strncmp(kind, "syn", 3) ? IPPROTO_UDP : IPPROTO_TCP,
		.sport = is_fragment ? PORT_LOW : PORT_HIGH + i % (65536 - PORT_HIGH),
		.dport = PORT_LOW + i / (65536 - PORT_HIGH),
		.tcp_flags = TCP_SYN,
		.fragment_id = i,
		.more_fragments = is_fragment,
		.n_payload = 16,
	};

	if (!strncmp(kind, "sweep", 5)) {
		spec.sport = PORT_LOW + i / 65536;
		spec.dport = i;
	}
	if (!strncmp(kind, "ports", 5)) {
		spec.sport = PORT_LOW + i % (65536 - PORT_LOW);
		spec.dport = PORT_LOW;
	}
	frame_build(frame, &spec);
}

/* Segments-to-be, as the kernel of a virtual machine hands them over. The kernel refuses what is absurd. */
static void make_header(struct virtio_net_hdr *header, const struct frame *frame)
{
	bool ipv6 = frame->n_bytes > 54 && frame->data[12] == 0x86 && frame->data[13] == 0xdd;
	bool ipv4 = frame->n_bytes > 54 && frame->data[12] == 0x08 && frame->data[13] == 0x00;
	uint8_t protocol = ipv6 ? frame->data[20] : frame->data[23];
	bool tcp = protocol == IPPROTO_TCP;

	*header = (struct virtio_net_hdr){0};
	if ((!ipv4 && !ipv6) || (!tcp && protocol != IPPROTO_UDP) || random() % 4)
		return;
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = ETH_HLEN + (ipv6 ? 40 : (frame->data[14] & 0xf) * 4);
	header->csum_offset = tcp ? TCP_CHECK : UDP_CHECK;
	if (random() % 2)
		return;
	header->gso_type = !tcp   ? VIRTIO_NET_HDR_GSO_UDP
			   : ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
				  : VIRTIO_NET_HDR_GSO_TCPV4;
	header->gso_size = 1 + random() % 1000;
	header->hdr_len = header->csum_start + (tcp ? 20 : 8);
}

static void make(struct frame *frame, struct virtio_net_hdr *header, const struct series *series,
		 unsigned long i)
{
	if (strcmp(series->kind, "random")) {
		make_one_of_series(frame, series, i);
		*header = (struct virtio_net_hdr){0};
		return;
	}
	frame_random(frame, &series->world);
	make_header(header, frame);
}

/* Returns how many were taken. One that is refused (too long, absurd) is left out. */
static unsigned int send_batch(int fd, struct mmsghdr *messages, unsigned int n)
{
	unsigned int done = 0, n_taken = 0;

	while (done < n) {
		int ret = sendmmsg(fd, messages + done, n - done, 0);

		if (ret > 0) {
			done += ret;
			n_taken += ret;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			usleep(100);
		} else if (errno == ENETDOWN || errno == ENXIO) {
			fail("the device is gone");
		} else {
			done++;
		}
	}
	return n_taken;
}

int main(int argc, char **argv)
{
	static struct frame frames[N_BATCH];
	static struct virtio_net_hdr headers[N_BATCH];
	static struct iovec parts[N_BATCH][2];
	static struct mmsghdr messages[N_BATCH];
	unsigned long count, n_taken = 0;
	struct series series;
	int fd;

	if (argc != N_ARGS) {
		fprintf(stderr, "flood: see the head of test/soak/flood.c\n");
		return 2;
	}
	fd = open_device(argv[1]);
	series = (struct series){
		.kind = argv[2],
		.world = {.src_mac = argv[5], .dst_mac = argv[6]},
	};
	count = strtoul(argv[3], NULL, 10);
	srandom(strtoul(argv[4], NULL, 10));
	for (int i = 0; i < FRAME_PLACE__MAX; i++) {
		series.world.ipv4[i] = argv[7 + i];
		series.world.ipv6[i] = argv[7 + FRAME_PLACE__MAX + i];
	}
	for (unsigned long i = 0; i < count; i += N_BATCH) {
		unsigned int n = count - i < N_BATCH ? count - i : N_BATCH;

		for (unsigned int j = 0; j < n; j++) {
			make(&frames[j], &headers[j], &series, i + j);
			parts[j][0] = (struct iovec){&headers[j], sizeof(headers[j])};
			parts[j][1] = (struct iovec){frames[j].data, frames[j].n_bytes};
			messages[j].msg_hdr.msg_iov = parts[j];
			messages[j].msg_hdr.msg_iovlen = 2;
		}
		n_taken += send_batch(fd, messages, n);
	}
	printf("%lu\n", n_taken);
	return 0;
}
