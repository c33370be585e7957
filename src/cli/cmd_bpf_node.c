/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of the node itself: bpf config, bpf device, bpf frag, bpf ipmasq. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include "abi/config.h"
#include "abi/fragment.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"
#include "src/model/addr.h"
#include "src/model/connection_text.h"
#include "src/model/map_text.h"

static const struct cli_flag flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

/* ---- bpf config list ---- */

static void add_number(struct map_dump *dump, const char *name, unsigned int number)
{
	map_dump_add(dump, g_strdup(name), g_strdup_printf("%u", number));
}

static bool add_config(const void *key, const void *value, void *data)
{
	const struct runtime_config *config = value;
	struct map_dump *dump = data;

	add_number(dump, "DropEvents", config->drop_events);
	add_number(dump, "TraceEvents", config->trace_events);
	add_number(dump, "VerdictEvents", config->verdict_events);
	add_number(dump, "TraceAggregation", config->trace_aggregation);
	map_dump_add(dump, g_strdup("TraceTCPFlags"),
		     g_strdup_printf("0x%02x", config->trace_tcp_flags));
	add_number(dump, "TraceIntervalTicks", config->trace_interval);
	add_number(dump, "WakeupBytes", config->wakeup_bytes);
	return true;
}

static int run_config_list(int argc, char *const argv[])
{
	struct map_dump dump;

	map_dump_init(&dump, "KEY\tVALUE\n", NULL);
	return map_dump_finish(&dump, map_dump_read(&dump, "cilium_runtime_config", add_config));
}

const struct cli_command cmd_bpf_config_list = {
	.path = "bpf config list",
	.help = "List runtime config entries: what the programs are told while they run",
	.flags = flags,
	.needs_root = true,
	.run = run_config_list,
};

/* ---- bpf device list ---- */

static bool add_device(const void *key, const void *value, void *dump)
{
	map_dump_add(dump, map_key_format(PLAN_MAP_cilium_devices, key),
		     map_value_format(PLAN_MAP_cilium_devices, value));
	return true;
}

static int run_device_list(int argc, char *const argv[])
{
	struct map_dump dump;

	map_dump_init(&dump, "IFINDEX\tDEVICE INFO\n", NULL);
	return map_dump_finish(&dump, map_dump_read(&dump, "cilium_devices", add_device));
}

const struct cli_command cmd_bpf_device_list = {
	.path = "bpf device list",
	.help = "List the node's devices, and the addresses that leave through them are given",
	.flags = flags,
	.needs_root = true,
	.run = run_device_list,
};

/* ---- bpf ipmasq list ---- */

struct prefixes {
	GString *table;
	json_t *list;
};

static bool add_exclusion(const void *key, const void *value, void *data)
{
	g_autofree char *prefix = map_key_format(PLAN_MAP_cilium_ipmasq, key);
	struct prefixes *prefixes = data;

	g_string_append_printf(prefixes->table, "%s\t\n", prefix);
	json_array_append_new(prefixes->list, json_string(prefix));
	return true;
}

static int run_ipmasq_list(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new("IP PREFIX/ADDRESS\t\n");
	json_auto_t *list = json_array();
	struct prefixes prefixes = {table, list};
	int status = map_dump_foreach("cilium_ipmasq", add_exclusion, &prefixes);

	if (status)
		return status;
	if (output_format)
		return output_print(list);
	if (json_array_size(list))
		tabwriter_print(table->str);
	else
		map_dump_note_empty();
	return EXIT_SUCCESS;
}

const struct cli_command cmd_bpf_ipmasq_list = {
	.path = "bpf ipmasq list",
	.help = "List the destinations that are not masqueraded",
	.flags = flags,
	.needs_root = true,
	.run = run_ipmasq_list,
};

/* ---- bpf frag list ---- */

struct fragments {
	GString *table;
	json_t *list;
};

static bool add_fragment(const void *key, const void *value, void *data)
{
	const struct fragment_key *fragment = key;
	const struct fragment_ports *ports = value;
	struct fragments *fragments = data;
	g_autofree char *source = connection_format_end(&fragment->saddr, ports->sport);
	g_autofree char *destination = connection_format_end(&fragment->daddr, ports->dport);
	const char *protocol = protocol_format(fragment->protocol);
	/* Of IPv4 the 16 bits stand at the front. */
	uint32_t id = addr_is_v4(&fragment->saddr) ? ntohs(fragment->id) : ntohl(fragment->id);

	g_string_append_printf(fragments->table, "%u\t%s\t%s\t%s\n", id, protocol, source,
			       destination);
	json_array_append_new(fragments->list,
			      json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)id, "proto",
					protocol, "source", source, "destination", destination));
	return true;
}

static int run_frag_list(int argc, char *const argv[])
{
	g_autoptr(GString) table =
		g_string_new("ID\tPROTO\tSOURCE ADDRESS:PORT\tDEST ADDRESS:PORT\n");
	json_auto_t *list = json_array();
	struct fragments fragments = {table, list};
	int status = map_dump_foreach("cilium_frag_datagrams", add_fragment, &fragments);

	if (status)
		return status;
	if (output_format)
		return output_print(list);
	if (json_array_size(list))
		tabwriter_print(table->str);
	else
		map_dump_note_empty();
	return EXIT_SUCCESS;
}

const struct cli_command cmd_bpf_frag_list = {
	.path = "bpf frag list",
	.help = "List fragmented datagrams whose first fragment was seen",
	.flags = flags,
	.needs_root = true,
	.run = run_frag_list,
};
