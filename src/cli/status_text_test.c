/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/cli/status_text.h"
#include "src/cli/tabwriter.h"

static const char full[] =
	"{\"kvstore\": {\"state\": \"Disabled\"}, \"kubernetes\": {\"state\": \"Disabled\"},"
	"\"kube-proxy-replacement\": {\"mode\": \"False\", \"deviceList\": "
	"[{\"name\": \"eth0\"}, {\"name\": \"eth1\"}]}, \"host-firewall\": {\"mode\": "
	"\"Disabled\"},"
	"\"srv6\": {\"enabled\": false}, \"cni-chaining\": {\"mode\": \"none\"},"
	"\"cilium\": {\"state\": \"Warning\", \"msg\": \"1 object(s) cannot be applied\"},"
	"\"nodeMonitor\": {\"cpus\": 2, \"npages\": 64, \"pagesize\": 4096, \"lost\": 3, "
	"\"unknown\": 0},"
	"\"cluster\": {\"ciliumHealth\": {\"state\": \"Disabled\"}, \"nodes\": [{\"name\": \"c/n\","
	" \"primary-address\": {\"ipv4\": {\"ip\": \"192.0.2.1\"}, \"ipv6\": {\"ip\": "
	"\"fd01::1\"}}}]},"
	"\"ipam\": {\"status\": \"IPv4: 2/254 allocated from 10.0.0.0/24\","
	" \"allocations\": {\"10.0.0.1\": \"router\", \"10.0.0.5\": \"default/web\"}},"
	"\"ipv4-big-tcp\": {\"enabled\": false}, \"ipv6-big-tcp\": {\"enabled\": false},"
	"\"bandwidth-manager\": {\"enabled\": false},"
	"\"routing\": {\"inter-host-routing-mode\": \"Native\", \"intra-host-routing-mode\": "
	"\"BPF\"},"
	"\"attach-mode\": \"tcx\", \"datapath-mode\": \"veth\","
	"\"masquerading\": {\"enabled\": true, \"mode\": \"BPF\", \"snat-exclusion-cidr-v4\": "
	"\"10.0.0.0/8\","
	" \"enabledProtocols\": {\"ipv4\": true, \"ipv6\": false}},"
	"\"controllers\": [{\"name\": \"reconcile-routes\", \"group\": \"datapath\", \"status\": "
	"{\"consecutive-failure-count\": 0,"
	" \"last-success-timestamp\": \"2026-01-01T00:00:00Z\"}}, {\"name\": "
	"\"reconcile-attachments\", \"group\": \"datapath\","
	" \"status\": {\"consecutive-failure-count\": 1, \"last-failure-timestamp\":"
	" \"2025-12-31T23:58:57Z\", \"last-failure-msg\": \"lxc1: No such device\"}}, {\"name\": "
	"\"state-sync\", \"group\": "
	"\"state\", \"status\": {\"consecutive-failure-count\": 0, \"success-count\": 7,"
	" \"last-success-timestamp\": \"2025-12-31T23:00:00Z\"}}],"
	"\"stale\": {\"state-sync\": \"2025-12-31T23:00:00Z\"},"
	"\"clock-source\": {\"mode\": \"jiffies\", \"hertz\": 250},"
	"\"identity-range\": {\"min-identity\": 256, \"max-identity\": 65535},"
	"\"hubble\": {\"state\": \"Disabled\"}, \"encryption\": {\"mode\": \"Disabled\"},"
	"\"bpf-maps\": {\"dynamic-size-ratio\": 0.0025, \"maps\": [{\"name\": \"NAT\", \"size\": "
	"131072}]},"
	"\"axoneme\": {\"source-problems\": [{\"file\": \"/m/a.yaml\", \"line\": 3, \"object\":"
	" \"Node a\", \"field\": \"spec.podCIDR\", \"reason\": \"got x, want a prefix\"},"
	" {\"file\": \"/m/b.yaml\", \"line\": 1, \"reason\": \"syntax\"}],"
	" \"failing-objects\": [{\"object\": \"lxc1 ingress\", \"error\": \"No such device\","
	" \"reconciler\": \"attachments\", \"since\": \"2026-01-01T00:00:00Z\", \"tries\": 4,"
	" \"next-step\": \"Look at `ip link`.\"}],"
	" \"kernel\": {\"release\": \"6.1\", \"features\": [{\"name\": \"tcx\", \"available\": "
	"false,"
	" \"mode\": \"Legacy TC\", \"reason\": \"no tcx\"}]},"
	" \"loop\": {\"turns\": 9, \"max-lag-seconds\": 0.0125, \"max-lag-timestamp\":"
	" \"2026-01-01T00:00:00Z\"},"
	" \"health-checks\": {\"back-ends\": 3, \"down\": 1},"
	" \"without-effect\": [{\"key\": \"enable-bgp\", \"value\": \"true\"}],"
	" \"configuration\": {\"waiting\": [{\"key\": \"mtu\", \"value\": \"1400\", \"before\":"
	" \"0\", \"state\": \"needs-restart\"}, {\"key\": \"debug\", \"value\": \"true\","
	" \"before\": \"false\", \"state\": \"in-force\"}, {\"key\": \"enable-bgp\","
	" \"value\": \"false\", \"before\": \"true\", \"state\": \"no-effect\"}],"
	" \"runtime\": [{\"key\": \"log-opt\", \"value\": \"level=debug\"}],"
	" \"error\": \"mtu: got x\\ndebug: got y\"},"
	" \"unknown-keys\": [\"nonsense\"], \"pod-attach-mode\": \"clsact\"}}";

static const char want_text[] =
	"KVStore:                  Disabled   \n"
	"Kubernetes:               Disabled   \n"
	"KubeProxyReplacement:     False      \n"
	"Host firewall:            Disabled\n"
	"SRv6:                     Disabled\n"
	"CNI Chaining:             none\n"
	"Cilium:                   Warning   1 object(s) cannot be applied\n"
	"Stale status:             state-sync since 2025-12-31T23:00:00Z\n"
	"NodeMonitor:              Listening for events on 2 CPUs with 64x4096 of shared memory\n"
	"                          3 events lost, 0 unknown notifications\n"
	"Cilium health daemon:     Disabled   \n"
	"IPAM:                     IPv4: 2/254 allocated from 10.0.0.0/24\n"
	"IPv4 BIG TCP:             Disabled\n"
	"IPv6 BIG TCP:             Disabled\n"
	"BandwidthManager:         Disabled\n"
	"Routing:                  Network: Native   Host: BPF\n"
	"Attach Mode:              TCX\n"
	"Device Mode:              veth\n"
	"Masquerading:             BPF   [eth0, eth1]   10.0.0.0/8 [IPv4: Enabled, IPv6: "
	"Disabled]\n"
	"Controller Status:        2/3 healthy\n"
	"  Name                    Last success   Last error   Count   Message\n"
	"  reconcile-attachments   never          1m3s ago     1       lxc1: No such device\n"
	"Proxy Status:             No managed proxy redirect\n"
	"Global Identity Range:    min 256, max 65535\n"
	"Hubble:                   Disabled\n"
	"Encryption:               Disabled\n"
	"Cluster health:           Probe disabled\n"
	"Modules Health:           Stopped(1) Degraded(1) OK(1)\n"
	"Health checks:            3 back ends, 1 down\n"
	"Source problems:          2\n"
	"  /m/a.yaml:3: Node a: spec.podCIDR: got x, want a prefix\n"
	"  /m/b.yaml:1: syntax\n"
	"Failing objects:   1\n"
	"  lxc1 ingress: No such device (attachments, since 2026-01-01T00:00:00Z, 4 tries)\n"
	"    Look at `ip link`.\n"
	"Keys without effect:   enable-bgp=true\n"
	"Unknown keys:          nonsense\n"
	"Configuration:         not valid any more: the agent would not start again\n"
	"  mtu: got x\n"
	"  debug: got y\n"
	"Configuration:   2 changed key(s) not in force\n"
	"  mtu: configured \"1400\", in force \"0\": restart the agent\n"
	"  debug: configured \"true\", in force \"false\": cilium config reload\n"
	"Changed until the agent restarts:   log-opt=level=debug\n";

static char *format(const char *json, const struct status_format *format)
{
	json_auto_t *status = json_loads(json, 0, NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	GString *out = g_string_new(NULL);

	assert_non_null(status);
	status_append_text(text, status, format);
	tabwriter_format(out, text->str, TABWRITER_MIN_WIDTH, TABWRITER_PADDING);
	return g_string_free(out, FALSE);
}

static const char services[] =
	"{\"kube-proxy-replacement\": {\"mode\": \"True\", \"directRoutingDevice\": \"eth0\", "
	"\"deviceList\": [{\"name\": \"eth0\", \"ip\": [\"192.0.2.1\", \"2001:db8::1\"], \"xdp\": "
	"\"native\"}, "
	"{\"name\": \"eth1\", \"ip\": [\"198.51.100.1\"]}], \"features\": {\"annotations\": "
	"[\"service.cilium.io/node\", \"service.cilium.io/type\"], \"bpfSocketLBHostnsOnly\": "
	"true, "
	"\"externalIPs\": {\"enabled\": true}, \"hostPort\": {\"enabled\": false}, \"nat46X64\": "
	"{\"enabled\": false}, \"nodePort\": {\"enabled\": true, \"mode\": \"DSR\", "
	"\"algorithm\": \"Maglev\", \"acceleration\": \"Native\", \"lutSize\": 16381, \"dsrMode\": "
	"\"IPIP\", \"portMin\": 30000, \"portMax\": 32767}, \"sessionAffinity\": {\"enabled\": "
	"true}, "
	"\"socketLB\": {\"enabled\": true}, \"socketLBTracing\": {\"enabled\": false}}}}";

static const char want_services[] = "KubeProxyReplacement Details:\n"
				    "  Status:                True\n"
				    "  Socket LB:             Enabled\n"
				    "  Socket LB Tracing:     Disabled\n"
				    "  Socket LB Coverage:    Hostns-only\n"
				    "  Devices:               eth0   192.0.2.1 2001:db8::1 (Direct "
				    "Routing), eth1   198.51.100.1\n"
				    "  Mode:                  DSR\n"
				    "    DSR Dispatch Mode:   IPIP\n"
				    "  Backend Selection:     Maglev (Table Size: 16381)\n"
				    "  Session Affinity:      Enabled\n"
				    "  NAT46/64 Support:      Disabled\n"
				    "  XDP Acceleration:      Native   [eth0: native]\n"
				    "  Services:\n"
				    "  - ClusterIP:      Enabled\n"
				    "  - NodePort:       Enabled (Range: 30000-32767)\n"
				    "  - LoadBalancer:   Enabled\n"
				    "  - externalIPs:    Enabled\n"
				    "  - HostPort:       Disabled\n"
				    "  Annotations:\n"
				    "  - service.cilium.io/node\n"
				    "  - service.cilium.io/type\n";

static void test_services_without_devices(void **state)
{
	static const char none[] =
		"{\"kube-proxy-replacement\": {\"mode\": \"True\", \"deviceList\": [], "
		"\"features\": "
		"{\"annotations\": [], \"nodePort\": {\"enabled\": true, \"mode\": \"SNAT\"}}}}";
	const struct status_format verbose = {.verbose = true};
	g_autofree char *text = format(none, &verbose);

	assert_non_null(strstr(text, "KubeProxyReplacement:   True   \n"));
	assert_null(strstr(text, "Devices:"));
	assert_non_null(strstr(text, "(n/a)\n"));
}

static void test_services(void **state)
{
	const struct status_format plain = {0}, verbose = {.verbose = true};
	g_autofree char *text = format(services, &plain);
	g_autofree char *long_text = format(services, &verbose);

	assert_non_null(strstr(text,
			       "True   [eth0   192.0.2.1 2001:db8::1 (Direct Routing), eth1   "
			       "198.51.100.1]\n"));
	assert_null(strstr(text, "Details"));
	if (!strstr(long_text, want_services))
		fail_msg("%s", long_text);
}

static void test_text(void **state)
{
	const struct status_format plain = {.now_ns = 1767225600 * INT64_C(1000000000)};
	g_autofree char *text = format(full, &plain);

	assert_string_equal(text, want_text);
}

static void test_verbose_adds(void **state)
{
	const struct status_format verbose = {
		.all_addresses = true,
		.all_controllers = true,
		.all_health = true,
		.all_nodes = true,
		.verbose = true,
		.now_ns = 1767225605 * INT64_C(1000000000),
	};
	g_autofree char *text = format(full, &verbose);

	assert_non_null(strstr(text, "\nAllocated addresses:\n  10.0.0.1 (router)\n"
				     "  10.0.0.5 (default/web)\n"));
	assert_non_null(strstr(text, "TCX   (no tcx)   Pods: Legacy TC\n"));
	assert_non_null(strstr(text, "  reconcile-routes "));
	assert_non_null(strstr(text, "5s ago"));
	assert_non_null(strstr(text, "no error"));
	assert_non_null(strstr(text, "dynamic sizing: on (ratio: 0.002500)\n"));
	assert_non_null(strstr(text, "131072\n"));
	assert_non_null(strstr(text, "  c/n"));
	assert_non_null(strstr(text, "jiffies [250 Hz]\n"));
	assert_non_null(strstr(text, "longest hold-up 12.5ms (5s ago)\n"));
	assert_non_null(strstr(text, "3 back ends, 1 down\n"));
	assert_non_null(strstr(text, "Linux 6.1\n"));
	assert_non_null(strstr(text, "no      Legacy TC   no tcx\n"));
	assert_non_null(strstr(text, "  agent "));
	assert_non_null(strstr(text, "  ├── datapath "));
	assert_non_null(strstr(text, "  │   └── reconcile-attachments   [DEGRADED]   "
				     "lxc1: No such device   (1m8s ago, x0)\n"));
	assert_non_null(strstr(text, "      └── state-sync              [STOPPED]"));
	assert_non_null(strstr(text, "(1h0m5s ago, x7)\n"));
}

static const char of_policy[] =
	"{\"cilium\": {\"state\": \"Ok\", \"msg\": \"1.0\"},"
	" \"host-firewall\": {\"mode\": \"Enabled\", \"devices\": [\"eth0\", \"eth1\"]},"
	" \"axoneme\": {\"policy\": {\"enforcement\": \"default\", \"audit\": true, \"revision\": "
	"5,"
	" \"policies\": 3, \"rules\": 7, \"refused\": 1, \"fail-closed\": 2, \"endpoints\": 6,"
	" \"enforced-endpoints\": 4, \"maps\": [{\"name\": \"cilium_policy_peer\", \"entries\": 9,"
	" \"size\": 100}]}}}";

static void test_policy(void **state)
{
	const struct status_format plain = {0}, verbose = {.verbose = true};
	g_autofree char *text = format(of_policy, &plain);
	g_autofree char *more = format(of_policy, &verbose);

	assert_string_equal(
		text,
		"Host firewall:   Enabled   [eth0, eth1]\n"
		"Cilium:          Ok   1.0\n"
		"NodeMonitor:     Disabled\n"
		"Proxy Status:    No managed proxy redirect\n"
		"Policy:          Enforcement: default (Audit)   Revision: 5   3 policies with "
		"7 rules   4/6 endpoints enforced\n"
		"  refused: 1, refusing more than they say: 2; \"cilium policy list\" says "
		"why\n");
	assert_non_null(strstr(more, "  Map                  Entries   Room for\n"
				     "  cilium_policy_peer   9         100\n"));
}

/* What the agent does not say is not printed. */
static void test_absent(void **state)
{
	const struct status_format plain = {0};
	g_autofree char *text =
		format("{\"cilium\": {\"state\": \"Ok\", \"msg\": \"1.0\"}}", &plain);

	assert_string_equal(text, "Cilium:         Ok   1.0\n"
				  "NodeMonitor:    Disabled\n"
				  "Proxy Status:   No managed proxy redirect\n");
}

static const struct {
	const char *json;
	const char *want;
	bool healthy;
} brief_cases[] = {
	{"{\"cilium\": {\"state\": \"Ok\"}}", "OK\n", true},
	{"{\"cilium\": {\"state\": \"Warning\", \"msg\": \"x\"}}", "OK\n", true},
	{"{\"cilium\": {\"state\": \"Failure\", \"msg\": \"starting\"}}",
	 "error: cilium: starting\n", false},
	{"{\"kvstore\": {\"state\": \"Failure\", \"msg\": \"x\"}, \"cilium\": {\"state\": \"Ok\"}}",
	 "error: kvstore: x\n", true},
	{"{\"cilium\": {\"state\": \"Ok\"}, \"controllers\": [{\"name\": \"n\", \"status\": "
	 "{\"last-failure-msg\": \"why\", \"consecutive-failure-count\": 2}}]}",
	 "error: controller n: why\n", true},
	{"{\"cilium\": {\"state\": \"Ok\"}, \"controllers\": [{\"name\": \"n\", \"status\": "
	 "{\"last-failure-msg\": \"why, before it went well again\"}}]}",
	 "OK\n", true},
	{"{}", "OK\n", false},
};

static void test_brief(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(brief_cases); i++) {
		json_auto_t *status = json_loads(brief_cases[i].json, 0, NULL);
		g_autoptr(GString) text = g_string_new(NULL);

		status_append_brief(text, status);
		assert_string_equal(text->str, brief_cases[i].want);
		assert_int_equal(status_is_healthy(status), brief_cases[i].healthy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_services_without_devices),
		cmocka_unit_test(test_verbose_adds),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_brief),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
