/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "abi/drop.h"
#include "abi/event.h"
#include "src/cli/explain_report.h"
#include "src/cli/explain_service.h"

/* ---- an agent that knows everything, or nothing ---- */

static const struct {
	enum api_call call;
	const char *arg, *query, *answer;
} answers[] = {
	{API_IDENTITY_GET, "300", NULL,
	 "{\"labels\": [\"k8s:app=front\", \"k8s:io.cilium.k8s.policy.cluster=default\","
	 " \"k8s:io.kubernetes.pod.namespace=shop\", \"k8s:tier=x\"]}"},
	{API_IDENTITY_GET, "301", NULL, "{\"labels\": [\"k8s:app=web\"]}"},
	{API_ENDPOINT_GET, "12", NULL,
	 "{\"status\": {\"external-identifiers\": {\"pod-name\": \"shop/front\"}}}"},
	{API_ENDPOINT_GET, "34", NULL,
	 "{\"status\": {\"external-identifiers\": {\"pod-name\": \"shop/web\"}}}"},
	{API_IP_LIST, NULL, "cidr=10.9.0.1/32",
	 "[{\"metadata\": {\"namespace\": \"shop\", \"name\": \"far\"}}]"},
	{API_SERVICE_LIST, NULL, "frontend=10.96.0.1:80",
	 "[{\"spec\": {\"flags\": {\"name\": \"web\", \"namespace\": \"shop\"}}}]"},
	{API_HEALTHZ_GET, NULL, NULL,
	 "{\"kube-proxy-replacement\": {\"features\": {\"socketLB\": {\"enabled\": true}}}}"},
	{API_POLICY_RULES, NULL, "rule=77",
	 "[{\"rule\": 77, \"policy\": \"CiliumNetworkPolicy/shop/web\", \"path\": "
	 "\"spec.ingress[1]\","
	 " \"file\": \"web.yaml\", \"line\": 12, \"log\": \"shop team\"}]"},
	{API_POLICY_ENDPOINT, "12", NULL,
	 "{\"egress\": {\"policies\": []}, \"ingress\": {\"policies\": []}}"},
	{API_POLICY_ENDPOINT, "34", NULL,
	 "{\"egress\": {\"policies\": []}, \"ingress\": {\"policies\": ["
	 "{\"policy\": \"CiliumNetworkPolicy/shop/web\", \"default-deny\": true},"
	 "{\"policy\": \"CiliumNetworkPolicy/shop/web\", \"default-deny\": true},"
	 "{\"policy\": \"NetworkPolicy/shop/db\", \"default-deny\": true},"
	 "{\"policy\": \"CiliumClusterwideNetworkPolicy/soft\", \"default-deny\": false}]}}"},
	{API_POLICY_STATUS, NULL, NULL,
	 "{\"policies\": [{\"policy\": \"CiliumNetworkPolicy/shop/web\", \"notes\": ["
	 "{\"path\": \"spec.ingress[1].toPorts[0]\", \"fails-closed\": true, \"text\": \"L7 "
	 "rules\"},"
	 "{\"path\": \"spec.ingress[0]\", \"fails-closed\": true, \"text\": \"other\"},"
	 "{\"path\": \"spec.ingress[1]\", \"fails-closed\": false, \"text\": \"warning\"}]}]}"},
};

static const json_t *know(enum api_call call, const char *arg, const char *query, void *data)
{
	static json_t *parsed[G_N_ELEMENTS(answers)];

	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		if (answers[i].call != call || g_strcmp0(answers[i].arg, arg) ||
		    g_strcmp0(answers[i].query, query))
			continue;
		if (!parsed[i])
			parsed[i] = json_loads(answers[i].answer, 0, NULL);
		assert_non_null(parsed[i]);
		return parsed[i];
	}
	return NULL;
}

static const json_t *know_nothing(enum api_call call, const char *arg, const char *query,
				  void *data)
{
	return NULL;
}

/* ---- reports ---- */

static struct addr addr(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

/* From shop/front to shop/web, TCP 80, which nothing of front concerns. */
static struct explain_report make_report(struct policy_leaf leaf)
{
	struct explain_report report = {
		.packet = "10.0.0.1:50000 -> 10.0.0.2:80 tcp SYN",
		.program = "cil_from_container",
		.device = "lxc1",
		.ifindex = 7,
		.ends = {{.addr = addr("10.0.0.1"), .where = EXPLAIN_ENDPOINT, .endpoint = 12},
			 {.addr = addr("10.0.0.2"), .where = EXPLAIN_ENDPOINT, .endpoint = 34}},
		.explain = {.verdict = TC_ACT_REDIRECT,
			    .trace_point = TRACE_TO_ENDPOINT,
			    .connection = EXPLAIN_CONNECTION_NEW,
			    .from_opener = 1,
			    .judged = 1 << POLICY_INGRESS | 1 << POLICY_EGRESS,
			    .src_endpoint = 12,
			    .dst_endpoint = 34,
			    .src_identity = 300,
			    .dst_identity = 301},
	};
	struct policy_judgement judgement = {
		.rule_set = 8,
		.peer = 301,
		.endpoint = 12,
		.port = htons(80),
		.protocol = IPPROTO_TCP,
		.direction = POLICY_EGRESS,
		.entry = POLICY_ENTRY_UNASKED,
		.prefix_len = POLICY_PREFIX_NONE,
		.flags = POLICY_F_OPEN_EGRESS,
		.leaf = {.rule = POLICY_RULE_ALLOW_ANY, .verdict = POLICY_VERDICT_ALLOW},
	};

	report.explain.judgements[POLICY_EGRESS] = judgement;
	judgement.rule_set = 9;
	judgement.peer = 300;
	judgement.endpoint = 34;
	judgement.direction = POLICY_INGRESS;
	judgement.entry = POLICY_ENTRY_OWN;
	judgement.class = 5;
	judgement.prefix_len = 13;
	judgement.flags = 0;
	judgement.leaf = leaf;
	report.explain.judgements[POLICY_INGRESS] = judgement;
	return report;
}

static void drop(struct explain_report *report, uint8_t reason)
{
	report->explain.verdict = TC_ACT_SHOT;
	report->explain.drop_reason = reason;
	report->explain.drop_file = SOURCE_POLICY;
	report->explain.drop_line = 99;
}

static void check(const struct explain_report *report, bool knows, const char *want)
{
	const struct explain_agent agent = {.ask = knows ? know : know_nothing};
	json_auto_t *json = explain_report_to_json(report, &agent);
	g_autoptr(GString) text = g_string_new(NULL);

	explain_report_append(text, json);
	assert_string_equal(text->str, want);
}

#define HEAD                                                                                       \
	"packet      10.0.0.1:50000 -> 10.0.0.2:80 tcp SYN\n"                                      \
	"from        shop/front 10.0.0.1, endpoint 12 of this node, identity 300 (k8s:app=front, " \
	"k8s:tier=x)\n"                                                                            \
	"to          shop/web 10.0.0.2, endpoint 34 of this node, identity 301 (k8s:app=web)\n"    \
	"program     cil_from_container on lxc1\n"
#define NEW "connection  none yet: the rules are asked\n"
#define EGRESS                                                                     \
	"egress      allowed: the rules of shop/front, asked about identity 301\n" \
	"            rule set version 8\n"                                         \
	"            no policy selects the endpoint for egress: everything is allowed\n"
#define RULE_SET                                                                          \
	"            rule set version 9, of CiliumNetworkPolicy shop/web, NetworkPolicy " \
	"shop/db and CiliumClusterwideNetworkPolicy soft\n"
#define OWN "            identity 300 has an entry of its own\n"

static void test_allowed(void **state)
{
	struct explain_report report =
		make_report((struct policy_leaf){.rule = 77, .verdict = POLICY_VERDICT_ALLOW});

	check(&report, true,
	      HEAD NEW EGRESS
	      "ingress     allowed: the rules of shop/web, asked about identity 300\n" RULE_SET OWN
	      "            class 5: the entry for TCP 80 to 87 decides, which holds 80\n"
	      "            allowed by rule CiliumNetworkPolicy shop/web spec.ingress[1] "
	      "(web.yaml:12)\n"
	      "            log: shop team\n"
	      "result      allowed: goes into the pod\n");
	check(&report, false,
	      "packet      10.0.0.1:50000 -> 10.0.0.2:80 tcp SYN\n"
	      "from        10.0.0.1, endpoint 12 of this node, identity 300\n"
	      "to          10.0.0.2, endpoint 34 of this node, identity 301\n"
	      "program     cil_from_container on lxc1\n" NEW
	      "egress      allowed: the rules of endpoint 12, asked about identity 301\n"
	      "            rule set version 8\n"
	      "            no policy selects the endpoint for egress: everything is allowed\n"
	      "ingress     allowed: the rules of endpoint 34, asked about identity 300\n"
	      "            rule set version 9\n" OWN
	      "            class 5: the entry for TCP 80 to 87 decides, which holds 80\n"
	      "            allowed by rule 77\n"
	      "result      allowed: goes into the pod\n");
}

static void test_default_deny(void **state)
{
	struct explain_report report = make_report((struct policy_leaf){0});
	struct policy_judgement *ingress = &report.explain.judgements[POLICY_INGRESS];

	drop(&report, DROP_POLICY_DENIED);
	ingress->prefix_len = POLICY_PREFIX_NONE;
	ingress->entry = POLICY_ENTRY_OTHERS;
	check(&report, true,
	      HEAD NEW EGRESS
	      "ingress     denied: the rules of shop/web, asked about identity 300\n" RULE_SET
	      "            identity 300 has no entry of its own: what is said of all others "
	      "counts\n"
	      "            class 5 says nothing of TCP 80: what it says of all else counts\n"
	      "            no rule of CiliumNetworkPolicy shop/web, NetworkPolicy shop/db and "
	      "CiliumClusterwideNetworkPolicy soft matches; CiliumNetworkPolicy shop/web and "
	      "NetworkPolicy shop/db select the endpoint for ingress, so what no rule allows is "
	      "denied\n"
	      "result      dropped: Policy denied (133), bpf/lib/policy.h:99\n"
	      "            To allow it, add an ingress rule for identity 300 and TCP 80 to a "
	      "policy "
	      "that selects shop/web.\n");
	ingress->entry = POLICY_ENTRY_NONE;
	ingress->class = 0;
	ingress->flags = POLICY_F_INCOMPLETE | POLICY_F_AUDIT;
	check(&report, false,
	      "packet      10.0.0.1:50000 -> 10.0.0.2:80 tcp SYN\n"
	      "from        10.0.0.1, endpoint 12 of this node, identity 300\n"
	      "to          10.0.0.2, endpoint 34 of this node, identity 301\n"
	      "program     cil_from_container on lxc1\n" NEW
	      "egress      allowed: the rules of endpoint 12, asked about identity 301\n"
	      "            rule set version 8\n"
	      "            no policy selects the endpoint for egress: everything is allowed\n"
	      "ingress     would be denied, but is only audited: the rules of endpoint 34, asked "
	      "about "
	      "identity 300\n"
	      "            rule set version 9\n"
	      "            identity 300 has no entry: the map cilium_policy_peer is full, and who "
	      "has "
	      "no entry is denied; raise bpf-policy-map-max\n"
	      "            no rule allows it; which policies select the endpoint is not known "
	      "here\n"
	      "result      dropped: Policy denied (133), bpf/lib/policy.h:99\n"
	      "            To allow it, add an ingress rule for identity 300 and TCP 80 to a "
	      "policy "
	      "that selects the endpoint.\n");
}

static void test_rules_that_refuse(void **state)
{
	struct explain_report report =
		make_report((struct policy_leaf){.rule = 77, .verdict = POLICY_VERDICT_DENY});
	struct policy_judgement *ingress = &report.explain.judgements[POLICY_INGRESS];

	drop(&report, DROP_POLICY_DENY);
	ingress->class = 0;
	ingress->prefix_len = POLICY_PREFIX_NONE;
	report.explain.connection = EXPLAIN_CONNECTION_STALE;
	report.explain.from_opener = 0;
	check(&report, true,
	      HEAD
	      "connection  known, but rules or identities have changed since: the rules are asked "
	      "again; this is a packet of who answers\n" EGRESS
	      "ingress     denied: the rules of shop/web, asked about identity 300\n" RULE_SET OWN
	      "            and that is the same for all protocols and ports\n"
	      "            denied by rule CiliumNetworkPolicy shop/web spec.ingress[1] "
	      "(web.yaml:12)\n"
	      "            log: shop team\n"
	      "result      dropped: Policy denied by denylist (181), bpf/lib/policy.h:99\n"
	      "            A deny rule beats every allow rule: to allow it, take the peer or the "
	      "port "
	      "out of that rule.\n");
	report = make_report(
		(struct policy_leaf){.rule = 77, .verdict = POLICY_VERDICT_NEEDS_PROXY});
	drop(&report, DROP_PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL);
	report.explain.judgements[POLICY_INGRESS].prefix_len = 16;
	check(&report, true,
	      HEAD NEW EGRESS
	      "ingress     denied: the rules of shop/web, asked about identity 300\n" RULE_SET OWN
	      "            class 5: the entry for TCP 80 decides\n"
	      "            rule CiliumNetworkPolicy shop/web spec.ingress[1] (web.yaml:12) allows "
	      "it "
	      "only behind a proxy, which does not run here\n"
	      "            log: shop team\n"
	      "            spec.ingress[1].toPorts[0]: L7 rules\n"
	      "result      dropped: Proxy redirection not supported for protocol (180), "
	      "bpf/lib/policy.h:99\n"
	      "            That is a packet that a rule allows only behind a proxy, for L7, TLS or "
	      "a "
	      "listener, which does not run here. 'cilium policy list' shows in the policy's notes "
	      "which "
	      "rules are refused for that. Without their L7 part they allow the whole port.\n");
}

static void test_no_rules_yet(void **state)
{
	struct explain_report report = make_report((struct policy_leaf){0});

	drop(&report, DROP_EP_NOT_READY);
	report.explain.judged = 1 << POLICY_EGRESS;
	report.explain.judgements[POLICY_EGRESS].rule_set = 0;
	report.explain.judgements[POLICY_EGRESS].flags = 0;
	report.explain.judgements[POLICY_EGRESS].leaf = (struct policy_leaf){0};
	check(&report, true,
	      HEAD NEW
	      "egress      denied: the rules of shop/front, asked about identity 301\n"
	      "            the kernel has not been told the rules of the endpoint yet: until then "
	      "everything is denied\n"
	      "result      dropped: Endpoint policy program not available (203), "
	      "bpf/lib/policy.h:99\n"
	      "            That is a packet of an endpoint whose rules the kernel has not been "
	      "told yet. "
	      "It passes in a moment after the endpoint was made. If it lasts: 'cilium status "
	      "--verbose' says which map entries of policy the kernel refused, and why.\n");
}

static void test_elsewhere(void **state)
{
	struct explain_report report = {
		.packet = "10.9.0.1 -> 10.0.0.2 EchoRequest",
		.is_truncated = true,
		.ends = {{.addr = addr("10.9.0.1"), .where = EXPLAIN_OTHER_POD, .identity = 300},
			 {.addr = addr("192.0.2.1"), .name = "example.org", .identity = 2}},
	};

	report.ends[1].where = EXPLAIN_OUTSIDE;
	check(&report, true,
	      "packet      10.9.0.1 -> 10.0.0.2 EchoRequest, cut in the capture\n"
	      "from        shop/far 10.9.0.1, a pod of another node, identity 300 (k8s:app=front, "
	      "k8s:tier=x)\n"
	      "to          example.org 192.0.2.1, outside, identity 2 (reserved:world)\n"
	      "result      allowed: no program of this node sees the packet\n"
	      "            Only this node's half is judged: ask the same on the node of the "
	      "source\n");
}

static void check_service(const struct explain_report *report, const char *want)
{
	const struct explain_agent agent = {.ask = know};
	json_auto_t *json = explain_report_to_json(report, &agent);
	g_autoptr(GString) text = g_string_new(NULL);

	explain_report_append(text, json);
	if (!strstr(text->str, want))
		fail_msg("\"%s\" is not in \"%s\"", want, text->str);
}

static void test_service(void **state)
{
	struct explain_report report =
		make_report((struct policy_leaf){.verdict = POLICY_VERDICT_ALLOW, .rule = 77});
	struct explain *explain = &report.explain;

	explain->service = EXPLAIN_SERVICE_CHOSEN;
	explain->frontend_addr = addr("10.96.0.1");
	explain->frontend_port = htons(80);
	explain->backend_addr = addr("10.0.0.2");
	explain->backend_port = htons(8080);
	explain->backend = 4;
	check_service(&report, "\nservice     shop/web 10.96.0.1:80: would go to the back end "
			       "10.0.0.2:8080; another connection perhaps to another\n");
	explain->service_is_loopback = 1;
	check_service(&report, "10.0.0.2:8080, which is the sender itself; another connection");
	explain->service_is_loopback = 0;
	/* An address of the node: the back end does not stand behind it as a masqueraded pod does. */
	report.ends[1].where = EXPLAIN_THIS_NODE;
	check_service(&report, ", a service, identity 301 (k8s:app=web)\nprogram ");
	explain->service = EXPLAIN_SERVICE_KEPT;
	explain->service_is_direct = 1;
	check_service(&report,
		      "its connection has the back end 10.0.0.2:8080; its node answers the "
		      "client directly\n");
	explain->service_is_direct = 0;
	explain->service_is_loopback = 1;
	check_service(&report, "10.0.0.2:8080, which is the sender itself\n");
	explain->service_is_loopback = 0;
	explain->frontend_addr = addr("fd00::9");
	explain->service = EXPLAIN_SERVICE_NOBODY;
	explain->drop_reason = DROP_IS_A_CLUSTERIP;
	explain->backend_port = 0;
	check_service(&report, "\nservice     [fd00::9]:80: does not take this packet\n");
	explain->drop_reason = DROP_SERVICE_BACKEND_NOT_FOUND;
	check_service(&report,
		      "\nservice     [fd00::9]:80: has no back end for this sender, who is "
		      "told nothing\n");
	explain->service_is_rejected = 1;
	check_service(&report, "who is told so at once\n");
	explain->service = EXPLAIN_SERVICE_ANSWER;
	check_service(&report, "[fd00::9]:80: an answer of it, which leaves from there\n");
	explain->service = EXPLAIN_SERVICE_TOLD;
	check_service(&report, "[fd00::9]:80: to the back end of a connection through it\n");
}

static void test_sockets(void **state)
{
	const struct explain_agent agent = {.ask = know}, ignorant = {.ask = know_nothing};
	struct addr cluster_ip = addr("10.96.0.1"), other = addr("10.96.0.2");
	g_autofree char *why = explain_service_at_socket(&cluster_ip, htons(80), &agent);

	assert_true(g_str_has_prefix(why, "10.96.0.1:80 is the service shop/web: sockets"));
	assert_null(explain_service_at_socket(&other, htons(80), &agent));
	assert_null(explain_service_at_socket(&cluster_ip, htons(81), &agent));
	assert_null(explain_service_at_socket(&cluster_ip, htons(80), &ignorant));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),           cmocka_unit_test(test_service),
		cmocka_unit_test(test_allowed),           cmocka_unit_test(test_default_deny),
		cmocka_unit_test(test_rules_that_refuse), cmocka_unit_test(test_no_rules_yet),
		cmocka_unit_test(test_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
