/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration of the agent. Every key is a row of option.def, under the name it has in Cilium's
 * ConfigMap; struct settings has a field for each key that this version acts on. A value comes from,
 * the first that has one: the command line (--key value), the environment (CILIUM_KEY), the directory
 * of --config-dir (one file a key), the default in the row.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"
#include "src/model/addr.h"
#include "src/model/plan.h"

/* A prefix that may be left out, or left to the agent ("auto"). */
struct optional_cidr {
	bool is_set;
	struct cidr cidr;
};

/* Both ends included. */
struct port_range {
	uint16_t min;
	uint16_t max;
};

/* Each enum's order is that of the words in the row of its key. */
enum state_source {
	STATE_SOURCE_AUTO, /* the directory, as no cluster is configured */
	STATE_SOURCE_DIRECTORY,
};

enum ipam_mode {
	IPAM_MODE_CLUSTER_POOL, /* pod CIDRs of the CiliumNode */
	IPAM_MODE_KUBERNETES,   /* pod CIDRs of the Node */
};

enum pod_attach_mode {
	POD_ATTACH_MODE_CLSACT,
	POD_ATTACH_MODE_TCX, /* where the kernel has it */
};

enum monitor_aggregation {
	MONITOR_AGGREGATION_NONE,
	MONITOR_AGGREGATION_LOWEST,
	MONITOR_AGGREGATION_LOW,
	MONITOR_AGGREGATION_MEDIUM,
	MONITOR_AGGREGATION_MAXIMUM,
	MONITOR_AGGREGATION_MAX,
};

enum allow_localhost {
	ALLOW_LOCALHOST_AUTO, /* as policy, without Kubernetes */
	ALLOW_LOCALHOST_ALWAYS,
	ALLOW_LOCALHOST_POLICY,
};

enum policy_init_endpoints {
	POLICY_INIT_ENDPOINTS_AUTO, /* as never, without Kubernetes: they will not get others */
	POLICY_INIT_ENDPOINTS_ALWAYS,
	POLICY_INIT_ENDPOINTS_NEVER,
};

enum kube_proxy_replacement {
	KUBE_PROXY_REPLACEMENT_TRUE,
	KUBE_PROXY_REPLACEMENT_FALSE,
	KUBE_PROXY_REPLACEMENT_STRICT, /* the old words: see service_settings_get() */
	KUBE_PROXY_REPLACEMENT_PARTIAL,
	KUBE_PROXY_REPLACEMENT_PROBE,
	KUBE_PROXY_REPLACEMENT_DISABLED,
};

enum no_backend_response {
	NO_BACKEND_REJECT,
	NO_BACKEND_DROP,
};

/* How a back end is chosen. */
enum choice_word {
	CHOICE_RANDOM,
	CHOICE_MAGLEV,
};

enum forwarding_word {
	FORWARDING_SNAT,
	FORWARDING_DSR,
	FORWARDING_HYBRID, /* DSR for TCP */
};

enum dispatch_word {
	DISPATCH_OPTION,
	DISPATCH_IPIP,
	DISPATCH_GENEVE, /* refused */
};

enum acceleration_word {
	ACCELERATION_WORD_DISABLED,
	ACCELERATION_WORD_NATIVE,      /* every device, or the agent does not start */
	ACCELERATION_WORD_BEST_EFFORT, /* devices whose driver can */
	ACCELERATION_WORD_TESTING_ONLY,
	ACCELERATION_WORD_GENERIC, /* as testing-only: by the kernel, behind the driver */
};

struct settings {
	/* Where things are. */
	char *config_dir;   /* empty: none */
	char *manifest_dir; /* paths are absolute */
	char *state_dir;
	char *socket_path;
	char *socket_group; /* name or number; empty: root alone */
	char *bpf_root;
	char *lib_dir;             /* what outlives a reboot: identities */
	unsigned int state_source; /* enum state_source */

	/* Who the node is. */
	char *node_name; /* K8S_NODE_NAME, else the host's name; no key of its own */
	char *cluster_name;
	char **labels; /* patterns of the labels that make identities; empty: the built-in list */
	bool enable_node_selector_labels;
	char **node_labels;            /* patterns of the labels of nodes; empty: all */
	char **policy_cidr_match_mode; /* "nodes", or empty */

	/* Addresses. */
	bool enable_ipv4;
	bool enable_ipv6;
	struct optional_cidr ipv4_range; /* pod CIDRs where no Node or CiliumNode names them */
	struct optional_cidr ipv6_range;
	unsigned int ipam; /* enum ipam_mode */
	char **devices;   /* names, a trailing + is a wildcard; empty: those with a default route */
	unsigned int mtu; /* of the node's devices; 0: detected */

	/* Masquerading. */
	bool enable_ipv4_masquerade;
	bool enable_ipv6_masquerade;
	char **egress_masquerade_interfaces;           /* as devices; empty: all */
	struct optional_cidr ipv4_native_routing_cidr; /* destinations that are not masqueraded */
	struct optional_cidr ipv6_native_routing_cidr;
	bool enable_ip_masq_agent; /* more such destinations, from a file */
	char *ip_masq_agent_config_path;
	struct port_range node_port_range; /* NAT takes its ports from above it */

	/* Services, as the keys say: service_settings_get() tells what they come to. */
	unsigned int kube_proxy_replacement; /* enum kube_proxy_replacement */
	bool enable_node_port;
	bool enable_external_ips;
	bool enable_host_port;
	bool enable_local_redirect_policy;
	char **lrp_address_matcher_cidrs;
	char *k8s_service_proxy_name;
	bool bpf_lb_only;
	char **nodeport_addresses; /* prefixes */
	bool node_port_bind_protection;
	bool enable_auto_protect_node_port_range;
	bool enable_session_affinity;
	bool enable_service_topology;
	char **fixed_zone_mapping; /* "zone=1" */
	bool enable_svc_source_range_check;
	bool bpf_lb_source_range_all_types;
	bool enable_internal_traffic_policy;
	bool bpf_lb_external_clusterip;
	unsigned int service_no_backend_response; /* enum no_backend_response */
	bool enable_health_check_nodeport;
	char *kube_proxy_replacement_healthz_bind_address; /* host:port or :port; empty: none */
	unsigned int bpf_lb_algorithm;                     /* enum choice_word */
	unsigned int node_port_algorithm;
	bool bpf_lb_algorithm_annotation;
	unsigned int bpf_lb_maglev_table_size;
	char *bpf_lb_maglev_hash_seed;
	unsigned int bpf_lb_mode; /* enum forwarding_word */
	unsigned int node_port_mode;
	bool bpf_lb_mode_annotation;
	unsigned int bpf_lb_dsr_dispatch; /* enum dispatch_word */
	struct optional_cidr bpf_lb_rss_ipv4_src_cidr;
	struct optional_cidr bpf_lb_rss_ipv6_src_cidr;
	unsigned int bpf_lb_acceleration; /* enum acceleration_word */
	unsigned int node_port_acceleration;
	bool bpf_lb_sock;
	bool bpf_lb_sock_hostns_only;
	bool bpf_lb_sock_terminate_pod_connections;
	char *cgroup_root;
	struct addr ipv4_service_loopback_address;
	struct addr ipv6_service_loopback_address;

	/* Delivery. */
	bool enable_host_legacy_routing;
	bool enable_endpoint_routes;
	bool enable_source_ip_verification;
	bool enable_ipv4_fragment_tracking; /* of both families */
	bool enable_sctp;
	bool enable_tcx;
	unsigned int pod_attach_mode; /* enum pod_attach_mode */

	/* Sizes of maps, in entries; 0: by bpf_map_dynamic_size_ratio of the memory. */
	double bpf_map_dynamic_size_ratio;
	unsigned int bpf_ct_global_tcp_max;
	unsigned int bpf_ct_global_any_max;
	unsigned int bpf_nat_global_max;
	unsigned int bpf_fragments_map_max;
	unsigned int bpf_lb_map_max;
	unsigned int bpf_lb_service_map_max; /* 0, here and below: by bpf_lb_map_max */
	unsigned int bpf_lb_service_backend_map_max;
	unsigned int bpf_lb_affinity_map_max;
	unsigned int bpf_lb_source_range_map_max;
	unsigned int bpf_lb_maglev_map_max; /* 0: as declared */
	unsigned int bpf_sock_rev_map_max;
	unsigned int bpf_policy_map_max; /* of an endpoint; the node's maps have 16 times that */

	/* Conntrack. */
	int64_t bpf_ct_timeout_regular_tcp_ns;
	int64_t bpf_ct_timeout_regular_tcp_syn_ns;
	int64_t bpf_ct_timeout_regular_tcp_fin_ns;
	int64_t bpf_ct_timeout_regular_any_ns;
	int64_t bpf_ct_timeout_service_tcp_ns;
	int64_t bpf_ct_timeout_service_tcp_grace_ns;
	int64_t bpf_ct_timeout_service_any_ns;
	bool bpf_conntrack_accounting;
	int64_t conntrack_gc_interval_ns;     /* 0: adapts to how much there is to collect */
	int64_t conntrack_gc_max_interval_ns; /* 0: 12 hours */

	/* Policy. */
	bool enable_endpoint_lockdown_on_policy_overflow;
	unsigned int enable_policy; /* enum policy_mode */
	bool policy_audit_mode;
	unsigned int allow_localhost;       /* enum allow_localhost */
	unsigned int policy_init_endpoints; /* enum policy_init_endpoints */
	bool enable_host_firewall;
	bool enable_non_default_deny_policies;
	bool enable_k8s_networkpolicy;
	bool enable_cilium_network_policy;
	bool enable_cilium_clusterwide_network_policy;

	/* Events. */
	bool bpf_events_drop_enabled;
	bool bpf_events_policy_verdict_enabled;
	bool bpf_events_trace_enabled;
	unsigned int monitor_aggregation; /* enum monitor_aggregation */
	int64_t monitor_aggregation_interval_ns;
	unsigned int monitor_aggregation_flags; /* TCP flags, bits as in the header */

	char **bpf_map_event_buffers; /* "map=enabled_128_0"; see map_event_buffer_parse() */

	/* The agent itself. */
	bool debug;
	char **log_opt;                 /* "level=info", "format=text"; see settings_apply_log */
	unsigned int agent_health_port; /* GET /healthz on the loopback; 0: none */
	char *prometheus_serve_addr;    /* host:port or :port of GET /metrics; empty: none */
	char **metrics;                 /* "+name", "-name": see metrics_table_select() */
};

/* Where the value of a key came from. */
enum option_origin {
	OPTION_ORIGIN_DEFAULT,
	OPTION_ORIGIN_DIRECTORY,
	OPTION_ORIGIN_ENVIRONMENT,
	OPTION_ORIGIN_FLAG,
	OPTION_ORIGIN_RUNTIME, /* changed by PATCH /config; forgotten at the end of the agent */
	OPTION_ORIGIN__MAX,
};

struct config;

/* What the program should do when the command line has been read. */
enum config_action {
	CONFIG_ACTION_RUN,
	CONFIG_ACTION_HELP, /* --help: print config_format_help() */
	CONFIG_ACTION_VERSION,
};

/*
 * argv and envp must live as long as the result: they are read again when it is reloaded.
 *
 * Reads the command line, the environment (as in environ) and the configuration directory. 0 or
 * −EINVAL with every error of the whole configuration in the text, one a line: key, where the value
 * stands, value, what is allowed.
 */
NODISCARD int config_load(int argc, char *const argv[], char *const envp[],
			  struct config **ret_config, GError **error);
void config_free(struct config *config); /* takes NULL */

enum config_action config_get_action(const struct config *config);
const struct settings *config_get_settings(const struct config *config);
/* The text of --help. Free with g_free. */
char *config_format_help(void);

/* One key of option.def and its value in force. */
struct config_value {
	const char *key;
	const char *text; /* as the user wrote it, or the default */
	enum option_origin origin;
	const char *place; /* file or variable the value stands in; NULL for defaults and flags */
	bool has_effect;   /* this version acts on the key */
	bool is_live;      /* a change needs no restart */
	bool differs;      /* from the default */
};

/* Where the value of a key of option.def came from. */
enum option_origin config_get_origin(const struct config *config, const char *key);
/* Every key, in the order of option.def. */
void config_foreach(const struct config *config,
		    void (*fn)(const struct config_value *value, void *data), void *data);
/* The value of the key as it was read last, in force or not. 0 or −ENOENT. */
NODISCARD int config_find_configured(const struct config *config, const char *key,
				     struct config_value *ret_value);
/*
 * Keys whose value is not the default and that have no effect, in this version or (has_effect is set) beside another
 * key: for the log and the status.
 */
void config_foreach_without_effect(const struct config *config,
				   void (*fn)(const struct config_value *value, void *data),
				   void *data);
/* Files of the configuration directory that are no key: their names, sorted, NULL at the end. */
const char *const *config_get_unknown_keys(const struct config *config);
const char *option_origin_text(enum option_origin origin);

/*
 * Sets the levels and the form of the log as log-opt says; debug outranks the level of all modules, not
 * one that log-opt gives a module.
 */
void settings_apply_log(const struct settings *settings);

/*
 * Entries of each map whose size is configured; 0 for the others, which stay as declared. Sizes that
 * no key gives share bpf_map_dynamic_size_ratio of memory_bytes, within Cilium's bounds.
 */
void settings_get_map_sizes(const struct settings *settings, uint64_t memory_bytes,
			    uint32_t ret_max_entries[static PLAN_MAP__MAX]);
