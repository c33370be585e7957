/* SPDX-License-Identifier: Apache-2.0 */
/* bpf ipcache list, get, match, update, delete. */
#include <stdio.h>
#include <stdlib.h>
#include "abi/ipcache.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/addr.h"
#include "src/model/map_text.h"

static const struct cli_flag flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

/* data of the dump: the identity to select, or NULL. */
static void add_info(struct map_dump *dump, enum plan_map map, const void *key, const void *value)
{
	const uint32_t *identity = dump->data;

	if (!identity || ((const struct ipcache_info *)value)->identity == *identity)
		map_dump_add(dump, map_key_format(map, key), map_value_format(map, value));
}

static bool add_exact(const void *key, const void *value, void *dump)
{
	add_info(dump, PLAN_MAP_cilium_ipcache, key, value);
	return true;
}

static bool add_prefix(const void *key, const void *value, void *dump)
{
	add_info(dump, PLAN_MAP_cilium_ipcache_prefix, key, value);
	return true;
}

static int print_ipcache(const uint32_t *identity)
{
	struct map_dump dump;
	int status;

	map_dump_init(&dump, "IP PREFIX/ADDRESS\tIDENTITY\n", identity);
	status = map_dump_read(&dump, "cilium_ipcache", add_exact);
	if (!status)
		status = map_dump_read(&dump, "cilium_ipcache_prefix", add_prefix);
	return map_dump_finish(&dump, status);
}

static int run_list(int argc, char *const argv[])
{
	return print_ipcache(NULL);
}

const struct cli_command cmd_bpf_ipcache_list = {
	.path = "bpf ipcache list",
	.help = "List endpoint IPs (local and remote) and their corresponding security identities",
	.flags = flags,
	.needs_root = true,
	.run = run_list,
};

static int run_match(int argc, char *const argv[])
{
	guint64 number;
	uint32_t identity;

	if (!g_ascii_string_to_unsigned(argv[0], 10, 0, UINT32_MAX, &number, NULL))
		return cli_fail_usage("identity \"%s\" is not a number", argv[0]);
	identity = number;
	return print_ipcache(&identity);
}

const struct cli_command cmd_bpf_ipcache_match = {
	.path = "bpf ipcache match",
	.args = "IDENTITY",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Retrieve IPs that have the identity",
	.flags = flags,
	.needs_root = true,
	.words = CLI_WORDS_IDENTITIES,
	.run = run_match,
};

static int run_get(int argc, char *const argv[])
{
	struct ipcache_info info = {0};
	g_autofree char *text = NULL;
	GError *error = NULL;
	struct addr addr;
	int err;

	if (addr_parse(argv[0], &addr) < 0)
		return cli_fail_usage("\"%s\" is not an address", argv[0]);
	err = map_dump_find_ipcache(&addr, &info, &error);
	if (error)
		return cli_fail_error(error);
	if (err == -ENOENT)
		return cli_fail("%s does not map to any identity", argv[0]);
	if (err < 0)
		return cli_fail("reading the ipcache: %s", g_strerror(-err));
	text = map_value_format(PLAN_MAP_cilium_ipcache, &info);
	if (output_format) {
		json_auto_t *object = json_pack("{s:[s]}", argv[0], text);

		return output_print(object);
	}
	printf("%s maps to identity %s\n", argv[0], text);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_bpf_ipcache_get = {
	.path = "bpf ipcache get",
	.args = "IP",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Retrieve identity for an ip",
	.flags = flags,
	.needs_root = true,
	.words = CLI_WORDS_IPS,
	.run = run_get,
};

/* ---- changes by hand ---- */

static unsigned int arg_identity;
static unsigned int arg_encrypt_key;
static const char *arg_tunnel_endpoint;

/* A key of one of the two maps. */
struct ipcache_place {
	const char *map;
	union {
		struct ipcache_key exact;
		struct ipcache_prefix_key prefix;
	} key;
};

/* 0, or −EINVAL after the complaint. */
static int parse_place(const char *text, struct ipcache_place *ret_place)
{
	struct cidr cidr;

	if (cidr_parse(text, &cidr)) {
		cli_fail_usage("\"%s\" is not an address or a prefix without host bits", text);
		return -EINVAL;
	}
	if (cidr.prefix_len == 128) {
		ret_place->map = "cilium_ipcache";
		ret_place->key.exact.addr = cidr.addr;
	} else {
		ret_place->map = "cilium_ipcache_prefix";
		ret_place->key.prefix.prefix_len = cidr.prefix_len;
		ret_place->key.prefix.addr = cidr.addr;
	}
	return 0;
}

static int run_delete(int argc, char *const argv[])
{
	struct ipcache_place place;

	if (parse_place(argv[0], &place) < 0)
		return EXIT_FAILURE;
	return map_dump_delete(place.map, &place.key, argv[0]);
}

static const struct cli_flag delete_flags[] = {BPF_ROOT_FLAG, {NULL}};

const struct cli_command cmd_bpf_ipcache_delete = {
	.path = "bpf ipcache delete",
	.args = "PREFIX",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Delete an entry; a running agent puts it back within 10 s",
	.flags = delete_flags,
	.needs_root = true,
	.words = CLI_WORDS_IPS,
	.run = run_delete,
};

static int run_update(int argc, char *const argv[])
{
	struct ipcache_info info = {0};
	struct ipcache_place place;

	if (parse_place(argv[0], &place) < 0)
		return EXIT_FAILURE;
	if (!arg_identity)
		return cli_fail_usage("--identity: expected the number of an identity");
	if (arg_encrypt_key > UINT8_MAX)
		return cli_fail_usage("--encryptkey: got %u, want 0..255", arg_encrypt_key);
	if (arg_tunnel_endpoint && addr_parse(arg_tunnel_endpoint, &info.tunnel_endpoint) < 0)
		return cli_fail_usage("--tunnelendpoint: \"%s\" is not an address",
				      arg_tunnel_endpoint);
	info.identity = arg_identity;
	info.encrypt_key = arg_encrypt_key;
	return map_dump_put(place.map, &place.key, &info);
}

static const struct cli_flag update_flags[] = {
	{"identity", 0, CLI_FLAG_NUMBER, "Identity of the addresses", &arg_identity},
	{"tunnelendpoint", 0, CLI_FLAG_TEXT, "Node that they live on", &arg_tunnel_endpoint},
	{"encryptkey", 0, CLI_FLAG_NUMBER, "Number of the key, 0: in the clear", &arg_encrypt_key},
	BPF_ROOT_FLAG,
	{NULL},
};

const struct cli_command cmd_bpf_ipcache_update = {
	.path = "bpf ipcache update",
	.args = "PREFIX",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Set an entry; a running agent puts back what it wants within 10 s",
	.flags = update_flags,
	.needs_root = true,
	.words = CLI_WORDS_IPS,
	.run = run_update,
};
