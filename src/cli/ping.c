/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/ping.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/cli/rule_name.h"
#include "src/observe/event_policy.h"
#include "src/observe/monitor_client.h"
#include "src/observe/packet_text.h"
#include "src/wire/echo.h"
#include "src/wire/packet.h"

/* Drops are told a few milliseconds after they happened; the last ones too are to be seen. */
#define DROP_DELAY_NS (100 * NSEC_PER_MSEC)

struct ping {
	const struct ping_request *request;
	struct ping_result *result;
	bool v6;
	uint16_t id;
	uint64_t nonce; /* in each payload: another program may have the same id */
	int64_t *sent_ns;
	bool *is_answered;
	uint8_t *message;
	int64_t start_ns;
	int monitor_fd;
};

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number)
{
	is_interrupted = 1;
}

int ping_socket_new(int family, GError **error)
{
	int protocol = family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	const int on = 1;

	if (fd < 0)
		return error_set_errno(error, errno, "make a raw socket");
	if (family == AF_INET6) {
		struct icmp6_filter filter;

		ICMP6_FILTER_SETBLOCKALL(&filter);
		ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
		for (int type = ICMP6_DST_UNREACH; type <= ICMP6_PARAM_PROB; type++)
			ICMP6_FILTER_SETPASS(type, &filter);
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on));
	}
	return fd;
}

static void format_address(const void *sockaddr, char text[static INET6_ADDRSTRLEN])
{
	const struct sockaddr *generic = sockaddr;
	const struct sockaddr_in *in = sockaddr;
	const struct sockaddr_in6 *in6 = sockaddr;

	inet_ntop(generic->sa_family,
		  generic->sa_family == AF_INET6 ? (const void *)&in6->sin6_addr
						 : (const void *)&in->sin_addr,
		  text, INET6_ADDRSTRLEN);
}

static const uint8_t *destination(const struct ping *ping)
{
	const struct sockaddr_in *in = (const void *)&ping->request->dst;
	const struct sockaddr_in6 *in6 = (const void *)&ping->request->dst;

	return ping->v6 ? in6->sin6_addr.s6_addr : (const uint8_t *)&in->sin_addr;
}

/* ---- requests and replies ---- */

static void send_request(struct ping *ping)
{
	const struct ping_request *request = ping->request;
	uint16_t seq = ++ping->result->n_sent;
	uint8_t *payload = ping->message + ECHO_HEADER_BYTES;
	size_t n_address = ping->v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	size_t n_bytes;

	memcpy(payload, &ping->nonce, MIN(sizeof(ping->nonce), request->n_payload_bytes));
	n_bytes = echo_encode(ping->message, ping->v6, ping->id, seq, request->n_payload_bytes);
	ping->sent_ns[seq] = clock_monotonic_ns();
	if (sendto(request->socket_fd, ping->message, n_bytes, 0,
		   (const struct sockaddr *)&request->dst, n_address) < 0) {
		ping->result->n_unsent++;
		printf("icmp_seq=%u not sent: %s\n", seq, g_strerror(errno));
	}
}

static void take_reply(struct ping *ping, const struct echo *echo, const char *from)
{
	struct ping_result *result = ping->result;
	double ms = (double)(clock_monotonic_ns() - ping->sent_ns[echo->seq]) / NSEC_PER_MSEC;
	bool is_duplicate = ping->is_answered[echo->seq];

	printf("%zu bytes from %s: icmp_seq=%u", echo->n_payload_bytes + ECHO_HEADER_BYTES, from,
	       echo->seq);
	if (echo->ttl)
		printf(" ttl=%u", echo->ttl);
	printf(" time=%.3f ms%s\n", ms, is_duplicate ? " (DUP!)" : "");
	if (is_duplicate) {
		result->n_duplicates++;
		return;
	}
	ping->is_answered[echo->seq] = true;
	result->min_ms = result->n_received ? MIN(result->min_ms, ms) : ms;
	result->max_ms = MAX(result->max_ms, ms);
	result->sum_ms += ms;
	result->sum_squares_ms += ms * ms;
	result->n_received++;
}

static void take_error(struct ping *ping, const struct echo *echo, const char *from)
{
	g_autofree char *what = packet_text_format_icmp(ping->v6, echo->type, echo->code);

	ping->result->n_errors++;
	printf("From %s: icmp_seq=%u %s", from, echo->seq, what);
	if (echo->mtu)
		printf(" (mtu = %u)", echo->mtu);
	putchar('\n');
}

/* The hop limit, which IPv6 tells beside the message; 0: not told. */
static uint8_t hop_limit(struct msghdr *header)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control;
	     control = CMSG_NXTHDR(header, control)) {
		int limit;

		if (control->cmsg_level != IPPROTO_IPV6 || control->cmsg_type != IPV6_HOPLIMIT)
			continue;
		memcpy(&limit, CMSG_DATA(control), sizeof(limit));
		return limit;
	}
	return 0;
}

static bool is_ours(const struct ping *ping, const struct echo *echo)
{
	if (echo->id != ping->id || !echo->seq || echo->seq > ping->result->n_sent)
		return false;
	if (echo->kind == ECHO_ERROR)
		return !memcmp(echo->dst, destination(ping), ping->v6 ? 16 : 4);
	return echo->n_payload_bytes < sizeof(ping->nonce) ||
	       !memcmp(echo->payload, &ping->nonce, sizeof(ping->nonce));
}

static void receive(struct ping *ping)
{
	uint8_t *bytes = g_malloc(UINT16_MAX);

	for (;;) {
		struct sockaddr_storage from = {0};
		char control[64], from_text[INET6_ADDRSTRLEN];
		struct iovec iov = {.iov_base = bytes, .iov_len = UINT16_MAX};
		struct msghdr header = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(ping->request->socket_fd, &header, 0);
		struct echo echo;

		if (n < 0)
			break;
		if (!echo_decode(bytes, n, ping->v6, &echo) || !is_ours(ping, &echo))
			continue;
		if (ping->v6)
			echo.ttl = hop_limit(&header);
		format_address(&from, from_text);
		if (echo.kind == ECHO_REPLY)
			take_reply(ping, &echo, from_text);
		else
			take_error(ping, &echo, from_text);
	}
	g_free(bytes);
}

/* ---- what the datapath says ---- */

/*
 * The request, or the reply to it. A masqueraded request comes back under another id, so a reply of the
 * destination to one of our sequence numbers is enough.
 */
static bool concerns(const struct ping *ping, const struct packet *packet, bool *ret_is_reply)
{
	uint8_t request_type = ping->v6 ? ICMP6_ECHO_REQUEST : 8;
	uint8_t reply_type = ping->v6 ? ICMP6_ECHO_REPLY : 0;
	size_t n_addr = ping->v6 ? 16 : 4;

	if (!(packet->layers & (ping->v6 ? PACKET_ICMPV6 : PACKET_ICMPV4)) || !packet->icmp_seq ||
	    packet->icmp_seq > ping->result->n_sent)
		return false;
	*ret_is_reply = packet->icmp_type == reply_type;
	if (packet->icmp_type == request_type)
		return packet->icmp_id == ping->id &&
		       !memcmp(packet->dst, destination(ping), n_addr);
	return *ret_is_reply && !memcmp(packet->src, destination(ping), n_addr);
}

static void print_rule(const struct event *event)
{
	const struct event_format format = {.rule = rule_name_find};
	g_autoptr(GString) rule = g_string_new(NULL);

	if (!event_is_of_policy(event))
		return;
	event_policy_append_rule(rule, event, &format);
	printf(", %s", rule->str);
}

static void take_drop(struct ping *ping, const struct event *event)
{
	struct packet packet;
	const char *cause = event_drop_cause(event->subtype);
	bool is_reply;

	packet_decode(event->packet, MIN(event->cap_len, EVENT_PACKET_BYTES),
		      event->flags & EVENT_F_L3_DEVICE, &packet);
	if (event->type != EVENT_DROP || !concerns(ping, &packet, &is_reply))
		return;
	printf("xx icmp_seq=%u: %s dropped on this node: %s (%s:%u)", packet.icmp_seq,
	       is_reply ? "reply" : "request", event_drop_reason_text(event->subtype),
	       event_source_file_text(event->file), event->line);
	if (event->src_endpoint)
		printf(", from endpoint %u", event->src_endpoint);
	if (event->dst_endpoint)
		printf(", to endpoint %u", event->dst_endpoint);
	if (event->ext_error)
		printf(", %s", g_strerror(ABS(event->ext_error)));
	print_rule(event);
	putchar('\n');
	/* Once says it. */
	if (!ping->result->n_dropped++ && cause)
		printf("   That is a packet %s. %s\n", cause, event_drop_next(event->subtype));
}

static void listen_to_monitor(struct ping *ping)
{
	for (;;) {
		struct monitor_message message;
		int n = monitor_client_receive(ping->monitor_fd, true, &message);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			ping->monitor_fd = -1;
			ping->result->monitor_lost = true;
			return;
		}
		if (message.header.type == MONITOR_MESSAGE_LOST)
			ping->result->monitor_lost = true;
		else if (message.header.type == MONITOR_MESSAGE_EVENT)
			take_drop(ping, &message.event);
	}
}

/* ---- the run ---- */

static void wait_until(struct ping *ping, int64_t deadline_ns)
{
	struct pollfd polled[] = {
		{.fd = ping->request->socket_fd, .events = POLLIN},
		{.fd = ping->monitor_fd, .events = POLLIN},
	};
	int64_t left_ns = MAX(deadline_ns - clock_monotonic_ns(), 0);
	struct timespec timeout = {left_ns / NSEC_PER_SEC, left_ns % NSEC_PER_SEC};

	if (ppoll(polled, G_N_ELEMENTS(polled), &timeout, NULL) > 0) {
		receive(ping);
		if (ping->monitor_fd >= 0)
			listen_to_monitor(ping);
		fflush(stdout);
	}
}

static void run(struct ping *ping)
{
	const struct ping_request *request = ping->request;
	const struct ping_result *result = ping->result;
	int64_t next_ns = ping->start_ns;

	while (result->n_sent < request->count && !is_interrupted) {
		if (clock_monotonic_ns() >= next_ns) {
			send_request(ping);
			next_ns += request->interval_ns;
		}
		if (result->n_sent < request->count)
			wait_until(ping, next_ns);
	}
	next_ns = clock_monotonic_ns() + request->timeout_ns;
	while (result->n_received + result->n_unsent < result->n_sent && !is_interrupted &&
	       clock_monotonic_ns() < next_ns)
		wait_until(ping, next_ns);
	ping->result->elapsed_ns = clock_monotonic_ns() - ping->start_ns;
	next_ns = clock_monotonic_ns() + DROP_DELAY_NS;
	while (result->n_received < result->n_sent && ping->monitor_fd >= 0 && !is_interrupted &&
	       clock_monotonic_ns() < next_ns)
		wait_until(ping, next_ns);
}

void ping_run(const struct ping_request *request, struct ping_result *ret_result)
{
	const struct sigaction action = {.sa_handler = on_interrupt};
	struct ping ping = {
		.request = request,
		.result = ret_result,
		.v6 = request->dst.ss_family == AF_INET6,
		.id = g_random_int(),
		.nonce = (uint64_t)g_random_int() << 32 | g_random_int(),
		.sent_ns = g_new0(int64_t, request->count + 1),
		.is_answered = g_new0(bool, request->count + 1),
		.message = g_malloc0(ECHO_HEADER_BYTES + request->n_payload_bytes),
		.start_ns = clock_monotonic_ns(),
		.monitor_fd = request->monitor_fd,
	};

	*ret_result = (struct ping_result){0};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	run(&ping);
	g_free(ping.message);
	g_free(ping.is_answered);
	g_free(ping.sent_ns);
}
