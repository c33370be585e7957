// SPDX-License-Identifier: Apache-2.0
/* What annotations say of a Service, and what is refused. */
#include "src/source/decode_service_test.h"

/* lines: the annotations, from line 6 on. */
static void assert_annotations(const char *lines, const char *expected)
{
	g_autofree char *input = g_strdup_printf(
		"apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  annotations:\n"
		"%sspec: {}\n",
		lines);

	assert_rows(input, expected);
}

#define A(name, value) "    " name ": \"" value "\"\n"

static void of_cilium(void **state)
{
	assert_annotations(A("service.cilium.io/type", "NodePort")
				   A("service.cilium.io/lb-algorithm", "maglev")
					   A("service.cilium.io/forwarding-mode", "dsr")
						   A("service.cilium.io/src-ranges-policy", "deny")
							   A("service.cilium.io/proxy-delegation",
							     "delegate-if-local"),
			   "default/a: - only-NodePort maglev dsr delegate deny\n");
	assert_annotations(A("service.cilium.io/type",
			     "ClusterIP") A("service.cilium.io/lb-algorithm", "random")
				   A("service.cilium.io/forwarding-mode", "snat")
					   A("service.cilium.io/src-ranges-policy", "allow")
						   A("service.cilium.io/proxy-delegation", "none"),
			   "default/a: - only-ClusterIP random snat\n");
	assert_annotations(
		A("service.cilium.io/type", "LoadBalancer") A("service.cilium.io/node", "lb-1")
			A("service.cilium.io/global", "true") A("kubectl.kubernetes.io/x", "{}"),
		"default/a: - only-LoadBalancer node lb-1\n");
	assert_annotations(
		A("service.cilium.io/type", "clusterip") A("service.cilium.io/lb-algorithm", "")
			A("service.cilium.io/forwarding-mode", "hybrid")
				A("service.cilium.io/src-ranges-policy", "drop")
					A("service.cilium.io/proxy-delegation", "yes")
						A("service.cilium.io/node", "a b"),
		"6 Service default/a, metadata.annotations[\"service.cilium.io/type\"]: got "
		"\"clusterip\", want ClusterIP, NodePort or LoadBalancer\n"
		"7 Service default/a, metadata.annotations[\"service.cilium.io/lb-algorithm\"]: "
		"got "
		"\"\", want random or maglev\n"
		"8 Service default/a, metadata.annotations[\"service.cilium.io/forwarding-mode\"]: "
		"got "
		"\"hybrid\", want snat or dsr\n"
		"9 Service default/a, "
		"metadata.annotations[\"service.cilium.io/src-ranges-policy\"]: "
		"got \"drop\", want allow or deny\n"
		"10 Service default/a, "
		"metadata.annotations[\"service.cilium.io/proxy-delegation\"]: "
		"got \"yes\", want none or delegate-if-local\n"
		"11 Service default/a, metadata.annotations[\"service.cilium.io/node\"]: got \"a "
		"b\", "
		"want at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit at both "
		"ends\n");
}

static void topology(void **state)
{
	assert_annotations(A("service.kubernetes.io/topology-mode", "Auto"),
			   "default/a: - hints\n");
	assert_annotations(A("service.kubernetes.io/topology-aware-hints", "auto"),
			   "default/a: - hints\n");
	assert_annotations(A("service.cilium.io/topology-aware", "true"), "default/a: - hints\n");
	assert_annotations(A("service.kubernetes.io/topology-mode", "Disabled")
				   A("service.cilium.io/topology-aware", "false"),
			   "default/a: -\n");
	assert_annotations(A("service.cilium.io/topology-aware", "yes"),
			   "6 Service default/a, "
			   "metadata.annotations[\"service.cilium.io/topology-aware\"]: got "
			   "\"yes\", want false or true\n");
	assert_rows("apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: "
		    "{service.kubernetes.io/topology-mode: Auto}}\n"
		    "spec: {trafficDistribution: PreferClose}\n",
		    "default/a: - hints\n");
}

static void node_selector(void **state)
{
	static const struct {
		const char *text, *expected;
	} good[] = {
		{"a=b", "{k8s.a=b}"},
		{" a == b , ! x.y/c , d ", "{k8s.a=b, k8s.d, !k8s.x.y/c}"},
		{"a!=b", "{k8s.a notin (b)}"},
		{"a in (c, b,b)", "{k8s.a in (b c)}"},
		{"a notin(b,),in in (in)", "{k8s.a notin ( b), k8s.in=in}"},
		{"a=", "{k8s.a=}"},
		{"", ""},
	};
	static const struct {
		const char *text, *problem;
	} bad[] = {
		{"a b", "at \"b\": want a comma, or the end"},
		{"a=b,", "at \"\": want after the key of a label: [domain/]name"},
		{"!a=b", "at \"=b\": want a comma, or the end"},
		{"a in b", "at \"b\": want ("},
		{"a in (b", "at \"\": want )"},
		{"a>1", "at \">1\": want a comma, or the end"},
		{"/a", "at \"\": want after the key of a label: [domain/]name"},
		{"a=-", "at \"\": want after the value of a label: at most 63 of A-Z, a-z, 0-9, "
			"'-', '_' and '.', a letter or digit at both ends"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *line = g_strdup_printf(
			"    service.cilium.io/node-selector: \"%s\"\n", good[i].text);
		g_autofree char *expected = g_strdup_printf("default/a: -%s\n", good[i].expected);

		assert_annotations(line, expected);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *line = g_strdup_printf(
			"    service.cilium.io/node-selector: \"%s\"\n", bad[i].text);
		g_autofree char *expected = g_strdup_printf(
			"6 Service default/a, "
			"metadata.annotations[\"service.cilium.io/node-selector\"]: %s\n",
			bad[i].problem);

		assert_annotations(line, expected);
	}
}

#define HEALTH(suffix, value) A("axoneme.io/health-check" suffix, value)

static void health(void **state)
{
	assert_annotations(HEALTH("", "tcp"), "default/a: - tcp - 1000/5000ms 2/1\n");
	assert_annotations(HEALTH("", "http:/healthz?x=1") HEALTH("-interval", "1m")
				   HEALTH("-timeout", "2.5s") HEALTH("-failures", "100")
					   HEALTH("-successes", "3"),
			   "default/a: - http /healthz?x=1 2500/60000ms 100/3\n");
	/* A timeout that nobody chose fits into the interval. */
	assert_annotations(HEALTH("", "tcp") HEALTH("-interval", "100ms"),
			   "default/a: - tcp - 100/100ms 2/1\n");
}

static void bad_health(void **state)
{
	static const struct {
		const char *lines, *problem;
	} bad[] = {
		{HEALTH("", "udp"), "6 \"]: got \"udp\", want tcp, or http: and a path that begins "
				    "with /, as in http:/healthz"},
		{HEALTH("", "http:"), "6 \"]: got \"http:\", want tcp, or http: and a path that "
				      "begins with /, as in http:/healthz"},
		{HEALTH("", "http:/a b"), "6 \"]: got \"http:/a b\", want tcp, or http: and a path "
					  "that begins with /, as in http:/healthz"},
		{HEALTH("-interval", "1s"),
		 "6 -interval\"]: has no effect without axoneme.io/health-check"},
		{HEALTH("", "tcp") HEALTH("-interval", "5"),
		 "7 -interval\"]: got \"5\", want a duration such as 5s or 500ms"},
		{HEALTH("", "tcp") HEALTH("-interval", "99ms"),
		 "7 -interval\"]: got \"99ms\", want 100ms to 1h"},
		{HEALTH("", "tcp") HEALTH("-timeout", "6s"),
		 "7 -timeout\"]: got \"6s\", want 10ms to the interval"},
		{HEALTH("", "tcp") HEALTH("-failures", "0"),
		 "7 -failures\"]: got \"0\", want a number from 1 to 100"},
		{HEALTH("", "tcp") HEALTH("-successes", "101"),
		 "7 -successes\"]: got \"101\", want a number from 1 to 100"},
		{HEALTH("s", "tcp"), "6 s\"]: is not known: did you mean axoneme.io/health-check?"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		const char *rest = strchr(bad[i].problem, ' ') + 1;
		g_autofree char *expected = g_strdup_printf(
			"%c Service default/a, metadata.annotations[\"axoneme.io/health-check%s\n",
			bad[i].problem[0], rest);

		assert_annotations(bad[i].lines, expected);
	}
}

static void health_of_udp(void **state)
{
	assert_rows(
		"apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: "
		"{axoneme.io/health-check: tcp}}\n"
		"spec: {ports: [{port: 53, protocol: UDP}]}\n",
		"3 Service default/a, metadata.annotations[\"axoneme.io/health-check\"]: has no "
		"effect: the service has no port of TCP\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_cilium),     cmocka_unit_test(topology),
		cmocka_unit_test(node_selector), cmocka_unit_test(health),
		cmocka_unit_test(bad_health),    cmocka_unit_test(health_of_udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
