/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_attach NODE_DEVICE POD_DEVICE: what the agent does with the kernel, without the agent. Loads the
 * programs, attaches each, takes everything over as a restarted agent does, and removes it. Says how
 * the programs were attached.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include "src/datapath/datapath.h"

#define BPF_ROOT "/sys/fs/bpf"
/* Not /tmp, where everybody writes: that is refused. */
#define STATE_DIR "/run/axoneme"

struct place {
	const char *ifname;
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

static struct datapath *load(bool enable_tcx, bool *ret_tcx)
{
	struct datapath *dp = datapath_real_new(BPF_ROOT, STATE_DIR);
	struct datapath_config config = {
		.node = {.ct_timeout_tcp = 8000,
			 .ct_timeout_tcp_syn = 60,
			 .ct_timeout_tcp_fin = 10,
			 .ct_timeout_any = 60,
			 .nat_port_min = 32768,
			 .nat_port_max = 65535,
			 .enable_ipv4 = 1,
			 .enable_ipv6 = 1,
			 .enable_masquerade4 = 1,
			 .enable_masquerade6 = 1,
			 .enable_source_ip_verification = 1,
			 .enable_fragment_tracking = 1},
		.enable_tcx = enable_tcx,
		.mtu = 1500,
	};
	GError *error = NULL;

	if (addr_parse("10.200.1.1", &config.router4) ||
	    addr_parse("fd00:200:1::1", &config.router6))
		abort();
	check("load", dp->ops->load(dp, &config, &error), error);
	*ret_tcx = config.enable_tcx;
	return dp;
}

static void attach(struct datapath *dp, const struct place *place)
{
	struct plan_attachment *attachment = (void *)row_new(&plan_attachment_class);

	attachment->key.ifindex = if_nametoindex(place->ifname);
	attachment->key.hook = place->hook;
	attachment->program = place->program;
	attachment->ifname = g_strdup(place->ifname);
	check(place->ifname, dp->ops->attach(dp, attachment), NULL);
	row_unref(&attachment->row);
}

static bool count(const struct plan_attachment_key *key, enum plan_program program, void *data)
{
	(*(size_t *)data)++;
	return true;
}

static void check_count(struct datapath *dp, const char *when, size_t want)
{
	size_t n = 0;

	check("attachments", dp->ops->attachment_foreach(dp, count, &n), NULL);
	if (n == want)
		return;
	printf("FAILED: %s: %zu programs attached, want %zu\n", when, n, want);
	exit(1);
}

static void run(char **devices, bool enable_tcx)
{
	const struct place places[] = {
		{devices[0], PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_NETDEV},
		{devices[0], PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_NETDEV},
		{devices[1], PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_CONTAINER},
		{devices[1], PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_CONTAINER},
		{"cilium_host", PLAN_HOOK_EGRESS, PLAN_PROGRAM_FROM_HOST},
	};
	GError *error = NULL;
	bool has_tcx;
	struct datapath *dp = load(enable_tcx, &has_tcx);

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		attach(dp, &places[i]);
	check("load_finish", dp->ops->load_finish(dp, &error), error);
	check_count(dp, "attached", G_N_ELEMENTS(places));
	dp->ops->free(dp);

	dp = load(enable_tcx, &has_tcx);
	check_count(dp, "taken over", G_N_ELEMENTS(places));
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		attach(dp, &places[i]);
	check("load_finish again", dp->ops->load_finish(dp, &error), error);
	check_count(dp, "replaced", G_N_ELEMENTS(places));
	check("purge", dp->ops->purge(dp, &error), error);
	check_count(dp, "purged", 0);
	dp->ops->free(dp);
	printf("attach: good, devices by %s\n", has_tcx ? "tcx" : "clsact");
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: kernel_attach NODE_DEVICE POD_DEVICE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	run(argv + 1, true);
	run(argv + 1, false);
	return 0;
}
