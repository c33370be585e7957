/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single packets between network namespaces, many at a time, each of which arrives or does not:
 *
 *	policy-probe NAMESPACE...
 *
 * The namespaces are files as of /proc/PID/ns/net; below they are called by their place in the list. Reads
 *
 *	send FROM SOURCE TO DESTINATION PROTOCOL PORT SOURCE_PORT
 *
 * lines, sends all that came before a line "go", and answers that with one line: the numbers of those, from
 * 0, that arrived at TO. SOURCE "-" leaves the address to the kernel. PROTOCOL is tcp (a SYN), udp or icmp
 * (an echo request of the address's family; PORT does not matter). SOURCE_PORT 0: one that no other packet
 * has, so that each packet opens something.
 *
 * Checksums are wrong on purpose: the stack that receives a packet shows it to raw sockets and drops it
 * without an answer, so that no packet opens the way for another.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define NAMESPACES_MAX 32
#define PROBES_MAX     65536
#define BATCH          400
#define MAGIC          0x70726f62u
#define SOCKET_BYTES   (8 * 1024 * 1024)
/* After the last packet of a batch nothing comes for this long: nothing more will. */
#define QUIET_MS     30
#define HEADER_BYTES 20 /* of TCP, which the others are padded to */
#define FIRST_PORT   20000
#define N_PORTS      40000

enum kind {
	TCP,
	UDP,
	ICMP,
	KIND__MAX
};

struct message {
	uint32_t magic, epoch, number;
};

struct probe {
	unsigned int from, to;
	struct sockaddr_storage source, destination;
	bool has_source;
	enum kind kind;
	uint16_t port, source_port;
	bool arrived;
};

static const char *const kind_names[KIND__MAX] = {"tcp", "udp", "icmp"};
/* [namespace][is IPv6][kind]; one that is bound to a source would not hear what is to others. */
static int sockets[NAMESPACES_MAX][2][KIND__MAX];
static int senders[NAMESPACES_MAX][2][KIND__MAX];
static unsigned int n_namespaces, n_probes;
static struct probe probes[PROBES_MAX];
static uint32_t epoch;

static int open_socket(bool is_v6, enum kind kind)
{
	static const int protocols[2][KIND__MAX] = {{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP},
						    {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6}};
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			protocols[is_v6][kind]);
	int bytes = SOCKET_BYTES;

	if (fd < 0)
		err(1, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		err(1, "SO_RCVBUFFORCE");
	return fd;
}

static void open_namespace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
	for (int is_v6 = 0; is_v6 < 2; is_v6++)
		for (enum kind kind = 0; kind < KIND__MAX; kind++)
			sockets[n_namespaces][is_v6][kind] = open_socket(is_v6, kind);
	for (int is_v6 = 0; is_v6 < 2; is_v6++)
		for (enum kind kind = 0; kind < KIND__MAX; kind++)
			senders[n_namespaces][is_v6][kind] = open_socket(is_v6, kind);
	n_namespaces++;
}

static void fill_address(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
		four->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
		six->sin6_family = AF_INET6;
	else
		errx(1, "not an address: %s", text);
}

static socklen_t address_bytes(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}

static void add_probe(const char *line)
{
	struct probe *probe = &probes[n_probes];
	char source[64], destination[64], kind[8];
	unsigned int port, source_port;

	if (n_probes == PROBES_MAX)
		errx(1, "too many packets");
	memset(probe, 0, sizeof(*probe));
	if (sscanf(line, "send %u %63s %u %63s %7s %u %u", &probe->from, source, &probe->to,
		   destination, kind, &port, &source_port) != 7 ||
	    probe->from >= n_namespaces || probe->to >= n_namespaces)
		errx(1, "not understood: %s", line);
	while (probe->kind < KIND__MAX && strcmp(kind_names[probe->kind], kind) != 0)
		probe->kind++;
	if (probe->kind == KIND__MAX)
		errx(1, "not understood: %s", line);
	probe->has_source = strcmp(source, "-") != 0;
	if (probe->has_source)
		fill_address(source, &probe->source);
	fill_address(destination, &probe->destination);
	probe->port = port;
	probe->source_port = source_port;
	n_probes++;
}

/* Each comes again after 40,000 others. */
static uint16_t next_port(void)
{
	static unsigned int n;

	return FIRST_PORT + n++ % N_PORTS;
}

/* The message is where the receiver looks for it: behind a header of HEADER_BYTES, whichever that is. */
static size_t build(const struct probe *probe, unsigned char *packet)
{
	struct message message = {MAGIC, epoch, probe - probes};
	uint16_t source_port = probe->source_port ? probe->source_port : next_port();
	uint16_t ports[2] = {htons(source_port), htons(probe->port)};
	size_t n_bytes = HEADER_BYTES + sizeof(message);

	memset(packet, 0, n_bytes);
	memcpy(packet, ports, sizeof(ports));
	memcpy(packet + HEADER_BYTES, &message, sizeof(message));
	if (probe->kind == TCP) {
		packet[12] = 5 << 4;
		packet[13] = 0x02; /* SYN */
		packet[14] = 0xff;
		packet[16] = packet[17] = 0xa5;
	} else if (probe->kind == UDP) {
		packet[5] = n_bytes;
		packet[6] = packet[7] = 0xa5;
	} else {
		bool is_v6 = probe->destination.ss_family == AF_INET6;

		memset(packet, 0, 4);
		packet[0] = is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
		packet[2] = packet[3] = 0xa5;
		memcpy(packet + 4, ports, sizeof(ports[0]));
	}
	return n_bytes;
}

static void send_probe(const struct probe *probe)
{
	bool is_v6 = probe->destination.ss_family == AF_INET6;
	int fd = senders[probe->from][is_v6][probe->kind];
	struct sockaddr_storage any = {.ss_family = probe->destination.ss_family};
	unsigned char packet[64];
	size_t n_bytes = build(probe, packet);

	if (bind(fd, (const struct sockaddr *)(probe->has_source ? &probe->source : &any),
		 address_bytes(&probe->destination)))
		err(1, "bind");
	/* Refused by the stack, or no buffer: it did not arrive. */
	if (sendto(fd, packet, n_bytes, 0, (const struct sockaddr *)&probe->destination,
		   address_bytes(&probe->destination)) < 0 &&
	    errno != EPERM && errno != ENOBUFS && errno != EAGAIN)
		err(1, "sendto");
}

static void take(unsigned int namespace, const unsigned char *data, size_t n_bytes, bool is_v6,
		 enum kind kind)
{
	size_t start = is_v6 ? 0 : (data[0] & 0x0f) * 4u;
	struct message message;

	if (n_bytes < start + HEADER_BYTES + sizeof(message))
		return;
	/* What the stack answers to an echo request says the same and is another packet. */
	if (kind == ICMP && data[start] != (is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO))
		return;
	memcpy(&message, data + start + HEADER_BYTES, sizeof(message));
	if (message.magic == MAGIC && message.epoch == epoch && message.number < n_probes &&
	    probes[message.number].to == namespace)
		probes[message.number].arrived = true;
}

static bool drain(unsigned int namespace, bool is_v6, enum kind kind)
{
	unsigned char data[2048];
	bool any = false;

	for (;;) {
		ssize_t n = recv(sockets[namespace][is_v6][kind], data, sizeof(data), 0);

		if (n < 0)
			return any;
		take(namespace, data, n, is_v6, kind);
		any = true;
	}
}

static void drain_all(void)
{
	bool any;

	do {
		any = false;
		for (unsigned int i = 0; i < n_namespaces; i++)
			for (unsigned int k = 0; k < 2 * KIND__MAX; k++)
				any |= drain(i, k % 2, k / 2);
		if (!any) {
			usleep(QUIET_MS * 1000);
			for (unsigned int i = 0; i < n_namespaces; i++)
				for (unsigned int k = 0; k < 2 * KIND__MAX; k++)
					any |= drain(i, k % 2, k / 2);
		}
	} while (any);
}

static void go(void)
{
	epoch++;
	for (unsigned int i = 0; i < n_probes; i++) {
		send_probe(&probes[i]);
		if (i % BATCH == BATCH - 1)
			drain_all();
	}
	drain_all();
	for (unsigned int i = 0; i < n_probes; i++)
		if (probes[i].arrived)
			printf("%u ", i);
	printf("\n");
	fflush(stdout);
	n_probes = 0;
}

int main(int argc, char *argv[])
{
	char line[256];

	if (argc < 2 || argc - 1 > NAMESPACES_MAX)
		errx(1, "usage: policy-probe NAMESPACE...");
	if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch))
		err(1, "getrandom");
	epoch %= 1u << 16;
	for (int i = 1; i < argc; i++)
		open_namespace(argv[i]);
	while (fgets(line, sizeof(line), stdin))
		if (!strcmp(line, "go\n"))
			go();
		else
			add_probe(line);
	return 0;
}
