// SPDX-License-Identifier: Apache-2.0
/* EndpointSlices and Endpoints, every field and what is refused. */
#include "src/source/decode_service_test.h"

#define SLICE                                                                                \
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, labels: " \
	"{kubernetes.io/service-name: web}}\n"
#define SLICE_WEIGHT(text)                                                           \
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, " \
	"annotations: {axoneme.io/weight: \"" text "\"}}\naddressType: IPv4\n"       \
	"endpoints: [{addresses: [10.0.0.1, 10.0.0.2]}]\n"

static void conditions(void **state)
{
	assert_rows(SLICE "addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.2, 10.0.0.1]}\n"
			  "- {addresses: [10.0.0.3], conditions: {ready: false}}\n"
			  "- {addresses: [10.0.0.4], conditions: {ready: false, serving: true, "
			  "terminating: true}}\n"
			  "- {addresses: [10.0.0.5], conditions: {ready: true, serving: false}}\n"
			  "- {addresses: [10.0.0.6], conditions: {terminating: true, ready: ~}}\n",
		    "EndpointSlice/default/a: of web\n"
		    "  0:10.0.0.2 ready serving\n"
		    "  0:10.0.0.1 ready serving\n"
		    "  0:10.0.0.3\n"
		    "  0:10.0.0.4 serving ends\n"
		    "  0:10.0.0.5 ready\n"
		    "  0:10.0.0.6 ready serving ends\n");
}

static void places(void **state)
{
	assert_rows(
		SLICE "addressType: IPv6\nendpoints:\n"
		      "- {addresses: [\"fd00::1\"], nodeName: node-1.example, zone: eu-1a, "
		      "hostname: x, targetRef: {kind: Pod},\n"
		      "   hints: {forZones: [{name: eu-1a}, {name: b}], forNodes: [{name: "
		      "node-1}]}}\n"
		      "- {addresses: [\"fd00::2\"], nodeName: \"\", hints: {forZones: []}}\n",
		"EndpointSlice/default/a: of web\n"
		"  0:fd00::1 ready serving node node-1.example zone eu-1a zones ,eu-1a,b, nodes "
		",node-1,\n"
		"  0:fd00::2 ready serving\n");
	assert_rows(SLICE "addressType: IPv4\nendpoints:\n"
			  "- {addresses: [10.0.0.1], nodeName: A, zone: \"a,b\", hints: {forZones: "
			  "[{name: \"b,c\"}, {}], forNodes: a}}\n",
		    "6 EndpointSlice/default/a, endpoints[0].hints.forZones[0].name: got \"b,c\", "
		    "want at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit at both "
		    "ends\n"
		    "6 EndpointSlice/default/a, endpoints[0].hints.forZones[1].name: is missing\n"
		    "6 EndpointSlice/default/a, endpoints[0].hints.forNodes: got \"a\", want a "
		    "list\n"
		    "6 EndpointSlice/default/a, endpoints[0].nodeName: got \"A\", want at most 253 "
		    "of a-z, 0-9, '-' and '.' (RFC 1123)\n"
		    "6 EndpointSlice/default/a, endpoints[0].zone: got \"a,b\", want at most 63 of "
		    "A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit at both ends\n");
}

/* A node's name may be longer than a zone's. */
static void hint_of_a_node(void **state)
{
#define LONG_NAME "n123456789.n123456789.n123456789.n123456789.n123456789.n123456789.example"
	assert_rows(SLICE "addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], hints: "
			  "{forNodes: [{name: " LONG_NAME "}]}}\n",
		    "EndpointSlice/default/a: of web\n"
		    "  0:10.0.0.1 ready serving nodes ," LONG_NAME ",\n");
	assert_rows(SLICE "addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], hints: "
			  "{forNodes: [{name: \"a,b\"}]}}\n",
		    "6 EndpointSlice/default/a, endpoints[0].hints.forNodes[0].name: got \"a,b\", "
		    "want at most 253 of a-z, 0-9, '-' and '.' (RFC 1123)\n");
}

static void too_many_ports(void **state)
{
	g_autoptr(GString) text =
		g_string_new("apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets:\n"
			     "- ports: [{port: 1}]\n- ports: [");

	for (unsigned int i = 0; i < 4096; i++)
		g_string_append_printf(text, "%s{name: p%u, port: 1}", i ? ", " : "", i);
	g_string_append(text, "]\n");
	assert_rows(text->str, "6 Endpoints/default/a, subsets[1].ports: has 4096 items, want at "
			       "most 4095\n");
}

static void ports(void **state)
{
	assert_rows(SLICE
		    "addressType: IPv4\nports:\n- {name: http, port: 80}\n"
		    "- {name: \"\", protocol: UDP, port: 53}\n- {name: all, protocol: SCTP}\n",
		    "EndpointSlice/default/a: of web 0:http=6/80 0:=17/53 0:all=132/0\n");
	assert_rows(
		SLICE "addressType: IPv4\nports: [{port: 0}, {port: 1}, {name: a_b, port: 1}, "
		      "{name: a, port: 1, protocol: X}, {name: a, port: 1}]\n",
		"5 EndpointSlice/default/a, ports[0].port: got the number 0, want a number from "
		"1 to 65535\n"
		"5 EndpointSlice/default/a, ports[1]: has no name, like a port before it\n"
		"5 EndpointSlice/default/a, ports[2].name: got \"a_b\", want 1 to 63 of a-z, "
		"0-9 and '-' (RFC 1123)\n"
		"5 EndpointSlice/default/a, ports[3].protocol: got \"X\", want TCP, UDP or "
		"SCTP\n"
		"5 EndpointSlice/default/a, ports[4]: has the name of a port before it\n");
}

static void weights(void **state)
{
	assert_rows(SLICE_WEIGHT("5"), "EndpointSlice/default/a: of -\n"
				       "  0:10.0.0.1 ready serving weight 5\n"
				       "  0:10.0.0.2 ready serving weight 5\n");
	assert_rows(SLICE_WEIGHT("10.0.0.2=0"), "EndpointSlice/default/a: of -\n"
						"  0:10.0.0.1 ready serving\n"
						"  0:10.0.0.2 ready serving weight 0\n");
	assert_rows(SLICE_WEIGHT("10.0.0.2=65535, 10.0.0.1=7"),
		    "EndpointSlice/default/a: of -\n"
		    "  0:10.0.0.1 ready serving weight 7\n"
		    "  0:10.0.0.2 ready serving weight 65535\n");
#define WEIGHT_PROBLEM(text) \
	"3 EndpointSlice/default/a, metadata.annotations[\"axoneme.io/weight\"]: " text "\n"
#define WANT "want a number from 0 to 65535, or address=number, separated by commas"
	assert_rows(SLICE_WEIGHT("65536"), WEIGHT_PROBLEM("got \"65536\", " WANT));
	assert_rows(SLICE_WEIGHT("-1"), WEIGHT_PROBLEM("got \"-1\", " WANT));
	assert_rows(SLICE_WEIGHT(""), WEIGHT_PROBLEM("got \"\", " WANT));
	assert_rows(SLICE_WEIGHT("10.0.0.1=5,"), WEIGHT_PROBLEM("got \"10.0.0.1=5,\", " WANT));
	/* The last counts; each that is wrong is told. */
	assert_rows(SLICE_WEIGHT("10.0.0.1=7,10.0.0.1=8"), "EndpointSlice/default/a: of -\n"
							   "  0:10.0.0.1 ready serving weight 8\n"
							   "  0:10.0.0.2 ready serving\n");
	assert_rows(SLICE_WEIGHT("10.0.0.3=5,10.0.0.2=1,10.0.0.4=5"),
		    WEIGHT_PROBLEM("names 10.0.0.3, which is not among the addresses")
			    WEIGHT_PROBLEM("names 10.0.0.4, which is not among the addresses"));
	assert_rows(SLICE_WEIGHT("10.0.0.3=5"),
		    WEIGHT_PROBLEM("names 10.0.0.3, which is not among the addresses"));
}

static void families(void **state)
{
	assert_rows(SLICE "addressType: FQDN\nendpoints: [{addresses: [a.b]}]\n",
		    "EndpointSlice/default/a: of web\n");
	assert_rows(SLICE "addressType: IPv6\nendpoints: [{addresses: [10.0.0.1]}]\n",
		    "5 EndpointSlice/default/a, endpoints[0].addresses[0]: got \"10.0.0.1\", want "
		    "an IPv6 address, as the addressType says\n");
	assert_rows(
		SLICE "addressType: IPv4\nendpoints: [{addresses: [\"fd00::1\", 127.0.0.1, "
		      "0.0.0.0, 169.254.0.1, 255.255.255.255]}]\n",
		"5 EndpointSlice/default/a, endpoints[0].addresses[0]: got \"fd00::1\", want an "
		"IPv4 address, as the addressType says\n"
		"5 EndpointSlice/default/a, endpoints[0].addresses[1]: got \"127.0.0.1\", which "
		"is of loopback: want the address of a host\n"
		"5 EndpointSlice/default/a, endpoints[0].addresses[2]: got \"0.0.0.0\", which "
		"is unspecified: want the address of a host\n"
		"5 EndpointSlice/default/a, endpoints[0].addresses[3]: got \"169.254.0.1\", "
		"which is of the link alone: want the address of a host\n"
		"5 EndpointSlice/default/a, endpoints[0].addresses[4]: got \"255.255.255.255\", "
		"which is of a group: want the address of a host\n");
}

/* Each subset has ports of its own. */
static void endpoints(void **state)
{
	assert_rows("apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n"
		    "subsets:\n- addresses: [{ip: 10.0.0.1, nodeName: a}, {ip: \"fd00::1\"}]\n"
		    "  notReadyAddresses: [{ip: 10.0.0.2}]\n"
		    "  ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]\n"
		    "- addresses: [{ip: 10.0.0.3}]\n  ports: [{name: http, port: 8080}]\n",
		    "Endpoints/default/web: of web 0:http=6/80 0:dns=17/53 1:http=6/8080\n"
		    "  0:10.0.0.1 ready serving node a\n"
		    "  0:fd00::1 ready serving\n"
		    "  0:10.0.0.2\n"
		    "  1:10.0.0.3 ready serving\n");
	assert_rows("apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n"
		    "subsets: [{ports: [{}, {port: 1}]}]\n",
		    "4 Endpoints/default/web, subsets[0].ports[0].port: is missing\n"
		    "4 Endpoints/default/web, subsets[0].ports[1]: has no name, like a port before "
		    "it\n");
}

static void bad_objects(void **state)
{
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

/* The rows of policies' toServices. */
static void addresses_that_serve(void **state)
{
	static const char input[] = SLICE
		"addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], "
		"conditions: {ready: false}}]\n";
	struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
	g_autoptr(GArray) addrs = g_array_new(FALSE, FALSE, sizeof(struct addr));
	g_autoptr(GString) text = g_string_new(NULL);

	endpoint_slice_get_addrs((const struct endpoint_slice *)g_array_index(
					 manifest->objects, struct manifest_object, 0)
					 .object,
				 addrs);
	append_addrs(text, "", addrs);
	assert_string_equal(text->str, " 10.0.0.1");
	manifest_free(manifest);
}

/* Rows with the same ports hold one array of them. */
static void ports_are_shared(void **state)
{
	static const char input[] =
		SLICE "addressType: IPv4\nports: [{name: http, port: 80}]\n---\n" SLICE
		      "addressType: IPv4\nports: [{name: http, port: 80}]\n---\n" SLICE
		      "addressType: IPv4\nports: [{name: http, port: 81}]\n";
	struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
	const struct endpoint_slice *slices[3];

	for (unsigned int i = 0; i < 3; i++)
		slices[i] = (const struct endpoint_slice *)g_array_index(manifest->objects,
									 struct manifest_object, i)
				    .object;
	assert_ptr_equal(slices[0]->ports, slices[1]->ports);
	assert_ptr_not_equal(slices[0]->ports, slices[2]->ports);
	manifest_free(manifest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),       cmocka_unit_test(places),
		cmocka_unit_test(hint_of_a_node),   cmocka_unit_test(ports),
		cmocka_unit_test(too_many_ports),   cmocka_unit_test(weights),
		cmocka_unit_test(families),         cmocka_unit_test(endpoints),
		cmocka_unit_test(bad_objects),      cmocka_unit_test(addresses_that_serve),
		cmocka_unit_test(ports_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
