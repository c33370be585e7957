/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/cli/commands.h"
#include "src/observe/event_text.h"
#include "src/observe/monitor_message.h"

#define DEFAULT_SOCKET    "/var/run/cilium/monitor1_2.sock"
#define RECONNECT_MAX_NS  (12 * NSEC_PER_SEC)
#define RETRY_INTERVAL_US (100 * 1000)

static bool arg_hex, arg_json, arg_numeric;
static unsigned int arg_verbose;
static GPtrArray *arg_types, *arg_from, *arg_to, *arg_related;
static const char *arg_socket;

/* ---- which events ---- */

struct filter {
	bool drops, traces;
	GArray *from, *to, *related; /* uint16_t: endpoints; NULL: any */
};

static bool contains(const GArray *ids, uint16_t id)
{
	for (size_t i = 0; i < ids->len; i++)
		if (g_array_index(ids, uint16_t, i) == id)
			return true;
	return false;
}

static bool passes(const struct filter *filter, const struct event *event)
{
	if (event->type == EVENT_DROP ? !filter->drops : !filter->traces)
		return false;
	if (!filter->from && !filter->to && !filter->related)
		return true;
	return (filter->from && contains(filter->from, event->src_endpoint)) ||
	       (filter->to && contains(filter->to, event->dst_endpoint)) ||
	       (filter->related && (contains(filter->related, event->src_endpoint) ||
				    contains(filter->related, event->dst_endpoint)));
}

/* 0 or the exit status. */
static int parse_ids(const char *flag, const GPtrArray *texts, GArray **ret_ids)
{
	if (!texts)
		return EXIT_SUCCESS;
	*ret_ids = g_array_new(FALSE, FALSE, sizeof(uint16_t));
	for (size_t i = 0; i < texts->len; i++) {
		const char *text = g_ptr_array_index(texts, i);
		guint64 number;
		uint16_t id;

		if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &number, NULL))
			return cli_fail_usage("--%s \"%s\": expected the number of an endpoint",
					      flag, text);
		id = number;
		g_array_append_val(*ret_ids, id);
	}
	return EXIT_SUCCESS;
}

static int parse_types(struct filter *filter)
{
	/* Cilium's types that this agent has no events of: accepted, never seen. */
	static const char *const others[] = {"agent",          "capture",  "debug",      "l7",
					     "policy-verdict", "recorder", "trace-sock", NULL};

	filter->drops = filter->traces = !arg_types;
	for (size_t i = 0; arg_types && i < arg_types->len; i++) {
		const char *type = g_ptr_array_index(arg_types, i);

		if (!strcmp(type, "drop"))
			filter->drops = true;
		else if (!strcmp(type, "trace"))
			filter->traces = true;
		else if (g_strv_contains(others, type))
			fprintf(stderr, "This agent has no events of type %s\n", type);
		else
			return cli_fail_usage("unknown type \"%s\": expected drop or trace", type);
	}
	return EXIT_SUCCESS;
}

/* ---- the stream ---- */

static void print_event(const struct event *event)
{
	const struct event_format format = {
		.detail = arg_hex       ? EVENT_HEX
			  : arg_verbose ? EVENT_VERBOSE
					: EVENT_BRIEF,
		.numeric = arg_numeric,
		.ifname = arg_numeric ? NULL : if_indextoname,
	};

	if (arg_json) {
		json_t *json = event_to_json(event, &format);
		char *text = json_dumps(json, JSON_COMPACT);

		puts(text);
		free(text);
		json_decref(json);
	} else {
		g_autofree char *text = event_format(event, &format);

		fputs(text, stdout);
	}
	fflush(stdout);
}

/* False where the other side speaks another version, or nonsense. */
static bool take_message(const struct filter *filter, const struct monitor_message *message,
			 size_t n_bytes)
{
	const struct monitor_message_header *header = &message->header;
	long page_bytes = sysconf(_SC_PAGESIZE);

	if (n_bytes < sizeof(*header) || header->version != MONITOR_MESSAGE_VERSION)
		return false;
	switch (header->type) {
	case MONITOR_MESSAGE_HELLO:
		fprintf(stderr,
			"Listening for events on %u CPUs with %" PRIu64 "x%ld of shared memory\n"
			"Press Ctrl-C to quit\n",
			header->cpu_count, header->n / page_bytes, page_bytes);
		return true;
	case MONITOR_MESSAGE_LOST:
		fflush(stdout);
		fprintf(stderr, "Lost %" PRIu64 " events\n", header->n);
		return true;
	case MONITOR_MESSAGE_EVENT:
		if (n_bytes < offsetof(struct monitor_message, event.packet))
			return false;
		if (passes(filter, &message->event))
			print_event(&message->event);
		return true;
	default:
		return false;
	}
}

static int connect_monitor(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Prints until the agent goes away: 0, or −EPROTO. */
static int listen_to(const struct filter *filter, int fd)
{
	for (;;) {
		struct monitor_message message = {0};
		ssize_t n = recv(fd, &message, sizeof(message), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		if (!take_message(filter, &message, n))
			return -EPROTO;
	}
}

/* Beside the API's socket, where that was moved. g_free. */
static char *socket_path(void)
{
	const char *path = arg_socket ? arg_socket : g_getenv("CILIUM_MONITOR_SOCK");
	g_autofree char *directory = NULL;

	if (path && *path)
		return g_strdup(path);
	directory = g_path_get_dirname(cli_socket_path());
	return g_build_filename(directory, "monitor1_2.sock", NULL);
}

/* Listens over restarts of the agent; gives up when none comes back. */
static int monitor(const struct filter *filter)
{
	g_autofree char *path = socket_path();
	int64_t gone_ns = 0;

	for (;;) {
		int fd = connect_monitor(path);
		int err;

		if (fd < 0 && (!gone_ns || clock_monotonic_ns() - gone_ns > RECONNECT_MAX_NS))
			return cli_fail("cannot connect to %s: %s", path, g_strerror(-fd));
		if (fd < 0) {
			g_usleep(RETRY_INTERVAL_US);
			continue;
		}
		err = listen_to(filter, fd);
		close(fd);
		if (err < 0)
			return cli_fail("%s speaks another protocol", path);
		fputs("The agent has gone; waiting for it\n", stderr);
		gone_ns = clock_monotonic_ns();
	}
}

static int run_monitor(int argc, char *const argv[])
{
	struct filter filter = {0};
	int status = parse_types(&filter);

	if (!status)
		status = parse_ids("from", arg_from, &filter.from);
	if (!status)
		status = parse_ids("to", arg_to, &filter.to);
	if (!status)
		status = parse_ids("related-to", arg_related, &filter.related);
	return status ? status : monitor(&filter);
}

static const struct cli_flag flags[] = {
	{"from", 0, CLI_FLAG_LIST, "Filter by source endpoint id", &arg_from},
	{"hex", 0, CLI_FLAG_BOOL, "Do not dissect, print payload in HEX", &arg_hex},
	{"json", 'j', CLI_FLAG_BOOL, "Enable json output", &arg_json},
	{"monitor-socket", 0, CLI_FLAG_TEXT,
	 "Configure monitor socket path (env CILIUM_MONITOR_SOCK, default " DEFAULT_SOCKET ")",
	 &arg_socket},
	{"numeric", 'n', CLI_FLAG_BOOL, "Display all security identities as numeric values",
	 &arg_numeric},
	{"related-to", 0, CLI_FLAG_LIST, "Filter by either source or destination endpoint id",
	 &arg_related},
	{"to", 0, CLI_FLAG_LIST, "Filter by destination endpoint id", &arg_to},
	{"type", 't', CLI_FLAG_LIST, "Filter by event types [drop trace]", &arg_types},
	{"verbose", 'v', CLI_FLAG_COUNT, "Enable verbose output (-v, -vv)", &arg_verbose},
	{NULL},
};

const struct cli_command cmd_monitor = {
	.path = "monitor",
	.help = "Display BPF program events",
	.flags = flags,
	.run = run_monitor,
};
