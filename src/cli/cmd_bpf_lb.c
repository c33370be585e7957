/* SPDX-License-Identifier: Apache-2.0 */
/* bpf lb list, bpf lb maglev list, bpf lb maglev get: from the maps, with or without an agent. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "src/cli/commands.h"
#include "src/cli/lb_view.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"

static bool arg_frontends, arg_backends, arg_revnat, arg_ranges, arg_affinity;

/* ---- reading ---- */

static bool add_frontend(const void *key, const void *value, void *view)
{
	lb_view_add_frontend(view, key, value);
	return true;
}

static bool add_set(const void *key, const void *value, void *view)
{
	struct lb_set set;
	uint32_t number;

	memcpy(&number, key, sizeof(number));
	memcpy(&set, value, sizeof(set));
	lb_view_add_set(view, number, &set);
	return true;
}

static bool add_slot(const void *key, const void *value, void *view)
{
	struct lb_slot_key place;
	struct lb_slot slot;

	memcpy(&place, key, sizeof(place));
	memcpy(&slot, value, sizeof(slot));
	lb_view_add_slot(view, &place, &slot);
	return true;
}

static bool add_backend(const void *key, const void *value, void *view)
{
	uint32_t id;

	memcpy(&id, key, sizeof(id));
	lb_view_add_backend(view, id, value);
	return true;
}

static bool add_chunk(const void *key, const void *value, void *view)
{
	lb_view_add_chunk(view, key, value);
	return true;
}

static bool add_range(const void *key, const void *value, void *view)
{
	struct lb_source_range_key range;

	memcpy(&range, key, sizeof(range));
	lb_view_add_range(view, &range);
	return true;
}

static bool add_affinity(const void *key, const void *value, void *view)
{
	lb_view_add_affinity(view, key, value);
	return true;
}

enum needs {
	NEEDS_FRONTENDS = 1,
	NEEDS_SLOTS = 2,
	NEEDS_BACKENDS = 4,
	NEEDS_MAGLEV = 8,
	NEEDS_RANGES = 16,
	NEEDS_AFFINITY = 32,
};

static const struct {
	unsigned int needs;
	const char *map;
	bool (*fn)(const void *key, const void *value, void *view);
} readers[] = {
	{NEEDS_FRONTENDS, "cilium_lb_services", add_frontend},
	{NEEDS_SLOTS, "cilium_lb_sets", add_set},
	{NEEDS_SLOTS, "cilium_lb_slots", add_slot},
	{NEEDS_BACKENDS, "cilium_lb_backends", add_backend},
	{NEEDS_MAGLEV, "cilium_lb_maglev", add_chunk},
	{NEEDS_RANGES, "cilium_lb_source_range", add_range},
	{NEEDS_AFFINITY, "cilium_lb_affinity", add_affinity},
};

/* 0, or the exit status after the complaint: *ret_view is then NULL. */
static int read_view(unsigned int needs, struct lb_view **ret_view)
{
	struct lb_view *view = lb_view_new();
	int status = 0;

	for (size_t i = 0; !status && i < G_N_ELEMENTS(readers); i++)
		if (readers[i].needs & needs)
			status = map_dump_foreach(readers[i].map, readers[i].fn, view);
	if (!status)
		lb_view_sort(view);
	else
		g_clear_pointer(&view, lb_view_free);
	*ret_view = view;
	return status;
}

/* ---- bpf lb list ---- */

static void add_row(char *key, char *value, void *dump)
{
	map_dump_add(dump, key, value);
}

static uint32_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_sec;
}

static void affinities(const struct lb_view *view, lb_row_fn fn, void *data)
{
	lb_view_affinities(view, now_seconds(), fn, data);
}

static const struct table {
	const bool *arg;
	const char *heading;
	unsigned int needs;
	void (*rows)(const struct lb_view *view, lb_row_fn fn, void *data);
} tables[] = {
	{&arg_frontends, "SERVICE ADDRESS\tBACKEND ID\n", NEEDS_FRONTENDS | NEEDS_SLOTS,
	 lb_view_frontends},
	{&arg_backends, "ID\tBACKEND ADDRESS (REVNAT_ID) (SLOT)\n", NEEDS_BACKENDS,
	 lb_view_backends},
	{&arg_revnat, "ID\tBACKEND ADDRESS (REVNAT_ID) (SLOT)\n", NEEDS_FRONTENDS, lb_view_revnat},
	{&arg_ranges, "SOURCE RANGE (REVNAT_ID)\t\n", NEEDS_FRONTENDS | NEEDS_RANGES,
	 lb_view_ranges},
	{&arg_affinity, "CLIENT\tBACKEND ADDRESS, LAST USED\n", NEEDS_BACKENDS | NEEDS_AFFINITY,
	 affinities},
	{NULL, "SERVICE ADDRESS\tBACKEND ADDRESS (REVNAT_ID) (SLOT)\n",
	 NEEDS_FRONTENDS | NEEDS_SLOTS | NEEDS_BACKENDS, lb_view_services},
};

static int run_list(int argc, char *const argv[])
{
	const struct table *table = NULL;
	struct map_dump dump;
	struct lb_view *view;
	int status;

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
		if (tables[i].arg && !*tables[i].arg)
			continue;
		if (table && tables[i].arg)
			return cli_fail_usage("--frontends, --backends, --revnat, --source-ranges "
					      "and --affinity exclude each other");
		table = table ? table : &tables[i];
	}
	status = read_view(table->needs, &view);
	if (status)
		return status;
	map_dump_init(&dump, table->heading, NULL);
	table->rows(view, add_row, &dump);
	lb_view_free(view);
	return map_dump_finish(&dump, EXIT_SUCCESS);
}

static const struct cli_flag list_flags[] = {
	{"frontends", 0, CLI_FLAG_BOOL, "List front ends, with the numbers of their back ends",
	 &arg_frontends},
	{"backends", 0, CLI_FLAG_BOOL, "List back ends by number", &arg_backends},
	{"revnat", 0, CLI_FLAG_BOOL, "List front ends by number", &arg_revnat},
	{"source-ranges", 0, CLI_FLAG_BOOL, "List the source ranges that are checked", &arg_ranges},
	{"affinity", 0, CLI_FLAG_BOOL, "List which client has which back end", &arg_affinity},
	BPF_ROOT_FLAG,
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_bpf_lb_list = {
	.path = "bpf lb list",
	.help = "List load-balancing configuration",
	.flags = list_flags,
	.needs_root = true,
	.run = run_list,
};

/* ---- bpf lb maglev ---- */

static int print_maglev(uint32_t id)
{
	struct map_dump dump;
	struct lb_view *view;
	unsigned int n;
	int status = read_view(NEEDS_FRONTENDS | NEEDS_MAGLEV, &view);

	if (status)
		return status;
	map_dump_init(&dump, "SVC ID\tLOOKUP TABLE\n", NULL);
	n = lb_view_maglev(view, id, add_row, &dump);
	lb_view_free(view);
	if (id && !n)
		status = cli_fail("service %u has no Maglev table: see \"cilium bpf lb list\"", id);
	return map_dump_finish(&dump, status);
}

static int run_maglev_list(int argc, char *const argv[])
{
	return print_maglev(0);
}

static int run_maglev_get(int argc, char *const argv[])
{
	guint64 id;

	if (!g_ascii_string_to_unsigned(argv[0], 10, 1, UINT32_MAX, &id, NULL))
		return cli_fail_usage("\"%s\": expected the number of a service", argv[0]);
	return print_maglev((uint32_t)id);
}

static const struct cli_flag maglev_flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_bpf_lb_maglev_list = {
	.path = "bpf lb maglev list",
	.help = "List Maglev lookup tables",
	.flags = maglev_flags,
	.needs_root = true,
	.run = run_maglev_list,
};

const struct cli_command cmd_bpf_lb_maglev_get = {
	.path = "bpf lb maglev get",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Get the Maglev lookup table of a service",
	.flags = maglev_flags,
	.needs_root = true,
	.words = CLI_WORDS_SERVICES,
	.run = run_maglev_get,
};
