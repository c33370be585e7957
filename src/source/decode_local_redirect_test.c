// SPDX-License-Identifier: Apache-2.0
/* CiliumLocalRedirectPolicies, every field and what is refused. */
#include "src/source/decode_service_test.h"

#define LRP                                                                               \
	"apiVersion: cilium.io/v2\nkind: CiliumLocalRedirectPolicy\nmetadata: {name: a, " \
	"namespace: n}\n"
#define ADDRESS(ports) \
	"redirectFrontend: {addressMatcher: {ip: 169.254.20.10, toPorts: [" ports "]}}"
#define BACKEND(ports) "redirectBackend: {localEndpointSelector: {}, toPorts: [" ports "]}"
#define DNS            "{port: \"53\", protocol: UDP}"

static void fields(void **state)
{
	assert_rows(LRP
		    "spec:\n  redirectFrontend: {addressMatcher: {ip: 169.254.20.10, toPorts: "
		    "[{port: \"53\", protocol: UDP, name: DNS}, {port: \"53\", protocol: TCP, "
		    "name: dns-tcp}]}}\n"
		    "  redirectBackend: {localEndpointSelector: {matchLabels: {app: dns}}, "
		    "toPorts: [{port: \"1053\", protocol: TCP, name: dns-tcp}, {port: \"1053\", "
		    "protocol: UDP, name: Dns}]}\n"
		    "  skipRedirectFromBackend: true\n  description: node-local\n",
		    "n/a: 169.254.20.10 dns=17/53 dns-tcp=6/53 -> {k8s.app=dns, "
		    "k8s.io.kubernetes.pod.namespace=n} dns-tcp=6/1053 dns=17/1053 skip\n");
	assert_rows(LRP "spec:\n  redirectFrontend: {serviceMatcher: {serviceName: kube-dns, "
			"namespace: n}}\n"
			"  redirectBackend: {localEndpointSelector: {matchExpressions: [{key: x, "
			"operator: Exists}]}, toPorts: [{port: \"1\", protocol: TCP}]}\n",
		    "n/a: kube-dns -> {k8s.io.kubernetes.pod.namespace=n, k8s.x} =6/1\n");
	assert_rows(LRP "spec: {" ADDRESS("{port: \"1\", protocol: TCP}") ", " BACKEND(
			    "{port: \"65535\", protocol: TCP, name: x}") "}\n",
		    "n/a: 169.254.20.10 =6/1 -> {k8s.io.kubernetes.pod.namespace=n} x=6/65535\n");
}

static const struct {
	const char *spec, *problems;
} bad[] = {
	{BACKEND(DNS), "4 redirectFrontend: wants one of addressMatcher and serviceMatcher\n"},
	{"redirectFrontend: {addressMatcher: {}, serviceMatcher: {}}, " BACKEND(DNS),
	 "4 redirectFrontend: wants one of addressMatcher and serviceMatcher\n"},
	{"redirectFrontend: {addressMatcher: {ip: \"::\"}}, " BACKEND(DNS),
	 "4 redirectFrontend.addressMatcher.ip: got \"::\", want an IPv4 or IPv6 address\n"
	 "4 redirectFrontend.addressMatcher.toPorts: is missing\n"},
	{"redirectFrontend: {addressMatcher: {ip: 1.2.3, toPorts: []}}, " BACKEND(DNS),
	 "4 redirectFrontend.addressMatcher.ip: got \"1.2.3\", want an IPv4 or IPv6 "
	 "address\n"
	 "4 redirectFrontend.addressMatcher.toPorts: is empty\n"},
	{"redirectFrontend: {serviceMatcher: {serviceName: A, namespace: m, port: "
	 "1}}, " BACKEND(DNS),
	 "4 redirectFrontend.serviceMatcher.port: is not known\n"
	 "4 redirectFrontend.serviceMatcher.serviceName: got \"A\", want 1 to 63 of a-z, "
	 "0-9 and "
	 "'-' (RFC 1123)\n"
	 "4 redirectFrontend.serviceMatcher.namespace: got \"m\", want n, which is the "
	 "policy's\n"},
	{ADDRESS("{port: \"0\", protocol: UDP}") ", " BACKEND(DNS),
	 "4 redirectFrontend.addressMatcher.toPorts[0].port: got \"0\", want a number from "
	 "1 to "
	 "65535 without leading zeros\n"},
	{ADDRESS("{port: \"65536\", protocol: udp}") ", " BACKEND("{port: \"53\", protocol: TCP}"),
	 "4 redirectFrontend.addressMatcher.toPorts[0].protocol: got \"udp\", want TCP or "
	 "UDP\n"
	 "4 redirectFrontend.addressMatcher.toPorts[0].port: got \"65536\", want a number "
	 "from 1 "
	 "to 65535 without leading zeros\n"},
	{ADDRESS("{port: 53}") ", " BACKEND("{port: \"53\", protocol: TCP}"),
	 "4 redirectFrontend.addressMatcher.toPorts[0].port: got the number 53, want a "
	 "text (put it "
	 "in quotes)\n"
	 "4 redirectFrontend.addressMatcher.toPorts[0].protocol: is missing\n"},
	{ADDRESS(DNS ", " DNS) ", " BACKEND(DNS),
	 "4 redirectFrontend.addressMatcher.toPorts[0].name: is missing: several ports "
	 "need names\n"
	 "4 redirectFrontend.addressMatcher.toPorts[1].name: is missing: several ports "
	 "need names\n"},
	{ADDRESS("{port: \"53\", protocol: UDP, name: a}, {port: \"54\", protocol: UDP, "
		 "name: A}") ", " BACKEND("{port: \"53\", protocol: UDP, name: a}"),
	 "4 redirectFrontend.addressMatcher.toPorts[1].name: is the name of a port before "
	 "it\n"},
	{ADDRESS("{port: \"53\", protocol: UDP, name: a_b}") ", " BACKEND(DNS),
	 "4 redirectFrontend.addressMatcher.toPorts[0].name: got \"a_b\", want at most 15 "
	 "letters, "
	 "digits and single '-' with a letter\n"},
	{ADDRESS(DNS) ", " BACKEND("{port: \"53\", protocol: TCP}"),
	 "4 redirectBackend.toPorts: has port 53 with another protocol than the front "
	 "end's port "
	 "53\n"},
	{ADDRESS("{port: \"53\", protocol: UDP, name: a}, {port: \"54\", protocol: UDP, "
		 "name: b}") ", " BACKEND("{port: \"53\", protocol: UDP, name: a}"),
	 "4 redirectBackend.toPorts: has no port with the name of the front end's b\n"},
	{ADDRESS(DNS) ", redirectBackend: {toPorts: [" DNS "]}",
	 "4 redirectBackend.localEndpointSelector: got nothing, want a selector ({} "
	 "selects all)\n"},
	{ADDRESS(DNS) ", redirectBackend: {localEndpointSelector: {matchLabels: "
		      "{io.kubernetes.pod.namespace: m}}, toPorts: [" DNS "]}",
	 "4 redirectBackend.localEndpointSelector: nothing meets all that is required of "
	 "the label "
	 "io.kubernetes.pod.namespace\n"},
	{ADDRESS(DNS) ", " BACKEND(DNS) ", skipRedirectFromBackends: true",
	 "4 skipRedirectFromBackends: is not known: did you mean "
	 "skipRedirectFromBackend?\n"},
	{ADDRESS(DNS) ", " BACKEND(DNS) ", skipRedirectFromBackend: 1",
	 "4 skipRedirectFromBackend: got the number 1, want true or false\n"},
};

static void refused(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *input = g_strdup_printf(LRP "spec: {%s}\n", bad[i].spec);
		g_auto(GStrv) lines = g_strsplit(bad[i].problems, "\n", -1);
		g_autoptr(GString) expected = g_string_new(NULL);

		for (char **line = lines; **line; line++)
			g_string_append_printf(expected,
					       "%.1s CiliumLocalRedirectPolicy n/a, spec.%s\n",
					       *line, *line + 2);
		assert_rows(input, expected->str);
	}
	assert_rows(LRP,
		    "1 CiliumLocalRedirectPolicy n/a, spec: is missing\n"
		    "1 CiliumLocalRedirectPolicy n/a, spec.redirectFrontend: wants one of "
		    "addressMatcher and serviceMatcher\n"
		    "1 CiliumLocalRedirectPolicy n/a, spec.redirectBackend.localEndpointSelector: "
		    "got nothing, want a selector ({} selects all)\n"
		    "1 CiliumLocalRedirectPolicy n/a, spec.redirectBackend.toPorts: is missing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
