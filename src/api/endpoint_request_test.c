/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/api/endpoint_request.h"

static void test_round_trip(void **state)
{
	static const char json[] =
		"{\"id\":0,\"addressing\":{\"ipv4\":\"10.0.0.5\",\"ipv6\":\"fd00::5\","
		"\"ipv4-expiration-uuid\":\"u4\",\"ipv6-expiration-uuid\":\"u6\"},"
		"\"container-id\":\"c\",\"container-name\":\"n\",\"container-interface-name\":"
		"\"eth0\","
		"\"container-netns-path\":\"/run/netns/x\",\"k8s-namespace\":\"default\","
		"\"k8s-pod-name\":\"web\",\"k8s-uid\":\"u\",\"interface-name\":\"lxc1\","
		"\"interface-index\":7,\"mac\":\"02:00:00:00:00:01\",\"host-mac\":\"02:00:00:00:00:"
		"aF\","
		"\"labels\":[\"container:app=web\"],\"netns-cookie\":\"18446744073709551615\","
		"\"sync-build-endpoint\":true,"
		"\"datapath-configuration\":{\"disable-sip-verification\":true}}";
	struct endpoint_change_request request = {0};
	g_autoptr(GError) error = NULL;
	g_autofree char *again = NULL;
	g_autofree char *want = g_strdup(json);
	struct addr addr;

	assert_int_equal(endpoint_change_request_decode(json, strlen(json), &request, &error), 0);
	assert_int_equal(addr_parse("10.0.0.5", &addr), 0);
	assert_memory_equal(&request.addr4, &addr, sizeof(addr));
	assert_string_equal(request.expiration_uuid6, "u6");
	assert_string_equal(request.k8s_pod_name, "web");
	assert_int_equal(request.interface_index, 7);
	assert_int_equal(request.host_mac.bytes[5], 0xaf);
	assert_string_equal(label_set_find(request.labels, "container", "app"), "web");
	assert_true(request.netns_cookie == UINT64_MAX);
	assert_true(request.sync_build_endpoint);
	assert_true(request.disable_source_verification);

	again = endpoint_change_request_encode(&request);
	strstr(want, "aF")[1] = 'f';
	assert_string_equal(again, want);
	endpoint_change_request_fini(&request);
}

/* What Cilium's own CNI plugin sends besides. */
static void test_what_says_nothing_is_accepted(void **state)
{
	static const char json[] =
		"{\"state\":\"waiting-for-identity\",\"datapath-configuration\":{\"require-"
		"routing\":true,"
		"\"disable-sip-verification\":false},\"policy-enabled\":false,\"properties\":null,"
		"\"pid\":0,\"addressing\":null,\"mac\":\"\",\"labels\":null}";
	struct endpoint_change_request request = {0};
	g_autoptr(GError) error = NULL;

	assert_int_equal(endpoint_change_request_decode(json, strlen(json), &request, &error), 0);
	endpoint_change_request_fini(&request);
}

static const struct {
	const char *json;
	const char *message; /* part of it */
} bad_requests[] = {
	{"", "the body is not JSON"},
	{"{\"id\":1", "the body is not JSON: line 1"},
	{"{\"id\":1,\"id\":2}", "the body is not JSON"},
	{"[]", "the body is not a JSON object"},
	{"{\"color\":1}", "color: unknown member"},
	{"{\"id\":-1}", "id: expected a number in 0..65535"},
	{"{\"id\":65536}", "id: expected a number in 0..65535"},
	{"{\"id\":\"1\"}", "id: expected a number"},
	{"{\"interface-index\":4294967296}", "interface-index: expected a number in 0..2147483647"},
	{"{\"netns-cookie\":5}", "netns-cookie: expected a number of at most 64 bits as text"},
	{"{\"netns-cookie\":\"18446744073709551616\"}", "netns-cookie: expected a number"},
	{"{\"netns-cookie\":\"-1\"}", "netns-cookie: expected a number"},
	{"{\"container-id\":5}", "container-id: expected text"},
	{"{\"container-id\":\"a\\u0000b\"}", "the body is not JSON"},
	{"{\"mac\":\"02:00:00:00:00\"}", "mac: \"02:00:00:00:00\" is not a MAC address"},
	{"{\"mac\":\"02:00:00:00:00:0g\"}", "is not a MAC address"},
	{"{\"addressing\":[]}", "addressing: expected an object"},
	{"{\"addressing\":{\"ipv4\":\"fd00::1\"}}",
	 "addressing.ipv4: \"fd00::1\" is not an IPv4 address"},
	{"{\"addressing\":{\"ipv6\":\"10.0.0.1\"}}", "is not an IPv6 address"},
	{"{\"addressing\":{\"ipv5\":\"x\"}}", "addressing.ipv5: unknown member"},
	{"{\"labels\":\"app=web\"}", "labels: expected a list"},
	{"{\"labels\":[5]}", "labels: element 0 is not source:key=value"},
	{"{\"labels\":[\"k8s:a=b\",\"reserved:host\"]}",
	 "labels: element 1: \"reserved\" is no source to give"},
	{"{\"sync-build-endpoint\":1}", "sync-build-endpoint: expected true or false"},
	{"{\"policy-enabled\":true}", "policy-enabled: not supported"},
	{"{\"datapath-configuration\":{\"disable-sip-verification\":1}}",
	 "datapath-configuration.disable-sip-verification: expected true or false"},
	{"{\"datapath-configuration\":{\"require-arp-passthrough\":true}}",
	 "datapath-configuration.require-arp-passthrough: not supported"},
	{"{\"id\":-1,\"mac\":\"x\"}", "; mac: \"x\" is not a MAC address"}, /* all of them */
};

static void test_bad_requests(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad_requests); i++) {
		struct endpoint_change_request request = {0};
		g_autoptr(GError) error = NULL;
		const char *json = bad_requests[i].json;

		assert_int_equal(
			endpoint_change_request_decode(json, strlen(json), &request, &error),
			-EINVAL);
		if (!strstr(error->message, bad_requests[i].message))
			fail_msg("%s: got \"%s\"", json, error->message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_what_says_nothing_is_accepted),
		cmocka_unit_test(test_bad_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
