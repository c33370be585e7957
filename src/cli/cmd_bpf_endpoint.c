/* SPDX-License-Identifier: Apache-2.0 */
/* bpf endpoint list, bpf endpoint delete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/endpoint.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/addr.h"
#include "src/model/map_text.h"

static bool arg_devices;

static bool add_address(const void *key, const void *value, void *dump)
{
	map_dump_add(dump, map_key_format(PLAN_MAP_cilium_lxc, key),
		     map_value_format(PLAN_MAP_cilium_lxc, value));
	return true;
}

static bool add_device(const void *key, const void *value, void *dump)
{
	map_dump_add(dump, map_key_format(PLAN_MAP_cilium_lxc_device, key),
		     map_value_format(PLAN_MAP_cilium_lxc_device, value));
	return true;
}

static int run_list(int argc, char *const argv[])
{
	struct map_dump dump;
	int status;

	if (arg_devices) {
		map_dump_init(&dump, "IFINDEX\tLOCAL ENDPOINT INFO\n", NULL);
		status = map_dump_read(&dump, "cilium_lxc_device", add_device);
	} else {
		map_dump_init(&dump, "IP ADDRESS\tLOCAL ENDPOINT INFO\n", NULL);
		status = map_dump_read(&dump, "cilium_lxc", add_address);
	}
	return map_dump_finish(&dump, status);
}

static const struct cli_flag list_flags[] = {
	{"devices", 0, CLI_FLAG_BOOL,
	 "By the device of each endpoint, as the programs look up a sender", &arg_devices},
	BPF_ROOT_FLAG,
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_bpf_endpoint_list = {
	.path = "bpf endpoint list",
	.help = "List local endpoint entries",
	.flags = list_flags,
	.needs_root = true,
	.run = run_list,
};

/*
 * "10.0.0.5", or with the ":0" that the list puts behind it. Behind an IPv6 address that would be part of
 * the address.
 */
static int parse_address(const char *text, struct addr *ret_addr)
{
	g_autofree char *alone = NULL;

	if (addr_parse(text, ret_addr) == 0)
		return 0;
	if (!g_str_has_suffix(text, ":0"))
		return -EINVAL;
	alone = g_strndup(text, strlen(text) - 2);
	return addr_parse(alone, ret_addr);
}

static int run_delete(int argc, char *const argv[])
{
	struct addr addr;

	if (parse_address(argv[0], &addr) < 0)
		return cli_fail_usage("\"%s\" is not an address", argv[0]);
	return map_dump_delete("cilium_lxc", &addr, argv[0]);
}

static const struct cli_flag delete_flags[] = {BPF_ROOT_FLAG, {NULL}};

const struct cli_command cmd_bpf_endpoint_delete = {
	.path = "bpf endpoint delete",
	.args = "IP",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Delete the entry of an address; a running agent puts it back within 10 s",
	.flags = delete_flags,
	.needs_root = true,
	.words = CLI_WORDS_IPS,
	.run = run_delete,
};
