/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads every program in every main configuration into the running kernel, and prints what the verifier
 * made of each: instructions that it looked at, or its log; and how long the load took.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include "abi/config.h"
#include "datapath.skel.h"

#define LOG_BYTES        (16 * 1024 * 1024)
#define PROGRAMS_MAX     40
#define REFUSAL_BYTES    3000
#define LOG_LEVEL_STATS  4
#define LOG_LEVEL_BRANCH 1

struct variant {
	const char *name;
	struct node_config config;
};

/* What all have. */
#define COMMON                                                                 \
	.host_ifindex = 2, .ct_timeout_tcp = 8000, .ct_timeout_tcp_syn = 60,   \
	.ct_timeout_tcp_fin = 10, .ct_timeout_any = 60, .nat_port_min = 32768, \
	.nat_port_max = 65535, .node_port_min = 30000, .node_port_max = 32767, \
	.enable_source_ip_verification = 1, .enable_fragment_tracking = 1

static const struct variant variants[] = {
	{"ipv4", {COMMON, .enable_ipv4 = 1}},
	{"ipv6", {COMMON, .enable_ipv6 = 1}},
	{"dual", {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1}},
	{"masquerade",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1}},
	{"legacy-routing",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1, .enable_host_legacy_routing = 1}},
	{"endpoint-routes",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1, .enable_endpoint_routes = 1}},
	{"host-firewall",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1, .enable_host_firewall = 1}},
	{"sockets",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_socket_lb = 1,
	  .enable_socket_lb_pods = 1, .protect_node_ports = 1, .reject_without_backend = 1}},
	{"cluster-ip",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1, .reject_without_backend = 1}},
	{"node-port",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1, .enable_node_port = 1, .enable_dsr_options = 1,
	  .reject_without_backend = 1, .maglev_size = 16381}},
	{"node-port-ipv4",
	 {COMMON, .enable_ipv4 = 1, .enable_node_port = 1, .enable_dsr_options = 1,
	  .enable_socket_lb = 1, .reject_without_backend = 1}},
	{"node-port-ipv6",
	 {COMMON, .enable_ipv6 = 1, .enable_node_port = 1, .enable_socket_lb = 1,
	  .dsr_dispatch = DSR_DISPATCH_IPIP, .dsr_source6_bits = 96}},
	{"ipip",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_node_port = 1,
	  .dsr_dispatch = DSR_DISPATCH_IPIP}},
	{"everything",
	 {COMMON, .enable_ipv4 = 1, .enable_ipv6 = 1, .enable_masquerade4 = 1,
	  .enable_masquerade6 = 1, .enable_host_legacy_routing = 1, .enable_endpoint_routes = 1,
	  .enable_ct_accounting = 1, .enable_sctp = 1, .enable_host_firewall = 1,
	  .enable_node_port = 1, .enable_dsr_options = 1, .enable_socket_lb = 1,
	  .enable_socket_lb_pods = 1, .protect_node_ports = 1, .reject_without_backend = 1,
	  .maglev_size = 16381}},
};

static int ignore_text(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return 0;
}

/* "processed 812 insns (limit …)" stands at the end of the log. */
static long count_instructions(const char *log)
{
	const char *line = strstr(log, "processed ");

	return line ? atol(line + strlen("processed ")) : -1;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void set_logs(struct datapath_bpf *skel, unsigned int level, char *logs[PROGRAMS_MAX])
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, skel->obj)
	{
		logs[i][0] = '\0';
		bpf_program__set_log_level(program, level);
		bpf_program__set_log_buf(program, logs[i++], LOG_BYTES);
	}
}

/* The kernel's maps at their smallest: what is checked here is programs. */
static void shrink_maps(struct datapath_bpf *skel)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) if (bpf_map__max_entries(map) > 65536 &&
						     bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
		bpf_map__set_max_entries(map, 65536);
}

static int load(const struct variant *variant, unsigned int level, char *logs[PROGRAMS_MAX],
		struct datapath_bpf **ret_skel)
{
	struct datapath_bpf *skel = datapath_bpf__open();
	int err;

	if (!skel) {
		perror("open");
		exit(1);
	}
	memcpy((void *)&skel->rodata->node_config, &variant->config, sizeof(variant->config));
	shrink_maps(skel);
	set_logs(skel, level, logs);
	err = datapath_bpf__load(skel);
	*ret_skel = skel;
	return err;
}

static void print_counts(const struct variant *variant, struct datapath_bpf *skel,
			 char *logs[PROGRAMS_MAX], double seconds)
{
	struct bpf_program *program;
	size_t i = 0;

	printf("%-16s %4.0f ms", variant->name, seconds * 1000);
	bpf_object__for_each_program(program, skel->obj)
		printf(" %s=%ld", bpf_program__name(program), count_instructions(logs[i++]));
	printf("\n");
}

/* The whole log of a program that was refused: its branches, once more. */
static void print_refusal(const struct variant *variant, int err, char *logs[PROGRAMS_MAX])
{
	struct datapath_bpf *skel;
	struct bpf_program *program;
	size_t i = 0;

	printf("%-16s REFUSED: %s\n", variant->name, strerror(-err));
	load(variant, LOG_LEVEL_BRANCH | LOG_LEVEL_STATS, logs, &skel);
	bpf_object__for_each_program(program, skel->obj)
	{
		size_t n = strlen(logs[i]);

		/* Its end says why; programs before it have short logs, those after it none. */
		if (n && bpf_program__fd(program) < 0)
			printf("--- %s\n%s\n", bpf_program__name(program),
			       n > REFUSAL_BYTES ? logs[i] + n - REFUSAL_BYTES : logs[i]);
		i++;
	}
	datapath_bpf__destroy(skel);
}

int main(void)
{
	char *logs[PROGRAMS_MAX];
	struct utsname name;
	int n_refused = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	uname(&name);
	printf("Linux %s: instructions that the verifier looked at\n", name.release);
	libbpf_set_print(ignore_text);
	for (size_t i = 0; i < PROGRAMS_MAX; i++)
		logs[i] = malloc(LOG_BYTES);
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct datapath_bpf *skel;
		double start = now_seconds();
		int err = load(&variants[i], LOG_LEVEL_STATS, logs, &skel);

		if (!err)
			print_counts(&variants[i], skel, logs, now_seconds() - start);
		datapath_bpf__destroy(skel);
		if (err) {
			print_refusal(&variants[i], err, logs);
			n_refused++;
		}
	}
	return n_refused > 0;
}
