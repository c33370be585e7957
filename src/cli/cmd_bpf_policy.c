/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf policy get, bpf policy list: what the programs judge by, read from the maps themselves. The
 * agent, where it answers, is asked what identities and rules are called.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/cli/policy_rows.h"
#include "src/cli/tabwriter.h"
#include "src/model/identity.h"

static bool arg_all, arg_numeric, arg_verbose;

/* ---- names ---- */

/* Number to what the agent said of it; borrowed from the answer. */
struct names {
	json_t *answers[2];
	GHashTable *identities;
	GHashTable *rules;
};

/* The objects of the call's answer under their numbers; none where the agent is dead. */
static GHashTable *ask(enum api_call call, const char *member, json_t **ret_answer)
{
	const struct api_client_request request = {.call = call};
	GHashTable *table = g_hash_table_new(NULL, NULL);
	json_t *item;
	size_t i;

	*ret_answer = NULL;
	if (api_client_call(cli_api(), &request, ret_answer, NULL) < 0)
		return table;
	json_array_foreach(*ret_answer, i, item) g_hash_table_insert(
		table, GUINT_TO_POINTER(json_get_number(item, member, NULL)), item);
	return table;
}

static void names_init(struct names *names)
{
	*names = (struct names){0};
	if (!arg_numeric)
		names->identities = ask(API_IDENTITY_LIST, "id", &names->answers[0]);
	if (arg_verbose || output_format)
		names->rules = ask(API_POLICY_RULES, "rule", &names->answers[1]);
}

static void names_fini(struct names *names)
{
	g_clear_pointer(&names->identities, g_hash_table_unref);
	g_clear_pointer(&names->rules, g_hash_table_unref);
	json_decref(names->answers[0]);
	json_decref(names->answers[1]);
}

static const json_t *find(GHashTable *table, uint32_t number)
{
	return table ? g_hash_table_lookup(table, GUINT_TO_POINTER(number)) : NULL;
}

/* The labels of the identity; NULL where they are not known. */
static const json_t *labels_of(const struct names *names, uint32_t identity)
{
	return json_get(find(names->identities, identity), "labels", NULL);
}

static char *identity_cell(const struct names *names, uint32_t identity)
{
	const char *label = json_string_value(json_array_get(labels_of(names, identity), 0));
	const char *reserved = identity_reserved_name(identity);

	if (identity == POLICY_IDENTITY_OTHERS)
		return g_strdup("ANY");
	if (label)
		return g_strdup(label);
	if (!arg_numeric && reserved)
		return g_strdup_printf("reserved:%s", reserved);
	return g_strdup_printf("%u", identity);
}

static char *rule_cell(const struct names *names, uint32_t number)
{
	const json_t *rule = find(names->rules, number);

	if (!rule)
		return g_strdup_printf("%u", number);
	return g_strdup_printf("%s %s", json_get_text(rule, "policy", NULL),
			       json_get_text(rule, "path", NULL));
}

/* ---- output ---- */

static const char *const directions[POLICY_DIRECTION__MAX] = {"Ingress", "Egress"};

static void append_row(GString *table, const struct names *names, const struct policy_row *row)
{
	const json_t *labels = labels_of(names, row->identity);
	g_autofree char *identity = identity_cell(names, row->identity);
	g_autofree char *ports = policy_row_ports(row);
	g_autofree char *rule = arg_verbose ? rule_cell(names, row->leaf.rule) : NULL;

	g_string_append_printf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%u\t%s%s\n", policy_row_verdict(row),
			       directions[row->direction], identity, ports, policy_row_proxy(row),
			       policy_row_auth(row), row->prefix_len, rule ? rule : "",
			       rule ? "\t" : "");
	for (size_t i = 1; i < json_array_size(labels); i++)
		g_string_append_printf(table, "\t\t%s\t\t\t\t\t%s\n",
				       json_string_value(json_array_get(labels, i)),
				       rule ? "\t" : "");
}

static void print_rows(const struct names *names, const GArray *rows)
{
	g_autoptr(GString) table = g_string_new("POLICY\tDIRECTION\t");

	if (!rows->len) {
		fputs("No rule decides anything for this endpoint: what is enforced is denied.\n",
		      stderr);
		return;
	}
	g_string_append_printf(table, "%s\tPORT/PROTO\tPROXY PORT\tAUTH TYPE\tPREFIX\t%s\n",
			       arg_numeric ? "IDENTITY" : "LABELS (source:key[=value])",
			       arg_verbose ? "RULE\t" : "");
	for (guint i = 0; i < rows->len; i++)
		append_row(table, names, &g_array_index(rows, struct policy_row, i));
	tabwriter_print(table->str);
}

static json_t *row_to_json(const struct names *names, const struct policy_row *row)
{
	g_autofree char *ports = policy_row_ports(row);
	const json_t *labels = labels_of(names, row->identity), *rule;
	json_t *json =
		json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:i, s:I}", "policy",
			  policy_row_verdict(row), "direction", directions[row->direction],
			  "identity", (json_int_t)row->identity, "port-proto", ports, "proxy-port",
			  policy_row_proxy(row), "auth-type", policy_row_auth(row), "prefix",
			  row->prefix_len, "rule", (json_int_t)row->leaf.rule);

	if (labels)
		json_object_set(json, "labels", (json_t *)labels);
	rule = find(names->rules, row->leaf.rule);
	if (rule)
		json_object_set(json, "origin", (json_t *)rule);
	return json;
}

static json_t *rows_to_json(const struct names *names, const GArray *rows)
{
	json_t *list = json_array();

	for (guint i = 0; i < rows->len; i++)
		json_array_append_new(
			list, row_to_json(names, &g_array_index(rows, struct policy_row, i)));
	return list;
}

static const char *flags_note(const struct policy_endpoint *endpoint)
{
	if (endpoint->flags & POLICY_F_INCOMPLETE)
		return "The map cilium_policy_peer is full: who has no row of its own is denied.\n";
	if (endpoint->flags & POLICY_F_AUDIT)
		return "Audit mode: what would be denied is reported and goes on.\n";
	return "";
}

/* ---- reading ---- */

static bool add_peer(const void *key, const void *value, void *rows)
{
	policy_rows_add_peer(rows, key, value);
	return true;
}

static bool add_class(const void *key, const void *value, void *rows)
{
	policy_rows_add_class(rows, key, value);
	return true;
}

/* 0 or the exit status. *ret_rows NULL on failure. */
static int read_rows(uint32_t version, struct policy_rows **ret_rows)
{
	struct policy_rows *rows = policy_rows_new(version);
	int status = map_dump_foreach("cilium_policy_peer", add_peer, rows);

	if (!status)
		status = map_dump_foreach("cilium_policy_class", add_class, rows);
	if (status)
		g_clear_pointer(&rows, policy_rows_free);
	*ret_rows = rows;
	return status;
}

/* ---- one endpoint ---- */

static int find_id(const char *text, uint32_t *ret_id)
{
	guint64 id;

	if (!strcmp(text, "reserved:host")) {
		*ret_id = POLICY_ENDPOINT_HOST;
		return EXIT_SUCCESS;
	}
	if (!g_ascii_string_to_unsigned(text, 10, 0, POLICY_ENDPOINTS_MAX - 1, &id, NULL))
		return cli_fail_usage("\"%s\": expected the number of an endpoint, 0 for the host",
				      text);
	*ret_id = id;
	return EXIT_SUCCESS;
}

static int get_endpoint(uint32_t id, struct policy_endpoint *ret_endpoint)
{
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open("cilium_policy_endpoint", &map, &error);

	*ret_endpoint = (struct policy_endpoint){0};
	if (err == -ENOENT)
		return EXIT_FAILURE;
	if (err < 0)
		return cli_fail_error(error);
	err = bpf_map_get(&map, &id, ret_endpoint);
	bpf_map_close(&map);
	return err < 0 ? cli_fail("reading cilium_policy_endpoint: %s", g_strerror(-err))
		       : EXIT_SUCCESS;
}

static int print_one(const char *text)
{
	g_autoptr(GArray) list = NULL;
	struct policy_endpoint endpoint;
	struct policy_rows *rows;
	struct names names;
	uint32_t id = 0;
	int status = find_id(text, &id);

	if (!status)
		status = get_endpoint(id, &endpoint);
	if (status)
		return status;
	if (!endpoint.version)
		return cli_fail(
			"endpoint %u has no rule set: there is no such endpoint, or, of the "
			"host, enable-host-firewall is off",
			id);
	status = read_rows(endpoint.version, &rows);
	if (status)
		return status;
	names_init(&names);
	list = policy_rows_get(rows, &endpoint);
	if (output_format) {
		json_auto_t *json = rows_to_json(&names, list);

		status = output_print(json);
	} else {
		fputs(flags_note(&endpoint), stderr);
		print_rows(&names, list);
	}
	names_fini(&names);
	policy_rows_free(rows);
	return status;
}

/* ---- all ---- */

struct all {
	const struct names *names;
	const struct policy_rows *rows;
	json_t *list;
	unsigned int n;
};

static bool add_endpoint(const void *key, const void *value, void *data)
{
	struct policy_endpoint endpoint;
	g_autoptr(GArray) rows = NULL;
	struct all *all = data;
	uint32_t id;

	memcpy(&id, key, sizeof(id));
	memcpy(&endpoint, value, sizeof(endpoint));
	if (!endpoint.version)
		return true;
	rows = policy_rows_get(all->rows, &endpoint);
	all->n++;
	if (output_format) {
		json_array_append_new(
			all->list,
			json_pack("{s:I, s:I, s:b, s:b, s:o}", "endpoint-id", (json_int_t)id,
				  "version", (json_int_t)endpoint.version, "audit",
				  (endpoint.flags & POLICY_F_AUDIT) != 0, "incomplete",
				  (endpoint.flags & POLICY_F_INCOMPLETE) != 0, "entries",
				  rows_to_json(all->names, rows)));
		return true;
	}
	printf("Endpoint ID: %u\nPath: %s/tc/globals/cilium_policy_peer, version %u\n%s\n", id,
	       map_dump_root(), endpoint.version, flags_note(&endpoint));
	fflush(stdout);
	print_rows(all->names, rows);
	putchar('\n');
	return true;
}

static int print_all(void)
{
	struct names names;
	struct policy_rows *rows;
	struct all all = {.names = &names, .list = json_array()};
	int status = read_rows(0, &rows);

	if (!status) {
		names_init(&names);
		all.rows = rows;
		status = map_dump_foreach("cilium_policy_endpoint", add_endpoint, &all);
		if (!status && output_format)
			status = output_print(all.list);
		else if (!status && !all.n)
			map_dump_note_empty();
		names_fini(&names);
		policy_rows_free(rows);
	}
	json_decref(all.list);
	return status;
}

static int run_get(int argc, char *const argv[])
{
	if (arg_all && argc)
		return cli_fail_usage("--all and an endpoint exclude each other");
	if (!arg_all && !argc)
		return cli_fail_usage("expected the number of an endpoint, or --all");
	return arg_all ? print_all() : print_one(argv[0]);
}

static int run_list(int argc, char *const argv[])
{
	return argc ? print_one(argv[0]) : print_all();
}

#define COMMON_FLAGS                                                                    \
	{"numeric", 'n', CLI_FLAG_BOOL, "Do not resolve IDs", &arg_numeric},            \
		{"verbose", 'v', CLI_FLAG_BOOL,                                         \
		 "A column with the rule that decides: its policy and its place there", \
		 &arg_verbose},                                                         \
		BPF_ROOT_FLAG, OUTPUT_FLAG

static const struct cli_flag get_flags[] = {
	{"all", 0, CLI_FLAG_BOOL, "Of all endpoints", &arg_all},
	COMMON_FLAGS,
	{NULL},
};

static const struct cli_flag list_flags[] = {COMMON_FLAGS, {NULL}};

const struct cli_command cmd_bpf_policy_get = {
	.path = "bpf policy get",
	.args = "ID | --all",
	.n_args_max = 1,
	.help = "What the programs let an endpoint do, from the maps; 0 is the host",
	.flags = get_flags,
	.needs_root = true,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_get,
};

const struct cli_command cmd_bpf_policy_list = {
	.path = "bpf policy list",
	.args = "[ID]",
	.n_args_max = 1,
	.help = "The same, of all endpoints where none is named",
	.flags = list_flags,
	.needs_root = true,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_list,
};
