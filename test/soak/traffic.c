/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic between network namespaces of which every piece is accounted for:
 *
 *	traffic NAME,CLIENT,SERVER,ADDRESS,SOURCE,DATAGRAMS,CONNECTIONS ...
 *
 * For each path: the namespaces of its ends (files as of /proc/PID/ns/net), the server's address, the address
 * that the server must see the client at, and how many datagrams and TCP connections a second. A datagram
 * says which path it is of and its number; the server answers when both ends are who they should be. So does
 * each connection. Clients of different namespaces use the same UDP port, so that masquerading has to choose.
 *
 * Prints "ready" when something came back on every path; at SIGTERM, after what is under way, a JSON array.
 * One thread does it all: a program that waits for a CPU sends nothing, and no buffer runs full meanwhile.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "test/soak/traffic.h"

#define CLIENT_PORT  7008
#define SOCKET_BYTES (8 * 1024 * 1024)
/* Who was kept from sending for longer than this does not make up for it. */
#define BEHIND_NS (2 * NS_PER_SEC)
#define BURST     16
/* How long nothing may come before what is missing counts as lost. */
#define GRACE_NS   (5 * NS_PER_SEC)
#define SHOWN_LOST 10

struct path paths[MAX_PATHS];
unsigned int n_paths;
static struct server servers[MAX_PATHS];
static unsigned int n_servers;
static int epoll_fd, own_netns_fd;
static int64_t start_ns;
static volatile sig_atomic_t stopping;

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

void watch(struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event))
		err(1, "epoll");
}

void watch_other(struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, source->fd, &event))
		err(1, "epoll");
}

socklen_t fill_address(const char *text, uint16_t port, struct sockaddr_storage *ret_addr)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_addr;
	struct sockaddr_in *four = (struct sockaddr_in *)ret_addr;

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
		errx(1, "%s is no address", text);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return sizeof(*six);
}

static bool is_from(const struct sockaddr_storage *from, const char *address)
{
	struct sockaddr_storage wanted;

	fill_address(address, 0, &wanted);
	if (wanted.ss_family != from->ss_family)
		return false;
	if (wanted.ss_family == AF_INET)
		return ((struct sockaddr_in *)&wanted)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)from)->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&((struct sockaddr_in6 *)&wanted)->sin6_addr,
				  &((const struct sockaddr_in6 *)from)->sin6_addr);
}

/* Opened once, and held. */
static int netns_open(const char *netns)
{
	static struct {
		const char *name;
		int fd;
	} known[2 * MAX_PATHS];
	int i = 0;

	while (known[i].name && strcmp(known[i].name, netns) != 0)
		i++;
	if (!known[i].name) {
		known[i].fd = open(netns, O_RDONLY | O_CLOEXEC);
		if (known[i].fd < 0)
			err(1, "%s", netns);
		known[i].name = netns;
	}
	return known[i].fd;
}

/* A socket stays in the namespace in which it was made. */
int socket_in(const char *netns, const char *address, int kind)
{
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	int one = 1, size = SOCKET_BYTES;
	int fd;

	if (setns(netns_open(netns), CLONE_NEWNET))
		err(1, "%s", netns);
	fd = socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setns(own_netns_fd, CLONE_NEWNET))
		err(1, "socket");
	if (kind == SOCK_DGRAM) {
		(void)!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	}
	(void)!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

bool message_is_for(const struct message *message, const struct server *server,
		    const struct sockaddr_storage *from)
{
	if (message->magic != MAGIC || message->path >= n_paths)
		return false;
	return paths[message->path].server == server && is_from(from, paths[message->path].source);
}

/* Datagrams. */

static void serve_datagrams(struct source *source)
{
	struct server *server = (struct server *)source;
	struct sockaddr_storage from;

	for (;;) {
		socklen_t length = sizeof(from);
		struct message message = {0};
		ssize_t n = recvfrom(source->fd, &message, sizeof(message), 0,
				     (struct sockaddr *)&from, &length);

		if (n < 0)
			return;
		if (n != sizeof(message) || !message_is_for(&message, server, &from)) {
			fprintf(stderr, "a datagram of path %u came to %s of %s\n", message.path,
				server->address, server->netns);
			paths[message.path < n_paths ? message.path : 0].n_wrong++;
			continue;
		}
		message.server = server->index;
		(void)!sendto(source->fd, &message, sizeof(message), 0, (struct sockaddr *)&from,
			      length);
	}
}

static void take_back(struct path *path, const struct message *message)
{
	int64_t now = now_ns();

	if (message->magic != MAGIC || message->path != path->index ||
	    message->server != path->server->index || message->number >= path->n_sent) {
		path->n_wrong++;
		return;
	}
	if (!path->sent_ms[message->number]) {
		path->n_twice++;
		return;
	}
	path->sent_ms[message->number] = 0;
	path->n_back++;
	if (path->last_back_ns && now - path->last_back_ns > path->gap_ns) {
		path->gap_ns = now - path->last_back_ns;
		path->gap_at_ns = now - start_ns;
	}
	path->last_back_ns = now;
}

static void receive_datagrams(struct source *source)
{
	struct path *path = (struct path *)source;

	for (;;) {
		struct message message = {0};
		ssize_t n = recv(source->fd, &message, sizeof(message), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			path->n_refused++;
			path->last_error = errno;
			continue;
		}
		take_back(path, &message);
	}
}

static void send_datagram(struct path *path)
{
	struct message message = {MAGIC, path->index, path->n_sent, 0};

	if (path->n_sent == path->n_sent_max) {
		uint32_t *more;

		path->n_sent_max = path->n_sent_max ? 2 * path->n_sent_max : 4096;
		more = realloc(path->sent_ms, path->n_sent_max * sizeof(*more));
		if (!more)
			err(1, "memory");
		path->sent_ms = more;
	}
	path->sent_ms[path->n_sent] = (uint32_t)((now_ns() - start_ns) / NS_PER_MS) + 1;
	path->n_sent++;
	if (send(path->udp.fd, &message, sizeof(message), 0) != sizeof(message)) {
		path->n_refused++;
		path->last_error = errno;
	}
}

/* Setting up. */

static struct server *server_of(const struct path *path)
{
	struct sockaddr_storage addr;
	socklen_t length = fill_address(path->address, SERVER_PORT, &addr);
	struct server *server;

	for (unsigned int i = 0; i < n_servers; i++)
		if (!strcmp(servers[i].netns, path->netns) &&
		    !strcmp(servers[i].address, path->address))
			return &servers[i];
	server = &servers[n_servers];
	*server = (struct server){
		.udp = {socket_in(path->netns, path->address, SOCK_DGRAM), serve_datagrams},
		.tcp = {socket_in(path->netns, path->address, SOCK_STREAM), accept_connections},
		.netns = path->netns,
		.address = path->address,
		.index = n_servers++,
	};
	if (bind(server->udp.fd, (struct sockaddr *)&addr, length) ||
	    bind(server->tcp.fd, (struct sockaddr *)&addr, length) || listen(server->tcp.fd, 1024))
		err(1, "%s", path->address);
	watch(&server->udp, EPOLLIN);
	watch(&server->tcp, EPOLLIN);
	return server;
}

static int64_t interval_of(const char *rate)
{
	long number = strtol(rate, NULL, 10);

	return number > 0 ? NS_PER_SEC / number : 0;
}

static void path_init(struct path *path, char *text)
{
	struct sockaddr_storage addr, own;
	socklen_t length;
	char *part[7];

	for (size_t i = 0; i < 7; i++) {
		part[i] = strsep(&text, ",");
		if (!part[i])
			errx(2, "a path has seven parts");
	}
	path->index = n_paths++;
	path->name = part[0];
	path->client = part[1];
	path->netns = part[2];
	path->address = part[3];
	path->source = part[4];
	path->datagram_interval_ns = interval_of(part[5]);
	path->connection_interval_ns = interval_of(part[6]);
	path->server = server_of(path);
	path->udp = (struct source){socket_in(path->client, path->address, SOCK_DGRAM),
				    receive_datagrams};
	length = fill_address(path->address, SERVER_PORT, &addr);
	fill_address(addr.ss_family == AF_INET ? "0.0.0.0" : "::", CLIENT_PORT, &own);
	if (bind(path->udp.fd, (struct sockaddr *)&own, length) ||
	    connect(path->udp.fd, (struct sockaddr *)&addr, length))
		err(1, "%s", path->name);
	watch(&path->udp, EPOLLIN);
}

/* Running. */

static void send_due(struct path *path, int64_t now)
{
	for (int i = 0; i < BURST && path->datagram_interval_ns && now >= path->datagram_due_ns;
	     i++) {
		send_datagram(path);
		path->datagram_due_ns += path->datagram_interval_ns;
	}
	for (int i = 0; i < BURST && path->connection_interval_ns && now >= path->connection_due_ns;
	     i++) {
		open_connection(path);
		path->connection_due_ns += path->connection_interval_ns;
	}
	if (now - path->datagram_due_ns > BEHIND_NS)
		path->datagram_due_ns = now;
	if (now - path->connection_due_ns > BEHIND_NS)
		path->connection_due_ns = now;
}

static bool all(bool (*holds)(const struct path *path))
{
	for (unsigned int i = 0; i < n_paths; i++)
		if (!holds(&paths[i]))
			return false;
	return true;
}

static bool has_begun(const struct path *path)
{
	return (!path->datagram_interval_ns || path->n_back) &&
	       (!path->connection_interval_ns || path->n_done);
}

static bool is_quiet(const struct path *path)
{
	return path->n_back == path->n_sent && !path->n_open;
}

/* How many there were. */
static int handle_events(void)
{
	struct epoll_event events[256];
	int n = epoll_wait(epoll_fd, events, 256, 1);

	for (int i = 0; i < n; i++) {
		struct source *source = events[i].data.ptr;

		source->ready(source);
	}
	return n;
}

static void run(void)
{
	bool is_ready = false;
	int64_t end_ns;

	start_ns = now_ns();
	for (unsigned int i = 0; i < n_paths; i++)
		paths[i].datagram_due_ns = paths[i].connection_due_ns = start_ns;
	while (!stopping) {
		for (unsigned int i = 0; i < n_paths; i++)
			send_due(&paths[i], now_ns());
		handle_events();
		if (!is_ready && all(has_begun)) {
			is_ready = true;
			puts("ready");
			fflush(stdout);
		}
	}
	end_ns = now_ns() + GRACE_NS;
	while (!all(is_quiet) && now_ns() < end_ns)
		if (handle_events() > 0)
			end_ns = now_ns() + GRACE_NS;
}

static void print_lost(const struct path *path)
{
	unsigned int n_shown = 0;

	printf("\"lost_at_ms\":[");
	for (uint32_t i = 0; i < path->n_sent && n_shown < SHOWN_LOST; i++)
		if (path->sent_ms[i])
			printf("%s%u", n_shown++ ? "," : "", path->sent_ms[i] - 1);
	printf("]");
}

static void print_path(const struct path *path, int64_t duration_ns)
{
	printf("{\"name\":\"%s\",\"seconds\":%.1f,\"sent\":%u,\"received\":%u,\"twice\":%u,"
	       "\"wrong\":%u,\"refused\":%u,\"gap_ms\":%.1f,\"gap_at_ms\":%lld,",
	       path->name, (double)duration_ns / NS_PER_SEC, path->n_sent, path->n_back,
	       path->n_twice, path->n_wrong, path->n_refused, (double)path->gap_ns / NS_PER_MS,
	       (long long)(path->gap_at_ns / NS_PER_MS));
	printf("\"connections\":%u,\"done\":%u,\"failed\":%u,\"open\":%u,\"connections_wrong\":%u,"
	       "\"retransmitted\":%llu,\"slowest_ms\":%.1f,\"error\":\"%s\",",
	       path->n_connections, path->n_done, path->n_failed, path->n_open,
	       path->n_connections_wrong, (unsigned long long)path->n_retransmitted,
	       (double)path->slowest_ns / NS_PER_MS,
	       path->last_error ? strerror(path->last_error) : "");
	print_lost(path);
	printf("}");
}

static void stop(int number)
{
	(void)number;
	stopping = 1;
}

int main(int argc, char **argv)
{
	const struct rlimit files = {65536, 65536};
	int64_t stopped_ns;

	if (argc < 2 || argc > MAX_PATHS + 1)
		errx(2,
		     "usage: traffic NAME,CLIENT,SERVER,ADDRESS,SOURCE,DATAGRAMS,CONNECTIONS ...");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, stop);
	(void)!setrlimit(RLIMIT_NOFILE, &files);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	own_netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (epoll_fd < 0 || own_netns_fd < 0)
		err(1, "start");
	for (int i = 1; i < argc; i++)
		path_init(&paths[i - 1], argv[i]);
	run();
	stopped_ns = now_ns();
	for (unsigned int i = 0; i < n_paths; i++) {
		printf(i ? "," : "[");
		print_path(&paths[i], stopped_ns - start_ns);
	}
	puts("]");
	return 0;
}
