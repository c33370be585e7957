/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that the cmd_*.c define. */
#pragma once

#include "src/cli/command.h"

extern const struct cli_command cmd_bpf_config_list;
extern const struct cli_command cmd_bpf_ct_flush;
extern const struct cli_command cmd_bpf_ct_list;
extern const struct cli_command cmd_bpf_device_list;
extern const struct cli_command cmd_bpf_endpoint_delete;
extern const struct cli_command cmd_bpf_endpoint_list;
extern const struct cli_command cmd_bpf_frag_list;
extern const struct cli_command cmd_bpf_fs_show;
extern const struct cli_command cmd_bpf_ipcache_delete;
extern const struct cli_command cmd_bpf_ipcache_get;
extern const struct cli_command cmd_bpf_ipcache_list;
extern const struct cli_command cmd_bpf_ipcache_match;
extern const struct cli_command cmd_bpf_ipcache_update;
extern const struct cli_command cmd_bpf_ipmasq_list;
extern const struct cli_command cmd_bpf_lb_list;
extern const struct cli_command cmd_bpf_lb_maglev_get;
extern const struct cli_command cmd_bpf_lb_maglev_list;
extern const struct cli_command cmd_bpf_metrics_list;
extern const struct cli_command cmd_bpf_nat_flush;
extern const struct cli_command cmd_bpf_nat_list;
extern const struct cli_command cmd_bpf_policy_get;
extern const struct cli_command cmd_bpf_policy_list;
extern const struct cli_command cmd_cleanup;
extern const struct cli_command cmd_completion;
extern const struct cli_command cmd_config;
extern const struct cli_command cmd_config_get;
extern const struct cli_command cmd_config_reload;
extern const struct cli_command cmd_config_set;
extern const struct cli_command cmd_config_view;
extern const struct cli_command cmd_debuginfo;
extern const struct cli_command cmd_endpoint_config;
extern const struct cli_command cmd_endpoint_disconnect;
extern const struct cli_command cmd_endpoint_get;
extern const struct cli_command cmd_endpoint_health;
extern const struct cli_command cmd_endpoint_labels;
extern const struct cli_command cmd_endpoint_list;
extern const struct cli_command cmd_endpoint_log;
extern const struct cli_command cmd_endpoint_regenerate;
extern const struct cli_command cmd_explain;
extern const struct cli_command cmd_help;
extern const struct cli_command cmd_identity_get;
extern const struct cli_command cmd_identity_list;
extern const struct cli_command cmd_ip_get;
extern const struct cli_command cmd_ip_list;
extern const struct cli_command cmd_lrp_list;
extern const struct cli_command cmd_map_events;
extern const struct cli_command cmd_map_get;
extern const struct cli_command cmd_map_list;
extern const struct cli_command cmd_metrics_list;
extern const struct cli_command cmd_monitor;
extern const struct cli_command cmd_node_list;
extern const struct cli_command cmd_ping;
extern const struct cli_command cmd_policy_get;
extern const struct cli_command cmd_policy_list;
extern const struct cli_command cmd_policy_selectors;
extern const struct cli_command cmd_policy_validate;
extern const struct cli_command cmd_run;
extern const struct cli_command cmd_service_get;
extern const struct cli_command cmd_service_list;
extern const struct cli_command cmd_status;
extern const struct cli_command cmd_version;
