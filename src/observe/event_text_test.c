/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "abi/drop.h"
#include "abi/metrics.h"
#include "src/model/addr.h"
#include "src/observe/event_text.h"

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

static struct event make_event(uint8_t type, const uint8_t *packet, size_t n_bytes)
{
	struct event event = {
		.type = type,
		.hash = 0xabc,
		.ifindex = 7,
		.src_identity = 300,
		.dst_identity = 2,
		.src_endpoint = 12,
		.dst_endpoint = 34,
		.orig_len = 60,
		.cap_len = n_bytes,
		.cpu = 3,
	};

	memcpy(event.packet, packet, n_bytes);
	return event;
}

static char *ifname(unsigned int ifindex, char *buffer)
{
	return ifindex == 7 ? strcpy(buffer, "lxc7") : NULL;
}

static const struct event_format brief = {.ifname = ifname};

static void check(const struct event *event, const struct event_format *format, const char *want)
{
	g_autofree char *text = event_format(event, format);

	assert_string_equal(text, want);
}

static void test_drop(void **state)
{
	struct event event = make_event(EVENT_DROP, tcp4, sizeof(tcp4));

	event.subtype = DROP_FIB_LOOKUP_FAILED;
	event.file = SOURCE_DELIVERY;
	event.line = 99;
	check(&event, &brief,
	      "xx drop (FIB lookup failed) flow 0xabc to endpoint 34, ifindex 7, "
	      "file bpf/lib/delivery.h:99, , identity 300->world: 10.0.0.1:4321 -> 10.0.0.2:80 tcp "
	      "SYN\n");
	event.ext_error = 12;
	check(&event, &(struct event_format){.numeric = true},
	      "xx drop (FIB lookup failed, 12) flow 0xabc to endpoint 34, ifindex 7, "
	      "file bpf/lib/delivery.h:99, , identity 300->2: 10.0.0.1:4321 -> 10.0.0.2:80 tcp "
	      "SYN\n");
}

static void test_trace_points(void **state)
{
	static const struct {
		uint8_t point;
		const char *direction;
	} cases[] = {
		{TRACE_TO_ENDPOINT, "-> endpoint 34"}, {TRACE_FROM_ENDPOINT, "<- endpoint 12"},
		{TRACE_TO_HOST, "-> host from"},       {TRACE_FROM_HOST, "<- host"},
		{TRACE_TO_STACK, "-> stack"},          {TRACE_FROM_NETWORK, "<- network"},
		{TRACE_TO_NETWORK, "-> network"},
	};
	struct event event = make_event(EVENT_TRACE, tcp4, sizeof(tcp4));

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *want = g_strdup_printf(
			"%s flow 0xabc , identity 300->world state reply ifindex lxc7 "
			"orig-ip 0.0.0.0: 10.0.0.1:4321 -> 10.0.0.2:80 tcp SYN\n",
			cases[i].direction);

		event.subtype = cases[i].point;
		event.ct_state = EVENT_CT_REPLY;
		check(&event, &brief, want);
	}
}

static void test_trace6(void **state)
{
	struct event event = make_event(EVENT_TRACE, echo6, sizeof(echo6));

	event.subtype = TRACE_TO_STACK;
	event.flags = EVENT_F_IPV6 | EVENT_F_L3_DEVICE;
	event.ifindex = 8; /* gone */
	check(&event, &brief,
	      "-> stack flow 0xabc , identity 300->world state new ifindex 8 orig-ip ::: "
	      "fd00::1 -> fd00::2 EchoRequest\n");
}

static char *name_service(const char *frontend)
{
	return g_str_equal(frontend, "10.96.0.1:80") ? g_strdup("default/web") : NULL;
}

static void test_service(void **state)
{
	const struct event_format named = {.ifname = ifname, .service = name_service};
	const struct event_format verbose = {.detail = EVENT_VERBOSE, .service = name_service};
	struct event event = make_event(EVENT_TRACE, tcp4, sizeof(tcp4));
	json_t *json;

	event.subtype = TRACE_TO_ENDPOINT;
	event.service_port = htons(80);
	assert_int_equal(addr_parse("10.96.0.1", &event.service_addr), 0);
	check(&event, &named,
	      "-> endpoint 34 flow 0xabc , identity 300->world state new ifindex lxc7 "
	      "orig-ip 0.0.0.0: 10.0.0.1:4321 -> 10.0.0.2:80 tcp SYN, service default/web "
	      "10.96.0.1:80\n");
	json = event_to_json(&event, &named);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "service"), "name")),
		"default/web");
	json_decref(json);
	event.type = EVENT_DROP;
	event.subtype = DROP_SERVICE_BACKEND_NOT_FOUND;
	assert_int_equal(addr_parse("fd00::1", &event.service_addr), 0);
	{
		g_autofree char *line = event_format(&event, &named);
		g_autofree char *block = event_format(&event, &verbose);

		assert_non_null(strstr(line, "tcp SYN, service [fd00::1]:80\n"));
		assert_non_null(strstr(block, "\nservice [fd00::1]:80\n"));
	}
}

static void test_blocks(void **state)
{
	const struct event_format verbose = {.detail = EVENT_VERBOSE, .ifname = ifname};
	const struct event_format hex = {.detail = EVENT_HEX, .ifname = ifname};
	struct event event = make_event(EVENT_DROP, echo6, 20);

	event.subtype = DROP_INVALID_SOURCE_IP;
	event.flags = EVENT_F_IPV6 | EVENT_F_L3_DEVICE;
	check(&event, &hex,
	      "------------------------------------------------------------------------------\n"
	      "CPU 03: MARK 0xabc FROM 12 DROP: 60 bytes, reason Invalid source ip, "
	      "identity 300->world, to endpoint 34\n"
	      "00000000  60 00 00 00 00 08 3a 3f  fd 00 00 00 00 00 00 00  |`.....:?........|\n"
	      "00000010  00 00 00 00                                       |....|\n");
	event.subtype = DROP_VLAN_FILTERED;
	check(&event, &verbose,
	      "------------------------------------------------------------------------------\n"
	      "CPU 03: MARK 0xabc FROM 12 DROP: 60 bytes, reason VLAN traffic disallowed by VLAN "
	      "filter, identity 300->world, to endpoint 34\n"
	      "That is a packet with a VLAN tag. Let the container send without a tag.\n");
	event = make_event(EVENT_TRACE, tcp4, sizeof(tcp4));
	event.subtype = TRACE_TO_NETWORK;
	check(&event, &verbose,
	      "------------------------------------------------------------------------------\n"
	      "CPU 03: MARK 0xabc FROM 12 to-network: 60 bytes (54 captured), state new, "
	      "interface lxc7, , identity 300->world, orig-ip 0.0.0.0\n"
	      "Ethernet\tSrcMAC=02:00:00:00:00:02 DstMAC=02:00:00:00:00:01 EthernetType=0x0800\n"
	      "IPv4\tSrcIP=10.0.0.1 DstIP=10.0.0.2 TTL=64 Protocol=6 Length=40\n"
	      "TCP\tSrcPort=4321 DstPort=80 Seq=1 Ack=2 Window=65535 Flags=SYN\n");
}

static void test_json(void **state)
{
	struct event event = make_event(EVENT_TRACE, tcp4, sizeof(tcp4));
	json_auto_t *got = NULL, *want = NULL;

	event.subtype = TRACE_TO_ENDPOINT;
	got = event_to_json(&event, &brief);
	json_object_del(json_object_get(got, "summary"), "ethernet");
	json_object_del(json_object_get(got, "summary"), "ipv4");
	json_object_del(json_object_get(got, "summary"), "tcp");
	want = json_loads(
		"{\"cpu\": 3, \"type\": \"trace\", \"mark\": \"0xabc\", \"ifindex\": \"lxc7\", "
		"\"state\": "
		"\"new\","
		"\"observationPoint\": \"to-endpoint\", \"traceSummary\": \"-> endpoint 34\","
		"\"source\": 12, \"bytes\": 60, \"srcLabel\": 300, \"dstLabel\": 2, \"dstID\": 34,"
		"\"summary\": {\"l2\": {\"src\": \"02:00:00:00:00:02\", \"dst\": "
		"\"02:00:00:00:00:01\"},"
		"\"l3\": {\"src\": \"10.0.0.1\", \"dst\": \"10.0.0.2\"},"
		"\"l4\": {\"src\": \"4321\", \"dst\": \"80\"}}}",
		0, NULL);
	assert_non_null(want);
	assert_true(json_equal(got, want));
}

/* Any byte is a reason, a point, a file, a state. */
static void test_names_of_all_numbers(void **state)
{
	for (int i = 0; i < 256; i++) {
		assert_non_null(event_drop_reason_text(i));
		assert_non_null(event_trace_point_text(i));
		assert_non_null(event_source_file_text(i));
		assert_non_null(event_ct_state_text(i));
	}
	assert_string_equal(event_drop_reason_text(DROP_POLICY_DENIED), "Policy denied");
	assert_non_null(event_drop_cause(DROP_STALE_OR_UNROUTABLE_IP));
	assert_non_null(event_drop_next(DROP_STALE_OR_UNROUTABLE_IP));
	assert_null(event_drop_cause(1));
	assert_string_equal(event_metric_reason_text(METRIC_REASON_FORWARDED), "Success");
	assert_string_equal(event_metric_reason_text(1000), "unknown");
	assert_string_equal(event_ct_state_text(200), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_trace_points),
		cmocka_unit_test(test_trace6),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_names_of_all_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
