/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets as programs use them, and what they are shown of their peers. */
#pragma once

#include "src/datapath/real_cgroup_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

static inline int tear_down_sockets(void **state)
{
	struct world *world = *state;

	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	world->dp->ops->free(world->dp);
	g_free(world);
	return 0;
}

static inline void put(struct world *world, enum plan_map map, const void *key, const void *value)
{
	assert_int_equal(world->dp->ops->map_update(world->dp, map, key, value), 0);
}

static inline struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

/* As a program writes it: IPv4 is mapped on an IPv6 socket. */
static inline socklen_t write_sockaddr(int family, const char *text, uint16_t port,
				       struct sockaddr_storage *ret)
{
	struct addr addr = addr_of(text);
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		in->sin_addr.s_addr = addr.words[3];
		return sizeof(*in);
	}
	*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&in6->sin6_addr, &addr, sizeof(addr));
	return sizeof(*in6);
}

static inline void assert_sockaddr(const struct sockaddr_storage *got, const char *text,
				   uint16_t port)
{
	struct sockaddr_storage want;

	write_sockaddr(got->ss_family, text, port, &want);
	if (got->ss_family == AF_INET)
		assert_memory_equal(got, &want, sizeof(struct sockaddr_in));
	else
		assert_memory_equal(&((struct sockaddr_in6 *)got)->sin6_addr,
				    &((struct sockaddr_in6 *)&want)->sin6_addr, 16);
	assert_int_equal(((struct sockaddr_in *)got)->sin_port, htons(port));
}

static inline int socket_new(int family, int kind)
{
	int fd = socket(family, kind | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static inline int bind_to(int fd, int family, const char *text, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t n_bytes = write_sockaddr(family, text, port, &addr);

	return bind(fd, (struct sockaddr *)&addr, n_bytes) ? -errno : 0;
}

static inline int connect_to(int fd, int family, const char *text, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t n_bytes = write_sockaddr(family, text, port, &addr);

	return connect(fd, (struct sockaddr *)&addr, n_bytes) ? -errno : 0;
}

static inline int send_to(int fd, int family, const char *text, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t n_bytes = write_sockaddr(family, text, port, &addr);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, n_bytes) < 0 ? -errno : 0;
}

static inline int server_new(int family, int kind, const char *text, uint16_t *ret_port)
{
	struct sockaddr_storage addr;
	socklen_t n_bytes = sizeof(addr);
	int fd = socket_new(family, kind);

	assert_int_equal(bind_to(fd, family, text, 0), 0);
	if (kind == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n_bytes), 0);
	*ret_port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
	return fd;
}

/* Waits for a datagram, and sends it back. */
static inline void echo(int server_fd)
{
	struct sockaddr_storage peer;
	socklen_t n_bytes = sizeof(peer);
	struct pollfd poll_fd = {.fd = server_fd, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&poll_fd, 1, 2000), 1);
	assert_int_equal(recvfrom(server_fd, &byte, 1, 0, (struct sockaddr *)&peer, &n_bytes), 1);
	assert_int_equal(sendto(server_fd, &byte, 1, 0, (struct sockaddr *)&peer, n_bytes), 1);
}

static inline void assert_comes_from(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage peer;
	socklen_t n_bytes = sizeof(peer);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&poll_fd, 1, 2000), 1);
	assert_int_equal(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&peer, &n_bytes), 1);
	assert_sockaddr(&peer, text, port);
}

static inline void assert_peer(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage peer;
	socklen_t n_bytes = sizeof(peer);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &n_bytes), 0);
	assert_sockaddr(&peer, text, port);
}
