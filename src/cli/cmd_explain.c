/* SPDX-License-Identifier: Apache-2.0 */
/* explain: the programs in force are asked about a packet, and each step is told. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "src/cli/commands.h"
#include "src/cli/explain_agent.h"
#include "src/cli/explain_party.h"
#include "src/cli/explain_run.h"
#include "src/cli/explain_service.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/icmp_type.h"
#include "src/wire/frame.h"
#include "src/wire/pcap.h"

/* As ping: 1 is "does not get there". */
#define EXIT_DENIED  EXIT_FAILURE
#define EXIT_TROUBLE 2

#define DEFAULT_SOURCE_PORT 50000
#define DEFAULT_COUNT       10
#define COUNT_MAX           10000
#define CAPTURE_BYTES_MAX   (256 * 1024 * 1024)
#define ETHERNET_BYTES      14

static const char *arg_from, *arg_to, *arg_protocol, *arg_icmp_type, *arg_capture, *arg_port;
static unsigned int arg_source_port = DEFAULT_SOURCE_PORT, arg_count = DEFAULT_COUNT;
static bool arg_ipv4, arg_ipv6;

static const struct explain_agent agent = {.ask = explain_agent_ask};

/* ---- answers ---- */

struct answers {
	json_t *list;
	unsigned int n;
	bool is_denied; /* one of them at least */
};

static void add_answer(struct answers *answers, const struct explain_report *report)
{
	json_t *json = explain_report_to_json(report, &agent);

	answers->is_denied |=
		!json_is_true(json_object_get(json_object_get(json, "result"), "allowed"));
	if (!output_format) {
		g_autoptr(GString) text = g_string_new(answers->n ? "\n" : NULL);

		explain_report_append(text, json);
		fputs(text->str, stdout);
	}
	answers->n++;
	json_array_append_new(answers->list, json);
}

/* is_list: of a capture. Frees. */
static int finish(struct answers *answers, bool is_list, int status)
{
	if (!status && output_format)
		status = output_print(is_list ? answers->list : json_array_get(answers->list, 0));
	json_decref(answers->list);
	if (status)
		return EXIT_TROUBLE;
	return answers->is_denied ? EXIT_DENIED : EXIT_SUCCESS;
}

/* ---- a described packet ---- */

struct question {
	struct explain_party from, to;
	struct frame_request frame;
};

static int parse_protocol(struct question *question)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = {
		{"tcp", IPPROTO_TCP},   {"udp", IPPROTO_UDP},       {"sctp", IPPROTO_SCTP},
		{"icmp", IPPROTO_ICMP}, {"icmpv6", IPPROTO_ICMPV6},
	};

	if (!arg_protocol)
		arg_protocol = arg_icmp_type ? arg_ipv6 ? "icmpv6" : "icmp" : "tcp";
	for (size_t i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (!g_ascii_strcasecmp(arg_protocol, protocols[i].name)) {
			question->frame.protocol = protocols[i].number;
			return EXIT_SUCCESS;
		}
	return cli_fail_usage("--protocol \"%s\": expected tcp, udp, sctp, icmp or icmpv6",
			      arg_protocol);
}

static bool is_icmp(const struct question *question)
{
	return question->frame.protocol == IPPROTO_ICMP ||
	       question->frame.protocol == IPPROTO_ICMPV6;
}

static int parse_port(struct question *question)
{
	guint64 port;

	if (arg_source_port > UINT16_MAX)
		return cli_fail_usage("--source-port %u: expected 0 to 65535", arg_source_port);
	question->frame.sport = arg_source_port;
	if (is_icmp(question))
		return arg_port ? cli_fail_usage("--port: ICMP has types, not ports: --icmp-type")
				: EXIT_SUCCESS;
	if (arg_icmp_type)
		return cli_fail_usage("--icmp-type is for --protocol icmp or icmpv6");
	if (!arg_port)
		return cli_fail_usage("expected --port: the port that is connected to");
	if (!g_ascii_string_to_unsigned(arg_port, 10, 0, UINT16_MAX, &port, NULL))
		return cli_fail_usage("--port \"%s\": expected 0 to 65535", arg_port);
	question->frame.dport = port;
	return EXIT_SUCCESS;
}

/* Behind the family, which decides what the names mean. */
static int parse_icmp_type(struct question *question)
{
	bool v6 = question->frame.v6;
	guint64 number;
	int type;

	question->frame.icmp_type = v6 ? 128 : 8;
	if (!arg_icmp_type)
		return EXIT_SUCCESS;
	if (g_ascii_string_to_unsigned(arg_icmp_type, 10, 0, UINT8_MAX, &number, NULL)) {
		question->frame.icmp_type = number;
		return EXIT_SUCCESS;
	}
	type = icmp_type_find(v6, arg_icmp_type);
	if (type < 0)
		return cli_fail_usage(
			"--icmp-type \"%s\": expected 0 to 255, or the name of a message "
			"of %s, such as EchoRequest",
			arg_icmp_type, v6 ? "ICMPv6" : "ICMP");
	question->frame.icmp_type = type;
	return EXIT_SUCCESS;
}

static bool has_family(const struct explain_party *party, bool v6)
{
	return party->is_host || party->has_addr[v6];
}

/* The family that both ends have; IPv4 where both are possible. */
static int choose_family(struct question *question)
{
	static const char *const names[] = {"IPv4", "IPv6"};
	uint8_t protocol = question->frame.protocol;
	bool wants4 = arg_ipv4 || protocol == IPPROTO_ICMP;
	bool wants6 = arg_ipv6 || protocol == IPPROTO_ICMPV6;

	/* "icmp" is said of both, as of ping, where a family is asked for or the only one. */
	if (protocol == IPPROTO_ICMP && !arg_ipv4 &&
	    (arg_ipv6 || !has_family(&question->from, false) ||
	     !has_family(&question->to, false))) {
		question->frame.protocol = IPPROTO_ICMPV6;
		wants4 = false;
		wants6 = true;
	}
	if (wants4 && wants6)
		return cli_fail_usage("the families exclude each other");
	for (int v6 = wants6; v6 <= !wants4; v6++)
		if (has_family(&question->from, v6) && has_family(&question->to, v6)) {
			question->frame.v6 = v6;
			return EXIT_SUCCESS;
		}
	if (wants4 != wants6)
		return cli_fail("%s has no %s address",
				has_family(&question->from, wants6) ? arg_to : arg_from,
				names[wants6]);
	return cli_fail("%s and %s have no address of the same family", arg_from, arg_to);
}

/* The node's address towards the other end, where one of them is the node. */
static int settle_host(struct explain_party *party, const struct explain_party *peer, bool v6)
{
	char text[ADDR_TEXT_BYTES];

	if (!party->is_host)
		return EXIT_SUCCESS;
	if (peer->is_host)
		return cli_fail(
			"from the node to itself no packet leaves its stack: no program sees it");
	if (!explain_party_host_addr(&peer->addr[v6], &party->addr[v6]))
		return cli_fail("this node has no route to %s", addr_format(&peer->addr[v6], text));
	return EXIT_SUCCESS;
}

/* What the host's sockets do is no program's that a packet meets. */
static int check_sockets(const struct question *question)
{
	g_autofree char *why = NULL;

	if (!question->from.is_host || question->to.is_host ||
	    (question->frame.protocol != IPPROTO_TCP && question->frame.protocol != IPPROTO_UDP))
		return EXIT_SUCCESS;
	why = explain_service_at_socket(&question->to.addr[question->frame.v6],
					htons(question->frame.dport), &agent);
	return why ? cli_fail("%s", why) : EXIT_SUCCESS;
}

static void put_addr(uint8_t to[16], const struct addr *addr)
{
	size_t skipped = addr_is_v4(addr) ? 12 : 0;

	memcpy(to, addr->bytes + skipped, 16 - skipped);
}

static int parse_question(struct question *question)
{
	bool v6;
	int status = parse_protocol(question);

	if (!status)
		status = parse_port(question);
	if (!status)
		status = explain_party_find("from", arg_from, &agent, &question->from);
	if (!status)
		status = explain_party_find("to", arg_to, &agent, &question->to);
	if (!status)
		status = choose_family(question);
	v6 = question->frame.v6;
	if (!status)
		status = check_sockets(question);
	if (!status)
		status = settle_host(&question->from, &question->to, v6);
	if (!status)
		status = settle_host(&question->to, &question->from, v6);
	if (!status)
		status = parse_icmp_type(question);
	if (status)
		return status;
	put_addr(question->frame.src, &question->from.addr[v6]);
	put_addr(question->frame.dst, &question->to.addr[v6]);
	return EXIT_SUCCESS;
}

static int explain_question(struct explain_run *run)
{
	struct question question = {0};
	struct answers answers = {.list = json_array()};
	uint8_t frame[FRAME_BYTES_MAX];
	struct explain_report report;
	GError *error = NULL;
	size_t n_bytes;
	int status = parse_question(&question);

	if (!status) {
		n_bytes = frame_encode(&question.frame, frame) - ETHERNET_BYTES;
		if (explain_run_packet(run, frame + ETHERNET_BYTES, n_bytes, n_bytes, &report,
				       &error))
			status = cli_fail_error(error);
	}
	if (!status) {
		report.ends[0].name = question.from.name;
		report.ends[1].name = question.to.name;
		add_answer(&answers, &report);
	}
	g_free(question.from.name);
	g_free(question.to.name);
	return finish(&answers, false, status);
}

/* ---- a capture ---- */

static int explain_packets(struct explain_run *run, struct pcap *pcap, struct answers *answers)
{
	struct pcap_packet packet;
	struct explain_report report;
	unsigned int n_others = 0;
	GError *error = NULL;
	int n = 1;

	while (answers->n < arg_count && (n = pcap_next(pcap, &packet, &error)) > 0) {
		int err = explain_run_packet(run, packet.bytes, packet.n_bytes, packet.n_full_bytes,
					     &report, &error);

		if (!err)
			add_answer(answers, &report);
		else if (err != -EINVAL)
			return cli_fail_error(error);
		else
			n_others++;
		g_clear_error(&error);
	}
	if (n < 0) {
		error_prefix(&error, "%s", arg_capture);
		return cli_fail_error(error);
	}
	if (n_others)
		fprintf(stderr, "%u packets are not IP and were left out\n", n_others);
	if (!answers->n)
		return cli_fail("%s: no IP packet is in it", arg_capture);
	if (n > 0 && pcap_next(pcap, &packet, &error) > 0)
		fprintf(stderr, "Only the first %u packets: --count for more\n", arg_count);
	g_clear_error(&error);
	return EXIT_SUCCESS;
}

static int explain_capture(struct explain_run *run)
{
	struct answers answers = {.list = json_array()};
	g_autofree char *bytes = NULL;
	GError *error = NULL;
	struct pcap pcap;
	gsize n_bytes = 0;
	int status = EXIT_SUCCESS;
	struct stat file;

	if (!stat(arg_capture, &file) && file.st_size > CAPTURE_BYTES_MAX)
		status = cli_fail("%s: more than %d MiB: cut it, as with tcpdump -c", arg_capture,
				  CAPTURE_BYTES_MAX >> 20);
	else if (!g_file_get_contents(arg_capture, &bytes, &n_bytes, &error))
		status = cli_fail_error(error);
	else if (pcap_open((const uint8_t *)bytes, n_bytes, &pcap, &error) < 0) {
		error_prefix(&error, "%s", arg_capture);
		status = cli_fail_error(error);
	}
	if (!status)
		status = explain_packets(run, &pcap, &answers);
	return finish(&answers, true, status);
}

/* ---- the command ---- */

static int check_flags(void)
{
	if (arg_capture && (arg_from || arg_to || arg_port || arg_protocol || arg_icmp_type))
		return cli_fail_usage(
			"--from-packet says all of the packet: it goes with none of --from, "
			"--to, --port, --protocol and --icmp-type");
	if (!arg_capture && (!arg_from || !arg_to))
		return cli_fail_usage("expected --from and --to, or --from-packet");
	if (arg_ipv4 && arg_ipv6)
		return cli_fail_usage("-4 and -6 exclude each other");
	if (!arg_count || arg_count > COUNT_MAX)
		return cli_fail_usage("--count %u: expected 1 to %u", arg_count, COUNT_MAX);
	return EXIT_SUCCESS;
}

static int run_explain(int argc, char *const argv[])
{
	struct explain_run *run;
	GError *error = NULL;
	int status;

	if (check_flags())
		return EXIT_TROUBLE;
	run = explain_run_new(&error);
	if (!run) {
		cli_fail_error(error);
		return EXIT_TROUBLE;
	}
	status = arg_capture ? explain_capture(run) : explain_question(run);
	explain_run_free(run);
	return status;
}

#define PARTY "an endpoint's number, [namespace/]pod, an address, host, or a DNS name"

static const struct cli_flag flags[] = {
	BPF_ROOT_FLAG,
	{"count", 0, CLI_FLAG_NUMBER, "How many packets of the capture (default 10)", &arg_count},
	{"from", 0, CLI_FLAG_TEXT, "Who sends: " PARTY, &arg_from, NULL, CLI_WORDS_ENDPOINTS},
	{"from-packet", 0, CLI_FLAG_TEXT, "The packets of this capture (pcap or pcapng)",
	 &arg_capture, NULL, CLI_WORDS_FILES},
	{"icmp-type", 0, CLI_FLAG_TEXT,
	 "The message's type, as a number or by name (default EchoRequest)", &arg_icmp_type},
	{"ipv4", '4', CLI_FLAG_BOOL, "Use IPv4 only", &arg_ipv4},
	{"ipv6", '6', CLI_FLAG_BOOL, "Use IPv6 only", &arg_ipv6},
	OUTPUT_FLAG,
	{"port", 'p', CLI_FLAG_TEXT, "The port that is connected to", &arg_port},
	{"protocol", 0, CLI_FLAG_TEXT, "tcp, udp, sctp, icmp or icmpv6 (default tcp)",
	 &arg_protocol, "tcp udp sctp icmp icmpv6"},
	{"source-port", 0, CLI_FLAG_NUMBER,
	 "The sender's port, or the identifier of an echo (default 50000)", &arg_source_port},
	{"to", 0, CLI_FLAG_TEXT, "Who is sent to: " PARTY, &arg_to, NULL, CLI_WORDS_ENDPOINTS},
	{NULL},
};

const struct cli_command cmd_explain = {
	.path = "explain",
	.help = "What the programs in force make of a packet, step by step, and by which rule",
	.flags = flags,
	.needs_root = true,
	.run = run_explain,
};
