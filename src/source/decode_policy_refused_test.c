// SPDX-License-Identifier: Apache-2.0
/* Policies that are refused: where, what and why. */
#include "src/source/decode_policy_test.h"

#define CNP                                                                                    \
	"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: " \
	"shop}\n"
#define CCNP "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: x}\n"
#define KNP  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\n"
/* All on line 4. */
#define SPEC(members) CNP "spec: {endpointSelector: {}, " members "}\n"

static const struct {
	const char *input, *expected;
} cases[] = {
	{CNP, "1 spec: is missing\n"},
	{CNP "spec: {}\n",
	 "4 spec: want endpointSelector or nodeSelector\n"
	 "4 spec: has no rule: want an element in ingress, ingressDeny, egress or "
	 "egressDeny ({} allows nobody)\n"},
	{CNP "spec: 5\n", "4 spec: got the number 5, want a mapping\n"},
	{CNP "specs: []\n", "1 spec: is missing\n"},
	{CNP "specs: [{}]\n",
	 "4 specs[0]: want endpointSelector or nodeSelector\n"
	 "4 specs[0]: has no rule: want an element in ingress, ingressDeny, egress "
	 "or egressDeny ({} allows nobody)\n"},
	{CNP "specs: [~]\n", "4 specs[0]: got nothing, want a mapping\n"},
	{SPEC("nodeSelector: {}, ingress: [{}]"),
	 "4 spec: has endpointSelector and nodeSelector: make two policies of it\n"},
	{CNP "spec: {nodeSelector: {}, ingress: [{}]}\n",
	 "4 spec.nodeSelector: is possible in a CiliumClusterwideNetworkPolicy only\n"},
	{CNP "spec: {endpointSelector: {}}\n",
	 "4 spec: has no rule: want an element in ingress, ingressDeny, egress or "
	 "egressDeny ({} allows nobody)\n"},
	{SPEC("ingress: []"),
	 "4 spec: has no rule: want an element in ingress, ingressDeny, egress or "
	 "egressDeny ({} allows nobody)\n"},
	{SPEC("ingress: [~]"), "4 spec.ingress[0]: got nothing, want a mapping\n"},
	{SPEC("ingress: {}"),
	 "4 spec.ingress: got a mapping, want a list\n"
	 "4 spec: has no rule: want an element in ingress, ingressDeny, egress or "
	 "egressDeny ({} allows nobody)\n"},
	{SPEC("ingress: [{}], enableDefaultDeny: {ingress: yes, other: true}"),
	 "4 spec.enableDefaultDeny.other: is not known\n"
	 "4 spec.enableDefaultDeny.ingress: got \"yes\", want true or false\n"},
	{SPEC("ingress: [{}], log: {value: 123456789012345678901234567890123}"),
	 "4 spec.log.value: got the number 123456789012345678901234567890123, want "
	 "a text (put it in quotes)\n"},
	{SPEC("ingress: [{}], log: {value: \"a\\tb\"}"),
	 "4 spec.log.value: got \"a\\x09b\", want at most 32 printable characters\n"},
	{SPEC("ingress: [{}], labels: [{value: x}]"), "4 spec.labels[0].key: is missing\n"},
	{CNP "spec: {endpointSelector: {matchLabels: {a: 1, \"-b\": c, \"x:y:z\": d, "
	     "\"X:a\": b, e: \"f g\", h: ~}}, ingress: [{}]}\n",
	 "4 spec.endpointSelector.matchLabels.a: got the number 1, want a text (put "
	 "it in quotes)\n"
	 "4 spec.endpointSelector.matchLabels.-b: is not the key of a label: want "
	 "[source:][domain/]name\n"
	 "4 spec.endpointSelector.matchLabels.x:y:z: is not the key of a label: "
	 "want [source:][domain/]name\n"
	 "4 spec.endpointSelector.matchLabels.X:a: is not the key of a label: want "
	 "[source:][domain/]name\n"
	 "4 spec.endpointSelector.matchLabels.e: got \"f g\", want at most 63 of "
	 "A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit at both ends\n"
	 "4 spec.endpointSelector.matchLabels.h: got nothing, want a text\n"},
	{CNP "spec: {endpointSelector: {matchExpressions: [{key: a, operator: in, "
	     "values: [b]}, {key: a, operator: In}, {operator: Exists}, {key: a, "
	     "operator: Exists, values: [b]}, {key: a, operator: In, values: [1]}]}, "
	     "ingress: [{}]}\n",
	 "4 spec.endpointSelector.matchExpressions[0].operator: got \"in\", want "
	 "In, NotIn, Exists or DoesNotExist\n"
	 "4 spec.endpointSelector.matchExpressions[1].values: is empty: want the "
	 "values for In or NotIn\n"
	 "4 spec.endpointSelector.matchExpressions[2].key: is missing\n"
	 "4 spec.endpointSelector.matchExpressions[3].values: must be empty for "
	 "Exists and DoesNotExist\n"
	 "4 spec.endpointSelector.matchExpressions[4].values[0]: got the number 1, "
	 "want a text (put it in quotes)\n"},
	{SPEC("ingress: [{fromEndpoints: [~]}]"),
	 "4 spec.ingress[0].fromEndpoints[0]: got nothing, want a selector ({} "
	 "selects all)\n"},
	{SPEC("ingress: [{fromEndpoints: {}}]"),
	 "4 spec.ingress[0].fromEndpoints: got a mapping, want a list\n"},
	{SPEC("ingress: [{fromEndpoint: [{}]}]"),
	 "4 spec.ingress[0].fromEndpoint: is not known: did you mean fromEndpoints?\n"},
	{SPEC("ingress: [{fromEndpoints: [{}], fromCIDR: [10.0.0.0/8]}]"),
	 "4 spec.ingress[0].fromCIDR: cannot be combined with fromEndpoints: make "
	 "two elements of it\n"},
	{SPEC("ingress: [{fromEntities: [World, everybody]}]"),
	 "4 spec.ingress[0].fromEntities[0]: got \"World\", want all, world, "
	 "world-ipv4, world-ipv6, cluster, host, init, ingress, unmanaged, "
	 "remote-node, health, none or kube-apiserver\n"
	 "4 spec.ingress[0].fromEntities[1]: got \"everybody\", want all, world, "
	 "world-ipv4, world-ipv6, cluster, host, init, ingress, unmanaged, "
	 "remote-node, health, none or kube-apiserver\n"},
	{SPEC("ingress: [{toEndpoints: [{}]}]"),
	 "4 spec.ingress[0].toEndpoints: is not known: did you mean fromEndpoints?\n"},
	{SPEC("ingress: [{toFQDNs: [{matchName: a}]}]"),
	 "4 spec.ingress[0].toFQDNs: is not known\n"},
	{SPEC("ingress: [{fromCIDR: [10.0.0.0/33, \"\", \"::ffff:10.0.0.0/104\", "
	      "010.0.0.1, any]}]"),
	 "4 spec.ingress[0].fromCIDR[0]: got \"10.0.0.0/33\", want an IPv4 or IPv6 "
	 "prefix or address\n"
	 "4 spec.ingress[0].fromCIDR[1]: is empty\n"
	 "4 spec.ingress[0].fromCIDR[2]: got \"::ffff:10.0.0.0/104\", want an IPv4 "
	 "or IPv6 prefix or address\n"
	 "4 spec.ingress[0].fromCIDR[3]: got \"010.0.0.1\", want an IPv4 or IPv6 "
	 "prefix or address\n"
	 "4 spec.ingress[0].fromCIDR[4]: got \"any\", want an IPv4 or IPv6 prefix "
	 "or address\n"},
	{SPEC("ingress: [{fromCIDRSet: [{cidr: 10.0.0.1}, {cidr: 10.0.0.0/8, "
	      "cidrGroupRef: a}, {except: [10.0.0.0/8]}, {cidrGroupRef: A_B}]}]"),
	 "4 spec.ingress[0].fromCIDRSet[0].cidr: got \"10.0.0.1\", want an IPv4 or "
	 "IPv6 prefix such as 10.0.0.0/24\n"
	 "4 spec.ingress[0].fromCIDRSet[1]: want one of cidr, cidrGroupRef and "
	 "cidrGroupSelector\n"
	 "4 spec.ingress[0].fromCIDRSet[2]: want one of cidr, cidrGroupRef and "
	 "cidrGroupSelector\n"
	 "4 spec.ingress[0].fromCIDRSet[3].cidrGroupRef: got \"A_B\", want at most "
	 "253 of a-z, 0-9, '-' and '.' (RFC 1123)\n"},
	{SPEC("ingress: [{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/8, "
	      "0.0.0.0/0, \"fd00::/8\", 10.0.0.1]}]}]"),
	 "4 spec.ingress[0].fromCIDRSet[0].except[0]: got \"11.0.0.0/8\", want a "
	 "prefix inside 10.0.0.0/8\n"
	 "4 spec.ingress[0].fromCIDRSet[0].except[1]: got \"0.0.0.0/0\", want a "
	 "prefix inside 10.0.0.0/8\n"
	 "4 spec.ingress[0].fromCIDRSet[0].except[2]: got \"fd00::/8\", want a "
	 "prefix inside 10.0.0.0/8\n"
	 "4 spec.ingress[0].fromCIDRSet[0].except[3]: got \"10.0.0.1\", want an "
	 "IPv4 or IPv6 prefix such as 10.0.0.0/24\n"},
	{SPEC("ingress: [{fromGroups: [{}, {gcp: {}}]}]"),
	 "4 spec.ingress[0].fromGroups[0].aws: is missing\n"
	 "4 spec.ingress[0].fromGroups[1].gcp: is not known\n"
	 "4 spec.ingress[0].fromGroups[1].aws: is missing\n"},
	{SPEC("egress: [{toServices: [{}, {k8sService: {}}, {k8sService: {serviceName: "
	      "a, namespace: B}}, {k8sServiceSelector: {}}]}]"),
	 "4 spec.egress[0].toServices[0]: want k8sService or k8sServiceSelector\n"
	 "4 spec.egress[0].toServices[1].k8sService.serviceName: is missing\n"
	 "4 spec.egress[0].toServices[2].k8sService.namespace: got \"B\", want 1 to "
	 "63 of a-z, 0-9 and '-' (RFC 1123)\n"
	 "4 spec.egress[0].toServices[3].k8sServiceSelector.selector: got nothing, "
	 "want a selector ({} selects all)\n"},
	{SPEC("egress: [{toServices: [{k8sService: {serviceName: a}}], toCIDRSet: "
	      "[{cidr: 10.0.0.0/8}]}]"),
	 "4 spec.egress[0].toServices: cannot be combined with toCIDRSet: make two "
	 "elements of it\n"},
	{SPEC("egress: [{toFQDNs: [{}, {matchName: a, matchPattern: b}, {matchName: \"a "
	      "b\"}, {matchName: .a}, {matchPattern: \"a..b\"}, {matchName: \"a*\"}]}]"),
	 "4 spec.egress[0].toFQDNs[0]: want one of matchName and matchPattern\n"
	 "4 spec.egress[0].toFQDNs[1]: want one of matchName and matchPattern\n"
	 "4 spec.egress[0].toFQDNs[2].matchName: got \"a b\", want at most 255 of "
	 "A-Z, a-z, 0-9, '-', '_' and single '.'\n"
	 "4 spec.egress[0].toFQDNs[3].matchName: got \".a\", want at most 255 of "
	 "A-Z, a-z, 0-9, '-', '_' and single '.'\n"
	 "4 spec.egress[0].toFQDNs[4].matchPattern: got \"a..b\", want at most 255 "
	 "of A-Z, a-z, 0-9, '-', '_', '*' and single '.'\n"
	 "4 spec.egress[0].toFQDNs[5].matchName: got \"a*\", want at most 255 of "
	 "A-Z, a-z, 0-9, '-', '_' and single '.'\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: 80}, {port: \"65536\"}, {port: "
	      "\"010\"}, {port: \"-1\"}, {port: a_b}, {port: a--b}, {protocol: TCP}, "
	      "{port: \"1\", protocol: ICMP}, {port: \"1\", endPort: 65536}]}]}]"),
	 "4 spec.ingress[0].toPorts[0].ports[0].port: got the number 80, want a "
	 "text (put it in quotes)\n"
	 "4 spec.ingress[0].toPorts[0].ports[1].port: got \"65536\", want a number "
	 "from 0 to 65535 without leading zeros, or the name of a port: at most 15 "
	 "letters, digits and single '-' with a letter\n"
	 "4 spec.ingress[0].toPorts[0].ports[2].port: got \"010\", want a number "
	 "from 0 to 65535 without leading zeros, or the name of a port: at most 15 "
	 "letters, digits and single '-' with a letter\n"
	 "4 spec.ingress[0].toPorts[0].ports[3].port: got \"-1\", want a number "
	 "from 0 to 65535 without leading zeros, or the name of a port: at most 15 "
	 "letters, digits and single '-' with a letter\n"
	 "4 spec.ingress[0].toPorts[0].ports[4].port: got \"a_b\", want a number "
	 "from 0 to 65535 without leading zeros, or the name of a port: at most 15 "
	 "letters, digits and single '-' with a letter\n"
	 "4 spec.ingress[0].toPorts[0].ports[5].port: got \"a--b\", want a number "
	 "from 0 to 65535 without leading zeros, or the name of a port: at most 15 "
	 "letters, digits and single '-' with a letter\n"
	 "4 spec.ingress[0].toPorts[0].ports[6].port: is missing\n"
	 "4 spec.ingress[0].toPorts[0].ports[7].protocol: got \"ICMP\", want TCP, "
	 "UDP, SCTP or ANY\n"
	 "4 spec.ingress[0].toPorts[0].ports[8].endPort: got the number 65536, want "
	 "a number from 0 to 65535\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", endPort: \"90\"}]}, ~]}]"),
	 "4 spec.ingress[0].toPorts[0].ports[0].endPort: got \"90\", want a number "
	 "from 0 to 65535\n"
	 "4 spec.ingress[0].toPorts[1]: got nothing, want a mapping\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"1\"}, {port: \"2\"}, {port: "
	      "\"3\"}, {port: \"4\"}, {port: \"5\"}, {port: \"6\"}, {port: \"7\"}, "
	      "{port: \"8\"}, {port: \"9\"}, {port: \"10\"}, {port: \"11\"}, {port: "
	      "\"12\"}, {port: \"13\"}, {port: \"14\"}, {port: \"15\"}, {port: \"16\"}, "
	      "{port: \"17\"}, {port: \"18\"}, {port: \"19\"}, {port: \"20\"}, {port: "
	      "\"21\"}, {port: \"22\"}, {port: \"23\"}, {port: \"24\"}, {port: \"25\"}, "
	      "{port: \"26\"}, {port: \"27\"}, {port: \"28\"}, {port: \"29\"}, {port: "
	      "\"30\"}, {port: \"31\"}, {port: \"32\"}, {port: \"33\"}, {port: \"34\"}, "
	      "{port: \"35\"}, {port: \"36\"}, {port: \"37\"}, {port: \"38\"}, {port: "
	      "\"39\"}, {port: \"40\"}, {port: \"41\"}]}]}]"),
	 "4 spec.ingress[0].toPorts[0].ports: has 41 ports, want at most 40\n"},
	{SPEC("ingress: [{icmps: [{fields: [{type: 256}, {type: -1}, {type: Ping}, "
	      "{family: IPv6, type: EchoReplay}, {type: NeighborSolicitation}, {family: "
	      "ipv4, type: 8}, {family: IPv4}, {type: \"256\"}]}]}]"),
	 "4 spec.ingress[0].icmps[0].fields[0].type: got the number 256, want a "
	 "number from 0 to 255\n"
	 "4 spec.ingress[0].icmps[0].fields[1].type: got the number -1, want a "
	 "number from 0 to 255\n"
	 "4 spec.ingress[0].icmps[0].fields[2].type: got \"Ping\", want a number "
	 "from 0 to 255, or the name of a message of the family, such as EchoRequest\n"
	 "4 spec.ingress[0].icmps[0].fields[3].type: got \"EchoReplay\", want a "
	 "number from 0 to 255, or the name of a message of the family, such as "
	 "EchoRequest\n"
	 "4 spec.ingress[0].icmps[0].fields[4].type: got \"NeighborSolicitation\", "
	 "want a number from 0 to 255, or the name of a message of the family, such "
	 "as EchoRequest\n"
	 "4 spec.ingress[0].icmps[0].fields[5].family: got \"ipv4\", want IPv4 or "
	 "IPv6\n"
	 "4 spec.ingress[0].icmps[0].fields[6].type: is missing\n"
	 "4 spec.ingress[0].icmps[0].fields[7].type: got \"256\", want a number "
	 "from 0 to 255, or the name of a message of the family, such as EchoRequest\n"},
	{SPEC("ingress: [{icmps: [{fields: [{type: 8}]}], toPorts: [{ports: [{port: "
	      "\"80\"}]}]}]"),
	 "4 spec.ingress[0].icmps: cannot be combined with toPorts: make two "
	 "elements of it\n"},
	{SPEC("ingress: [{icmps: [{fields: [{type: 1}, {type: 2}, {type: 3}, {type: 4}, "
	      "{type: 5}, {type: 6}, {type: 7}, {type: 8}, {type: 9}, {type: 10}, {type: "
	      "11}, {type: 12}, {type: 13}, {type: 14}, {type: 15}, {type: 16}, {type: "
	      "17}, {type: 18}, {type: 19}, {type: 20}, {type: 21}, {type: 22}, {type: "
	      "23}, {type: 24}, {type: 25}, {type: 26}, {type: 27}, {type: 28}, {type: "
	      "29}, {type: 30}, {type: 31}, {type: 32}, {type: 33}, {type: 34}, {type: "
	      "35}, {type: 36}, {type: 37}, {type: 38}, {type: 39}, {type: 40}, {type: "
	      "41}]}]}]"),
	 "4 spec.ingress[0].icmps[0].fields: has 41 fields, want at most 40\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: "
	      "{http: [{}], kafka: [{}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].rules.kafka: cannot be combined with http\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\"}, {port: \"0\", protocol: "
	      "TCP}], rules: {http: [{}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].ports[0].protocol: must be TCP for L7 rules "
	 "other than dns\n"
	 "4 spec.ingress[0].toPorts[0].ports[1].port: is 0, which is not possible "
	 "with L7 rules\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"53\"}], rules: {dns: "
	      "[{matchPattern: \"*\"}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].rules: has dns, which is possible for egress "
	 "only\n"},
	{SPEC("egress: [{toPorts: [{rules: {dns: [{matchPattern: \"*\"}]}}, {ports: "
	      "[{port: \"53\", endPort: 54}], rules: {dns: [{matchPattern: \"*\"}]}}]}]"),
	 "4 spec.egress[0].toPorts[0].ports: is empty: DNS rules want a port, such "
	 "as 53\n"
	 "4 spec.egress[0].toPorts[1].ports[0].endPort: is not possible with DNS "
	 "rules\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: {l7: "
	      "[{a: b}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].rules: has l7, which wants l7proto too\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: "
	      "{l7proto: x, http: [{}]}}, {ports: [{port: \"80\", protocol: TCP}], "
	      "rules: {l7proto: x, l7: [{\"\": b}, {a: 1}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].rules.l7proto: cannot be combined with http\n"
	 "4 spec.ingress[0].toPorts[1].rules.l7[0]: has an empty key\n"
	 "4 spec.ingress[0].toPorts[1].rules.l7[1].a: got the number 1, want a text "
	 "(put it in quotes)\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: "
	      "{http: [{method: 1, headers: [\"\"], headerMatches: [{value: x}, {name: "
	      "a, mismatch: KEEP}, {name: a, secret: {}}]}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].rules.http[0].method: got the number 1, want "
	 "a text (put it in quotes)\n"
	 "4 spec.ingress[0].toPorts[0].rules.http[0].headers[0]: is empty\n"
	 "4 spec.ingress[0].toPorts[0].rules.http[0].headerMatches[0].name: is "
	 "missing\n"
	 "4 spec.ingress[0].toPorts[0].rules.http[0].headerMatches[1].mismatch: got "
	 "\"KEEP\", want LOG, ADD, DELETE or REPLACE\n"
	 "4 spec.ingress[0].toPorts[0].rules.http[0].headerMatches[2].secret.name: "
	 "is missing\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: "
	      "{kafka: [{role: a}, {role: produce, apiKey: fetch}, {apiKey: x}, "
	      "{apiVersion: \"99999\"}, {topic: \"a b\"}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].rules.kafka[0].role: got \"a\", want produce "
	 "or consume\n"
	 "4 spec.ingress[0].toPorts[0].rules.kafka[1].apiKey: cannot be combined "
	 "with role\n"
	 "4 spec.ingress[0].toPorts[0].rules.kafka[2].apiKey: got \"x\", want the "
	 "name of a Kafka API such as fetch\n"
	 "4 spec.ingress[0].toPorts[0].rules.kafka[3].apiVersion: got \"99999\", "
	 "want a number from 0 to 32767\n"
	 "4 spec.ingress[0].toPorts[0].rules.kafka[4].topic: got \"a b\", want at "
	 "most 255 of A-Z, a-z, 0-9, '.', '_' and '-'\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], "
	      "serverNames: [\"\", \"a b\", \"*\"]}]}]"),
	 "4 spec.ingress[0].toPorts[0].serverNames[0]: is empty\n"
	 "4 spec.ingress[0].toPorts[0].serverNames[1]: got \"a b\", want the name "
	 "of a host, which may begin with *. or **.\n"
	 "4 spec.ingress[0].toPorts[0].serverNames[2]: got \"*\", want the name of "
	 "a host, which may begin with *. or **.\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], "
	      "serverNames: [a], rules: {http: [{}]}}]}]"),
	 "4 spec.ingress[0].toPorts[0].serverNames: cannot be combined with L7 "
	 "rules without terminatingTLS\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], "
	      "terminatingTLS: {}}, {ports: [{port: \"80\", protocol: TCP}], "
	      "originatingTLS: {secret: {namespace: a}}}]}]"),
	 "4 spec.ingress[0].toPorts[0].terminatingTLS.secret: is missing\n"
	 "4 spec.ingress[0].toPorts[1].originatingTLS.secret.name: is missing\n"},
	{SPEC("ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], listener: "
	      "{envoyConfig: {name: a}, name: b}}]}]"),
	 "4 spec.ingress[0].toPorts[0].listener: is possible for egress only\n"},
	{SPEC("egress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], listener: "
	      "{envoyConfig: {kind: X}, priority: 101}, rules: {http: [{}]}}]}]"),
	 "4 spec.egress[0].toPorts[0].listener.envoyConfig.kind: got \"X\", want "
	 "CiliumEnvoyConfig or CiliumClusterwideEnvoyConfig\n"
	 "4 spec.egress[0].toPorts[0].listener.envoyConfig.name: is missing\n"
	 "4 spec.egress[0].toPorts[0].listener.name: is missing\n"
	 "4 spec.egress[0].toPorts[0].listener.priority: got the number 101, want a "
	 "number from 0 to 100\n"
	 "4 spec.egress[0].toPorts[0].listener: cannot be combined with L7 rules\n"},
	{SPEC("ingress: [{authentication: {}, fromEndpoints: [{}]}]"),
	 "4 spec.ingress[0].authentication.mode: is missing\n"},
	{SPEC("ingress: [{authentication: {mode: on}, fromEndpoints: [{}]}]"),
	 "4 spec.ingress[0].authentication.mode: got \"on\", want disabled, "
	 "required or test-always-fail\n"},
	{SPEC("ingressDeny: [{authentication: {mode: required}, fromEndpoints: [{}], "
	      "toPorts: [{ports: [{port: \"80\"}], rules: {http: [{}]}, serverNames: "
	      "[a], listener: {}, terminatingTLS: {}}]}]"),
	 "4 spec.ingressDeny[0].authentication: is not possible in a deny rule\n"
	 "4 spec.ingressDeny[0].toPorts[0].rules: is not possible in a deny rule\n"
	 "4 spec.ingressDeny[0].toPorts[0].serverNames: is not possible in a deny "
	 "rule\n"
	 "4 spec.ingressDeny[0].toPorts[0].terminatingTLS: is not possible in a "
	 "deny rule\n"
	 "4 spec.ingressDeny[0].toPorts[0].listener: is not possible in a deny rule\n"},
	{SPEC("egressDeny: [{toFQDNs: [{matchName: a}]}]"),
	 "4 spec.egressDeny[0].toFQDNs: is not possible in a deny rule\n"},
	{CCNP "spec: {nodeSelector: {}, ingress: [{toPorts: [{ports: [{port: \"80\", "
	      "protocol: TCP}], rules: {http: [{}]}}]}]}\n",
	 "4 spec.ingress[0].toPorts[0].rules: has http, but a policy of nodes may "
	 "have dns only\n"},
	{KNP, "1 spec: is missing\n"},
	{KNP "spec: {podSelector: {}, policyTypes: [ingress, Both]}\n",
	 "4 spec.policyTypes[0]: got \"ingress\", want Ingress or Egress\n"
	 "4 spec.policyTypes[1]: got \"Both\", want Ingress or Egress\n"},
	{KNP "spec: {podSelector: {}, ingress: [~]}\n",
	 "4 spec.ingress[0]: got nothing, want a mapping\n"},
	{KNP "spec: {podSelector: {}, ingress: [{form: []}]}\n",
	 "4 spec.ingress[0].form: is not known: did you mean from?\n"},
	{KNP "spec: {podSelector: {}, ingress: [{from: [{}, {podSelector: {}, ipBlock: "
	     "{cidr: 10.0.0.0/8}}, {ipBlock: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: "
	     "[11.0.0.0/8]}}, ~]}]}\n",
	 "4 spec.ingress[0].from[0]: want podSelector, namespaceSelector or ipBlock\n"
	 "4 spec.ingress[0].from[1]: has ipBlock and a selector: make two peers of "
	 "it\n"
	 "4 spec.ingress[0].from[2].ipBlock.cidr: is missing\n"
	 "4 spec.ingress[0].from[3].ipBlock.except[0]: got \"11.0.0.0/8\", want a "
	 "prefix inside 10.0.0.0/8\n"
	 "4 spec.ingress[0].from[4]: want podSelector, namespaceSelector or ipBlock\n"},
	{KNP "spec: {podSelector: {}, egress: [{ports: [{port: 0}, {port: 70000}, "
	     "{port: \"80\"}, {port: a_b}, {protocol: tcp}, {protocol: ICMP}, {endPort: "
	     "80}, {port: 80, endPort: 79}, {port: web, endPort: 80}, {port: 80, "
	     "endPort: x}]}]}\n",
	 "4 spec.egress[0].ports[0].port: got the number 0, want a number from 1 to "
	 "65535\n"
	 "4 spec.egress[0].ports[1].port: got the number 70000, want a number from "
	 "1 to 65535\n"
	 "4 spec.egress[0].ports[2].port: got \"80\", want a number from 1 to "
	 "65535, or the name of a port: at most 15 of a-z, 0-9 and '-' with a letter\n"
	 "4 spec.egress[0].ports[3].port: got \"a_b\", want a number from 1 to "
	 "65535, or the name of a port: at most 15 of a-z, 0-9 and '-' with a letter\n"
	 "4 spec.egress[0].ports[4].protocol: got \"tcp\", want TCP, UDP or SCTP\n"
	 "4 spec.egress[0].ports[5].protocol: got \"ICMP\", want TCP, UDP or SCTP\n"
	 "4 spec.egress[0].ports[6].endPort: wants a port that is a number\n"
	 "4 spec.egress[0].ports[7].endPort: got 79, which is less than port, 80\n"
	 "4 spec.egress[0].ports[8].endPort: wants a port that is a number\n"
	 "4 spec.egress[0].ports[9].endPort: got \"x\", want a number from 1 to "
	 "65535\n"},
	{KNP "spec: {podSelector: {matchLabels: {k8s:app: web}}, ingress: [{from: "
	     "[{namespaceSelector: {matchExpressions: [{key: a, operator: Is}]}}]}]}\n",
	 "4 spec.podSelector.matchLabels.k8s:app: is not the key of a label: want "
	 "[domain/]name\n"
	 "4 spec.ingress[0].from[0].namespaceSelector.matchExpressions[0].operator: "
	 "got \"Is\", want In, NotIn, Exists or DoesNotExist\n"},
};

static void refused(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_policies(cases[i].input, cases[i].expected);
}

/* More than anybody writes is refused before it costs anything. */
static void bounds(void **state)
{
	g_autoptr(GString) input = g_string_new(CNP "spec: {endpointSelector: {}, ingress: [");
	g_autoptr(GString) ports =
		g_string_new(CNP "spec: {endpointSelector: {}, ingress: [{toPorts: [");

	for (int i = 0; i < 70000; i++)
		g_string_append(input, "{},");
	g_string_append(input, "]}\n");
	assert_policies(input->str,
			"4 spec.ingress: has 70000 items, want at most 65535\n"
			"4 spec: has no rule: want an element in ingress, ingressDeny, egress or "
			"egressDeny ({} allows nobody)\n");
	for (int i = 0; i < 1366; i++)
		g_string_append(ports, "{ports: [{port: \"80\"}]},");
	g_string_append(ports, "]}]}\n");
	assert_policies(ports->str,
			"4 spec.ingress[0].toPorts[1365].ports[0]: is too much: a rule has at most "
			"4096 ports\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
