/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/map_text.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "abi/lb.h"
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

static void services(void **state)
{
	const struct lb_frontend_key key = {addr_of("10.96.0.10"), htons(53), IPPROTO_UDP, {0}};
	const struct lb_frontend_key key6 = {addr_of("fd00::a"), htons(443), IPPROTO_TCP, {0}};
	const struct lb_frontend_key wildcard = {.addr = addr_of("10.96.0.10")};
	const struct lb_frontend frontend = {
		.id = 3,
		.service = 7,
		.affinity_timeout = 10800,
		.flags = LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_EXTERNAL_LOCAL | LB_FRONTEND_F_DSR,
		.type = LB_TYPE_LOAD_BALANCER,
		.algorithm = LB_ALGORITHM_MAGLEV,
	};
	const struct lb_frontend none = {
		.id = 4, .flags = LB_FRONTEND_F_WILDCARD, .type = LB_TYPE_CLUSTER_IP};

	assert_key(PLAN_MAP_cilium_lb_services, &key, "10.96.0.10:53/UDP");
	assert_key(PLAN_MAP_cilium_lb_services, &key6, "[fd00::a]:443/TCP");
	assert_key(PLAN_MAP_cilium_lb_services, &wildcard, "10.96.0.10:0/ANY");
	assert_value(PLAN_MAP_cilium_lb_services, &frontend,
		     "id=3 service=7 type=LoadBalancer algorithm=maglev affinity=10800s "
		     "flags=external,external-local,dsr");
	assert_value(PLAN_MAP_cilium_lb_services, &none,
		     "id=4 service=0 type=ClusterIP flags=wildcard");
}

static void backends(void **state)
{
	const uint32_t id = 12, set = LB_SET(7, 1);
	const struct lb_slot_key slot_key = {LB_SET(7, 0), 3};
	const struct lb_maglev_key chunk_key = {LB_SET(7, 0), 63};
	const struct lb_slot slot = {12};
	const struct lb_set slots = {4};
	const struct lb_maglev_chunk chunk = {{5, 6, 5}};
	const struct lb_backend backend = {
		.addr = addr_of("10.0.0.5"),
		.port = htons(8080),
		.protocol = IPPROTO_SCTP,
		.state = LB_BACKEND_TERMINATING,
		.flags = LB_BACKEND_F_LOCAL,
		.zone = 2,
		.weight = 100,
		.service = 7,
	};

	assert_key(PLAN_MAP_cilium_lb_sets, &set, "7 local");
	assert_value(PLAN_MAP_cilium_lb_sets, &slots, "slots=4");
	assert_key(PLAN_MAP_cilium_lb_slots, &slot_key, "7 all 3");
	assert_value(PLAN_MAP_cilium_lb_slots, &slot, "backend=12");
	assert_key(PLAN_MAP_cilium_lb_maglev, &chunk_key, "7 all chunk=63");
	assert_value(PLAN_MAP_cilium_lb_maglev, &chunk, "positions=3 backends=2");
	assert_key(PLAN_MAP_cilium_lb_backends, &id, "12");
	assert_value(PLAN_MAP_cilium_lb_backends, &backend,
		     "10.0.0.5:8080/SCTP service=7 state=terminating weight=100 zone=2 "
		     "flags=local");
}

static void source_ranges_and_endpoints(void **state)
{
	const struct addr addr = addr_of("10.0.0.0");
	struct lb_source_range_key range = {.prefix_len = LB_SOURCE_RANGE_BITS + 96 + 8,
					    .service = 7};
	const struct lb_netns_key cookie = {4242};
	const struct lb_netns netns = {.addr4 = addr_of("10.0.0.5"), .endpoint = 9};
	const struct lb_skip_key skip = {
		.addr = addr_of("10.96.0.10"),
		.port = htons(53),
		.protocol = IPPROTO_UDP,
		.endpoint = 9,
	};

	memcpy(&range.addr, &addr, sizeof(addr));
	assert_key(PLAN_MAP_cilium_lb_source_range, &range, "7 10.0.0.0/8");
	assert_value(PLAN_MAP_cilium_lb_source_range, &range, "named");
	assert_key(PLAN_MAP_cilium_lb_netns, &cookie, "4242");
	assert_value(PLAN_MAP_cilium_lb_netns, &netns, "endpoint=9 ipv4=10.0.0.5 ipv6=<none>");
	assert_key(PLAN_MAP_cilium_skip_lb, &skip, "10.96.0.10:53/UDP endpoint=9");
	assert_value(PLAN_MAP_cilium_skip_lb, &skip, "not translated");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(policy),
		cmocka_unit_test(services),
		cmocka_unit_test(backends),
		cmocka_unit_test(source_ranges_and_endpoints),
		cmocka_unit_test(prefixes_are_read_again),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(ipcache),
		cmocka_unit_test(devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
