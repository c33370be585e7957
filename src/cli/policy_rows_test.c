/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/policy_rows.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <cmocka.h>

static void add_peer(struct policy_rows *rows, uint32_t version, enum policy_direction direction,
		     uint32_t identity, uint32_t class, struct policy_leaf otherwise)
{
	const struct policy_peer_key key = {
		.version = version, .identity = identity, .direction = direction};
	const struct policy_peer peer = {.class = class, .otherwise = otherwise};

	policy_rows_add_peer(rows, &key, &peer);
}

static void add_class(struct policy_rows *rows, uint32_t class, uint8_t protocol, uint16_t port,
		      uint8_t prefix_len, struct policy_leaf leaf)
{
	const struct policy_class_key key = {.class = class,
					     .protocol = protocol,
					     .prefix_len = prefix_len,
					     .port = htons(port)};

	policy_rows_add_class(rows, &key, &leaf);
}

static const struct policy_leaf allow = {.rule = 100, .verdict = POLICY_VERDICT_ALLOW};
static const struct policy_leaf deny = {.rule = 101, .verdict = POLICY_VERDICT_DENY};
static const struct policy_leaf proxy = {.rule = 102, .verdict = POLICY_VERDICT_NEEDS_PROXY};
static const struct policy_leaf auth = {.rule = 103, .verdict = POLICY_VERDICT_NEEDS_AUTH};
static const struct policy_leaf nothing = {0};

/* "Allow Ingress 0 ANY NONE disabled 100", a line each. */
static void assert_rows(const struct policy_rows *rows, struct policy_endpoint endpoint,
			const char *expected)
{
	g_autoptr(GArray) list = policy_rows_get(rows, &endpoint);
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < list->len; i++) {
		const struct policy_row *row = &g_array_index(list, struct policy_row, i);
		g_autofree char *ports = policy_row_ports(row);

		g_string_append_printf(text, "%s %s %u %s %s %s %u\n", policy_row_verdict(row),
				       row->direction == POLICY_INGRESS ? "Ingress" : "Egress",
				       row->identity, ports, policy_row_proxy(row),
				       policy_row_auth(row), row->leaf.rule);
	}
	assert_string_equal(text->str, expected);
}

static void rows_of_a_version(void **state)
{
	struct policy_rows *rows = policy_rows_new(7);

	add_peer(rows, 7, POLICY_EGRESS, 300, 0, deny);
	add_peer(rows, 7, POLICY_INGRESS, POLICY_IDENTITY_OTHERS, 0, nothing);
	add_peer(rows, 7, POLICY_INGRESS, 256, 5, nothing);
	/* Another version, and a class that only it has. */
	add_peer(rows, 8, POLICY_INGRESS, 256, 6, allow);
	add_class(rows, 6, IPPROTO_TCP, 22, 16, allow);
	add_class(rows, 5, IPPROTO_TCP, 443, 16, allow);
	add_class(rows, 5, IPPROTO_TCP, 80, 12, allow);
	add_class(rows, 5, IPPROTO_TCP, 81, 16, deny);
	add_class(rows, 5, IPPROTO_UDP, 0, 0, proxy);
	add_class(rows, 5, IPPROTO_SCTP, 9, 16, nothing);
	assert_rows(rows, (struct policy_endpoint){.version = 7},
		    "Allow Ingress 256 80-95/TCP NONE disabled 100\n"
		    "Deny Ingress 256 81/TCP NONE disabled 101\n"
		    "Allow Ingress 256 443/TCP NONE disabled 100\n"
		    "Deny Ingress 256 UDP MISSING disabled 102\n"
		    "Deny Egress 300 ANY NONE disabled 101\n");
	policy_rows_free(rows);
}

static void icmp_comes_first(void **state)
{
	struct policy_rows *rows = policy_rows_new(0);

	add_peer(rows, 1, POLICY_EGRESS, 2, 9, nothing);
	add_class(rows, 9, IPPROTO_TCP, 1, 16, allow);
	add_class(rows, 9, IPPROTO_ICMP, 8, 16, auth);
	assert_rows(rows, (struct policy_endpoint){.version = 1},
		    "Deny Egress 2 8/ICMP NONE MISSING 103\nAllow Egress 2 1/TCP NONE disabled "
		    "100\n");
	assert_rows(rows, (struct policy_endpoint){.version = 2}, "");
	policy_rows_free(rows);
}

/* What nothing concerns is allowed by no rule, and nothing is looked up for it. */
static void open_directions(void **state)
{
	struct policy_rows *rows = policy_rows_new(0);

	add_peer(rows, 3, POLICY_EGRESS, 0, 0, deny);
	add_peer(rows, 3, POLICY_INGRESS, 0, 0, deny);
	assert_rows(rows, (struct policy_endpoint){.version = 3, .flags = POLICY_F_OPEN_EGRESS},
		    "Deny Ingress 0 ANY NONE disabled 101\nAllow Egress 0 ANY NONE disabled 2\n");
	/* Without a rule set nothing is open. */
	assert_rows(rows, (struct policy_endpoint){.flags = POLICY_F_OPEN_EGRESS}, "");
	policy_rows_free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_a_version),
		cmocka_unit_test(icmp_comes_first),
		cmocka_unit_test(open_directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
