/* SPDX-License-Identifier: Apache-2.0 */
/* bpf ct list, bpf ct flush. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/conntrack.h"
#include "abi/endpoint.h"
#include "abi/lb.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/connection_text.h"
#include "src/sys/jiffies.h"

static const char *const ct_maps[] = {"cilium_ct_tcp_global", "cilium_ct_any_global"};

static bool arg_time_diff;

/* ---- which connections ---- */

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

/*
 * "global", or "endpoint ID". *ret_generations: uint32_t, of the endpoint; NULL: all connections. 0, or the
 * exit status after the complaint.
 */
static int parse_scope(int argc, char *const argv[], GArray **ret_generations)
{
	g_autoptr(GArray) generations = NULL;
	struct endpoint_search search;
	guint64 id;
	int status;

	*ret_generations = NULL;
	if (!strcmp(argv[0], "global") && argc == 1)
		return EXIT_SUCCESS;
	if (!strcmp(argv[0], "cluster"))
		return cli_fail("this version joins no clusters and has no connections of them "
				"apart: \"global\" has all");
	if (!strcmp(argv[0], "global"))
		return cli_fail_usage("unexpected argument \"%s\" behind global", argv[1]);
	if (strcmp(argv[0], "endpoint"))
		return cli_fail_usage("\"%s\": expected global, or endpoint ID", argv[0]);
	if (argc < 2 || !g_ascii_string_to_unsigned(argv[1], 10, 1, UINT16_MAX, &id, NULL))
		return cli_fail_usage("expected the number of an endpoint");
	generations = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	search = (struct endpoint_search){.id = id, .generations = generations};
	status = map_dump_foreach("cilium_lxc", find_generation, &search);
	if (!status && !generations->len)
		status = cli_fail("there is no endpoint %s: see \"cilium bpf endpoint list\"",
				  argv[1]);
	if (!status)
		*ret_generations = g_steal_pointer(&generations);
	return status;
}

static bool is_selected(const GArray *generations, const struct ct_entry *entry)
{
	if (!generations)
		return true;
	for (size_t i = 0; i < generations->len; i++) {
		uint32_t generation = g_array_index(generations, uint32_t, i);

		if (entry->generation[0] == generation || entry->generation[1] == generation)
			return true;
	}
	return false;
}

/* ---- bpf ct list ---- */

/* Front ends by what clients know, to their numbers. */
static bool add_frontend(const void *key, const void *value, void *frontends)
{
	const struct lb_frontend *frontend = value;

	g_hash_table_insert(frontends, g_bytes_new(key, sizeof(struct lb_frontend_key)),
			    GUINT_TO_POINTER(frontend->id));
	return true;
}

/* 0 where the map is not there or says nothing. */
static uint32_t find_revnat(GHashTable *frontends, const struct ct_key *key,
			    const struct ct_entry *entry)
{
	struct lb_frontend_key frontend = {.protocol = key->protocol};
	g_autoptr(GBytes) bytes = NULL;

	if (!connection_get_frontend(key, entry, &frontend.addr, &frontend.port))
		return 0;
	bytes = g_bytes_new(&frontend, sizeof(frontend));
	return GPOINTER_TO_UINT(g_hash_table_lookup(frontends, bytes));
}

struct listing {
	struct line_dump lines;
	bool has_clock;
	struct jiffies_clock clock;
	const GArray *generations;
	GHashTable *frontends;
};

static bool add_connection(const void *key, const void *value, void *data)
{
	struct listing *listing = data;
	uint32_t now_tick = listing->has_clock ? jiffies_tick_now(&listing->clock) : 0;
	struct connection_context context = {.now_tick = listing->has_clock ? &now_tick : NULL};
	g_autoptr(GString) text = NULL;

	if (!is_selected(listing->generations, value))
		return true;
	text = g_string_new(NULL);
	context.revnat = find_revnat(listing->frontends, key, value);
	connection_append(text, key, value, &context);
	line_dump_add(&listing->lines, text->str);
	return true;
}

static int run_list(int argc, char *const argv[])
{
	g_autoptr(GArray) generations = NULL;
	struct listing listing = {0};
	int status = parse_scope(argc, argv, &generations);

	if (status)
		return status;
	line_dump_init(&listing.lines);
	listing.generations = generations;
	listing.frontends = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
						  (GDestroyNotify)g_bytes_unref, NULL);
	status = map_dump_foreach("cilium_lb_services", add_frontend, listing.frontends);
	listing.has_clock = arg_time_diff && jiffies_clock_init(&listing.clock, NULL) == 0;
	for (size_t i = 0; !status && i < G_N_ELEMENTS(ct_maps); i++)
		status = map_dump_foreach(ct_maps[i], add_connection, &listing);
	g_hash_table_unref(listing.frontends);
	return line_dump_finish(&listing.lines, status);
}

static const struct cli_flag list_flags[] = {
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
	.flags = list_flags,
	.needs_root = true,
	.choices = "global endpoint",
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_list,
};

/* ---- bpf ct flush ---- */

static bool is_flushed(const void *key, const void *value, const void *generations)
{
	return is_selected(generations, value);
}

/*
 * Translations stay: the next packet of a connection, of either end, takes its own up again. Without, a
 * TCP answer would come to the host, which refuses what it does not know. Those that nobody takes up
 * are collected by the agent, or taken over by whoever wants their port.
 */
static int run_flush(int argc, char *const argv[])
{
	g_autoptr(GArray) generations = NULL;
	unsigned int n_flushed = 0;
	int status = parse_scope(argc, argv, &generations);

	for (size_t i = 0; !status && i < G_N_ELEMENTS(ct_maps); i++)
		status = map_dump_flush(ct_maps[i], is_flushed, generations, &n_flushed);
	if (!status)
		printf("Flushed %u entries\n", n_flushed);
	return status;
}

static const struct cli_flag flush_flags[] = {BPF_ROOT_FLAG, {NULL}};

const struct cli_command cmd_bpf_ct_flush = {
	.path = "bpf ct flush",
	.args = "global | endpoint ID",
	.n_args_min = 1,
	.n_args_max = 2,
	.help = "Forget connections; those that go on sending are taken up again",
	.flags = flush_flags,
	.needs_root = true,
	.choices = "global endpoint",
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_flush,
};
