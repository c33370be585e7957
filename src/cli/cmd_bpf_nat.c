/* SPDX-License-Identifier: Apache-2.0 */
/* bpf nat list, bpf nat flush. */
#include <stdio.h>
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/connection_text.h"
#include "src/sys/jiffies.h"

#define NAT_MAP "cilium_snat_external"

struct listing {
	struct line_dump lines;
	bool has_clock;
	struct jiffies_clock clock;
};

static bool add_translation(const void *key, const void *value, void *data)
{
	struct listing *listing = data;
	uint32_t now_tick = listing->has_clock ? jiffies_tick_now(&listing->clock) : 0;
	g_autoptr(GString) text = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;

	translation_append(text, key, value, listing->has_clock ? &now_tick : NULL);
	lines = g_strsplit(text->str, "\n", -1);
	for (char **line = lines; *line; line++)
		line_dump_add(&listing->lines, *line);
	return true;
}

static int run_list(int argc, char *const argv[])
{
	struct listing listing = {0};

	line_dump_init(&listing.lines);
	listing.has_clock = jiffies_clock_init(&listing.clock, NULL) == 0;
	return line_dump_finish(&listing.lines,
				map_dump_foreach(NAT_MAP, add_translation, &listing));
}

static const struct cli_flag list_flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_bpf_nat_list = {
	.path = "bpf nat list",
	.help = "List all NAT mapping entries",
	.flags = list_flags,
	.needs_root = true,
	.run = run_list,
};

static bool is_flushed(const void *key, const void *value, const void *data)
{
	return true;
}

static int run_flush(int argc, char *const argv[])
{
	unsigned int n_flushed = 0;
	int status = map_dump_flush(NAT_MAP, is_flushed, NULL, &n_flushed);

	if (!status)
		printf("Flushed %u entries\n", n_flushed);
	return status;
}

static const struct cli_flag flush_flags[] = {BPF_ROOT_FLAG, {NULL}};

const struct cli_command cmd_bpf_nat_flush = {
	.path = "bpf nat flush",
	.help = "Flush all NAT mapping entries; the next packet sent makes its own again",
	.flags = flush_flags,
	.needs_root = true,
	.run = run_flush,
};
