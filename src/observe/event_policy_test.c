/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "abi/drop.h"
#include "abi/metrics.h"
#include "abi/policy.h"
#include "src/observe/event_policy.h"

static const uint8_t tcp4[] = {
	0x02, 0,    0,  0,  0, 1, 0x02, 0, 0,  0, 0, 2, 0x08, 0x00, /* Ethernet */
	0x45, 0,    0,  40, 0, 7, 0x40, 0, 64, 6, 0, 0, 10,   0,
	0,    1,    10, 0,  0, 2, /* IPv4 */
	0x10, 0xe1, 0,  80, 0, 0, 0,    1, 0,  0, 0, 2, 0x50, 0x02,
	0xff, 0xff, 0,  0,  0, 0, /* TCP */
};

static const uint8_t echo6[] = {
	0x60, 0, 0, 0, 0, 8, 58, 63, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 1,
	0xfd, 0, 0, 0, 0, 0, 0,  0,  0,    0, 0, 0, 0, 0, 0, 2, 128, 0, 0, 0, 0, 9, 0, 1,
};

/* From endpoint 12 to endpoint 34, judged by the rules of the second. */
static struct event make_event(uint8_t type, const uint8_t *packet, size_t n_bytes)
{
	struct event event = {
		.type = type,
		.hash = 0xabc,
		.ifindex = 7,
		.src_identity = 300,
		.dst_identity = 301,
		.src_endpoint = 12,
		.dst_endpoint = 34,
		.policy_endpoint = 34,
		.direction = METRIC_DIR_INGRESS,
		.rule_set = 9,
		.orig_len = 60,
		.cap_len = n_bytes,
		.cpu = 3,
	};

	memcpy(event.packet, packet, n_bytes);
	return event;
}

static char *name_rule(uint32_t number)
{
	return number == 77 ? g_strdup("CiliumNetworkPolicy shop/web spec.ingress[0]") : NULL;
}

static const struct event_format brief = {.rule = name_rule};

static void check(const struct event *event, const struct event_format *format, const char *want)
{
	g_autofree char *text = event_format(event, format);

	assert_string_equal(text, want);
}

#define VERDICT "Policy verdict log: flow 0xabc local EP ID "
#define TCP     ", 10.0.0.1:4321 -> 10.0.0.2:80 tcp SYN"

static void test_verdicts(void **state)
{
	struct event event = make_event(EVENT_POLICY_VERDICT, tcp4, sizeof(tcp4));

	event.subtype = EVENT_ACTION_ALLOW;
	event.match = POLICY_MATCH_L3_L4;
	event.rule = 77;
	check(&event, &brief,
	      VERDICT "34, remote ID 300, proto 6, ingress, action allow, auth: disabled, match "
		      "L3-L4" TCP ", rule CiliumNetworkPolicy shop/web spec.ingress[0]\n");
	event.rule = 78;
	event.subtype = EVENT_ACTION_AUDIT;
	event.match = POLICY_MATCH_PROTO_ONLY;
	check(&event, &brief,
	      VERDICT "34, remote ID 300, proto 6, ingress, action audit, auth: disabled, match "
		      "Proto-Only" TCP ", rule 78\n");
	event.rule = 0;
	event.subtype = EVENT_ACTION_DENY;
	event.match = POLICY_MATCH_NONE;
	event.src_identity = 2;
	check(&event, &brief,
	      VERDICT "34, remote ID world, proto 6, ingress, action deny, auth: disabled, match "
		      "none" TCP ", no rule allows it\n");
	event.rule_set = 0;
	check(&event, &(struct event_format){.numeric = true, .rule = name_rule},
	      VERDICT
	      "34, remote ID 2, proto 6, ingress, action deny, auth: disabled, match none" TCP
	      ", no rules yet\n");
}

/* Whose rules decided may be who sent the packet, or who did not; and the host is nobody's endpoint. */
static void test_remotes(void **state)
{
	struct event event = make_event(EVENT_POLICY_VERDICT, tcp4, sizeof(tcp4));

	event.subtype = EVENT_ACTION_DENY;
	event.policy_endpoint = 12;
	event.rule = 2;
	check(&event, &brief,
	      VERDICT "12, remote ID 301, proto 6, ingress, action deny, auth: disabled, match "
		      "none" TCP ", rule allow-any\n");
	event.policy_endpoint = 0;
	event.dst_identity = 1;
	event.dst_endpoint = 0;
	event.drop_reason = DROP_AUTH_REQUIRED;
	event.rule = 1;
	check(&event, &brief,
	      VERDICT
	      "0, remote ID 300, proto 6, ingress, action deny, auth: required, match none" TCP
	      ", rule allow-localhost\n");
}

static void test_numbers(void **state)
{
	struct event event = make_event(EVENT_DROP, tcp4, sizeof(tcp4));
	const struct event_format numeric = {.numeric = true, .rule = name_rule};

	event.subtype = DROP_POLICY_DENY;
	event.file = SOURCE_POLICY;
	event.line = 9;
	event.rule = 77;
	check(&event, &numeric,
	      "xx drop (Policy denied by denylist) flow 0xabc to endpoint 34, ifindex 7, file "
	      "bpf/lib/policy.h:9, , identity 300->301: 10.0.0.1:4321 -> 10.0.0.2:80 tcp SYN, rule "
	      "77\n");
	check(&event, &brief,
	      "xx drop (Policy denied by denylist) flow 0xabc to endpoint 34, ifindex 7, file "
	      "bpf/lib/policy.h:9, , identity 300->301: 10.0.0.1:4321 -> 10.0.0.2:80 tcp SYN, rule "
	      "CiliumNetworkPolicy shop/web spec.ingress[0]\n");
	event.rule_set = event.rule = 0;
	assert_false(event_is_of_policy(&event));
}

#define LINE "------------------------------------------------------------------------------\n"

static void test_blocks(void **state)
{
	const struct event_format verbose = {.detail = EVENT_VERBOSE, .rule = name_rule};
	struct event event = make_event(EVENT_DROP, echo6, sizeof(echo6));

	event.flags = EVENT_F_IPV6 | EVENT_F_L3_DEVICE;
	event.subtype = DROP_POLICY_DENIED;
	check(&event, &verbose,
	      LINE
	      "CPU 03: MARK 0xabc FROM 12 DROP: 60 bytes, reason Policy denied, identity "
	      "300->301, to endpoint 34\n"
	      "IPv6\tSrcIP=fd00::1 DstIP=fd00::2 TTL=63 Protocol=58 Length=48\n"
	      "ICMPv6\tTypeCode=EchoRequest Id=9 Seq=1\n"
	      "That is a packet that no rule allows, while a policy selects its sender or its "
	      "receiver. 'cilium explain' names the policies that select the endpoint. Add a rule "
	      "for the peer and the port, in the direction that the drop names: ingress of who "
	      "answers, egress of who opens.\n"
	      "no rule allows it\n"
	      "Why: cilium explain --from fd00::1 --to fd00::2 --protocol icmpv6 --icmp-type 128 "
	      "--source-port 9\n");
	event = make_event(EVENT_POLICY_VERDICT, tcp4, sizeof(tcp4));
	event.subtype = EVENT_ACTION_ALLOW;
	event.rule = 77;
	check(&event, &verbose,
	      VERDICT "34, remote ID 300, proto 6, ingress, action allow, auth: disabled, match "
		      "none" TCP ", rule CiliumNetworkPolicy shop/web spec.ingress[0]\n"
		      "Why: cilium explain --from 10.0.0.1 --to 10.0.0.2 --protocol tcp --port 80 "
		      "--source-port 4321\n");
}

static void test_json(void **state)
{
	struct event event = make_event(EVENT_POLICY_VERDICT, tcp4, sizeof(tcp4));
	json_auto_t *got = NULL, *want = NULL;

	event.subtype = EVENT_ACTION_DENY;
	event.drop_reason = DROP_POLICY_DENY;
	event.rule = 77;
	event.match = POLICY_MATCH_L3_ONLY;
	got = event_to_json(&event, &brief);
	json_object_del(got, "summary");
	want = json_pack(
		"{s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:s, "
		"s:s, s:s, s:s}",
		"cpu", 3, "type", "policy-verdict", "mark", "0xabc", "source", 12, "bytes", 60,
		"srcLabel", 300, "dstLabel", 301, "dstID", 34, "direction", "ingress", "match",
		"L3-Only", "localEndpoint", 34, "remoteIdentity", 300, "ruleSet", 9, "rule", 77,
		"ruleText", "CiliumNetworkPolicy shop/web spec.ingress[0]", "action", "deny",
		"auth", "disabled", "reason", "Policy denied by denylist");
	assert_true(json_equal(got, want));
	event.type = EVENT_DROP;
	event.subtype = DROP_POLICY_DENY;
	json_decref(got);
	got = event_to_json(&event, &brief);
	assert_int_equal(json_integer_value(json_object_get(got, "rule")), 77);
	assert_null(json_object_get(got, "action"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_numbers),  cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
