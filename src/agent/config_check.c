/* SPDX-License-Identifier: Apache-2.0 */
/* What no value says alone: settings that must fit each other, or are computed from several. */
#include "src/agent/config.h"

#include <string.h>
#include <sys/un.h>
#include "abi/conntrack.h"
#include "abi/lb.h"
#include "abi/nat.h"
#include "src/agent/config_private.h"
#include "src/agent/map_event_buffer.h"
#include "src/agent/option.h"
#include "src/agent/service_settings.h"
#include "src/base/log.h"

/* With fewer ports a busy node has connections refused that it could serve. */
#define NAT_PORTS_MIN 1024
#define IPV6_MTU_MIN  1280

#define MAP_ENTRIES_MAX 16777216

/*
 * bpf-policy-map-max is of one endpoint. Endpoints of the same rules share their entries here, so that a
 * node needs room for far fewer rule sets than it has endpoints: 262,144 entries by default.
 */
#define POLICY_ENDPOINTS_A_NODE 16

struct log_settings {
	enum log_level level; /* of every module that has no other */
	enum log_format format;
	enum log_level levels[LOG_SUBSYS__MAX];
	bool has_level[LOG_SUBSYS__MAX];
};

/* Other keys are for log drivers that we do not have; the plugin has its own configuration. */
static bool parse_log_opt(const char *pair, struct log_settings *log)
{
	const char *equals = strchr(pair, '=');
	g_autofree char *module = NULL;
	enum log_subsys subsys;

	if (g_str_has_prefix(pair, "level="))
		return !log_level_parse(equals + 1, &log->level);
	if (g_str_has_prefix(pair, "format="))
		return !log_format_parse(equals + 1, &log->format);
	if (!g_str_has_prefix(pair, "level."))
		return false;
	pair += strlen("level.");
	module = g_strndup(pair, equals - pair);
	if (log_subsys_parse(module, &subsys) || subsys == LOG_SUBSYS_CNI)
		return false;
	log->has_level[subsys] = true;
	return !log_level_parse(equals + 1, &log->levels[subsys]);
}

static char *join_modules(void)
{
	GString *names = g_string_new(NULL);

	for (int i = 0; i < LOG_SUBSYS__MAX; i++)
		if (i != LOG_SUBSYS_CNI)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "",
					       log_subsys_text(i));
	return g_string_free(names, false);
}

static void check_log_opt(const struct settings *settings, GString *problems)
{
	struct log_settings log = {0};

	for (char **pair = settings->log_opt; *pair; pair++) {
		g_autofree char *modules = NULL;

		if (parse_log_opt(*pair, &log))
			continue;
		modules = join_modules();
		config_add_problem(
			problems,
			"log-opt: got \"%s\", want level=LEVEL, level.MODULE=LEVEL or "
			"format=FORMAT; levels: error, warning, info, debug; formats: text, "
			"text-ts, json, json-ts; modules: %s",
			*pair, modules);
	}
}

static void check_event_buffers(const struct settings *settings, GString *problems)
{
	for (char **pair = settings->bpf_map_event_buffers; *pair; pair++) {
		g_autofree char *name = NULL;
		struct map_event_buffer buffer;

		if (map_event_buffer_parse(*pair, &name, &buffer))
			config_add_problem(
				problems,
				"bpf-map-event-buffers: got \"%s\", want map=enabled_N_AGE with N "
				"in "
				"0..%d and AGE as 1h or 0, or map=disabled_0_0",
				*pair, MAP_EVENT_BUFFER_MAX);
	}
}

void settings_check(const struct settings *settings, GString *problems)
{
	if (!settings->enable_ipv4 && !settings->enable_ipv6)
		config_add_problem(problems,
				   "enable-ipv4, enable-ipv6: want true for at least one");
	if (settings->enable_ipv6 && settings->mtu && settings->mtu < IPV6_MTU_MIN)
		config_add_problem(problems,
				   "mtu: got %u, want 0 or %d..65535 where enable-ipv6 is true",
				   settings->mtu, IPV6_MTU_MIN);
	if (settings->node_port_range.max > UINT16_MAX - NAT_PORTS_MIN)
		config_add_problem(
			problems,
			"node-port-range: got an end of %u, want at most %d: masquerading "
			"takes its ports from above it",
			settings->node_port_range.max, UINT16_MAX - NAT_PORTS_MIN);
	if (settings->pod_attach_mode == POD_ATTACH_MODE_TCX && !settings->enable_tcx)
		config_add_problem(problems,
				   "pod-attach-mode: got \"tcx\", want \"clsact\" where enable-tcx "
				   "is false");
	if (strlen(settings->socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		config_add_problem(problems, "socket-path: got %zu bytes, want at most 107",
				   strlen(settings->socket_path));
	for (char **mode = settings->policy_cidr_match_mode; mode && *mode; mode++)
		if (strcmp(*mode, "nodes") != 0)
			config_add_problem(
				problems,
				"policy-cidr-match-mode: got \"%s\", want nodes or nothing", *mode);
	service_settings_check(settings, problems);
	check_event_buffers(settings, problems);
	check_log_opt(settings, problems);
}

void settings_apply_log(const struct settings *settings)
{
	struct log_settings log = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT_TS};

	for (char **pair = settings->log_opt; *pair; pair++)
		parse_log_opt(*pair, &log);
	log_set_level(settings->debug ? LOG_LEVEL_DEBUG : log.level);
	for (int i = 0; i < LOG_SUBSYS__MAX; i++)
		if (log.has_level[i])
			log_set_subsys_level(i, log.levels[i]);
	log_set_format(log.format);
}

/* A map whose size follows memory, with Cilium's fixed size and its lower bound of computed ones. */
struct scaled_map {
	enum plan_map map;
	uint64_t fixed;
	uint64_t min;
	uint64_t entry_bytes;
};

static const struct scaled_map scaled_maps[] = {
	{PLAN_MAP_cilium_ct_tcp_global, 524288, 131072,
	 sizeof(struct ct_key) + sizeof(struct ct_entry)},
	{PLAN_MAP_cilium_ct_any_global, 262144, 65536,
	 sizeof(struct ct_key) + sizeof(struct ct_entry)},
	{PLAN_MAP_cilium_snat_external, 524288, 131072,
	 sizeof(struct nat_key) + sizeof(struct nat_entry)},
};

/* The budget is shared in proportion to what the maps of fixed size would take. */
static uint32_t scale(const struct scaled_map *map, double budget_bytes)
{
	double fixed_bytes = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(scaled_maps); i++)
		fixed_bytes += (double)scaled_maps[i].fixed * (double)scaled_maps[i].entry_bytes;
	return (uint32_t)CLAMP((double)map->fixed * budget_bytes / fixed_bytes, (double)map->min,
			       MAP_ENTRIES_MAX);
}

static uint32_t at_most(uint64_t entries)
{
	return (uint32_t)MIN(entries, MAP_ENTRIES_MAX);
}

/*
 * A front end's address has an entry for its other ports besides, and a service two sets. Back ends belong
 * to one service each, so that there are more of them than in Cilium, and are in a slot of each set.
 */
static void set_lb_sizes(const struct settings *settings, uint32_t *max_entries)
{
	uint64_t by_default = settings->bpf_lb_map_max;
	uint64_t services = settings->bpf_lb_service_map_max;
	uint64_t backends = settings->bpf_lb_service_backend_map_max;
	uint64_t chunks =
		(settings->bpf_lb_maglev_table_size + LB_MAGLEV_CHUNK - 1) / LB_MAGLEV_CHUNK;

	services = (services ? services : by_default) * 2;
	backends = backends ? backends : by_default * 4;
	max_entries[PLAN_MAP_cilium_lb_services] = at_most(services);
	max_entries[PLAN_MAP_cilium_lb_sets] = at_most(services);
	max_entries[PLAN_MAP_cilium_lb_backends] = at_most(backends);
	max_entries[PLAN_MAP_cilium_lb_slots] = at_most(backends * 2);
	max_entries[PLAN_MAP_cilium_lb_affinity] =
		settings->bpf_lb_affinity_map_max ? settings->bpf_lb_affinity_map_max : by_default;
	max_entries[PLAN_MAP_cilium_lb_source_range] =
		settings->bpf_lb_source_range_map_max ? settings->bpf_lb_source_range_map_max
						      : by_default;
	/* 0: as declared. */
	max_entries[PLAN_MAP_cilium_lb_maglev] =
		at_most(settings->bpf_lb_maglev_map_max * chunks * 2);
	max_entries[PLAN_MAP_cilium_lb_reverse_sk] = settings->bpf_sock_rev_map_max;
}

void settings_get_map_sizes(const struct settings *settings, uint64_t memory_bytes,
			    uint32_t ret_max_entries[static PLAN_MAP__MAX])
{
	const uint32_t by_key[] = {settings->bpf_ct_global_tcp_max, settings->bpf_ct_global_any_max,
				   settings->bpf_nat_global_max};
	double budget_bytes = settings->bpf_map_dynamic_size_ratio * (double)memory_bytes;

	_Static_assert(G_N_ELEMENTS(by_key) == G_N_ELEMENTS(scaled_maps), "one key a map");
	memset(ret_max_entries, 0, PLAN_MAP__MAX * sizeof(*ret_max_entries));
	for (size_t i = 0; i < G_N_ELEMENTS(scaled_maps); i++) {
		uint32_t *entries = &ret_max_entries[scaled_maps[i].map];

		if (by_key[i])
			*entries = by_key[i];
		else if (settings->bpf_map_dynamic_size_ratio > 0)
			*entries = scale(&scaled_maps[i], budget_bytes);
		else
			*entries = (uint32_t)scaled_maps[i].fixed;
	}
	/* A connection that is masqueraded needs a place of its own; Cilium sizes it so, too. */
	if (!settings->bpf_nat_global_max && settings->bpf_map_dynamic_size_ratio == 0)
		ret_max_entries[PLAN_MAP_cilium_snat_external] =
			(ret_max_entries[PLAN_MAP_cilium_ct_tcp_global] +
			 ret_max_entries[PLAN_MAP_cilium_ct_any_global]) /
			3 * 2;
	ret_max_entries[PLAN_MAP_cilium_frag_datagrams] = settings->bpf_fragments_map_max;
	set_lb_sizes(settings, ret_max_entries);
	ret_max_entries[PLAN_MAP_cilium_policy_peer] =
		settings->bpf_policy_map_max * POLICY_ENDPOINTS_A_NODE;
	ret_max_entries[PLAN_MAP_cilium_policy_class] =
		settings->bpf_policy_map_max * POLICY_ENDPOINTS_A_NODE;
}
