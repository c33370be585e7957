// SPDX-License-Identifier: Apache-2.0
/* CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy: what is accepted, and what it means. */
#include "src/source/decode_policy_test.h"

#define CNP  "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
#define CCNP "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\n"

/* Policies of operators' guides, as a user has them. */
static void guides(void **state)
{
	assert_policies(
		CNP "metadata: {name: allow-frontend-to-backend, namespace: production}\n"
		    "spec:\n  endpointSelector: {matchLabels: {app: frontend}}\n"
		    "  egress:\n    - toEndpoints: [{matchLabels: {app: backend}}]\n"
		    "      toPorts:\n        - ports: [{port: \"8080\", protocol: TCP}]\n",
		"CiliumNetworkPolicy/production/allow-frontend-to-backend\n"
		" pods {any.app=frontend, k8s.io.kubernetes.pod.namespace=production} -egress\n"
		"  7 spec.egress[0] egress: {any.app=backend, "
		"k8s.io.kubernetes.pod.namespace=production} at tcp/8080\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
