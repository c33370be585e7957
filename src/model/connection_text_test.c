/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/connection_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "src/model/addr.h"

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static uint32_t revnat;

static void assert_connection(const struct ct_key *key, const struct ct_entry *entry,
			      const uint32_t *now_tick, const char *expected)
{
	g_autoptr(GString) text = g_string_new(NULL);

	connection_append(
		text, key, entry,
		&(const struct connection_context){.now_tick = now_tick, .revnat = revnat});
	assert_string_equal(text->str, expected);
}

/* The entry is one for both directions: the line begins with who opened it. */
static void connections(void **state)
{
	const struct ct_key key = {
		.addr = {addr_of("10.0.0.1"), addr_of("198.51.100.9")},
		.port = {htons(4321), htons(80)},
		.protocol = IPPROTO_TCP,
	};
	struct ct_entry entry = {
		.expires = 100,
		.flags = CT_F_SEEN_NON_SYN,
		.tx_flags = CT_TCP_SYN | CT_TCP_FIN,
		.rx_flags = CT_TCP_SYN,
		.generation = {5, 0},
		.identity = {256, 300},
		.last_report = 90,
		.packets = 3,
		.bytes = 180,
	};
	const uint32_t before = 60, after = 130;

	assert_connection(
		&key, &entry, NULL,
		"TCP OUT 10.0.0.1:4321 -> 198.51.100.9:80 expires=100 Packets=3 Bytes=180 "
		"RxFlagsSeen=0x02 LastRxReport=90 TxFlagsSeen=0x03 LastTxReport=90 "
		"Flags=0x0004 [ TxClosing SeenNonSyn ] RevNAT=0 SourceSecurityID=256 "
		"BackendID=0");
	entry.flags = CT_F_INITIATOR_1 | CT_F_VIA_STACK;
	entry.tx_flags = 0;
	assert_connection(
		&key, &entry, &before,
		"TCP IN 198.51.100.9:80 -> 10.0.0.1:4321 expires=100 (remaining: 40 sec(s)) "
		"Packets=3 Bytes=180 RxFlagsSeen=0x02 LastRxReport=90 TxFlagsSeen=0x00 "
		"LastTxReport=90 Flags=0x0009 [ ViaStack ] RevNAT=0 SourceSecurityID=300 "
		"BackendID=0");
	entry = (struct ct_entry){.expires = 100,
				  .nat = CT_NAT_SOURCE,
				  .nat_addr = addr_of("192.0.2.1"),
				  .nat_port = htons(40000)};
	assert_connection(
		&key, &entry, &after,
		"TCP IN 10.0.0.1:4321 -> 198.51.100.9:80 expires=100 (remaining: -30 sec(s)) "
		"Packets=0 Bytes=0 RxFlagsSeen=0x00 LastRxReport=0 TxFlagsSeen=0x00 "
		"LastTxReport=0 Flags=0x0000 [ ] RevNAT=0 SourceSecurityID=0 BackendID=0 "
		"XLATE_SRC 192.0.2.1:40000");
}

/* To a front end, and behind it. */
static void services(void **state)
{
	struct ct_key key = {
		.addr = {addr_of("10.0.0.1"), addr_of("10.96.0.1")},
		.port = {htons(4321), htons(80)},
		.protocol = IPPROTO_TCP,
		.kind = CT_KIND_SERVICE,
	};
	struct ct_entry entry = {
		.expires = 100,
		.service_addr = addr_of("10.0.0.5"),
		.service_port = htons(8080),
		.backend = 7,
	};
	struct addr addr;
	__be16 port;

	revnat = 3;
	assert_connection(&key, &entry, NULL,
			  "TCP OUT 10.0.0.1:4321 -> 10.96.0.1:80 service expires=100 Packets=0 "
			  "Bytes=0 RxFlagsSeen=0x00 LastRxReport=0 TxFlagsSeen=0x00 "
			  "LastTxReport=0 Flags=0x0000 [ ] RevNAT=3 SourceSecurityID=0 "
			  "BackendID=7 XLATE_DST 10.0.0.5:8080");
	assert_true(connection_get_frontend(&key, &entry, &addr, &port));
	assert_true(addr_equal(&addr, &key.addr[1]) && port == htons(80));
	key.kind = CT_KIND_CONNECTION;
	assert_false(connection_get_frontend(&key, &entry, &addr, &port));
	entry.flags = CT_F_SERVICE | CT_F_DSR | CT_F_LOOPBACK;
	assert_true(connection_get_frontend(&key, &entry, &addr, &port));
	assert_true(addr_equal(&addr, &entry.service_addr) && port == htons(8080));
	assert_connection(&key, &entry, NULL,
			  "TCP IN 10.0.0.1:4321 -> 10.96.0.1:80 expires=100 Packets=0 Bytes=0 "
			  "RxFlagsSeen=0x00 LastRxReport=0 TxFlagsSeen=0x00 LastTxReport=0 "
			  "Flags=0x0070 [ LBLoopback DSR ] RevNAT=3 SourceSecurityID=0 "
			  "BackendID=7");
	revnat = 0;
}

static void translations(void **state)
{
	const struct nat_key key = {
		.peer = addr_of("2001:db8::9"),
		.addr = addr_of("2001:db8::1"),
		.peer_port = htons(443),
		.port = htons(40000),
		.protocol = IPPROTO_UDP,
	};
	const struct nat_entry entry = {
		.addr = addr_of("fd00::10"), .port = htons(5000), .created = 100};
	const uint32_t now_tick = 107;
	g_autoptr(GString) text = g_string_new(NULL);

	translation_append(text, &key, &entry, &now_tick);
	assert_string_equal(
		text->str,
		"UDP OUT [fd00::10]:5000 -> [2001:db8::9]:443 XLATE_SRC [2001:db8::1]:40000 "
		"Created=7s ago NeedsCT=0\n"
		"UDP IN [2001:db8::9]:443 -> [2001:db8::1]:40000 XLATE_DST [fd00::10]:5000 "
		"Created=7s ago NeedsCT=0");
}

static void protocols(void **state)
{
	assert_string_equal(protocol_format(IPPROTO_ICMPV6), "ICMPv6");
	assert_string_equal(protocol_format(IPPROTO_SCTP), "SCTP");
	assert_string_equal(protocol_format(0), "unknown");
}

static const char *const ends[] = {"10.0.0.1:80", "[fd00::1]:65535", "0.0.0.0:0", "[::]:1"};
static const char *const no_ends[] = {
	"",
	"10.0.0.1",
	":80",
	"10.0.0.1:",
	"10.0.0.1:65536",
	"10.0.0.1:-1",
	"10.0.0.1: 80",
	"10.0.0:80",
	"fd00::1:80",
	"[fd00::1]80",
	"[fd00::1:80",
	"fd00::1]:80",
	"[]:80",
	"[10.0.0.1]:80",
	"[[::1]]:80",
	"web:80",
	"[",
	"]:80",
};

static void ends_of_connections(void **state)
{
	const struct addr unset = addr_of("192.0.2.1");
	struct addr addr = unset;
	__be16 port = htons(7);

	for (size_t i = 0; i < G_N_ELEMENTS(no_ends); i++)
		if (connection_parse_end(no_ends[i], &addr, &port) != -EINVAL)
			fail_msg("%s", no_ends[i]);
	assert_int_equal(addr_compare(&addr, &unset), 0);
	assert_int_equal(port, htons(7));
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *text = NULL;

		assert_int_equal(connection_parse_end(ends[i], &addr, &port), 0);
		text = connection_format_end(&addr, port);
		assert_string_equal(text, ends[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_connections),
		cmocka_unit_test(connections),
		cmocka_unit_test(services),
		cmocka_unit_test(translations),
		cmocka_unit_test(protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
