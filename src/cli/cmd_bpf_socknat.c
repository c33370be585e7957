/* SPDX-License-Identifier: Apache-2.0 */
/* bpf socknat list. */
#include "abi/lb.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/model/connection_text.h"

static bool add_socket(const void *key, const void *value, void *dump)
{
	const struct lb_socket_key *socket = key;
	const struct lb_socket *seen = value;
	GString *text = g_string_new(NULL);

	connection_append_end(text, &socket->addr, socket->port);
	g_string_append(text, " -> ");
	connection_append_end(text, &seen->addr, seen->port);
	g_string_append_printf(text, " (revnat=%u)", seen->frontend);
	map_dump_add(dump, g_strdup_printf("%llu", (unsigned long long)socket->cookie),
		     g_string_free(text, FALSE));
	return true;
}

static int run_list(int argc, char *const argv[])
{
	struct map_dump dump;

	map_dump_init(&dump, "Socket Cookie\tBackend -> Frontend\n", NULL);
	return map_dump_finish(&dump, map_dump_read(&dump, "cilium_lb_reverse_sk", add_socket));
}

static const struct cli_flag list_flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_bpf_socknat_list = {
	.path = "bpf socknat list",
	.help = "List sockets that were translated to a back end, and the service that they see",
	.flags = list_flags,
	.needs_root = true,
	.run = run_list,
};
