/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/map_text.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "abi/policy.h"

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void assert_key(enum plan_map map, const void *key, const char *expected)
{
	g_autofree char *text = map_key_format(map, key);

	assert_string_equal(text, expected);
}

static void assert_value(enum plan_map map, const void *value, const char *expected)
{
	g_autofree char *text = map_value_format(map, value);

	assert_string_equal(text, expected);
}

static void keys(void **state)
{
	const struct endpoint_key endpoint = {addr_of("10.0.0.5")},
				  endpoint6 = {addr_of("fd00::5")};
	const uint32_t ifindex = 7;

	assert_key(PLAN_MAP_cilium_lxc, &endpoint, "10.0.0.5:0");
	assert_key(PLAN_MAP_cilium_lxc, &endpoint6, "fd00::5:0");
	assert_key(PLAN_MAP_cilium_ipcache, &endpoint, "10.0.0.5/32");
	assert_key(PLAN_MAP_cilium_ipcache, &endpoint6, "fd00::5/128");
	assert_key(PLAN_MAP_cilium_lxc_device, &ifindex, "7");
	assert_key(PLAN_MAP_cilium_devices, &ifindex, "7");
}

/* What is printed, parsed again, is the key. */
static void prefixes_are_read_again(void **state)
{
	static const char *const texts[] = {"0.0.0.0/0",    "::/0",        "10.0.0.0/8", "fd00::/8",
					    "192.0.2.1/32", "fd00::1/128", "10.1.2.0/23"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct ipcache_prefix_key key;
		struct cidr cidr;

		assert_int_equal(cidr_parse(texts[i], &cidr), 0);
		key = (struct ipcache_prefix_key){.prefix_len = cidr.prefix_len, .addr = cidr.addr};
		assert_key(PLAN_MAP_cilium_ipcache_prefix, &key, texts[i]);
		assert_key(PLAN_MAP_cilium_ipmasq, &key, texts[i]);
	}
}

static void endpoints(void **state)
{
	const struct endpoint_info host = {.flags = ENDPOINT_F_HOST};
	const struct endpoint_info pod = {
		.ifindex = 12,
		.identity = 256,
		.id = 3,
		.flags = ENDPOINT_F_QUEUED,
		.mac = {{2, 0, 0, 0, 0, 0xab}},
		.node_mac = {{2, 0, 0, 0, 0, 0xac}},
	};

	assert_value(PLAN_MAP_cilium_lxc, &host, "(localhost)");
	assert_value(PLAN_MAP_cilium_lxc_device, &pod,
		     "id=3     sec_id=256   flags=0x0200 ifindex=12  mac=02:00:00:00:00:AB "
		     "nodemac=02:00:00:00:00:AC parent_ifindex=0  ");
}

static void ipcache(void **state)
{
	struct ipcache_info info = {.identity = 2};

	assert_value(PLAN_MAP_cilium_ipcache_prefix, &info,
		     "identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>");
	info.flags = IPCACHE_F_REMOTE_NODE;
	info.tunnel_endpoint = addr_of("fd00::9");
	info.encrypt_key = 255;
	assert_value(PLAN_MAP_cilium_ipcache, &info,
		     "identity=2 encryptkey=255 tunnelendpoint=fd00::9 flags=remotenode");
	info.flags = IPCACHE_F_LOCAL_HOST;
	assert_value(PLAN_MAP_cilium_ipcache, &info,
		     "identity=2 encryptkey=255 tunnelendpoint=fd00::9 flags=localhost");
}

static void devices(void **state)
{
	struct device_info info = {
		.masquerade4 = addr_of("192.0.2.1"), .mtu = 1500, .addr4 = addr_of("192.0.2.1")};

	assert_value(PLAN_MAP_cilium_devices, &info,
		     "masquerade4=192.0.2.1 masquerade6=<none> mtu=1500 flags=<none> "
		     "addr4=192.0.2.1 addr6=<none>");
	info.flags = DEVICE_F_L3;
	info.masquerade6 = addr_of("2001:db8::1");
	assert_value(PLAN_MAP_cilium_devices, &info,
		     "masquerade4=192.0.2.1 masquerade6=2001:db8::1 mtu=1500 flags=l3 "
		     "addr4=192.0.2.1 addr6=<none>");
}

static void policy(void **state)
{
	const uint32_t id = 300;
	const struct policy_endpoint element = {.version = 7, .flags = POLICY_F_AUDIT};
	const struct policy_peer_key peer_key = {7, 256, POLICY_EGRESS, {0}};
	const struct policy_class_key class_key = {3, 6, 12, htons(8080)};
	const struct policy_leaf leaf = {.rule = 99, .verdict = POLICY_VERDICT_DENY, .match = 2};
	const struct policy_peer peer = {3, 0x10001, leaf};

	assert_key(PLAN_MAP_cilium_policy_endpoint, &id, "300");
	assert_value(PLAN_MAP_cilium_policy_endpoint, &element, "version=7 flags=0x04");
	assert_key(PLAN_MAP_cilium_policy_peer, &peer_key, "7 egress 256");
	assert_value(PLAN_MAP_cilium_policy_peer, &peer,
		     "class=3 prefixes=0x10001 verdict=deny rule=99 match=2");
	assert_key(PLAN_MAP_cilium_policy_class, &class_key, "3 protocol=6 port=8080/12");
	assert_value(PLAN_MAP_cilium_policy_class, &leaf, "verdict=deny rule=99 match=2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(policy),
		cmocka_unit_test(prefixes_are_read_again),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(ipcache),
		cmocka_unit_test(devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
