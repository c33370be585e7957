/* SPDX-License-Identifier: Apache-2.0 */
/* bpf endpoint, bpf ipcache. */
#include <stdio.h>
#include <stdlib.h>
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/addr.h"

static const struct cli_flag flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

/* ---- bpf endpoint list ---- */

static bool add_endpoint(const void *key, const void *value, void *dump)
{
	const struct endpoint_key *endpoint = key;
	const struct endpoint_info *info = value;
	const uint8_t *mac = info->mac.bytes, *node = info->node_mac.bytes;
	char addr[ADDR_TEXT_BYTES];
	char *text;

	if (info->flags & ENDPOINT_F_HOST)
		text = g_strdup("(localhost)");
	else
		text = g_strdup_printf(
			"id=%-5u sec_id=%-5u flags=0x%04X ifindex=%-3u "
			"mac=%02X:%02X:%02X:%02X:%02X:%02X nodemac=%02X:%02X:%02X:%02X:%02X:%02X "
			"parent_ifindex=%-3d",
			info->id, info->identity, info->flags, info->ifindex, mac[0], mac[1],
			mac[2], mac[3], mac[4], mac[5], node[0], node[1], node[2], node[3], node[4],
			node[5], 0);
	map_dump_add(dump, g_strdup_printf("%s:0", addr_format(&endpoint->addr, addr)), text);
	return true;
}

static int run_endpoint_list(int argc, char *const argv[])
{
	struct map_dump dump;
	int status;

	map_dump_init(&dump, "IP ADDRESS\tLOCAL ENDPOINT INFO\n", NULL);
	status = map_dump_read(&dump, "cilium_lxc", add_endpoint);
	return map_dump_finish(&dump) || status;
}

const struct cli_command cmd_bpf_endpoint_list = {
	.path = "bpf endpoint list",
	.help = "List local endpoint entries",
	.flags = flags,
	.needs_root = true,
	.run = run_endpoint_list,
};

/* ---- bpf ipcache ---- */

static char *format_info(const struct ipcache_info *info)
{
	char tunnel[ADDR_TEXT_BYTES] = "0.0.0.0";
	const char *flag_text = "<none>";

	if (!addr_is_zero(&info->tunnel_endpoint))
		addr_format(&info->tunnel_endpoint, tunnel);
	if (info->flags & IPCACHE_F_LOCAL_HOST)
		flag_text = "localhost";
	else if (info->flags & IPCACHE_F_REMOTE_NODE)
		flag_text = "remotenode";
	return g_strdup_printf("identity=%u encryptkey=%u tunnelendpoint=%s flags=%s",
			       info->identity, info->encrypt_key, tunnel, flag_text);
}

static char *format_prefix(const struct addr *addr, uint32_t prefix_len)
{
	struct cidr cidr = {.addr = *addr, .prefix_len = prefix_len};
	char text[ADDR_TEXT_BYTES];

	return g_strdup_printf("%s/%u", addr_format(addr, text), cidr_text_len(&cidr));
}

/* data of the dump: the identity to select, or NULL. */
static void add_info(struct map_dump *dump, char *prefix, const struct ipcache_info *info)
{
	const uint32_t *identity = dump->data;

	if (!identity || info->identity == *identity)
		map_dump_add(dump, prefix, format_info(info));
	else
		g_free(prefix);
}

static bool add_exact(const void *key, const void *value, void *dump)
{
	const struct ipcache_key *exact = key;

	add_info(dump, format_prefix(&exact->addr, 128), value);
	return true;
}

static bool add_prefix(const void *key, const void *value, void *dump)
{
	const struct ipcache_prefix_key *prefix = key;
	struct addr addr = prefix->addr; /* aligned */

	add_info(dump, format_prefix(&addr, prefix->prefix_len), value);
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
	return map_dump_finish(&dump) || status;
}

static int run_ipcache_list(int argc, char *const argv[])
{
	return print_ipcache(NULL);
}

const struct cli_command cmd_bpf_ipcache_list = {
	.path = "bpf ipcache list",
	.help = "List endpoint IPs (local and remote) and their corresponding security identities",
	.flags = flags,
	.needs_root = true,
	.run = run_ipcache_list,
};

static int run_ipcache_match(int argc, char *const argv[])
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
	.run = run_ipcache_match,
};

/* As the programs do: the address itself, else the longest prefix. 0, −ENOENT, or another −errno. */
static int find_address(const struct addr *addr, struct ipcache_info *ret_info, GError **error)
{
	const struct ipcache_prefix_key prefix = {.prefix_len = 128, .addr = *addr};
	struct bpf_map_ref map;
	int err = map_dump_open("cilium_ipcache", &map, error);

	if (err < 0)
		return err;
	err = bpf_map_get(&map, addr, ret_info);
	bpf_map_close(&map);
	if (err != -ENOENT)
		return err;
	err = map_dump_open("cilium_ipcache_prefix", &map, error);
	if (err < 0)
		return err;
	err = bpf_map_get(&map, &prefix, ret_info);
	bpf_map_close(&map);
	return err;
}

static int run_ipcache_get(int argc, char *const argv[])
{
	struct ipcache_info info = {0};
	g_autofree char *text = NULL;
	GError *error = NULL;
	struct addr addr;
	int err;

	if (addr_parse(argv[0], &addr) < 0)
		return cli_fail_usage("\"%s\" is not an address", argv[0]);
	err = find_address(&addr, &info, &error);
	if (error)
		return cli_fail_error(error);
	if (err == -ENOENT)
		return cli_fail("%s does not map to any identity", argv[0]);
	if (err < 0)
		return cli_fail("reading the ipcache: %s", g_strerror(-err));
	text = format_info(&info);
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
	.run = run_ipcache_get,
};
