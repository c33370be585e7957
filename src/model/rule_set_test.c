// SPDX-License-Identifier: Apache-2.0
#include "src/model/rule_set.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <glib.h>
#include <cmocka.h>

static const struct policy_leaf deny_all;

static struct policy_leaf allow(uint32_t rule)
{
	return (struct policy_leaf){.rule = rule, .verdict = POLICY_VERDICT_ALLOW};
}

static struct rule_class_entry entry(uint8_t protocol, uint16_t port, uint8_t prefix_len,
				     uint32_t rule)
{
	return (struct rule_class_entry){protocol, prefix_len, port, allow(rule)};
}

static void equal_classes_are_one(void **state)
{
	const struct rule_class_entry entries[] = {
		entry(IPPROTO_UDP, 53, 16, 21),
		entry(IPPROTO_TCP, 0, 0, 20),
		entry(IPPROTO_TCP, 80, 16, 20),
	};
	const struct rule_class_entry reordered[] = {entries[2], entries[0], entries[1]};
	const struct rule_class *a = rule_class_new(&deny_all, entries, 3);
	const struct rule_class *b = rule_class_new(&deny_all, reordered, 3);
	const struct rule_class *fewer = rule_class_new(&deny_all, entries, 2);
	struct policy_leaf otherwise = allow(9);
	const struct rule_class *other = rule_class_new(&otherwise, entries, 3);

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, fewer);
	assert_ptr_not_equal(a, other);
	assert_int_equal(a->prefix_lens, 1u << 16 | 1u);
	assert_int_equal(a->entries[0].prefix_len, 0);
	assert_int_equal(a->entries[1].port, 80);
	assert_int_equal(a->entries[2].protocol, IPPROTO_UDP);
	rule_class_unref(a);
	/* Still there for its other owner. */
	assert_int_equal(b->n_entries, 3);
	rule_class_unref(b);
	rule_class_unref(fewer);
	rule_class_unref(other);
	rule_class_unref(NULL);
}

static void longest_prefix_decides(void **state)
{
	const struct rule_class_entry entries[] = {
		entry(IPPROTO_TCP, 0, 0, 20),
		entry(IPPROTO_TCP, 0x1000, 4, 21),
		entry(IPPROTO_TCP, 0x1200, 16, 22),
		entry(IPPROTO_UDP, 0xfffe, 15, 23),
	};
	const struct rule_class *class = rule_class_new(&deny_all, entries, 4);

	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0).rule, 20);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0x0fff).rule, 20);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0x1000).rule, 21);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0x1fff).rule, 21);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0x2000).rule, 20);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0x1200).rule, 22);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 0x1201).rule, 21);
	assert_int_equal(rule_class_judge(class, IPPROTO_UDP, 0xfffd).rule, 0);
	assert_int_equal(rule_class_judge(class, IPPROTO_UDP, 0xffff).rule, 23);
	assert_int_equal(rule_class_judge(class, IPPROTO_SCTP, 0x1200).verdict,
			 POLICY_VERDICT_DEFAULT_DENY);
	rule_class_unref(class);
}

static struct rule_set *set_new(const struct rule_class *others, const struct rule_class *peer)
{
	struct rule_set *set = rule_set_new(7, 3);

	g_ptr_array_add(set->policies, g_strdup("CiliumNetworkPolicy/default/a"));
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		struct rule_set_direction *direction = &set->directions[i];

		direction->others = rule_class_ref(others);
		direction->n_peers = 2;
		direction->peers = g_new0(struct rule_set_peer, 2);
		direction->peers[0] = (struct rule_set_peer){1, rule_class_ref(peer)};
		direction->peers[1] = (struct rule_set_peer){300, rule_class_ref(peer)};
	}
	return set;
}

static void peers_have_their_class(void **state)
{
	struct policy_leaf leaf = allow(20);
	const struct rule_class *others = rule_class_new(&deny_all, NULL, 0);
	const struct rule_class *peer = rule_class_new(&leaf, NULL, 0);
	struct rule_set *set = set_new(others, peer);
	struct rule_set *same = set_new(others, peer);
	struct rule_set *different = set_new(others, peer);

	assert_ptr_equal(rule_set_get_class(set, POLICY_EGRESS, 1), peer);
	assert_ptr_equal(rule_set_get_class(set, POLICY_EGRESS, 300), peer);
	assert_ptr_equal(rule_set_get_class(set, POLICY_EGRESS, 0), others);
	assert_ptr_equal(rule_set_get_class(set, POLICY_EGRESS, 299), others);
	assert_ptr_equal(rule_set_get_class(set, POLICY_EGRESS, 301), others);
	assert_true(row_equal(&set->row, &same->row));
	different->directions[POLICY_EGRESS].peers[1].identity = 301;
	assert_false(row_equal(&set->row, &different->row));
	same->revision++;
	assert_false(row_equal(&set->row, &same->row));
	row_unref(&set->row);
	row_unref(&same->row);
	row_unref(&different->row);
	/* The sets have given back what they held. */
	assert_int_equal(others->n_refs, 1);
	assert_int_equal(peer->n_refs, 1);
	rule_class_unref(others);
	rule_class_unref(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_classes_are_one),
		cmocka_unit_test(longest_prefix_decides),
		cmocka_unit_test(peers_have_their_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
