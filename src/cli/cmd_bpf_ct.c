/* SPDX-License-Identifier: Apache-2.0 */
/* bpf ct list, bpf nat list. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/conntrack.h"
#include "abi/endpoint.h"
#include "abi/nat.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/addr.h"
#include "src/sys/jiffies.h"

static bool arg_time_diff;

struct listing {
	json_t *list; /* texts, for -o */
	bool has_clock;
	struct jiffies_clock clock;
	const GArray *generations; /* uint32_t: of the endpoint to select; NULL: all */
};

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	default:
		return "unknown";
	}
}

static void append_end(GString *text, const struct addr *addr, __be16 port)
{
	char buffer[ADDR_TEXT_BYTES];

	g_string_append_printf(text, addr_is_v4(addr) ? "%s:%u" : "[%s]:%u",
			       addr_format(addr, buffer), ntohs(port));
}

static void listing_add(struct listing *listing, const GString *text)
{
	if (output_format)
		json_array_append_new(listing->list, json_string(text->str));
	else
		puts(text->str);
}

/* ---- conntrack ---- */

static bool selected(const struct listing *listing, const struct ct_entry *entry)
{
	if (!listing->generations)
		return true;
	for (size_t i = 0; i < listing->generations->len; i++) {
		uint32_t generation = g_array_index(listing->generations, uint32_t, i);

		if (entry->generation[0] == generation || entry->generation[1] == generation)
			return true;
	}
	return false;
}

static void append_flags(GString *text, const struct ct_entry *entry)
{
	g_string_append_printf(text, "Flags=0x%04x [ ", entry->flags);
	if (ct_entry_side_closed(entry->rx_flags))
		g_string_append(text, "RxClosing ");
	if (ct_entry_side_closed(entry->tx_flags))
		g_string_append(text, "TxClosing ");
	if (entry->flags & CT_F_SEEN_NON_SYN)
		g_string_append(text, "SeenNonSyn ");
	if (entry->flags & CT_F_VIA_STACK)
		g_string_append(text, "ViaStack ");
	g_string_append(text, "] ");
}

/* One entry stands for both directions: it is shown from the side that opened the connection. */
static bool add_connection(const void *key, const void *value, void *data)
{
	const struct ct_key *ct = key;
	const struct ct_entry *entry = value;
	int from = entry->flags & CT_F_INITIATOR_1 ? 1 : 0;
	struct listing *listing = data;
	g_autoptr(GString) text = NULL;

	if (!selected(listing, entry))
		return true;
	text = g_string_new(protocol_name(ct->protocol));
	g_string_append(text, entry->generation[from] ? " OUT " : " IN ");
	append_end(text, &ct->addr[from], ct->port[from]);
	g_string_append(text, " -> ");
	append_end(text, &ct->addr[!from], ct->port[!from]);
	g_string_append_printf(text, " expires=%u ", entry->expires);
	if (arg_time_diff && listing->has_clock)
		g_string_append_printf(
			text, "(remaining: %d sec(s)) ",
			(int32_t)(entry->expires - jiffies_tick_now(&listing->clock)));
	g_string_append_printf(text,
			       "Packets=%llu Bytes=%llu RxFlagsSeen=0x%02x LastRxReport=%u "
			       "TxFlagsSeen=0x%02x LastTxReport=%u ",
			       entry->packets, entry->bytes, entry->rx_flags, entry->last_report,
			       entry->tx_flags, entry->last_report);
	append_flags(text, entry);
	g_string_append_printf(text, "RevNAT=0 SourceSecurityID=%u BackendID=0",
			       entry->src_identity);
	if (entry->nat == CT_NAT_SOURCE) {
		g_string_append(text, " XLATE_SRC ");
		append_end(text, &entry->nat_addr, entry->nat_port);
	}
	listing_add(listing, text);
	return true;
}

struct endpoint_search {
	uint16_t id;
	GArray *generations;
};

static bool find_generation(const void *key, const void *value, void *data)
{
	const struct endpoint_info *info = value;
	struct endpoint_search *search = data;
	uint32_t generation = info->generation;

	if (info->id == search->id && !(info->flags & ENDPOINT_F_HOST))
		g_array_append_val(search->generations, generation);
	return true;
}

/* Reads a whole map; one that is not there is empty. Returns the exit status. */
static int read_map(const char *name, bool (*fn)(const void *key, const void *value, void *data),
		    void *data)
{
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open(name, &map, &error);

	if (err == -ENOENT)
		return EXIT_SUCCESS;
	if (err < 0)
		return cli_fail_error(error);
	err = bpf_map_foreach(&map, fn, data);
	bpf_map_close(&map);
	return err < 0 ? cli_fail("reading %s: %s", name, g_strerror(-err)) : EXIT_SUCCESS;
}

static int listing_finish(struct listing *listing)
{
	int status = output_format ? output_print(listing->list) : EXIT_SUCCESS;

	json_decref(listing->list);
	return status;
}

static int run_ct_list(int argc, char *const argv[])
{
	g_autoptr(GArray) generations = NULL;
	struct listing listing = {0};
	guint64 id;
	int status = EXIT_SUCCESS;

	if (!strcmp(argv[0], "endpoint")) {
		struct endpoint_search search = {0};

		if (argc < 2 || !g_ascii_string_to_unsigned(argv[1], 10, 1, UINT16_MAX, &id, NULL))
			return cli_fail_usage("expected the number of an endpoint");
		generations = g_array_new(FALSE, FALSE, sizeof(uint32_t));
		search = (struct endpoint_search){.id = id, .generations = generations};
		status = read_map("cilium_lxc", find_generation, &search);
		if (!status && !generations->len)
			return cli_fail("endpoint %s is not there", argv[1]);
	} else if (strcmp(argv[0], "global") || argc > 1) {
		return cli_fail_usage("\"%s\": expected global, or endpoint ID", argv[0]);
	}
	listing.list = json_array();
	listing.generations = generations;
	listing.has_clock = arg_time_diff && jiffies_clock_init(&listing.clock, NULL) == 0;
	if (!status)
		status = read_map("cilium_ct_tcp_global", add_connection, &listing);
	if (!status)
		status = read_map("cilium_ct_any_global", add_connection, &listing);
	return listing_finish(&listing) || status;
}

static const struct cli_flag ct_flags[] = {
	{"time-diff", 'd', CLI_FLAG_BOOL, "Add time difference to entries", &arg_time_diff},
	BPF_ROOT_FLAG,
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_bpf_ct_list = {
	.path = "bpf ct list",
	.args = "global | endpoint ID",
	.n_args_min = 1,
	.n_args_max = 2,
	.help = "List connection tracking entries",
	.flags = ct_flags,
	.needs_root = true,
	.choices = "global endpoint",
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_ct_list,
};

/* ---- NAT ---- */

static void append_created(GString *text, const struct listing *listing,
			   const struct nat_entry *entry)
{
	if (listing->has_clock)
		g_string_append_printf(text, " Created=%us ago NeedsCT=0",
				       jiffies_tick_now(&listing->clock) - entry->created);
	else
		g_string_append_printf(text, " Created=%u NeedsCT=0", entry->created);
}

/* The map holds the way back; the way there is the same entry, read the other way round. */
static bool add_translation(const void *key, const void *value, void *data)
{
	const struct nat_key *nat = key;
	const struct nat_entry *entry = value;
	struct listing *listing = data;
	g_autoptr(GString) text = g_string_new(protocol_name(nat->protocol));

	g_string_append(text, " OUT ");
	append_end(text, &entry->addr, entry->port);
	g_string_append(text, " -> ");
	append_end(text, &nat->peer, nat->peer_port);
	g_string_append(text, " XLATE_SRC ");
	append_end(text, &nat->addr, nat->port);
	append_created(text, listing, entry);
	listing_add(listing, text);

	g_string_assign(text, protocol_name(nat->protocol));
	g_string_append(text, " IN ");
	append_end(text, &nat->peer, nat->peer_port);
	g_string_append(text, " -> ");
	append_end(text, &nat->addr, nat->port);
	g_string_append(text, " XLATE_DST ");
	append_end(text, &entry->addr, entry->port);
	append_created(text, listing, entry);
	listing_add(listing, text);
	return true;
}

static int run_nat_list(int argc, char *const argv[])
{
	struct listing listing = {.list = json_array()};
	int status;

	listing.has_clock = jiffies_clock_init(&listing.clock, NULL) == 0;
	status = read_map("cilium_snat_external", add_translation, &listing);
	return listing_finish(&listing) || status;
}

static const struct cli_flag nat_flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_bpf_nat_list = {
	.path = "bpf nat list",
	.help = "List all NAT mapping entries",
	.flags = nat_flags,
	.needs_root = true,
	.run = run_nat_list,
};
