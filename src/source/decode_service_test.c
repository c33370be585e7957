// SPDX-License-Identifier: Apache-2.0
/* Services, every field and what is refused; CIDR groups, and the ports of pods. */
#include "src/source/decode_service_test.h"

static void services(void **state)
{
	assert_rows("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
		    "spec: {selector: {app: web, tier: a}, ports: [{port: 80}]}\n"
		    "---\n"
		    "apiVersion: v1\nkind: Service\nmetadata: {name: outside}\n"
		    "spec: {selector: {}, clusterIP: None}\n"
		    "---\n"
		    "apiVersion: v1\nkind: Service\nmetadata: {name: name}\n"
		    "spec: {type: ExternalName, externalName: a.b}\n",
		    "shop/web: k8s:app=web;k8s:tier=a; =6/80\n"
		    "default/outside: -\n"
		    "default/name: - ExternalName\n");
	assert_rows("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		    "spec: {selector: {app: 1, b: \"c d\"}}\n"
		    "---\n"
		    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		    "spec: {selector: [app]}\n"
		    "---\n"
		    "apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\n",
		    "4 Service default/web, spec.selector.app: got the number 1, want a text (put "
		    "it in quotes)\n"
		    "4 Service default/web, spec.selector.b: got \"c d\", want at most 63 of A-Z, "
		    "a-z, 0-9, '-', '_' and '.', a letter or digit at both ends\n"
		    "9 Service default/web, spec.selector: got a list, want a mapping\n"
		    "13 -, metadata.name: got \"a.b\", want 1 to 63 of a-z, 0-9 and '-' (RFC "
		    "1123)\n");
}

#define SERVICE "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"

static void fields_of_services(void **state)
{
	assert_rows(
		"apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {a: b}}\n"
		"spec:\n  type: LoadBalancer\n  selector: {app: web}\n"
		"  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, \"fd00:96::1\"]\n"
		"  externalIPs: [198.51.100.1, \"2001:db8::1\", 198.51.100.1]\n"
		"  ports:\n  - {name: http, port: 80, targetPort: web, nodePort: 30080}\n"
		"  - {name: dns, port: 53, protocol: UDP, nodePort: 0}\n"
		"  - {name: dns-tcp, port: 53}\n"
		"  sessionAffinity: ClientIP\n"
		"  externalTrafficPolicy: Local\n  internalTrafficPolicy: Local\n"
		"  healthCheckNodePort: 31000\n  publishNotReadyAddresses: true\n"
		"  allocateLoadBalancerNodePorts: false\n  trafficDistribution: PreferClose\n"
		"  loadBalancerSourceRanges: [10.0.0.1/8, \" fd00::/8 \"]\n"
		"status:\n  loadBalancer:\n    ingress:\n"
		"    - {ip: 203.0.113.1, ipMode: VIP, ports: []}\n"
		"    - {ip: \"2001:db8::2\"}\n    - {ip: 203.0.113.9, ipMode: Proxy}\n"
		"    - {hostname: a.b}\n",
		"default/web: k8s:app=web; http=6/80:30080 dns=17/53 dns-tcp=6/53 LoadBalancer "
		"same-zone external-local internal-local not-ready affinity 10800s health 31000 "
		"cluster 10.96.0.1 fd00:96::1 external 198.51.100.1 2001:db8::1 "
		"ingress 203.0.113.1 2001:db8::2 from 10.0.0.0/8 from fd00::/8\n");
	assert_rows(SERVICE
		    "spec: {clusterIP: 10.96.0.1, ports: [{port: 1}]}\n"
		    "---\n" SERVICE
		    "spec: {type: NodePort, clusterIPs: [\"fd00::1\"], sessionAffinity: None,\n"
		    "  ports: [{port: 65535, protocol: SCTP, nodePort: 65535}],\n"
		    "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 1}}}\n"
		    "---\n" SERVICE
		    "spec: {sessionAffinity: ClientIP, healthCheckNodePort: 31000,\n"
		    "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}},\n"
		    "  trafficDistribution: PreferSameNode}\n"
		    "---\n" SERVICE "spec: {clusterIP: None, clusterIPs: [None]}\n"
		    "---\n" SERVICE "spec: {clusterIP: \"\", trafficDistribution: "
		    "PreferSameZone}\n"
		    "---\n" SERVICE "spec: {type: ExternalName, externalName: a.b}\n",
		    "default/web: - =6/1 cluster 10.96.0.1\n"
		    "default/web: - =132/65535:65535 NodePort cluster fd00::1\n"
		    "default/web: - same-node affinity 86400s health 31000\n"
		    "default/web: -\n"
		    "default/web: - same-zone\n"
		    "default/web: - ExternalName\n");
}

static const struct {
	const char *spec, *problem;
} bad_specs[] = {
	{"type: clusterIP",
	 "type: got \"clusterIP\", want ClusterIP, NodePort, LoadBalancer or ExternalName"},
	{"clusterIP: 10.96.0.256", "clusterIP: got \"10.96.0.256\", want an IPv4 or IPv6 address"},
	{"clusterIP: 127.0.0.1",
	 "clusterIP: got \"127.0.0.1\", which is of loopback: want the address of a host"},
	{"clusterIP: 10.96.0.2, clusterIPs: [10.96.0.1]",
	 "clusterIP: is \"10.96.0.2\", which is not the first of clusterIPs"},
	{"clusterIPs: [10.96.0.1, 10.96.0.2]",
	 "clusterIPs[1]: is the second of its family: want one of each at most"},
	{"externalIPs: [\"::\"]",
	 "externalIPs[0]: got \"::\", which is unspecified: want the address of a host"},
	{"externalIPs: [224.0.0.1]",
	 "externalIPs[0]: got \"224.0.0.1\", which is of a group: want the address of a host"},
	{"externalIPs: [\"fe80::1\"]", "externalIPs[0]: got \"fe80::1\", which is of the link "
				       "alone: want the address of a host"},
	{"externalIPs: 10.0.0.1", "externalIPs: got \"10.0.0.1\", want a list"},
	{"ports: [{}]", "ports[0].port: is missing"},
	{"ports: [{port: 65536}]",
	 "ports[0].port: got the number 65536, want a number from 1 to 65535"},
	{"ports: [{port: 1, protocol: ICMP}]",
	 "ports[0].protocol: got \"ICMP\", want TCP, UDP or SCTP"},
	{"ports: [{port: 1, nodePort: -1}]",
	 "ports[0].nodePort: got the number -1, want a number from 0 to 65535"},
	{"ports: [{port: 1, name: A}]",
	 "ports[0].name: got \"A\", want 1 to 63 of a-z, 0-9 and '-' (RFC 1123)"},
	{"ports: [{port: 1, name: a}, {port: 2}]",
	 "ports[1].name: is missing: several ports need names"},
	{"ports: [{port: 1, name: a}, {port: 2, name: a}]",
	 "ports[1]: has the name of a port before it, \"a\""},
	{"ports: [{port: 1, name: a}, {port: 1, name: b}]",
	 "ports[1]: has protocol and number of a port before it, 1"},
	{"ports: [{port: 1, nodePort: 30080}]",
	 "ports[0].nodePort: is only for the types NodePort and LoadBalancer"},
	{"type: NodePort, ports: [{port: 1, name: a, nodePort: 9}, {port: 2, name: b, nodePort: "
	 "9}]",
	 "ports[1]: has protocol and nodePort of a port before it, 9"},
	{"sessionAffinity: Client", "sessionAffinity: got \"Client\", want None or ClientIP"},
	{"sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}",
	 "sessionAffinityConfig.clientIP.timeoutSeconds: got the number 0, want a number from 1 to "
	 "86400"},
	{"sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}",
	 "sessionAffinityConfig.clientIP.timeoutSeconds: got the number 86401, want a number from "
	 "1 "
	 "to 86400"},
	{"externalTrafficPolicy: local",
	 "externalTrafficPolicy: got \"local\", want Cluster or Local"},
	{"internalTrafficPolicy: 5",
	 "internalTrafficPolicy: got the number 5, want a text (put it in quotes)"},
	{"trafficDistribution: Close", "trafficDistribution: got \"Close\", want PreferClose, "
				       "PreferSameZone or PreferSameNode"},
	{"healthCheckNodePort: 65536",
	 "healthCheckNodePort: got the number 65536, want a number from 0 to 65535"},
	{"publishNotReadyAddresses: yes",
	 "publishNotReadyAddresses: got \"yes\", want true or false"},
	{"loadBalancerSourceRanges: [10.0.0.0]",
	 "loadBalancerSourceRanges[0]: got \"10.0.0.0\", want an IPv4 or IPv6 prefix such as "
	 "10.0.0.0/24"},
};

static void bad_services(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad_specs); i++) {
		g_autofree char *input = g_strdup_printf(SERVICE "spec: {%s}\n", bad_specs[i].spec);
		g_autofree char *expected =
			g_strdup_printf("4 Service default/web, spec.%s\n", bad_specs[i].problem);

		assert_rows(input, expected);
	}
	assert_rows(SERVICE "status: {loadBalancer: {ingress: [{ip: x}, {ipMode: vip}]}}\n",
		    "4 Service default/web, status.loadBalancer.ingress[0].ip: got \"x\", want an "
		    "IPv4 or IPv6 address\n"
		    "4 Service default/web, status.loadBalancer.ingress[1].ipMode: got \"vip\", "
		    "want VIP or Proxy\n");
}

/* One kind of two versions: the same object in both is one object. */
static void groups(void **state)
{
	assert_rows("apiVersion: cilium.io/v2alpha1\nkind: CiliumCIDRGroup\n"
		    "metadata: {name: vpn, labels: {team: red}}\n"
		    "spec: {externalCIDRs: [\"fd00::/8\", 10.2.0.0/16, 10.0.0.0/8, 10.2.3.4/16, "
		    "192.0.2.1]}\n"
		    "---\n"
		    "apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: none}\n"
		    "spec: {externalCIDRs: []}\n",
		    "vpn: {k8s:team=red;} 10.0.0.0/8 10.2.0.0/16 192.0.2.1/32 fd00::/8\n"
		    "none: {}\n");
	assert_rows(
		"apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: a}\n"
		"spec: {externalCIDRs: [10.0.0.0/33, 5]}\n"
		"---\n"
		"apiVersion: cilium.io/v1\nkind: CiliumCIDRGroup\nmetadata: {name: a}\n",
		"4 CiliumCIDRGroup a, spec.externalCIDRs[0]: got \"10.0.0.0/33\", want an IPv4 or "
		"IPv6 prefix such as 10.0.0.0/24\n"
		"4 CiliumCIDRGroup a, spec.externalCIDRs[1]: got the number 5, want a text (put "
		"it in quotes)\n"
		"6 -, apiVersion: got \"cilium.io/v1\", want cilium.io/v2 for a "
		"CiliumCIDRGroup\n");
	assert_rows("apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: a}\n",
		    "1 CiliumCIDRGroup a, spec.externalCIDRs: is missing\n");
}

static void ports_of_pods(void **state)
{
	assert_rows(
		"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
		"  - ports: [{name: web, containerPort: 80}, {containerPort: 53, protocol: UDP}]\n"
		"  - name: none\n"
		"  initContainers:\n"
		"  - {restartPolicy: Always, ports: [{name: metrics, containerPort: 9000, "
		"protocol: SCTP}]}\n"
		"  - ports: [{name: once, containerPort: 1}]\n"
		"---\n"
		"apiVersion: v1\nkind: Pod\nmetadata: {name: host}\nspec: {hostNetwork: true}\n",
		"default/web: own web=6/80 metrics=132/9000\n"
		"default/host: host\n");
	assert_rows(
		"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  hostNetwork: yes\n"
		"  containers: [{ports: [{name: a_b, containerPort: 0}, {protocol: tcp}, "
		"{containerPort: \"80\"}]}]\n",
		"5 Pod default/web, spec.hostNetwork: got \"yes\", want true or false\n"
		"6 Pod default/web, spec.containers[0].ports[0].containerPort: got the number 0, "
		"want a number from 1 to 65535\n"
		"6 Pod default/web, spec.containers[0].ports[0].name: got \"a_b\", want at most "
		"15 of a-z, 0-9 and '-' with a letter\n"
		"6 Pod default/web, spec.containers[0].ports[1].containerPort: is missing\n"
		"6 Pod default/web, spec.containers[0].ports[1].protocol: got \"tcp\", want TCP, "
		"UDP or SCTP\n"
		"6 Pod default/web, spec.containers[0].ports[2].containerPort: got \"80\", want a "
		"number from 1 to 65535\n");
}

static void life_of_pods(void **state)
{
	assert_rows(
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a, deletionTimestamp: "
		"\"2026-01-01T00:00:00Z\"}\nspec:\n  containers:\n"
		"  - ports: [{containerPort: 80, hostPort: 8080}, {name: dns, containerPort: 53, "
		"protocol: UDP, hostPort: 53, hostIP: 192.0.2.1}, {containerPort: 1, hostPort: "
		"0}]\n"
		"  - ports: [{containerPort: 9, hostPort: 9, hostIP: 0.0.0.0}, "
		"{containerPort: 10, hostPort: 10, hostIP: \"::1\"}]\n"
		"status: {phase: Running, conditions: [{type: Initialized, status: \"False\"}, "
		"{type: Ready, status: \"True\"}]}\n"
		"---\n"
		"apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n"
		"spec: {hostNetwork: true, containers: [{ports: [{containerPort: 80, hostPort: "
		"80}]}]}\n"
		"status: {phase: Pending}\n"
		"---\n"
		"apiVersion: v1\nkind: Pod\nmetadata: {name: c}\n"
		"status: {phase: Failed, conditions: [{type: Ready, status: \"True\"}]}\n",
		"default/a: own ends dns=17/53 *:8080->80/6 192.0.2.1:53->53/17 *:9->9/6 "
		"::1:10->10/6\n"
		"default/b: host not-ready\n"
		"default/c: own not-ready ended\n");
	assert_rows(
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n"
		"  containers: [{ports: [{containerPort: 80, hostPort: 65536, hostIP: a}]}]\n",
		"5 Pod default/a, spec.containers[0].ports[0].hostIP: got \"a\", want an IPv4 or "
		"IPv6 address\n"
		"5 Pod default/a, spec.containers[0].ports[0].hostPort: got the number 65536, "
		"want a number from 0 to 65535\n");
}

/* Each is compared with all before it, or has a place in a row of limited size. */
static void too_many(void **state)
{
	static const struct {
		const char *before, *item, *after, *problem;
		unsigned int max;
	} cases[] = {
		{"spec: {ports: [", "{port: 1}", "]}\n", "spec.ports", 4096},
		{"spec: {externalIPs: [", "192.0.2.1", "]}\n", "spec.externalIPs", 1024},
		{"status: {loadBalancer: {ingress: [", "{ip: 192.0.2.1}", "]}}\n",
		 "status.loadBalancer.ingress", 1024},
		{"spec: {loadBalancerSourceRanges: [", "192.0.2.0/24", "]}\n",
		 "spec.loadBalancerSourceRanges", 65535},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) text =
			g_string_new("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n");
		g_autofree char *problem =
			g_strdup_printf("4 Service default/a, %s: has %u items, want at most %u\n",
					cases[i].problem, cases[i].max + 1, cases[i].max);

		g_string_append(text, cases[i].before);
		for (unsigned int n = 0; n <= cases[i].max; n++)
			g_string_append_printf(text, "%s%s", n ? ", " : "", cases[i].item);
		g_string_append(text, cases[i].after);
		assert_rows(text->str, problem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services),      cmocka_unit_test(fields_of_services),
		cmocka_unit_test(bad_services),  cmocka_unit_test(groups),
		cmocka_unit_test(ports_of_pods), cmocka_unit_test(life_of_pods),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
