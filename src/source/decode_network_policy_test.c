// SPDX-License-Identifier: Apache-2.0
/* NetworkPolicy, and policies of operators' guides, as their users have them. */
#include "src/source/decode_policy_test.h"

#define CNP  "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
#define CCNP "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\n"
#define KNP  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"

static void what_is_not_said(void **state)
{
	assert_policies(KNP "metadata: {name: deny-all, namespace: shop}\n"
			    "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n",
			"NetworkPolicy/shop/deny-all\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress -egress\n");
	assert_policies(KNP "metadata: {name: nothing-said, namespace: shop}\n"
			    "spec: {podSelector: {matchLabels: {app: web}}}\n",
			"NetworkPolicy/shop/nothing-said\n"
			" pods {k8s.app=web, k8s.io.kubernetes.pod.namespace=shop} -ingress\n");
	assert_policies(KNP "metadata: {name: allow-all, namespace: shop}\n"
			    "spec: {podSelector: {}, ingress: [{}], egress: [{to: []}]}\n",
			"NetworkPolicy/shop/allow-all\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress -egress\n"
			"  4 spec.ingress[0] ingress: everybody\n"
			"  4 spec.egress[0] egress: everybody\n"
			" warning 4 spec.egress[0].to: is empty: everybody is selected\n");
	assert_policies(
		KNP "metadata: {name: egress-only, namespace: shop}\n"
		    "spec: {podSelector: {}, policyTypes: [Egress], ingress: [{}], egress: []}\n",
		"NetworkPolicy/shop/egress-only\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop} -egress\n"
		" warning 4 spec.ingress: has no effect: policyTypes does not say Ingress\n");
	assert_policies(KNP "metadata: {name: ingress-only, namespace: shop}\n"
			    "spec: {policyTypes: [Ingress], egress: [{}], ingress: []}\n",
			"NetworkPolicy/shop/ingress-only\n"
			" pods {k8s.io.kubernetes.pod.namespace=shop} -ingress\n"
			" warning 4 spec.podSelector: is missing: every pod of the namespace is "
			"selected\n"
			" warning 4 spec.egress: has no effect: policyTypes does not say Egress\n");
}

static void peers_and_ports(void **state)
{
	assert_policies(
		KNP "metadata: {name: peers, namespace: shop}\n"
		    "spec:\n"
		    "  podSelector: {matchExpressions: [{key: tier, operator: In, values: [b, "
		    "a]}]}\n"
		    "  ingress:\n"
		    "  - from:\n"
		    "    - podSelector: {}\n"
		    "    - podSelector: {matchLabels: {app: web}}\n"
		    "    - namespaceSelector: {}\n"
		    "    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: red}}\n"
		    "    - namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, "
		    "values: [x]}]}\n"
		    "      podSelector: {matchLabels: {app: web}}\n"
		    "    - namespaceSelector: {}\n"
		    "      podSelector: {matchExpressions: [{key: app, operator: Exists}]}\n"
		    "    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}\n"
		    "    - ipBlock: {cidr: \"2001:db8::/32\"}\n"
		    "  egress:\n"
		    "  - ports: [{port: 53, protocol: UDP}, {port: 53}, {port: Web}, "
		    "{protocol: SCTP}, {port: 100, endPort: 200}, {port: 150}, {}]\n",
		"NetworkPolicy/shop/peers\n"
		" pods {k8s.io.kubernetes.pod.namespace=shop, k8s.tier in (a b)} -ingress "
		"-egress\n"
		"  7 spec.ingress[0] ingress: {k8s.io.kubernetes.pod.namespace=shop} | "
		"{k8s.app=web, k8s.io.kubernetes.pod.namespace=shop} | "
		"{k8s.io.kubernetes.pod.namespace} | "
		"{k8s.io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=red} | "
		"{k8s.app=web, k8s.io.cilium.k8s.namespace.labels.team notin (x), "
		"k8s.io.kubernetes.pod.namespace} | {k8s.app, "
		"k8s.io.kubernetes.pod.namespace} | 10.0.0.0/8 -10.1.0.0/16 | 2001:db8::/32\n"
		"  19 spec.egress[0] egress: everybody at udp/53 tcp/53 tcp/web sctp/* "
		"tcp/100-200 tcp/150 tcp/*\n"
		" warning 19 spec.egress[0].ports[5]: has no effect: what stands before it covers "
		"it\n");
}

/* The name that operators see is that of the annotation. */
static void names(void **state)
{
	static const char *const annotations[] = {"policy.cilium.io/name", "io.cilium.name"};

	for (size_t i = 0; i < G_N_ELEMENTS(annotations); i++) {
		g_autofree char *input = g_strdup_printf(
			KNP "metadata: {name: x, uid: 1-2, annotations: {%s: other}}\n"
			    "spec: {podSelector: {}}\n",
			annotations[i]);
		struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
		const struct manifest_object *said =
			&g_array_index(manifest->objects, struct manifest_object, 0);
		const struct policy *policy = (const struct policy *)said->object;
		const struct policy_spec *spec = g_ptr_array_index(policy->specs, 0);

		assert_string_equal(policy->meta.name, "x");
		assert_string_equal(label_set_text(spec->labels),
				    "k8s:io.cilium.k8s.policy.derived-from=NetworkPolicy;"
				    "k8s:io.cilium.k8s.policy.name=other;"
				    "k8s:io.cilium.k8s.policy.namespace=default;"
				    "k8s:io.cilium.k8s.policy.uid=1-2;");
		manifest_free(manifest);
	}
}

/* Legal in Cilium, every one: no problem. */
static void guides_cilium(void **state)
{
	assert_policies(CNP "metadata:\n"
			    "  name: allow-frontend-to-backend\n"
			    "  namespace: production\n"
			    "spec:\n"
			    "  endpointSelector:\n"
			    "    matchLabels:\n"
			    "      app: frontend\n"
			    "  egress:\n"
			    "    - toEndpoints:\n"
			    "        - matchLabels:\n"
			    "            app: backend\n"
			    "      toPorts:\n"
			    "        - ports:\n"
			    "            - port: \"8080\"\n"
			    "              protocol: TCP\n",
			"CiliumNetworkPolicy/production/allow-frontend-to-backend\n"
			" pods {any.app=frontend, k8s.io.kubernetes.pod.namespace=production} "
			"-egress\n"
			"  11 spec.egress[0] egress: {any.app=backend, "
			"k8s.io.kubernetes.pod.namespace=production} at tcp/8080\n");
	assert_policies(CNP "metadata:\n"
			    "  name: api-access-policy\n"
			    "spec:\n"
			    "  endpointSelector:\n"
			    "    matchLabels:\n"
			    "      app: api-client\n"
			    "  egress:\n"
			    "    - toEndpoints:\n"
			    "        - matchLabels:\n"
			    "            app: api-server\n"
			    "      toPorts:\n"
			    "        - ports:\n"
			    "            - port: \"80\"\n"
			    "              protocol: TCP\n"
			    "          rules:\n"
			    "            http:\n"
			    "              - method: \"GET\"\n"
			    "                path: \"/api/v1/.*\"\n"
			    "              - method: \"POST\"\n"
			    "                path: \"/api/v1/submit\"\n"
			    "                headers:\n"
			    "                  - \"Content-Type: application/json\"\n",
			"CiliumNetworkPolicy/default/api-access-policy\n"
			" pods {any.app=api-client, k8s.io.kubernetes.pod.namespace=default} "
			"-egress\n"
			"  10 spec.egress[0] egress: {any.app=api-server, "
			"k8s.io.kubernetes.pod.namespace=default} at tcp/80(needs 1)\n"
			" refused 14 spec.egress[0].toPorts[0]: L7 rules are not acted on yet: "
			"what they would allow is refused\n");
	assert_policies(CNP "metadata:\n"
			    "  name: demo-policy\n"
			    "  namespace: default\n"
			    "spec:\n"
			    "  endpointSelector:\n"
			    "    matchLabels:\n"
			    "      app: demo\n"
			    "  ingress:\n"
			    "  - fromEndpoints:\n"
			    "    - matchLabels:\n"
			    "        app: frontend\n"
			    "    toPorts:\n"
			    "    - ports:\n"
			    "      - port: \"8080\"\n"
			    "        protocol: TCP\n",
			"CiliumNetworkPolicy/default/demo-policy\n"
			" pods {any.app=demo, k8s.io.kubernetes.pod.namespace=default} -ingress\n"
			"  11 spec.ingress[0] ingress: {any.app=frontend, "
			"k8s.io.kubernetes.pod.namespace=default} at tcp/8080\n");
	assert_policies(
		CNP "metadata:\n"
		    "    name: allow-specific-api\n"
		    "spec:\n"
		    "    endpointSelector:\n"
		    "        matchLabels:\n"
		    "            app: backend\n"
		    "    ingress:\n"
		    "        - fromEndpoints:\n"
		    "              - matchLabels:\n"
		    "                    app: frontend\n"
		    "          toPorts:\n"
		    "              - ports:\n"
		    "                    - port: '8080'\n"
		    "                      protocol: TCP\n"
		    "                rules:\n"
		    "                    http:\n"
		    "                        - method: 'GET'\n"
		    "                          path: '/api/.*'\n",
		"CiliumNetworkPolicy/default/allow-specific-api\n"
		" pods {any.app=backend, k8s.io.kubernetes.pod.namespace=default} -ingress\n"
		"  10 spec.ingress[0] ingress: {any.app=frontend, "
		"k8s.io.kubernetes.pod.namespace=default} at tcp/8080(needs 1)\n"
		" refused 14 spec.ingress[0].toPorts[0]: L7 rules are not acted on yet: "
		"what they would allow is refused\n");
	assert_policies(CNP "metadata:\n"
			    "  name: l3-l4-policy\n"
			    "  namespace: production\n"
			    "spec:\n"
			    "  endpointSelector:\n"
			    "    matchLabels:\n"
			    "      app: backend\n"
			    "  ingress:\n"
			    "  - fromEndpoints:\n"
			    "    - matchLabels:\n"
			    "        app: frontend\n"
			    "    toPorts:\n"
			    "    - ports:\n"
			    "      - port: \"8080\"\n"
			    "        protocol: TCP\n",
			"CiliumNetworkPolicy/production/l3-l4-policy\n"
			" pods {any.app=backend, k8s.io.kubernetes.pod.namespace=production} "
			"-ingress\n"
			"  11 spec.ingress[0] ingress: {any.app=frontend, "
			"k8s.io.kubernetes.pod.namespace=production} at tcp/8080\n");
	assert_policies(CNP "metadata:\n"
			    "  name: l7-http-policy\n"
			    "  namespace: production\n"
			    "spec:\n"
			    "  endpointSelector:\n"
			    "    matchLabels:\n"
			    "      app: api\n"
			    "  ingress:\n"
			    "  - fromEndpoints:\n"
			    "    - matchLabels:\n"
			    "        app: frontend\n"
			    "    toPorts:\n"
			    "    - ports:\n"
			    "      - port: \"8080\"\n"
			    "        protocol: TCP\n"
			    "      rules:\n"
			    "        http:\n"
			    "        - method: \"GET\"\n"
			    "          path: \"/api/v1/.*\"\n"
			    "        - method: \"POST\"\n"
			    "          path: \"/api/v1/users\"\n",
			"CiliumNetworkPolicy/production/l7-http-policy\n"
			" pods {any.app=api, k8s.io.kubernetes.pod.namespace=production} -ingress\n"
			"  11 spec.ingress[0] ingress: {any.app=frontend, "
			"k8s.io.kubernetes.pod.namespace=production} at tcp/8080(needs 1)\n"
			" refused 15 spec.ingress[0].toPorts[0]: L7 rules are not acted on yet: "
			"what they would allow is refused\n");
	assert_policies(CNP "metadata:\n"
			    "  name: allow-external-api\n"
			    "  namespace: production\n"
			    "spec:\n"
			    "  endpointSelector:\n"
			    "    matchLabels:\n"
			    "      app: backend\n"
			    "  egress:\n"
			    "  - toFQDNs:\n"
			    "    - matchPattern: \"api.stripe.com\"\n"
			    "    - matchPattern: \"*.amazonaws.com\"\n"
			    "  - toEndpoints:\n"
			    "    - matchLabels:\n"
			    "        k8s:io.kubernetes.pod.namespace: kube-system\n"
			    "        k8s:k8s-app: kube-dns\n"
			    "    toPorts:\n"
			    "    - ports:\n"
			    "      - port: \"53\"\n"
			    "        protocol: UDP\n"
			    "      rules:\n"
			    "        dns:\n"
			    "        - matchPattern: \"*\"\n",
			"CiliumNetworkPolicy/production/allow-external-api\n"
			" pods {any.app=backend, k8s.io.kubernetes.pod.namespace=production} "
			"-egress\n"
			"  11 spec.egress[0] egress: name MatchName: , MatchPattern: "
			"api.stripe.com | name MatchName: , MatchPattern: *.amazonaws.com\n"
			"  14 spec.egress[1] egress: {k8s.io.kubernetes.pod.namespace=kube-system, "
			"k8s.k8s-app=kube-dns} at udp/53(needs 1)\n"
			" refused 12 spec.egress[0].toFQDNs[0]: names are not looked up: nobody is "
			"selected\n"
			" refused 13 spec.egress[0].toFQDNs[1]: names are not looked up: nobody is "
			"selected\n"
			" refused 19 spec.egress[1].toPorts[0]: L7 rules are not acted on yet: "
			"what they would allow is refused\n");
}

static void guides_other(void **state)
{
	assert_policies(CCNP "metadata:\n"
			     "  name: deny-cross-namespace\n"
			     "spec:\n"
			     "  endpointSelector: {}\n"
			     "  ingress:\n"
			     "    - fromEndpoints:\n"
			     "        - matchLabels: {}\n"
			     "      # Allow intra-namespace communication only\n",
			"CiliumClusterwideNetworkPolicy/deny-cross-namespace\n"
			" pods {} -ingress\n"
			"  8 spec.ingress[0] ingress: {k8s.io.kubernetes.pod.namespace}\n");
	assert_policies(KNP "metadata:\n"
			    "  name: allow-frontend-to-backend\n"
			    "  namespace: production\n"
			    "spec:\n"
			    "  podSelector:\n"
			    "    matchLabels:\n"
			    "      app: backend\n"
			    "  policyTypes:\n"
			    "  - Ingress\n"
			    "  ingress:\n"
			    "  - from:\n"
			    "    - podSelector:\n"
			    "        matchLabels:\n"
			    "          app: frontend\n"
			    "    ports:\n"
			    "    - protocol: TCP\n"
			    "      port: 8080\n",
			"NetworkPolicy/production/allow-frontend-to-backend\n"
			" pods {k8s.app=backend, k8s.io.kubernetes.pod.namespace=production} "
			"-ingress\n"
			"  13 spec.ingress[0] ingress: {k8s.app=frontend, "
			"k8s.io.kubernetes.pod.namespace=production} at tcp/8080\n");
	assert_policies(
		CCNP "metadata:\n"
		     "  name: deny-external-egress\n"
		     "spec:\n"
		     "  endpointSelector:\n"
		     "    matchLabels:\n"
		     "      io.kubernetes.pod.namespace: production\n"
		     "  egress:\n"
		     "  - toEntities:\n"
		     "    - cluster\n"
		     "    - kube-apiserver\n"
		     "  - toEndpoints:\n"
		     "    - matchLabels:\n"
		     "        io.kubernetes.pod.namespace: kube-system\n"
		     "  - toFQDNs:\n"
		     "    - matchPattern: \"*.internal.company.com\"\n",
		"CiliumClusterwideNetworkPolicy/deny-external-egress\n"
		" pods {any.io.kubernetes.pod.namespace=production} -egress\n"
		"  10 spec.egress[0] egress: {reserved.host=} | {reserved.remote-node=} | "
		"{reserved.init=} | {reserved.ingress=} | {reserved.health=} | "
		"{reserved.unmanaged=} | {reserved.kube-apiserver=} | "
		"{k8s.io.cilium.k8s.policy.cluster=default} | {reserved.kube-apiserver=}\n"
		"  13 spec.egress[1] egress: {any.io.kubernetes.pod.namespace=kube-system}\n"
		"  16 spec.egress[2] egress: name MatchName: , MatchPattern: "
		"*.internal.company.com\n"
		" refused 17 spec.egress[2].toFQDNs[0]: names are not looked up: nobody is "
		"selected\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said),
		cmocka_unit_test(peers_and_ports),
		cmocka_unit_test(names),
		cmocka_unit_test(guides_cilium),
		cmocka_unit_test(guides_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
