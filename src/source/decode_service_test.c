// SPDX-License-Identifier: Apache-2.0
/* Services and the addresses behind them, CIDR groups, and the ports of pods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/model/cidr_group.h"
#include "src/model/pod.h"
#include "src/model/service.h"
#include "src/source/manifest.h"

static void append_row(GString *text, const struct object *object)
{
	char buffer[CIDR_TEXT_BYTES];

	if (object->row.class == &service_class) {
		const struct service *service = (const struct service *)object;

		g_string_append(text, service->selector ? label_set_text(service->selector) : "-");
	} else if (object->row.class == &endpoint_slice_class) {
		const struct endpoint_slice *slice = (const struct endpoint_slice *)object;

		g_autoptr(GArray) addrs = g_array_new(FALSE, FALSE, sizeof(struct addr));

		g_string_append_printf(text, "of %s", slice->service ? slice->service : "-");
		endpoint_slice_get_addrs(slice, addrs);
		for (unsigned int i = 0; i < addrs->len; i++)
			g_string_append_printf(
				text, " %s",
				addr_format(&g_array_index(addrs, struct addr, i), buffer));
	} else if (object->row.class == &cidr_group_class) {
		const struct cidr_group *group = (const struct cidr_group *)object;

		g_string_append_printf(text, "{%s}", label_set_text(object->meta.labels));
		for (unsigned int i = 0; i < group->cidrs->len; i++)
			g_string_append_printf(
				text, " %s",
				cidr_format(&g_array_index(group->cidrs, struct cidr, i), buffer));
	} else {
		const struct pod *pod = (const struct pod *)object;

		g_string_append(text, pod->host_network ? "host" : "own");
		for (unsigned int i = 0; pod->ports && i < pod->ports->len; i++) {
			const struct pod_port *port =
				&g_array_index(pod->ports, struct pod_port, i);

			g_string_append_printf(text, " %s=%u/%u", port->name, port->protocol,
					       port->number);
		}
	}
}

static void assert_rows(const char *input, const char *expected)
{
	struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *said =
			&g_array_index(manifest->objects, struct manifest_object, i);

		if (!said->object)
			continue;
		g_string_append_printf(text, "%s: ", said->key);
		append_row(text, said->object);
		g_string_append_c(text, '\n');
	}
	for (unsigned int i = 0; i < manifest->problems->len; i++) {
		const struct source_problem *problem = g_ptr_array_index(manifest->problems, i);

		g_string_append_printf(text, "%u %s, %s: %s\n", problem->line,
				       problem->object ? problem->object : "-", problem->field,
				       problem->reason);
	}
	assert_string_equal(text->str, expected);
	manifest_free(manifest);
}

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
		    "shop/web: k8s:app=web;k8s:tier=a;\n"
		    "default/outside: -\n"
		    "default/name: -\n");
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

static void slices(void **state)
{
	assert_rows(
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		"metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n"
		"addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.2, 10.0.0.1]}\n"
		"- {addresses: [10.0.0.3], conditions: {ready: false}}\n"
		"- {addresses: [10.0.0.4], conditions: {ready: false, serving: true}}\n"
		"- {addresses: [10.0.0.5], conditions: {ready: true, serving: false}}\n"
		"---\n"
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: names}\n"
		"addressType: FQDN\nendpoints: [{addresses: [a.b]}]\n"
		"---\n"
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		"metadata: {name: six, namespace: shop}\n"
		"addressType: IPv6\nendpoints: [{addresses: [\"fd00::1\"]}]\n"
		"---\n"
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n"
		"subsets:\n- addresses: [{ip: 10.0.0.1}, {ip: \"fd00::1\"}]\n"
		"  notReadyAddresses: [{ip: 10.0.0.2}]\n- addresses: [{ip: 10.0.0.3}]\n",
		"EndpointSlice/default/web-1: of web 10.0.0.2 10.0.0.1 10.0.0.4 10.0.0.5\n"
		"EndpointSlice/default/names: of -\n"
		"EndpointSlice/shop/six: of - fd00::1\n"
		"Endpoints/default/web: of web 10.0.0.1 fd00::1 10.0.0.3\n");
	assert_rows(
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\n"
		"endpoints: [{addresses: [10.0.0.256, 5]}]\n"
		"---\n"
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: b}\n"
		"addressType: IP\nendpoints: {}\n"
		"---\n"
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: c}\n"
		"subsets: [{addresses: [{}, {ip: x}]}]\n",
		"1 EndpointSlice/default/a, addressType: is missing\n"
		"4 EndpointSlice/default/a, endpoints[0].addresses[0]: got \"10.0.0.256\", want "
		"an IPv4 or IPv6 address\n"
		"4 EndpointSlice/default/a, endpoints[0].addresses[1]: got the number 5, want a "
		"text (put it in quotes)\n"
		"9 EndpointSlice/default/b, addressType: got \"IP\", want IPv4, IPv6 or FQDN\n"
		"10 EndpointSlice/default/b, endpoints: got a mapping, want a list\n"
		"15 Endpoints/default/c, subsets[0].addresses[0].ip: is missing\n"
		"15 Endpoints/default/c, subsets[0].addresses[1].ip: got \"x\", want an IPv4 or "
		"IPv6 address\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services),
		cmocka_unit_test(slices),
		cmocka_unit_test(groups),
		cmocka_unit_test(ports_of_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
