/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the traffic generator share: see test/soak/traffic.c. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define MAX_PATHS   32
#define MAGIC       0x50a4beefu
#define SERVER_PORT 7007
#define NS_PER_SEC  1000000000LL
#define NS_PER_MS   1000000LL

struct message {
	uint32_t magic, path, number, server;
};

/* What epoll calls. */
struct source {
	int fd;
	void (*ready)(struct source *source);
};

struct server {
	struct source udp, tcp;
	const char *netns, *address;
	unsigned int index;
};

struct path {
	struct source udp;
	const char *name, *client, *netns, *address, *source;
	struct server *server;
	unsigned int index;
	int64_t datagram_interval_ns, connection_interval_ns; /* 0: none */
	int64_t datagram_due_ns, connection_due_ns;
	/* Of each datagram: when it was sent, in ms from the start, and 0 once it came back. */
	uint32_t *sent_ms;
	uint32_t n_sent, n_sent_max, n_back;
	unsigned int n_wrong, n_twice,
		n_refused; /* refused: the kernel would not send, or ICMP errors */
	int64_t last_back_ns, gap_ns, gap_at_ns;
	unsigned int n_connections, n_done, n_connections_wrong, n_failed, n_open;
	uint64_t n_retransmitted;
	int64_t slowest_ns;
	int last_error;
};

extern struct path paths[MAX_PATHS];
extern unsigned int n_paths;

int64_t now_ns(void);
/* A socket of SOCK_DGRAM or SOCK_STREAM for the address's family, in the namespace, for good. */
int socket_in(const char *netns, const char *address, int kind);
socklen_t fill_address(const char *text, uint16_t port, struct sockaddr_storage *ret_addr);
/* events: EPOLL…; the source stays where it is until its descriptor is closed. */
void watch(struct source *source, uint32_t events);
void watch_other(struct source *source, uint32_t events);
/* Whether the message is of a path to this server, and comes from where that path's should. */
bool message_is_for(const struct message *message, const struct server *server,
		    const struct sockaddr_storage *from);

/* The connections: test/soak/traffic_tcp.c. */
void accept_connections(struct source *source); /* source: the member tcp of a server */
void open_connection(struct path *path);
