/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load over TCP, one connection at a time:
 *
 *	load serve CPU              listens on :: at two ports, prints them: sink, echo
 *	load serve CPU FIRST N      the same, echo at N ports from FIRST on; prints one line
 *	load stream|rr|crr CPU ADDRESS PORT MILLISECONDS [N STRIDE]
 *
 * stream sends as fast as it can (to the sink) and prints bytes a second; rr exchanges one byte both
 * ways on one connection, crr on a new connection each time (both with the echo): exchanges a second. With N,
 * crr goes to N addresses from ADDRESS on, each STRIDE after the one before, in a random order.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void pin(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "cpu %s", cpu);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void set_no_delay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		err(1, "TCP_NODELAY");
}

/* At *port; 0: any, which is told. */
static int listen_any(uint16_t *port)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, n) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&addr, &n))
		err(1, "listen");
	*port = ntohs(addr.sin6_port);
	return fd;
}

static void serve_sink(int listener)
{
	static char buffer[256 * 1024];

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
		close(fd);
	}
}

static void echo_once(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char byte;

	set_no_delay(fd);
	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
		;
	close(fd);
}

static void serve_echo(int listener)
{
	for (;;)
		echo_once(listener);
}

static void serve_ports(uint16_t first, unsigned int n)
{
	int poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	if (poller < 0)
		err(1, "epoll");
	for (unsigned int i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(first + i);

		event = (struct epoll_event){.events = EPOLLIN};
		event.data.fd = listen_any(&port);
		if (epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event))
			err(1, "epoll");
	}
	printf("ready\n");
	fflush(stdout);
	for (;;)
		if (epoll_wait(poller, &event, 1, -1) == 1)
			echo_once(event.data.fd);
}

static void serve(void)
{
	uint16_t sink_port = 0, echo_port = 0;
	int sink = listen_any(&sink_port);
	int echo = listen_any(&echo_port);
	pid_t child = fork();

	if (child < 0)
		err(1, "fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_sink(sink);
	}
	printf("%u %u\n", sink_port, echo_port);
	fflush(stdout);
	serve_echo(echo);
}

static int connect_to(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, info->ai_addr, info->ai_addrlen))
		err(1, "connect");
	return fd;
}

static void exchange(int fd)
{
	char byte = 'x';

	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		err(1, "exchange");
}

/* The last 32 bits of an address: where they are, to be counted up. */
static uint8_t *address_end(const struct addrinfo *info)
{
	if (info->ai_family == AF_INET)
		return (uint8_t *)&((struct sockaddr_in *)info->ai_addr)->sin_addr;
	return (uint8_t *)&((struct sockaddr_in6 *)info->ai_addr)->sin6_addr + 12;
}

struct range {
	uint32_t base, count, stride;
};

/* One of the addresses, at random. */
static void choose_address(const struct addrinfo *info, const struct range *range)
{
	static uint64_t state;
	uint32_t address;

	if (!state)
		state = (uint64_t)now_ns() | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	address = htonl(range->base +
			range->stride * (uint32_t)(((state >> 32) * range->count) >> 32));
	memcpy(address_end(info), &address, sizeof(address));
}

static double run(const char *kind, const struct addrinfo *info, int64_t duration_ns,
		  struct range range)
{
	static char buffer[128 * 1024];
	bool is_stream = !strcmp(kind, "stream");
	bool is_crr = !strcmp(kind, "crr");
	int fd = is_crr ? -1 : connect_to(info);
	int64_t start, end;
	uint64_t count = 0;

	memcpy(&range.base, address_end(info), sizeof(range.base));
	range.base = ntohl(range.base);
	if (!is_crr)
		set_no_delay(fd);
	start = now_ns();
	do {
		if (is_stream) {
			ssize_t n = write(fd, buffer, sizeof(buffer));

			if (n < 0)
				err(1, "write");
			count += (uint64_t)n;
			continue;
		}
		if (is_crr) {
			choose_address(info, &range);
			fd = connect_to(info);
		}
		exchange(fd);
		if (is_crr)
			close(fd);
		count++;
	} while (now_ns() - start < duration_ns);
	end = now_ns();
	return (double)count * 1e9 / (double)(end - start);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct range range = {.count = 1};
	struct addrinfo *info;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		pin(argv[2]);
		serve();
	}
	if (argc == 5 && !strcmp(argv[1], "serve")) {
		pin(argv[2]);
		serve_ports((uint16_t)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	}
	if (argc != 6 && argc != 8)
		errx(2, "usage: load serve CPU [FIRST N] | load stream|rr|crr CPU ADDRESS PORT "
			"MILLISECONDS [N STRIDE]");
	pin(argv[2]);
	if (argc == 8) {
		range.count = (uint32_t)atoi(argv[6]);
		range.stride = (uint32_t)atoi(argv[7]);
	}
	if (getaddrinfo(argv[3], argv[4], &hints, &info))
		errx(1, "%s: no address", argv[3]);
	printf("%.0f\n", run(argv[1], info, atoll(argv[5]) * 1000000, range));
	freeaddrinfo(info);
	return 0;
}
