/* SPDX-License-Identifier: Apache-2.0 */
/* Every command, in the order of the help. */
#include "src/cli/commands.h"

const struct cli_command *const cli_commands[] = {
	&cmd_bpf_ct_list,
	&cmd_bpf_endpoint_list,
	&cmd_bpf_ipcache_get,
	&cmd_bpf_ipcache_list,
	&cmd_bpf_ipcache_match,
	&cmd_bpf_metrics_list,
	&cmd_bpf_nat_list,
	&cmd_cleanup,
	&cmd_completion,
	&cmd_config,
	&cmd_config_get,
	&cmd_endpoint_get,
	&cmd_endpoint_health,
	&cmd_endpoint_labels,
	&cmd_endpoint_list,
	&cmd_help,
	&cmd_identity_get,
	&cmd_identity_list,
	&cmd_ip_get,
	&cmd_ip_list,
	&cmd_map_list,
	&cmd_monitor,
	&cmd_node_list,
	&cmd_ping,
	&cmd_run,
	&cmd_status,
	&cmd_version,
	NULL,
};
