/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"
#include "src/model/identity.h"
#include "src/rpc/http_client.h"

static bool arg_numeric, arg_verbose;
static GPtrArray *arg_labels;

/* The identities' labels by number: what stands for a number that is not reserved. */
static GHashTable *get_labels(void)
{
	const struct api_client_request request = {.call = API_IDENTITY_LIST};
	GHashTable *labels = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)json_decref);
	json_auto_t *list = NULL;
	json_t *identity;
	size_t i;

	/* Without them the numbers are printed. */
	if (api_client_call(cli_api(), &request, &list, NULL) < 0)
		return labels;
	json_array_foreach(list, i, identity) g_hash_table_insert(
		labels, GUINT_TO_POINTER((guint)json_get_number(identity, "id", NULL)),
		json_incref(json_get(identity, "labels", NULL)));
	return labels;
}

static void append_entry(GString *table, const json_t *entry, GHashTable *all_labels)
{
	unsigned int number = json_get_number(entry, "identity", NULL);
	const char *reserved = arg_numeric ? NULL : identity_reserved_name(number);
	const json_t *labels = arg_numeric || reserved
				       ? NULL
				       : g_hash_table_lookup(all_labels, GUINT_TO_POINTER(number));
	const char *host = json_get_text(entry, "hostIP", NULL);

	g_string_append_printf(table, "%s\t", json_get_text(entry, "cidr", NULL));
	if (reserved)
		g_string_append_printf(table, "reserved:%s\t", reserved);
	else if (json_array_size(labels))
		g_string_append_printf(table, "%s\t", json_string_value(json_array_get(labels, 0)));
	else
		g_string_append_printf(table, "%u\t", number);
	g_string_append_printf(table, "%s\t", json_get_text(entry, "metadata", "source", NULL));
	if (arg_verbose)
		g_string_append_printf(table, "%s\t%lld\t", host,
				       json_get_number(entry, "encryptKey", NULL));
	g_string_append_c(table, '\n');
	for (size_t i = 1; i < json_array_size(labels); i++)
		g_string_append_printf(table, "\t%s\t\t%s\n",
				       json_string_value(json_array_get(labels, i)),
				       arg_verbose ? "\t\t" : "");
}

static int print_entries(const char *query)
{
	const struct api_client_request request = {.call = API_IP_LIST, .query = query};
	g_autoptr(GHashTable) labels = NULL;
	g_autoptr(GString) table = NULL;
	json_auto_t *list = NULL;
	GError *error = NULL;
	json_t *entry;
	size_t i;

	if (api_client_call(cli_api(), &request, &list, &error) < 0) {
		g_prefix_error(&error, "Cannot get ip/cidr list: ");
		return cli_fail_error(error);
	}
	if (output_format)
		return output_print(list);
	labels = get_labels();
	table = g_string_new(arg_verbose ? "IP\tIDENTITY\tSOURCE\tHOST\tENCRYPT_KEY\t\n"
					 : "IP\tIDENTITY\tSOURCE\t\n");
	json_array_foreach(list, i, entry) append_entry(table, entry, labels);
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

static int run_list(int argc, char *const argv[])
{
	return print_entries(NULL);
}

static int run_get(int argc, char *const argv[])
{
	g_autoptr(GString) query = g_string_new(argc ? "cidr=" : "labels=");

	if (!argc == !arg_labels)
		return cli_fail_usage("expected a prefix, or labels with -l");
	if (argc)
		http_target_append(query, argv[0]);
	for (unsigned int i = 0; !argc && i < arg_labels->len; i++) {
		if (i)
			g_string_append_c(query, ',');
		http_target_append(query, arg_labels->pdata[i]);
	}
	return print_entries(query->str);
}

static const struct cli_flag flags[] = {
	{"numeric", 'n', CLI_FLAG_BOOL, "Print numeric identities", &arg_numeric},
	{"verbose", 'v', CLI_FLAG_BOOL, "Print all fields of ipcache", &arg_verbose},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_ip_list = {
	.path = "ip list",
	.help = "List IP addresses in the userspace IPcache",
	.flags = flags,
	.run = run_list,
};

static const struct cli_flag get_flags[] = {
	{"labels", 'l', CLI_FLAG_LIST, "Of identities that have all of these labels", &arg_labels},
	{"numeric", 'n', CLI_FLAG_BOOL, "Print numeric identities", &arg_numeric},
	{"verbose", 'v', CLI_FLAG_BOOL, "Print all fields of ipcache", &arg_verbose},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_ip_get = {
	.path = "ip get",
	.args = "CIDR | -l label,…",
	.n_args_max = 1,
	.help = "Display IP Cache information",
	.flags = get_flags,
	.words = CLI_WORDS_IPS,
	.run = run_get,
};
