// SPDX-License-Identifier: Apache-2.0
/* CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy: what is accepted, and what it means. */
#include "src/source/decode_policy_test.h"

#define CNP  "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
#define CCNP "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\n"

/* Absent, empty and empty elements differ. */
static void absent_and_empty(void **state)
{
	assert_policies(
		CNP "metadata: {name: presence, namespace: shop}\n"
		    "specs:\n"
		    "- {endpointSelector: {}, ingress: [{}]}\n"
		    "- {endpointSelector: {}, ingress: [{fromEndpoints: []}], egress: "
		    "[{toCIDR: [], toEntities: [world]}]}\n"
		    "- {endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}\n"
		    "- {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "
		    "\"80\"}]}]}]}\n"
		    "- {endpointSelector: {}, ingress: [{toPorts: []}, {fromEntities: [host], "
		    "toPorts: []}, {toPorts: [{}]}, {icmps: [{fields: []}]}]}\n"
		    "- {endpointSelector: {}, ingress: [], egressDeny: [{toEntities: [world]}]}\n"
		    "- {endpointSelector: {}, ingress: [{fromEntities: [all]}], "
		    "enableDefaultDeny: {ingress: false, egress: true}}\n",
		"CiliumNetworkPolicy/shop/presence\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
		"  5 specs[0].ingress[0] ingress: nobody\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress -egress\n"
		"  6 specs[1].ingress[0] ingress: nobody\n"
		"  6 specs[1].egress[0] egress: nobody\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
		"  7 specs[2].ingress[0] ingress: {k8s.io.kubernetes.pod.namespace=shop}\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
		"  8 specs[3].ingress[0] ingress: everybody at tcp/80 udp/80 sctp/80\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
		"  9 specs[4].ingress[0] ingress: nobody\n"
		"  9 specs[4].ingress[1] ingress: {reserved.host=}\n"
		"  9 specs[4].ingress[2] ingress: everybody at no port\n"
		"  9 specs[4].ingress[3] ingress: everybody at no port\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -egress\n"
		"  10 specs[5].egressDeny[0] egress deny: {reserved.world=} | "
		"{reserved.world-ipv4=} | {reserved.world-ipv6=}\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -egress\n"
		"  11 specs[6].ingress[0] ingress: {}\n"
		" warning 6 specs[1].ingress[0].fromEndpoints: is empty: nobody is selected\n"
		" warning 6 specs[1].egress[0].toCIDR: is empty: nobody is selected\n"
		" warning 9 specs[4].ingress[0].toPorts: is empty: has no effect\n"
		" warning 9 specs[4].ingress[1].toPorts: is empty: has no effect\n"
		" warning 9 specs[4].ingress[2].toPorts[0]: names no port: has no effect\n"
		" warning 9 specs[4].ingress[3].icmps[0]: names no type: has no effect\n");
}

static void selectors_and_namespaces(void **state)
{
	assert_policies(CNP
			"metadata: {name: selectors, namespace: shop}\n"
			"spec:\n"
			"  endpointSelector:\n"
			"    matchLabels: {k8s:app: web, \"any:tier\": x, reserved:init: \"\", "
			"k8s.app: y}\n"
			"    matchExpressions:\n"
			"    - {key: a, operator: In, values: [z, y]}\n"
			"    - {key: \"cni:b\", operator: NotIn, values: [y]}\n"
			"    - {key: c, operator: Exists}\n"
			"    - {key: d.e/f, operator: DoesNotExist, values: []}\n"
			"  ingress:\n"
			"  - fromEndpoints:\n"
			"    - matchLabels: {k8s:io.kubernetes.pod.namespace: other}\n"
			"    - matchExpressions: [{key: io.kubernetes.pod.namespace, operator: In, "
			"values: [a, b]}]\n"
			"    - matchLabels: {io.cilium.k8s.namespace.labels.team: red}\n"
			"    - matchLabels: {k8s:io.cilium.k8s.namespace.labels.team: red}\n"
			"    - matchLabels: {reserved:host: \"\"}\n"
			"    - matchLabels: {reserved:all: \"\"}\n"
			"    fromRequires:\n"
			"    - matchLabels: {env: prod}\n"
			"  - fromRequires: [{matchLabels: {reserved:host: \"\"}}]\n",
			"CiliumNetworkPolicy/shop/selectors\n"
			" pods {any.a in (y z), k8s.app=web, cni.b notin (y), any.c, !any.d.e/f, "
			"reserved.init=, k8s.io.kubernetes.pod.namespace=shop, any.k8s.app=y, "
			"any.tier=x} -ingress\n"
			"  13 spec.ingress[0] ingress: {k8s.io.kubernetes.pod.namespace=other} | "
			"{any.io.kubernetes.pod.namespace in (a b)} | "
			"{any.io.cilium.k8s.namespace.labels.team=red} | "
			"{k8s.io.cilium.k8s.namespace.labels.team=red} | {reserved.host=} | {} "
			"requires {any.env=prod, k8s.io.kubernetes.pod.namespace=shop}\n"
			"  22 spec.ingress[1] ingress: nobody requires {reserved.host=, "
			"k8s.io.kubernetes.pod.namespace=shop}\n");
	assert_policies(CCNP "metadata: {name: wide}\n"
			     "specs:\n"
			     "- endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: a}}\n"
			     "  ingress:\n"
			     "  - fromEndpoints:\n"
			     "    - {}\n"
			     "    - matchLabels: {app: x}\n"
			     "    - matchLabels: {io.kubernetes.pod.namespace: b}\n"
			     "    - matchLabels: {io.cilium.k8s.namespace.labels.team: red}\n"
			     "    - matchLabels: {reserved:remote-node: \"\"}\n"
			     "- endpointSelector: {matchLabels: {reserved:init: \"\"}}\n"
			     "  ingress: [{fromEndpoints: [{}]}]\n"
			     "- nodeSelector: {matchLabels: {node-role: edge}}\n"
			     "  ingress: [{fromNodes: [{matchLabels: {zone: a}}, {}]}]\n"
			     "  egress: [{toNodes: [{}]}]\n",
			"CiliumClusterwideNetworkPolicy/wide\n"
			" pods {any.io.kubernetes.pod.namespace=a} -ingress\n"
			"  7 specs[0].ingress[0] ingress: {k8s.io.kubernetes.pod.namespace} | "
			"{any.app=x, k8s.io.kubernetes.pod.namespace} | "
			"{any.io.kubernetes.pod.namespace=b} | "
			"{any.io.cilium.k8s.namespace.labels.team=red, "
			"k8s.io.kubernetes.pod.namespace} | {reserved.remote-node=}\n"
			" pods {reserved.init=} -ingress\n"
			"  14 specs[1].ingress[0] ingress: {}\n"
			" nodes {any.node-role=edge} -ingress -egress\n"
			"  16 specs[2].ingress[0] ingress: {reserved.remote-node, any.zone=a} | "
			"{reserved.remote-node}\n"
			"  17 specs[2].egress[0] egress: {reserved.remote-node}\n");
}

static void peers(void **state)
{
	assert_policies(CNP
			"metadata: {name: peers, namespace: shop}\n"
			"spec:\n"
			"  endpointSelector: {}\n"
			"  ingress:\n"
			"  - fromCIDR: [10.0.0.0/8, 192.0.2.1, \"fd00::/8\", \"2001:db8::1\", "
			"10.1.2.3/16]\n"
			"  - fromCIDRSet:\n"
			"    - {cidr: 10.0.0.0/8, except: [10.96.0.0/12, 10.1.0.0/16]}\n"
			"    - {cidr: \"2001:db8::/32\", except: [\"2001:db8:1::/48\"]}\n"
			"    - {cidrGroupRef: vpn}\n"
			"    - {cidrGroupRef: vpn, except: [10.0.0.0/8]}\n"
			"    - {cidrGroupSelector: {matchLabels: {team: red}}}\n"
			"    - {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}\n"
			"  - fromEntities: [all]\n"
			"  - fromEntities: [world, world-ipv4, world-ipv6, host, init, ingress, "
			"unmanaged, remote-node, health, none, kube-apiserver]\n"
			"  - fromEntities: [cluster]\n"
			"  - fromGroups: [{aws: {labels: {a: b}, securityGroupsIds: [x]}}]\n"
			"  ingressDeny:\n"
			"  - fromGroups: [{aws: {region: x}}]\n"
			"  egress:\n"
			"  - toServices:\n"
			"    - k8sService: {serviceName: web, namespace: a}\n"
			"    - k8sService: {serviceName: web}\n"
			"    - k8sServiceSelector: {selector: {matchLabels: {app: web}}, "
			"namespace: b}\n"
			"    - k8sServiceSelector: {selector: {}}\n"
			"  - toFQDNs: [{matchName: Example.COM}, {matchPattern: \"*.b.\"}]\n"
			"  - toRequires: [{matchLabels: {a: b}}]\n",
			"CiliumNetworkPolicy/shop/peers\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress -egress\n"
			"  7 spec.ingress[0] ingress: 10.0.0.0/8 | 192.0.2.1/32 | fd00::/8 | "
			"2001:db8::1/128 | 10.1.0.0/16\n"
			"  8 spec.ingress[1] ingress: 10.0.0.0/8 -10.1.0.0/16 -10.96.0.0/12 | "
			"2001:db8::/32 -2001:db8:1::/48 | group vpn | group vpn -10.0.0.0/8 | "
			"group {k8s.team=red} | 10.0.0.0/8 -10.0.0.0/8\n"
			"  15 spec.ingress[2] ingress: {}\n"
			"  16 spec.ingress[3] ingress: {reserved.world=} | {reserved.world-ipv4=} "
			"| {reserved.world-ipv6=} | {reserved.world-ipv4=} | "
			"{reserved.world-ipv6=} | {reserved.host=} | {reserved.init=} | "
			"{reserved.ingress=} | {reserved.unmanaged=} | {reserved.remote-node=} | "
			"{reserved.health=} | nobody | {reserved.kube-apiserver=}\n"
			"  17 spec.ingress[4] ingress: {reserved.host=} | {reserved.remote-node=} "
			"| {reserved.init=} | {reserved.ingress=} | {reserved.health=} | "
			"{reserved.unmanaged=} | {reserved.kube-apiserver=} | "
			"{k8s.io.cilium.k8s.policy.cluster=default}\n"
			"  18 spec.ingress[5] ingress: nobody\n"
			"  20 spec.ingressDeny[0] ingress deny: {reserved.world=} | "
			"{reserved.world-ipv4=} | {reserved.world-ipv6=}\n"
			"  22 spec.egress[0] egress: service a/web | service web | service "
			"b/{any.app=web} | service {}\n"
			"  27 spec.egress[1] egress: name MatchName: example.com, MatchPattern:  | "
			"name MatchName: , MatchPattern: *.b.\n"
			"  28 spec.egress[2] egress: nobody requires {any.a=b, "
			"k8s.io.kubernetes.pod.namespace=shop}\n"
			" warning 7 spec.ingress[0].fromCIDR[4]: 10.1.2.3/16 has host bits that "
			"are not zero: 10.1.0.0/16 is meant\n"
			" warning 14 spec.ingress[1].fromCIDRSet[5].except[0]: excepts all of "
			"10.0.0.0/8: nobody is selected\n"
			" refused 18 spec.ingress[5].fromGroups[0]: groups are not looked up: "
			"nobody is selected\n"
			" refused 20 spec.ingressDeny[0].fromGroups[0]: groups are not looked up: "
			"the whole world is denied\n"
			" refused 27 spec.egress[1].toFQDNs[0]: names are not looked up: nobody is "
			"selected\n"
			" refused 27 spec.egress[1].toFQDNs[1]: names are not looked up: nobody is "
			"selected\n");
}

static void ports(void **state)
{
	assert_policies(CNP
			"metadata: {name: ports, namespace: shop}\n"
			"spec:\n"
			"  endpointSelector: {}\n"
			"  ingress:\n"
			"  - toPorts:\n"
			"    - ports:\n"
			"      - {port: \"80\", protocol: TCP}\n"
			"      - {port: \"53\", protocol: udp}\n"
			"      - {port: \"9\", protocol: ANY}\n"
			"      - {port: Web-1, protocol: SCTP}\n"
			"      - {port: \"1000\", endPort: 2000, protocol: TCP}\n"
			"      - {port: \"3000\", endPort: 2000, protocol: TCP}\n"
			"      - {port: \"4000\", endPort: 0, protocol: TCP}\n"
			"      - {port: dns, endPort: 2000, protocol: TCP}\n"
			"      - {port: 0x10, protocol: TCP}\n"
			"  - toPorts: [{ports: [{port: \"0\", protocol: TCP}]}, {ports: [{port: "
			"\"0\"}]}]\n"
			"  - toPorts: [{ports: [{port: \"0\", endPort: 100, protocol: UDP}]}]\n"
			"  - toPorts:\n"
			"    - ports: [{port: \"80\", protocol: TCP}, {port: \"80\"}, {port: "
			"\"0\", protocol: UDP}]\n"
			"    - ports: [{port: \"80\", protocol: TCP}, {port: \"70\", endPort: 90, "
			"protocol: TCP}, {port: \"99\", protocol: UDP}, {port: \"80\", endPort: "
			"81, protocol: TCP}]\n"
			"  - icmps: [{fields: [{type: 8}, {family: IPv4, type: EchoReply}, "
			"{family: IPv6, type: \"128\"}, {family: IPv6, type: "
			"NeighborSolicitation}, {type: 0}]}]\n",
			"CiliumNetworkPolicy/shop/ports\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
			"  7 spec.ingress[0] ingress: everybody at tcp/80 udp/53 tcp/9 udp/9 "
			"sctp/9 sctp/web-1 tcp/1000-2000 tcp/3000 tcp/4000 tcp/dns tcp/0x10\n"
			"  18 spec.ingress[1] ingress: everybody at tcp/* tcp/* udp/* sctp/*\n"
			"  19 spec.ingress[2] ingress: everybody at udp/0-100\n"
			"  20 spec.ingress[3] ingress: everybody at tcp/80 tcp/80 udp/80 sctp/80 "
			"udp/* tcp/80 tcp/70-90 udp/99 tcp/80-81\n"
			"  23 spec.ingress[4] ingress: everybody at icmp/8 icmp/0 icmpv6/128 "
			"icmpv6/135 icmp/0\n"
			" warning 14 spec.ingress[0].toPorts[0].ports[5].endPort: is less than "
			"port, 3000, and has no effect\n"
			" warning 16 spec.ingress[0].toPorts[0].ports[7].endPort: has no effect "
			"with the name of a port\n"
			" warning 22 spec.ingress[3].toPorts[1].ports[0]: has no effect: what "
			"stands before it covers it\n"
			" warning 22 spec.ingress[3].toPorts[1].ports[2]: has no effect: what "
			"stands before it covers it\n"
			" warning 22 spec.ingress[3].toPorts[1].ports[3]: has no effect: what "
			"stands before it covers it\n"
			" warning 23 spec.ingress[4].icmps[0].fields[4]: has no effect: what "
			"stands before it covers it\n");
}

/* What waits for a later version is accepted, and refused when a packet comes. */
static void later_parts(void **state)
{
	assert_policies(
		CNP "metadata: {name: l7, namespace: shop}\n"
		    "spec:\n"
		    "  description: what it is for\n"
		    "  log: {value: \"seen ä\"}\n"
		    "  labels: [{key: a, value: b, source: c}, {key: d}]\n"
		    "  endpointSelector: {}\n"
		    "  ingress:\n"
		    "  - authentication: {mode: required}\n"
		    "    fromEndpoints: [{}]\n"
		    "  - authentication: {mode: disabled}\n"
		    "    fromEndpoints: [{}]\n"
		    "  - toPorts:\n"
		    "    - ports: [{port: \"80\", protocol: TCP}]\n"
		    "      rules: {http: [{}, {path: /a, host: b, headers: [\"X: y\"], "
		    "headerMatches: [{name: a, value: b, mismatch: LOG, secret: {name: s}}]}]}\n"
		    "    - ports: [{port: \"9092\", protocol: TCP}]\n"
		    "      rules: {kafka: [{role: Produce, topic: a_b}, {apiKey: Fetch, "
		    "apiVersion: \"3\", clientID: x}]}\n"
		    "    - ports: [{port: \"81\", protocol: TCP}]\n"
		    "      rules: {l7proto: r2d2, l7: [{cmd: READ}]}\n"
		    "    - ports: [{port: \"82\", protocol: TCP}]\n"
		    "      rules: {l7proto: r2d2}\n"
		    "    - ports: [{port: \"83\"}]\n"
		    "      rules: {http: []}\n"
		    "    - ports: [{port: \"84\", protocol: TCP}]\n"
		    "      serverNames: [a.b, \"*.c.d\", \"**.e\"]\n"
		    "  egress:\n"
		    "  - toPorts:\n"
		    "    - ports: [{port: \"53\"}]\n"
		    "      rules: {dns: [{matchPattern: \"*\"}, {matchName: a.b.}]}\n"
		    "    - ports: [{port: \"443\", protocol: TCP}]\n"
		    "      terminatingTLS: {secret: {namespace: a, name: b}, certificate: x}\n"
		    "      originatingTLS: {secret: {name: b}, trustedCA: x}\n"
		    "      rules: {http: [{method: GET}]}\n"
		    "      serverNames: [a.b]\n"
		    "    - ports: [{port: \"444\", protocol: TCP}]\n"
		    "      listener: {envoyConfig: {kind: CiliumEnvoyConfig, name: x}, name: "
		    "y, priority: 5}\n",
		"CiliumNetworkPolicy/shop/l7\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress -egress\n"
		"  10 spec.ingress[0] ingress: (needs 8) "
		"{k8s.io.kubernetes.pod.namespace=shop}\n"
		"  12 spec.ingress[1] ingress: {k8s.io.kubernetes.pod.namespace=shop}\n"
		"  14 spec.ingress[2] ingress: everybody at tcp/80(needs 1) tcp/9092(needs "
		"1) tcp/81(needs 1) tcp/82(needs 1) tcp/83 udp/83 sctp/83 tcp/84(needs 2)\n"
		"  28 spec.egress[0] egress: everybody at tcp/53(needs 1) udp/53(needs 1) "
		"sctp/53(needs 1) tcp/443(needs 3) tcp/444(needs 4)\n"
		" refused 10 spec.ingress[0].authentication: nothing authenticates yet: "
		"what the rule would allow is refused\n"
		" refused 15 spec.ingress[2].toPorts[0]: L7 rules are not acted on yet: "
		"what they would allow is refused\n"
		" refused 17 spec.ingress[2].toPorts[1]: L7 rules are not acted on yet: "
		"what they would allow is refused\n"
		" refused 19 spec.ingress[2].toPorts[2]: L7 rules are not acted on yet: "
		"what they would allow is refused\n"
		" refused 21 spec.ingress[2].toPorts[3]: L7 rules are not acted on yet: "
		"what they would allow is refused\n"
		" warning 24 spec.ingress[2].toPorts[4].rules.http: is empty: nothing is "
		"filtered\n"
		" refused 25 spec.ingress[2].toPorts[5]: TLS rules are not acted on yet: "
		"what they would allow is refused\n"
		" refused 29 spec.egress[0].toPorts[0]: L7 rules are not acted on yet: "
		"what they would allow is refused\n"
		" refused 31 spec.egress[0].toPorts[1]: L7 rules are not acted on yet: "
		"what they would allow is refused\n"
		" refused 36 spec.egress[0].toPorts[2]: listeners are not acted on yet: "
		"what they would allow is refused\n");
}

/* Legal, and surely not meant. */
static void warnings(void **state)
{
	assert_policies(CNP
			"metadata: {name: warnings, namespace: shop}\n"
			"spec:\n"
			"  endpointSelector: {matchLabels: {k8s:io.kubernetes.pod.namespace: x}}\n"
			"  ingress:\n"
			"  - fromEndpoints:\n"
			"    - {matchLabels: {app:web: x}, matchExpressions: [{key: app:web, "
			"operator: DoesNotExist}]}\n"
			"    - {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, "
			"values: [c]}]}\n"
			"    - {matchLabels: {a: b}, matchExpressions: [{key: a, operator: NotIn, "
			"values: [b]}]}\n"
			"    - {matchExpressions: [{key: a, operator: In, values: [b, c]}, {key: "
			"a, operator: NotIn, values: [c]}]}\n"
			"    - {matchLabels: {any:a: b, k8s:a: c}}\n"
			"  - {}\n",
			"CiliumNetworkPolicy/shop/warnings\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
			"  7 spec.ingress[0] ingress: {k8s.io.kubernetes.pod.namespace=shop, "
			"app.web=x, !app.web} | {any.a=b, any.a=c, "
			"k8s.io.kubernetes.pod.namespace=shop} | {any.a=b, any.a notin (b), "
			"k8s.io.kubernetes.pod.namespace=shop} | {any.a in (b c), any.a notin (c), "
			"k8s.io.kubernetes.pod.namespace=shop} | {any.a=b, k8s.a=c, "
			"k8s.io.kubernetes.pod.namespace=shop}\n"
			"  13 spec.ingress[1] ingress: nobody\n"
			" warning 5 spec.endpointSelector: selects in namespace shop all the same, "
			"where the policy is\n"
			" warning 8 spec.ingress[0].fromEndpoints[0].matchLabels.app:web: no label "
			"has the source \"app\"\n"
			" warning 8 spec.ingress[0].fromEndpoints[0].matchExpressions[0].key: no "
			"label has the source \"app\"\n"
			" warning 8 spec.ingress[0].fromEndpoints[0]: nothing meets all that is "
			"required of the label web\n"
			" warning 9 spec.ingress[0].fromEndpoints[1]: nothing meets all that is "
			"required of the label a\n"
			" warning 10 spec.ingress[0].fromEndpoints[2]: nothing meets all that is "
			"required of the label a\n");
	assert_policies(CNP "metadata: {name: contradiction, namespace: shop}\n"
			    "spec:\n"
			    "  endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: x}}\n"
			    "  ingress: [{fromEntities: [none]}]\n",
			"CiliumNetworkPolicy/shop/contradiction\n"
			" pods {any.io.kubernetes.pod.namespace=x, "
			"k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
			"  6 spec.ingress[0] ingress: nobody\n"
			" warning 5 spec.endpointSelector: nothing meets all that is required of "
			"the label io.kubernetes.pod.namespace\n");
	assert_policies(CNP "metadata: {name: negative, namespace: shop}\n"
			    "spec:\n"
			    "  endpointSelector: {}\n"
			    "  ingress:\n"
			    "  - fromEndpoints:\n"
			    "    - matchExpressions: [{key: io.kubernetes.pod.namespace, operator: "
			    "NotIn, values: [x]}]\n"
			    "    - matchExpressions: [{key: app, operator: NotIn, values: [x]}]\n",
			"CiliumNetworkPolicy/shop/negative\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
			"  7 spec.ingress[0] ingress: {any.io.kubernetes.pod.namespace notin (x)} "
			"| {any.app notin (x), k8s.io.kubernetes.pod.namespace=shop}\n"
			" warning 8 spec.ingress[0].fromEndpoints[0]: says only what must not be: "
			"the world and nodes are selected too\n");
}

/* L7 rules of one port add up: the second list is not in vain. */
static void lists_of_one_port(void **state)
{
	assert_policies(
		CNP "metadata: {name: x}\n"
		    "spec:\n  endpointSelector: {}\n  ingress:\n  - toPorts:\n"
		    "    - {ports: [{port: \"80\", protocol: TCP}], rules: {http: [{path: /a}]}}\n"
		    "    - {ports: [{port: \"80\", protocol: TCP}], rules: {http: [{path: /b}]}}\n",
		"CiliumNetworkPolicy/default/x\n"
		" pods {k8s.io.kubernetes.pod.namespace=default} -ingress\n"
		"  7 spec.ingress[0] ingress: everybody at tcp/80(needs 1) tcp/80(needs 1)\n"
		" refused 8 spec.ingress[0].toPorts[0]: L7 rules are not acted on yet: what they "
		"would allow is refused\n"
		" refused 9 spec.ingress[0].toPorts[1]: L7 rules are not acted on yet: what they "
		"would allow is refused\n");
}

/* The name of the cluster is part of what the entity cluster means. */
static void cluster_name(void **state)
{
	decode_set_cluster_name("east");
	assert_policies(CNP "metadata: {name: x}\n"
			    "spec: {endpointSelector: {}, egress: [{toEntities: [cluster]}]}\n",
			"CiliumNetworkPolicy/default/x\n"
			" pods {k8s.io.kubernetes.pod.namespace=default} -egress\n"
			"  4 spec.egress[0] egress: {reserved.host=} | {reserved.remote-node=} | "
			"{reserved.init=} | {reserved.ingress=} | {reserved.health=} | "
			"{reserved.unmanaged=} | {reserved.kube-apiserver=} | "
			"{k8s.io.cilium.k8s.policy.cluster=east}\n");
	decode_set_cluster_name("default");
}

static void assert_labels(const char *input, const char *labels, const char *description,
			  const char *log)
{
	struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
	const struct manifest_object *said =
		&g_array_index(manifest->objects, struct manifest_object, 0);
	const struct policy *policy = (const struct policy *)said->object;
	const struct policy_spec *spec = g_ptr_array_index(policy->specs, 0);

	assert_string_equal(label_set_text(spec->labels), labels);
	assert_int_equal(g_strcmp0(spec->description, description), 0);
	assert_int_equal(g_strcmp0(spec->log, log), 0);
	manifest_free(manifest);
}

/* Where a rule is from is said by labels. */
static void origin(void **state)
{
	assert_labels(CNP "metadata: {name: x, namespace: shop, uid: 1-2}\n"
			  "spec:\n  endpointSelector: {}\n  ingress: [{}]\n  description: why\n"
			  "  labels: [{key: a, value: b, source: c}, {key: d}]\n"
			  "  log: {value: 1234567890 2345678901234567890ä}\n",
		      "c:a=b;unspec:d=;"
		      "k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy;"
		      "k8s:io.cilium.k8s.policy.name=x;k8s:io.cilium.k8s.policy.namespace=shop;"
		      "k8s:io.cilium.k8s.policy.uid=1-2;",
		      "why", "1234567890 2345678901234567890ä");
	assert_labels(CCNP "metadata: {name: x}\n"
			   "spec: {endpointSelector: {}, ingress: [{}]}\n",
		      "k8s:io.cilium.k8s.policy.derived-from=CiliumClusterwideNetworkPolicy;"
		      "k8s:io.cilium.k8s.policy.name=x;k8s:io.cilium.k8s.policy.uid=;",
		      NULL, NULL);
}

/* In a list, a rule has the path and the number that it has alone. */
static void in_a_list(void **state)
{
	assert_policies("kind: List\nitems:\n"
			"- apiVersion: cilium.io/v2\n  kind: CiliumNetworkPolicy\n"
			"  metadata: {name: x}\n"
			"  spec: {endpointSelector: {}, ingress: [{fromEntities: []}]}\n"
			"- apiVersion: cilium.io/v2\n  kind: CiliumNetworkPolicy\n"
			"  metadata: {name: y}\n"
			"  spec: {endpointSelector: {}, ingress: [{fromEntities: [x]}]}\n",
			"CiliumNetworkPolicy/default/x\n"
			" pods {k8s.io.kubernetes.pod.namespace=default} -ingress\n"
			"  6 spec.ingress[0] ingress: nobody\n"
			" warning 6 spec.ingress[0].fromEntities: is empty: nobody is selected\n"
			"10 items[1].spec.ingress[0].fromEntities[0]: got \"x\", want all, world, "
			"world-ipv4, world-ipv6, cluster, host, init, ingress, unmanaged, "
			"remote-node, health, none or kube-apiserver\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_and_empty),
		cmocka_unit_test(selectors_and_namespaces),
		cmocka_unit_test(peers),
		cmocka_unit_test(ports),
		cmocka_unit_test(later_parts),
		cmocka_unit_test(lists_of_one_port),
		cmocka_unit_test(warnings),
		cmocka_unit_test(cluster_name),
		cmocka_unit_test(origin),
		cmocka_unit_test(in_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
