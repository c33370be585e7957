// SPDX-License-Identifier: Apache-2.0
/* Manifests in, rows and problems out: every decoder. */
#include "src/source/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/model/namespace.h"
#include "src/model/node.h"
#include "src/model/pod.h"
#include "src/source/syntax.h"

static void append_node(GString *text, const struct node *node)
{
	static const char *const types[] = {
		[NODE_ADDRESS_INTERNAL] = "internal",
		[NODE_ADDRESS_EXTERNAL] = "external",
		[NODE_ADDRESS_CILIUM_INTERNAL] = "router",
	};
	char buffer[CIDR_TEXT_BYTES];

	for (unsigned int i = 0; i < node->addresses->len; i++) {
		const struct node_address *address =
			&g_array_index(node->addresses, struct node_address, i);

		g_string_append_printf(text, " %s=%s", types[address->type],
				       addr_format(&address->addr, buffer));
	}
	for (unsigned int i = 0; i < node->pod_cidrs->len; i++)
		g_string_append_printf(
			text, " cidr=%s",
			cidr_format(&g_array_index(node->pod_cidrs, struct cidr, i), buffer));
}

static void append_object(GString *text, const struct manifest_object *said)
{
	const struct object *object = said->object;

	g_string_append_printf(text, "%u %s %s", said->line, said->kind->kind, said->key);
	if (!object) {
		g_string_append(text, " refused\n");
		return;
	}
	assert_string_equal(object->meta.key, said->key);
	assert_int_equal(object->meta.line, said->line);
	g_string_append_printf(text, " {%s}", label_set_text(object->meta.labels));
	if (object->row.class == &pod_class) {
		const struct pod *pod = (const struct pod *)object;

		if (pod->node_name)
			g_string_append_printf(text, " node=%s", pod->node_name);
		if (pod->service_account)
			g_string_append_printf(text, " account=%s", pod->service_account);
	} else if (object->row.class == &node_class) {
		append_node(text, (const struct node *)object);
	}
	g_string_append_c(text, '\n');
}

/* The objects, a line each, then the problems. */
static void assert_manifest(const char *file, const char *input, bool complete,
			    const char *expected)
{
	struct manifest *manifest = manifest_parse(file, input, strlen(input));
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < manifest->objects->len; i++)
		append_object(text, &g_array_index(manifest->objects, struct manifest_object, i));
	for (unsigned int i = 0; i < manifest->problems->len; i++) {
		const struct source_problem *problem = g_ptr_array_index(manifest->problems, i);

		assert_string_equal(problem->file, file);
		g_string_append_printf(text, "%u %s, %s: %s\n", problem->line,
				       problem->object ? problem->object : "-",
				       problem->field ? problem->field : "-", problem->reason);
	}
	assert_string_equal(text->str, expected);
	assert_int_equal(manifest->complete, complete);
	manifest_free(manifest);
}

static void pods(void **state)
{
	assert_manifest(
		"a.yaml",
		"apiVersion: v1\nkind: Pod\n"
		"metadata: {name: web, namespace: shop, labels: {app: web, a.b/tier: \"1\"}}\n"
		"spec: {nodeName: n1, serviceAccountName: robot, hostNetwork: true,\n"
		"  containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}\n"
		"---\n"
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a.b}\n",
		true,
		"1 Pod shop/web {k8s:a.b/tier=1;k8s:app=web;} node=n1 account=robot\n"
		"7 Pod default/a.b {}\n");
}

static void every_problem_of_an_object(void **state)
{
	assert_manifest(
		"a.yaml",
		"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels:\n"
		"    -bad: x\n    v: 1\n    w: a b\n    n:\nspec:\n  nodeName: A_B\n"
		"  serviceAccountName: [1]\n",
		true,
		"1 Pod default/web refused\n"
		"6 Pod default/web, metadata.labels.-bad: is not the key of a label: want "
		"[domain/]name\n"
		"7 Pod default/web, metadata.labels.v: got the number 1, want a text (put it in "
		"quotes)\n"
		"8 Pod default/web, metadata.labels.w: got \"a b\", want at most 63 of A-Z, a-z, "
		"0-9, '-', '_' and '.', a letter or digit at both ends\n"
		"9 Pod default/web, metadata.labels.n: got nothing, want a text\n"
		"11 Pod default/web, spec.nodeName: got \"A_B\", want at most 253 of a-z, 0-9, "
		"'-' and '.' (RFC 1123)\n"
		"12 Pod default/web, spec.serviceAccountName: got a list, want a text\n");
}

static void nodes(void **state)
{
	assert_manifest(
		"a.yaml",
		"apiVersion: v1\nkind: Node\n"
		"metadata:\n  name: n1\n  annotations:\n"
		"    network.cilium.io/ipv4-pod-cidr: 10.9.0.0/24\n"
		"    io.cilium.network.ipv6-pod-cidr: fd00:9::/64\n"
		"    network.cilium.io/ipv4-cilium-host: 10.1.0.1\n"
		"spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24]}\n"
		"status: {addresses: [{type: InternalIP, address: 192.0.2.1},\n"
		"  {type: Hostname, address: n1}, {type: ExternalIP, address: \"2001:db8::1\"}]}\n"
		"---\n"
		"apiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: n1}\n"
		"spec:\n  addresses: [{type: CiliumInternalIP, ip: 10.1.0.1}]\n"
		"  ipam: {podCIDRs: [10.1.0.0/24, \"fd00::/64\"]}\n"
		"---\n"
		"apiVersion: v1\nkind: Node\nmetadata: {name: n2}\nspec: {podCIDR: 10.2.0.0/24}\n"
		"---\n"
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {a: b}}\n",
		true,
		"1 Node Node/n1 {} internal=192.0.2.1 external=2001:db8::1 router=10.1.0.1 "
		"cidr=10.1.0.0/24 cidr=fd00:9::/64\n"
		"13 CiliumNode CiliumNode/n1 {} router=10.1.0.1 cidr=10.1.0.0/24 cidr=fd00::/64\n"
		"20 Node Node/n2 {} cidr=10.2.0.0/24\n"
		"25 Namespace shop {k8s:a=b;}\n");
}

static void bad_addresses(void **state)
{
	assert_manifest(
		"a.yaml",
		"apiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: n1}\n"
		"spec:\n  addresses:\n  - {type: InternalIP, ip: 10.0.0.256}\n"
		"  - {type: Internal, ip: 10.0.0.1}\n  - {ip: 10.0.0.1}\n"
		"  ipam:\n    podCIDRs:\n    - 10.1.0.1/24\n    - 10.1.0.0\n    - 10.1.0.0/24\n"
		"    - 10.0.0.0/8\n    - ::ffff:10.0.0.0/104\n",
		true,
		"1 CiliumNode CiliumNode/n1 refused\n"
		"6 CiliumNode/n1, spec.addresses[0].ip: got \"10.0.0.256\", want an IPv4 or IPv6 "
		"address\n"
		"7 CiliumNode/n1, spec.addresses[1].type: got \"Internal\", want InternalIP, "
		"ExternalIP, CiliumInternalIP, Hostname, InternalDNS or ExternalDNS\n"
		"8 CiliumNode/n1, spec.addresses[2].type: is missing\n"
		"11 CiliumNode/n1, spec.ipam.podCIDRs[0]: got \"10.1.0.1/24\", whose host bits "
		"are not zero, want 10.1.0.0/24\n"
		"12 CiliumNode/n1, spec.ipam.podCIDRs[1]: got \"10.1.0.0\", want an IPv4 or IPv6 "
		"prefix such as 10.0.0.0/24\n"
		"14 CiliumNode/n1, spec.ipam.podCIDRs[3]: got \"10.0.0.0/8\", want a prefix that "
		"overlaps none before it\n"
		"15 CiliumNode/n1, spec.ipam.podCIDRs[4]: got \"::ffff:10.0.0.0/104\", want an "
		"IPv4 or IPv6 prefix such as 10.0.0.0/24\n");
	assert_manifest(
		"a.yaml",
		"apiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n  annotations:\n"
		"    network.cilium.io/ipv6-pod-cidr: 10.9.0.0/24\n"
		"    network.cilium.io/ipv4-cilium-host: x\n",
		true,
		"1 Node Node/n1 refused\n"
		"7 Node/n1, metadata.annotations[\"network.cilium.io/ipv4-cilium-host\"]: got "
		"\"x\", want an IPv4 or IPv6 address\n"
		"6 Node/n1, metadata.annotations[\"network.cilium.io/ipv6-pod-cidr\"]: got "
		"\"10.9.0.0/24\", want one of IPv6\n");
}

static void kinds(void **state)
{
	assert_manifest(
		"a.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"
		"---\n"
		"apiVersion: cilium.io/v2\nkind: CiliumEndpoint\nmetadata: {name: x}\n",
		true,
		"2 -, kind: Secret has no effect: this version does not act on it\n"
		"6 -, kind: CiliumEndpoint has no effect: this version does not act on it\n");
	assert_manifest("a.yaml", "apiVersion: v1\nkind: Podd\nmetadata: {name: x}\n", false,
			"2 -, kind: got \"Podd\", want one of Namespace, Node, CiliumNode, Pod, "
			"Service, EndpointSlice, Endpoints, NetworkPolicy, CiliumNetworkPolicy, "
			"CiliumClusterwideNetworkPolicy, CiliumCIDRGroup, "
			"CiliumLocalRedirectPolicy\n");
	assert_manifest("a.yaml", "apiVersion: v2\nkind: Pod\nmetadata: {name: x}\n", false,
			"1 -, apiVersion: got \"v2\", want v1 for a Pod\n");
	assert_manifest("a.yaml", "metadata: {name: x}\n", false,
			"1 -, apiVersion: is missing\n1 -, kind: is missing\n");
	assert_manifest("a.yaml", "just text\n", false,
			"1 -, -: got \"just text\", want a mapping\n"
			"1 -, apiVersion: is missing\n1 -, kind: is missing\n");
	assert_manifest(
		"a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: X}\n", false,
		"3 -, metadata.name: got \"X\", want at most 253 of a-z, 0-9, '-' and '.' (RFC "
		"1123)\n");
	/* What a cluster's object says of a namespace is nothing to us. */
	assert_manifest("a.yaml",
			"apiVersion: v1\nkind: Node\nmetadata: {name: x, namespace: s!op}\n", true,
			"1 Node Node/x {}\n");
	assert_manifest("a.yaml", "# nothing\n---\n---\n", true, "");
}

static void lists(void **state)
{
	assert_manifest(
		"a.json",
		"{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n"
		"\t{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}},\n"
		"\t{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": 5}}\n]}\n",
		false,
		"2 Pod default/a {}\n"
		"3 -, items[1].metadata.name: got the number 5, want a text (put it in quotes)\n");
	assert_manifest("a.yaml", "kind: List\nitems: 5\n", false,
			"2 -, items: got the number 5, want a list\n");
}

static void syntax_errors(void **state)
{
	assert_manifest("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\nkind: {\n",
			false,
			"1 Pod default/a {}\n"
			"6 -, -: did not find expected node content while parsing a flow node\n");
	assert_manifest("a.json", "kind: Pod", false, "1 -, -: got 'k', want a JSON value\n");
}

static void problems_are_summed_up(void **state)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const struct source_problem *last;
	struct manifest *manifest;

	for (int i = 0; i < 150; i++)
		g_string_append(text, "kind: Secret\napiVersion: v1\n---\n");
	manifest = manifest_parse("a.yaml", text->str, text->len);
	assert_int_equal(manifest->problems->len, 101);
	last = g_ptr_array_index(manifest->problems, 100);
	assert_string_equal(last->reason, "50 more problems in this file");
	manifest_free(manifest);
}

/* A status that is JSON would leave out what is not UTF-8. */
static void problems_are_utf8(void **state)
{
	static const char input[] = "apiVersion: v1\nmetadata: {name: a}\nkind: x";
	g_autoptr(GString) text = g_string_new(input);
	struct manifest *manifest;
	const struct source_problem *problem;

	for (int i = 0; i < 100; i++)
		g_string_append(text, "é");
	manifest = manifest_parse("x.yaml", text->str, text->len);
	assert_int_equal(manifest->problems->len, 1);
	problem = g_ptr_array_index(manifest->problems, 0);
	assert_true(g_utf8_validate(problem->reason, -1, NULL));
	manifest_free(manifest);
}

static void names(void **state)
{
	char long_label[65];
	g_autofree char *long_name = g_strnfill(254, 'a');

	memset(long_label, 'a', 64);
	long_label[64] = '\0';
	assert_false(syntax_is_dns_label(long_label));
	assert_false(syntax_is_label_value(long_label));
	assert_true(syntax_is_dns_label(long_label + 1));
	assert_true(syntax_is_label_value(long_label + 1));
	assert_false(syntax_is_dns_subdomain(long_name));
	for (int i = 50; i < 254; i += 50)
		long_name[i] = '.';
	assert_false(syntax_is_dns_subdomain(long_name));
	assert_true(syntax_is_dns_subdomain(long_name + 1));
	assert_true(syntax_is_dns_label("1-a"));
	assert_false(syntax_is_dns_label(""));
	assert_false(syntax_is_dns_label("-a") || syntax_is_dns_label("a-"));
	assert_false(syntax_is_dns_label("a.b") || syntax_is_dns_label("A"));
	assert_false(syntax_is_dns_subdomain("a..b") || syntax_is_dns_subdomain("a."));
	assert_true(syntax_is_label_key("A_b.c-d") && syntax_is_label_key("a.b/c"));
	assert_false(syntax_is_label_key("") || syntax_is_label_key("/a"));
	assert_false(syntax_is_label_key("a/") || syntax_is_label_key("a/b/c"));
	assert_true(syntax_is_label_value("") && syntax_is_label_value("A"));
	assert_false(syntax_is_label_value("a/b") || syntax_is_label_value(".a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods),
		cmocka_unit_test(every_problem_of_an_object),
		cmocka_unit_test(nodes),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(kinds),
		cmocka_unit_test(lists),
		cmocka_unit_test(syntax_errors),
		cmocka_unit_test(problems_are_summed_up),
		cmocka_unit_test(problems_are_utf8),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
