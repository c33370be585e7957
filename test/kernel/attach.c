/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_attach NODE_DEVICE POD_DEVICE: what the agent does with the kernel, without the agent. Loads the
 * programs, attaches each, takes everything over as a restarted agent does, and removes it. Says how
 * the programs were attached, and what the kernel has that another may not have.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include "src/datapath/datapath.h"
#include "src/datapath/layout.h"
#include "src/sys/xdp.h"

#define BPF_ROOT "/sys/fs/bpf"
/* Not /tmp, where everybody writes: that is refused. */
#define STATE_DIR "/run/axoneme"

#define N_ON_DEVICES  6
#define N_ON_SOCKETS  (PLAN_HOOK__MAX - PLAN_HOOK_SOCK__FIRST)
#define N_ATTACHMENTS (N_ON_DEVICES + N_ON_SOCKETS)

/* How it is done this time. */
struct way {
	bool enable_tcx;
	enum datapath_xdp xdp;
	enum xdp_mode xdp_mode; /* what comes of it */
};

struct place {
	const char *ifname; /* NULL: sockets */
	enum plan_hook hook;
	enum plan_program program;
};

static void check(const char *what, int err, GError *error)
{
	if (!err)
		return;
	printf("FAILED: %s: %s\n", what, error ? error->message : g_strerror(-err));
	exit(1);
}

static struct datapath *load(const struct way *way, struct datapath_config *ret_config)
{
	struct datapath *dp = datapath_real_new(BPF_ROOT, STATE_DIR);
	struct datapath_config config = {
		.node = {.ct_timeout_tcp = 8000,
			 .ct_timeout_tcp_syn = 60,
			 .ct_timeout_tcp_fin = 10,
			 .ct_timeout_any = 60,
			 .nat_port_min = 32768,
			 .nat_port_max = 65535,
			 .node_port_min = 30000,
			 .node_port_max = 32767,
			 .maglev_size = 251,
			 .enable_ipv4 = 1,
			 .enable_ipv6 = 1,
			 .enable_masquerade4 = 1,
			 .enable_masquerade6 = 1,
			 .enable_source_ip_verification = 1,
			 .enable_fragment_tracking = 1,
			 .enable_node_port = 1,
			 .enable_socket_lb = 1,
			 .enable_socket_lb_pods = 1,
			 .protect_node_ports = 1,
			 .reject_without_backend = 1},
		.enable_tcx = way->enable_tcx,
		.xdp = way->xdp,
		.mtu = 1500,
	};
	GError *error = NULL;

	if (addr_parse("10.200.1.1", &config.router4) ||
	    addr_parse("fd00:200:1::1", &config.router6))
		abort();
	check("load", dp->ops->load(dp, &config, &error), error);
	*ret_config = config;
	return dp;
}

static void attach(struct datapath *dp, const struct place *place)
{
	struct plan_attachment *attachment = (void *)row_new(&plan_attachment_class);

	attachment->key.ifindex = place->ifname ? if_nametoindex(place->ifname) : 0;
	attachment->key.hook = place->hook;
	attachment->program = place->program;
	attachment->ifname = g_strdup(place->ifname);
	check(program_name(place->program), dp->ops->attach(dp, attachment), NULL);
	row_unref(&attachment->row);
}

struct counted {
	size_t n;
	size_t n_foreign; /* of another set of programs than the loaded one */
};

static bool count(const struct plan_attachment_key *key, enum plan_program program, void *data)
{
	struct counted *counted = data;

	counted->n++;
	counted->n_foreign += program == PLAN_PROGRAM__MAX;
	return true;
}

static void check_count(struct datapath *dp, const char *when, size_t want)
{
	struct counted counted = {0};

	check("attachments", dp->ops->attachment_foreach(dp, count, &counted), NULL);
	if (counted.n == want && !counted.n_foreign)
		return;
	printf("FAILED: %s: %zu programs attached, %zu of them not ours, want %zu\n", when,
	       counted.n, counted.n_foreign, want);
	exit(1);
}

static void check_xdp(const char *ifname, enum xdp_mode want)
{
	enum xdp_mode mode;

	check("asking for XDP", xdp_mode_get(if_nametoindex(ifname), &mode), NULL);
	if (mode == want)
		return;
	printf("FAILED: XDP of %s: mode %d, want %d\n", ifname, mode, want);
	exit(1);
}

static void attach_all(struct datapath *dp, char **devices)
{
	const struct place places[N_ON_DEVICES] = {
		{devices[0], PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_NETDEV},
		{devices[0], PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_NETDEV},
		{devices[0], PLAN_HOOK_XDP, PLAN_PROGRAM_XDP_ENTRY},
		{devices[1], PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_CONTAINER},
		{devices[1], PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_CONTAINER},
		{"cilium_host", PLAN_HOOK_EGRESS, PLAN_PROGRAM_FROM_HOST},
	};
	GError *error = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		attach(dp, &places[i]);
	for (size_t i = 0; i < N_ON_SOCKETS; i++) {
		const struct place place = {NULL, PLAN_HOOK_SOCK__FIRST + i,
					    PLAN_PROGRAM_SOCK__FIRST + i};

		attach(dp, &place);
	}
	check("load_finish", dp->ops->load_finish(dp, &error), error);
}

static void run(char **devices, const struct way *way)
{
	struct datapath_config config;
	GError *error = NULL;
	struct datapath *dp = load(way, &config);

	attach_all(dp, devices);
	check_count(dp, "attached", N_ATTACHMENTS);
	check_xdp(devices[0], way->xdp_mode);
	dp->ops->free(dp);

	dp = load(way, &config);
	check_count(dp, "taken over", N_ATTACHMENTS);
	check_xdp(devices[0], way->xdp_mode);
	attach_all(dp, devices);
	check_count(dp, "replaced", N_ATTACHMENTS);
	check_xdp(devices[0], way->xdp_mode);
	check("purge", dp->ops->purge(dp, &error), error);
	check_count(dp, "purged", 0);
	check_xdp(devices[0], XDP_MODE_NONE);
	dp->ops->free(dp);
	printf("attach: good, devices by %s, XDP %s, bpf_set_retval %s, cookies of namespaces %s\n",
	       config.enable_tcx ? "tcx" : "clsact",
	       way->xdp_mode == XDP_MODE_NATIVE ? "native" : "generic",
	       config.node.has_set_retval ? "yes" : "no",
	       config.node.host_netns_cookie ? "yes" : "no");
}

int main(int argc, char **argv)
{
	static const struct way ways[] = {
		{true, DATAPATH_XDP_NATIVE, XDP_MODE_NATIVE},
		{false, DATAPATH_XDP_GENERIC, XDP_MODE_GENERIC},
	};

	if (argc != 3) {
		fprintf(stderr, "usage: kernel_attach NODE_DEVICE POD_DEVICE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
		run(argv + 1, &ways[i]);
	return 0;
}
