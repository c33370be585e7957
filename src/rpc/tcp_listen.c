/* SPDX-License-Identifier: Apache-2.0 */
#include "src/rpc/tcp_listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct listen_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t n_bytes;
	int v6_only; /* 0: takes IPv4 as well */
};

static void set_v4(struct listen_address *address, struct in_addr host, in_port_t port)
{
	address->v4 = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = host,
		.sin_port = port,
	};
	address->n_bytes = sizeof(address->v4);
}

static void set_v6(struct listen_address *address, struct in6_addr host, in_port_t port)
{
	address->v6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_addr = host,
		.sin6_port = port,
	};
	address->n_bytes = sizeof(address->v6);
}

static int parse(const char *text, struct listen_address *ret_address, GError **error)
{
	const char *colon = strrchr(text, ':');
	g_autofree char *host = g_strndup(text, colon ? colon - text : 0);
	size_t n = strlen(host);
	struct in6_addr host6;
	struct in_addr host4;
	guint64 port;

	if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, UINT16_MAX, &port, NULL))
		return error_set(error, EINVAL, "%s: want host:port or :port", text);
	ret_address->v6_only = n != 0;
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &host6) == 1) {
			set_v6(ret_address, host6, htons(port));
			return 0;
		}
	} else if (!n) {
		set_v6(ret_address, in6addr_any, htons(port));
		return 0;
	} else if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &host4) ==
		   1) {
		set_v4(ret_address, host4, htons(port));
		return 0;
	}
	return error_set(error, EINVAL,
			 "%s: want an IPv4 address, an IPv6 address in brackets or localhost "
			 "in front of the port",
			 text);
}

static int bind_and_listen(int fd, const struct listen_address *address)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &address->v6_only, sizeof(address->v6_only)) <
		    0)
		return -errno;
	if (bind(fd, &address->any, address->n_bytes) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

static int open_socket(const struct listen_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = bind_and_listen(fd, address);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int tcp_listen(const char *text, GError **error)
{
	const struct in_addr any = {.s_addr = htonl(INADDR_ANY)};
	struct listen_address address;
	int fd = parse(text, &address, error);

	if (fd < 0)
		return fd;
	fd = open_socket(&address);
	/* Without IPv6 in the kernel, or with all of its addresses switched off. */
	if (!address.v6_only && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
		set_v4(&address, any, address.v6.sin6_port);
		fd = open_socket(&address);
	}
	if (fd == -EADDRINUSE)
		return error_set(
			error, EADDRINUSE,
			"listening on %s: %s by another process; \"ss -ltnp\" shows whose it is",
			text, g_strerror(EADDRINUSE));
	if (fd == -EADDRNOTAVAIL)
		return error_set(
			error, EADDRNOTAVAIL,
			"listening on %s: %s; no device has it, \"ip address\" shows those "
			"there are",
			text, g_strerror(EADDRNOTAVAIL));
	if (fd < 0)
		return error_set_errno(error, -fd, "listening on %s", text);
	return fd;
}
