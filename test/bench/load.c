/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load over TCP, one connection at a time:
 *
 *	load serve CPU              listens on :: at two ports, prints them: sink, echo
 *	load stream|rr|crr CPU ADDRESS PORT MILLISECONDS
 *
 * stream sends as fast as it can (to the sink) and prints bytes a second; rr exchanges one byte both
 * ways on one connection, crr on a new connection each time (both with the echo): exchanges a second.
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

static int listen_any(uint16_t *ret_port)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6};
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, n) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&addr, &n))
		err(1, "listen");
	*ret_port = ntohs(addr.sin6_port);
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

static void serve_echo(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char byte;

		set_no_delay(fd);
		while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
			;
		close(fd);
	}
}

static void serve(void)
{
	uint16_t sink_port, echo_port;
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

static double run(const char *kind, const struct addrinfo *info, int64_t duration_ns)
{
	static char buffer[128 * 1024];
	bool is_stream = !strcmp(kind, "stream");
	bool is_crr = !strcmp(kind, "crr");
	int fd = is_crr ? -1 : connect_to(info);
	int64_t start, end;
	uint64_t count = 0;

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
		if (is_crr)
			fd = connect_to(info);
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
	struct addrinfo *info;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		pin(argv[2]);
		serve();
	}
	if (argc != 6)
		errx(2, "usage: load serve CPU | load stream|rr|crr CPU ADDRESS PORT MILLISECONDS");
	pin(argv[2]);
	if (getaddrinfo(argv[3], argv[4], &hints, &info))
		errx(1, "%s: no address", argv[3]);
	printf("%.0f\n", run(argv[1], info, atoll(argv[5]) * 1000000));
	freeaddrinfo(info);
	return 0;
}
