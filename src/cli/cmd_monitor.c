/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/cli/commands.h"
#include "src/cli/endpoint_arg.h"
#include "src/cli/rule_name.h"
#include "src/cli/service_name.h"
#include "src/observe/agent_event_text.h"
#include "src/observe/event_text.h"
#include "src/observe/monitor_client.h"

#define DEFAULT_SOCKET    "/var/run/cilium/" MONITOR_SOCKET_NAME
#define RECONNECT_MAX_NS  (12 * NSEC_PER_SEC)
#define RETRY_INTERVAL_US (100 * 1000)

static bool arg_hex, arg_json, arg_numeric;
static unsigned int arg_verbose;
static GPtrArray *arg_types, *arg_from, *arg_to, *arg_related;
static const char *arg_socket;

/* ---- which events ---- */

struct filter {
	unsigned int kinds;          /* MONITOR_KIND_* */
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
	int status = EXIT_SUCCESS;

	if (!texts)
		return EXIT_SUCCESS;
	*ret_ids = g_array_new(FALSE, FALSE, sizeof(uint16_t));
	for (size_t i = 0; i < texts->len && !status; i++) {
		uint16_t id;

		status = endpoint_arg_parse(flag, g_ptr_array_index(texts, i), &id);
		if (!status)
			g_array_append_val(*ret_ids, id);
	}
	return status;
}

static int parse_types(struct filter *filter)
{
	static const struct {
		const char *name;
		unsigned int kind; /* 0: one of Cilium's that this version makes nothing of */
	} types[] = {
		{"agent", MONITOR_KIND_AGENT},
		{"capture", 0},
		{"debug", 0},
		{"drop", MONITOR_KIND_DROP},
		{"l7", 0},
		{"policy-verdict", MONITOR_KIND_VERDICT},
		{"recorder", 0},
		{"trace", MONITOR_KIND_TRACE},
		{"trace-sock", 0},
	};

	if (!arg_types)
		filter->kinds = MONITOR_KINDS;
	for (size_t i = 0; arg_types && i < arg_types->len; i++) {
		const char *type = g_ptr_array_index(arg_types, i);
		size_t n = 0;

		while (n < G_N_ELEMENTS(types) && strcmp(types[n].name, type))
			n++;
		if (n == G_N_ELEMENTS(types))
			return cli_fail_usage("unknown type \"%s\": expected agent, capture, "
					      "debug, drop, l7, policy-verdict, recorder, trace or "
					      "trace-sock",
					      type);
		if (!types[n].kind)
			fprintf(stderr, "This version makes no events of type %s\n", type);
		filter->kinds |= types[n].kind;
	}
	return filter->kinds ? EXIT_SUCCESS
			     : cli_fail("there is nothing to listen to: this version makes events "
					"of the types agent, drop, policy-verdict and trace");
}

/* ---- the stream ---- */

/* Takes json. */
static void print_json(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	puts(text);
	free(text);
	json_decref(json);
}

static void print_event(const struct event *event)
{
	const struct event_format format = {
		.detail = arg_hex       ? EVENT_HEX
			  : arg_verbose ? EVENT_VERBOSE
					: EVENT_BRIEF,
		.numeric = arg_numeric,
		.ifname = arg_numeric ? NULL : if_indextoname,
		.rule = rule_name_find,
		.service = service_name_find,
	};

	if (arg_json) {
		print_json(event_to_json(event, &format));
	} else {
		g_autofree char *text = event_format(event, &format);

		fputs(text, stdout);
	}
}

static void print_agent_event(const struct monitor_message *message, size_t n_text_bytes)
{
	uint64_t number = message->header.n;

	if (arg_json) {
		print_json(agent_event_to_json(number, message->text, n_text_bytes));
	} else {
		g_autofree char *text = agent_event_format(number, message->text, n_text_bytes);

		fputs(text, stdout);
	}
}

static void take_message(const struct filter *filter, const struct monitor_message *message,
			 size_t n_bytes)
{
	const struct monitor_message_header *header = &message->header;
	long page_bytes = sysconf(_SC_PAGESIZE);

	switch (header->type) {
	case MONITOR_MESSAGE_HELLO:
		fprintf(stderr,
			"Listening for events on %u CPUs with %" PRIu64 "x%ld of shared memory\n"
			"Press Ctrl-C to quit\n",
			header->cpu_count, header->n / page_bytes, page_bytes);
		break;
	case MONITOR_MESSAGE_LOST:
		fflush(stdout);
		fprintf(stderr, "Lost %" PRIu64 " events: they came faster than this could print\n",
			header->n);
		break;
	case MONITOR_MESSAGE_EVENT:
		if (passes(filter, &message->event))
			print_event(&message->event);
		break;
	case MONITOR_MESSAGE_AGENT:
		print_agent_event(message, monitor_message_n_text_bytes(n_bytes));
		break;
	default:
		break;
	}
}

/*
 * Prints until the agent goes away. 0; −EPROTO; −ECONNRESET where it has gone without a word, as it
 * does to more listeners than it serves; −EIO: nobody takes what is printed.
 */
static int listen_to(const struct filter *filter, int fd)
{
	bool is_greeted = false;

	for (;;) {
		struct monitor_message message;
		int n = monitor_client_receive(fd, false, &message);

		if (n <= 0)
			return n < 0 || is_greeted ? n : -ECONNRESET;
		is_greeted = true;
		take_message(filter, &message, n);
		if (fflush(stdout) || ferror(stdout))
			return -EIO;
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
	return g_build_filename(directory, MONITOR_SOCKET_NAME, NULL);
}

static int fail_listening(const char *path, int err)
{
	if (err == -EPROTO)
		return cli_fail("%s speaks another protocol: agent and command line are of "
				"different versions",
				path);
	if (err == -ECONNRESET)
		return cli_fail("%s turns listeners away: as many listen as the agent serves",
				path);
	return cli_fail("writing the output: %s", g_strerror(errno));
}

/* Listens over restarts of the agent; gives up when none comes back. */
static int monitor(const struct filter *filter)
{
	g_autofree char *path = socket_path();
	int64_t gone_ns = 0; /* 0: it has never been there */

	for (;;) {
		GError *error = NULL;
		int fd = monitor_client_connect(path, filter->kinds, &error);
		bool waits = gone_ns && clock_monotonic_ns() - gone_ns < RECONNECT_MAX_NS;
		int err = 0;

		if (fd < 0 && !waits)
			return cli_fail_error(error);
		g_clear_error(&error);
		if (fd >= 0) {
			err = listen_to(filter, fd);
			close(fd);
			/* A new agent may be going already, or serve other listeners first. */
			if (err && !(err == -ECONNRESET && waits))
				return fail_listening(path, err);
		}
		if (fd >= 0 && !err) {
			fputs("The agent has gone; waiting for it. What happens meanwhile is not "
			      "shown\n",
			      stderr);
			gone_ns = clock_monotonic_ns();
		}
		g_usleep(RETRY_INTERVAL_US);
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
	if (status)
		return status;
	if (filter.from || filter.to || filter.related)
		filter.kinds &= ~MONITOR_KIND_AGENT;
	if (!filter.kinds)
		return cli_fail_usage("--from, --to and --related-to choose among packets: events "
				      "of type agent have none");
	return monitor(&filter);
}

static const struct cli_flag flags[] = {
	{"from", 0, CLI_FLAG_LIST,
	 "Filter by source endpoint: its number, or its name as for endpoint get", &arg_from},
	{"hex", 0, CLI_FLAG_BOOL, "Do not dissect, print payload in HEX", &arg_hex},
	{"json", 'j', CLI_FLAG_BOOL, "Enable json output", &arg_json},
	{"monitor-socket", 0, CLI_FLAG_TEXT,
	 "Configure monitor socket path (env CILIUM_MONITOR_SOCK, default " DEFAULT_SOCKET ")",
	 &arg_socket},
	{"numeric", 'n', CLI_FLAG_BOOL,
	 "Display all security identities and rules as numeric values", &arg_numeric},
	{"related-to", 0, CLI_FLAG_LIST,
	 "Filter by either source or destination endpoint, as --from", &arg_related},
	{"to", 0, CLI_FLAG_LIST, "Filter by destination endpoint, as --from", &arg_to},
	{"type", 't', CLI_FLAG_LIST,
	 "Filter by event types: agent, drop, policy-verdict, trace (accepted, but not made by "
	 "this "
	 "version: capture, debug, l7, recorder, trace-sock)",
	 &arg_types},
	{"verbose", 'v', CLI_FLAG_COUNT, "Enable verbose output (-v, -vv)", &arg_verbose},
	{NULL},
};

const struct cli_command cmd_monitor = {
	.path = "monitor",
	.help = "Display BPF program events",
	.flags = flags,
	.run = run_monitor,
};
