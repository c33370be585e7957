/* SPDX-License-Identifier: Apache-2.0 */
/* ping: is it reached, who is it, and if not, what the datapath says. */
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/cli/commands.h"
#include "src/cli/endpoint_arg.h"
#include "src/cli/map_dump.h"
#include "src/cli/ping.h"
#include "src/cli/ping_target.h"
#include "src/observe/monitor_client.h"
#include "src/sys/netns.h"

/* As ping(8): 1 is "no reply". */
#define EXIT_ERROR 2
/* Less is a flood, and the answers are no measurement. */
#define INTERVAL_MIN_SECONDS 0.002
#define SECONDS_MAX          3600.0

static unsigned int arg_count = 5, arg_size = 56;
static const char *arg_endpoint, *arg_interval = "1", *arg_timeout = "1";
static bool arg_ipv4, arg_ipv6;

/* 0 or the exit status. */
static int parse_seconds(const char *flag, const char *text, double min, int64_t *ret_ns)
{
	char *end;
	double seconds = g_ascii_strtod(text, &end);

	if (end == text || (*end && g_strcmp0(end, "s") != 0) || !(seconds >= min) ||
	    seconds > SECONDS_MAX) {
		cli_fail_usage("--%s \"%s\": expected seconds, %g to %g", flag, text, min,
			       SECONDS_MAX);
		return EXIT_ERROR;
	}
	*ret_ns = (int64_t)(seconds * NSEC_PER_SEC);
	return EXIT_SUCCESS;
}

static int resolve(const char *name, struct sockaddr_storage *ret_dst, char **ret_text)
{
	const struct addrinfo hints = {
		.ai_family = arg_ipv4   ? AF_INET
			     : arg_ipv6 ? AF_INET6
					: AF_UNSPEC,
		.ai_socktype = SOCK_RAW,
	};
	char text[NI_MAXHOST];
	struct addrinfo *found;
	int err = getaddrinfo(name, NULL, &hints, &found);

	if (err) {
		cli_fail("%s: %s", name, err == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(err));
		return EXIT_ERROR;
	}
	memcpy(ret_dst, found->ai_addr, found->ai_addrlen);
	getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	*ret_text = g_strdup(text);
	freeaddrinfo(found);
	return EXIT_SUCCESS;
}

static struct addr destination_addr(const struct sockaddr_storage *dst)
{
	return dst->ss_family == AF_INET6
		       ? addr_from_v6(&((const struct sockaddr_in6 *)dst)->sin6_addr)
		       : addr_from_v4(((const struct sockaddr_in *)dst)->sin_addr);
}

static int open_socket(void *data, GError **error)
{
	return ping_socket_new(*(const int *)data, error);
}

/* In the namespace of the endpoint, if one is asked for; else in ours. */
static int make_socket(int family, uint16_t endpoint, GError **error)
{
	int netns_fd, fd;

	if (!arg_endpoint)
		return ping_socket_new(family, error);
	netns_fd = ping_target_open_netns(endpoint, error);
	if (netns_fd < 0)
		return netns_fd;
	fd = netns_run(netns_fd, open_socket, &family, error);
	close(netns_fd);
	return fd;
}

/* HELLO answers the subscription: from then on no drop is missed. False: it has not come within a second. */
static bool await_greeting(int fd)
{
	int64_t deadline_ns = clock_monotonic_ns() + NSEC_PER_SEC;
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	struct monitor_message message;

	while (clock_monotonic_ns() < deadline_ns && poll(&polled, 1, 100) >= 0) {
		int n = monitor_client_receive(fd, true, &message);

		if (n > 0 && message.header.type == MONITOR_MESSAGE_HELLO)
			return true;
		if (n <= 0 && n != -EAGAIN)
			break;
	}
	return false;
}

static int connect_monitor(void)
{
	g_autofree char *directory = g_path_get_dirname(cli_socket_path());
	g_autofree char *path = g_build_filename(directory, MONITOR_SOCKET_NAME, NULL);
	g_autoptr(GError) error = NULL;
	int fd = monitor_client_connect(path, MONITOR_KIND_DROP, &error);

	if (fd < 0)
		fprintf(stderr, "Drops are not seen: %s\n", error->message);
	if (fd < 0 || await_greeting(fd))
		return fd;
	fprintf(stderr, "Drops are not seen: the agent does not answer on %s\n", path);
	close(fd);
	return -1;
}

static void print_summary(const struct ping_request *request, const struct ping_result *result)
{
	unsigned int n_lost = result->n_sent - result->n_received;

	printf("\n--- %s ping statistics ---\n%u packets transmitted, %u received",
	       request->dst_text, result->n_sent, result->n_received);
	if (result->n_duplicates)
		printf(", +%u duplicates", result->n_duplicates);
	if (result->n_errors)
		printf(", +%u errors", result->n_errors);
	if (result->n_dropped)
		printf(", +%u drops", result->n_dropped);
	printf(", %.4g%% packet loss, time %lldms\n",
	       result->n_sent ? 100.0 * n_lost / result->n_sent : 0.0,
	       (long long)(result->elapsed_ns / NSEC_PER_MSEC));
	if (result->n_received) {
		double mean = result->sum_ms / result->n_received;
		double variance = result->sum_squares_ms / result->n_received - mean * mean;

		printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", result->min_ms, mean,
		       result->max_ms, sqrt(MAX(variance, 0)));
	}
	if (!n_lost || result->n_dropped || result->n_errors || result->n_unsent)
		return;
	if (request->monitor_fd < 0)
		puts("Start the agent to see whether this node dropped them; \"cilium bpf metrics "
		     "list\" counts what it drops.");
	else if (result->monitor_lost)
		puts("Not every drop of this node could be seen: see \"cilium bpf metrics list\".");
	else
		puts("This node's datapath dropped none of them: the loss is at the destination, "
		     "on "
		     "the way to it or back, or in this node's netfilter.");
}

static int ping(struct ping_request *request, uint16_t endpoint)
{
	struct addr addr = destination_addr(&request->dst);
	struct ping_result result;
	GError *error = NULL;

	request->socket_fd = make_socket(request->dst.ss_family, endpoint, &error);
	if (request->socket_fd < 0) {
		cli_fail_error(error);
		return EXIT_ERROR;
	}
	request->monitor_fd = connect_monitor();
	printf("PING %s", request->dst_text);
	if (arg_endpoint)
		printf(" from endpoint %u", endpoint);
	printf(" with %u bytes of data\n", request->n_payload_bytes);
	ping_target_print(&addr);
	fflush(stdout);
	ping_run(request, &result);
	print_summary(request, &result);
	close(request->socket_fd);
	if (request->monitor_fd >= 0)
		close(request->monitor_fd);
	if (result.n_received)
		return EXIT_SUCCESS;
	return result.n_unsent == result.n_sent && result.n_sent ? EXIT_ERROR : EXIT_FAILURE;
}

static int run_ping(int argc, char *const argv[])
{
	struct ping_request request = {.count = arg_count, .n_payload_bytes = arg_size};
	g_autofree char *text = NULL;
	uint16_t endpoint = 0;
	int status =
		parse_seconds("interval", arg_interval, INTERVAL_MIN_SECONDS, &request.interval_ns);

	if (!status)
		status = parse_seconds("timeout", arg_timeout, 0, &request.timeout_ns);
	if (status)
		return status;
	if (!arg_count || arg_count > PING_COUNT_MAX)
		cli_fail_usage("--count %u: expected 1 to %u", arg_count, PING_COUNT_MAX);
	else if (arg_size > PING_SIZE_MAX)
		cli_fail_usage("--size %u: expected 0 to %u", arg_size, PING_SIZE_MAX);
	else if (arg_ipv4 && arg_ipv6)
		cli_fail_usage("-4 and -6 exclude each other");
	else if (!arg_endpoint || !endpoint_arg_parse("endpoint", arg_endpoint, &endpoint))
		status = resolve(argv[0], &request.dst, &text);
	if (status || !text)
		return EXIT_ERROR;
	request.dst_text = text;
	return ping(&request, endpoint);
}

static const struct cli_flag flags[] = {
	BPF_ROOT_FLAG,
	{"count", 'c', CLI_FLAG_NUMBER, "How many requests to send (default 5)", &arg_count},
	{"endpoint", 0, CLI_FLAG_TEXT,
	 "Send from inside this endpoint, instead of from the node; its number, or its name as for "
	 "endpoint get",
	 &arg_endpoint},
	{"interval", 'i', CLI_FLAG_TEXT, "Seconds between two requests (default 1)", &arg_interval},
	{"ipv4", '4', CLI_FLAG_BOOL, "Use IPv4 only", &arg_ipv4},
	{"ipv6", '6', CLI_FLAG_BOOL, "Use IPv6 only", &arg_ipv6},
	{"size", 's', CLI_FLAG_NUMBER, "Bytes of data in each request (default 56)", &arg_size},
	{"timeout", 'W', CLI_FLAG_TEXT, "Seconds to wait for the last reply (default 1)",
	 &arg_timeout},
	{NULL},
};

const struct cli_command cmd_ping = {
	.path = "ping",
	.args = "DESTINATION",
	.n_args_min = 1,
	.n_args_max = 1,
	.words = CLI_WORDS_IPS,
	.help = "Echo requests to an address or name, who that is, and what the datapath drops",
	.flags = flags,
	.needs_root = true,
	.run = run_ping,
};
