// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_class.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define N_PORTS 65536u

static const uint8_t protocols[] = {
	IPPROTO_TCP,  IPPROTO_UDP,    IPPROTO_SCTP,
	IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_GRE, /* which no rule names */
};

static bool covers(const struct policy_clause *clause, uint8_t protocol, uint32_t port)
{
	return !clause->protocol ||
	       (clause->protocol == protocol && clause->first <= port && port <= clause->last);
}

/* As slow and obvious as it can be. */
static struct policy_leaf judge(const struct policy_clause *clauses, unsigned int n,
				uint8_t protocol, uint32_t port)
{
	static const uint8_t verdicts[] = {
		[POLICY_STEP_DENY] = POLICY_VERDICT_DENY,
		[POLICY_STEP_ALLOW_LOCALHOST] = POLICY_VERDICT_ALLOW,
		[POLICY_STEP_NEEDS] = POLICY_VERDICT_NEEDS_PROXY,
		[POLICY_STEP_ALLOW] = POLICY_VERDICT_ALLOW,
		[POLICY_STEP_NOT_ENFORCED] = POLICY_VERDICT_ALLOW,
	};
	struct policy_leaf leaf = {.verdict = POLICY_VERDICT_DEFAULT_DENY};

	for (unsigned int step = 0; step < G_N_ELEMENTS(verdicts); step++) {
		const struct policy_clause *first = NULL;

		for (unsigned int i = 0; i < n; i++)
			if (clauses[i].step == step && covers(&clauses[i], protocol, port) &&
			    (!first || clauses[i].order < first->order))
				first = &clauses[i];
		if (first) {
			leaf.rule = first->rule;
			leaf.verdict = verdicts[step];
			if (step == POLICY_STEP_NEEDS && first->needs & POLICY_NEEDS_AUTH)
				leaf.verdict = POLICY_VERDICT_NEEDS_AUTH;
			return leaf;
		}
	}
	return leaf;
}

static bool is_same(const struct policy_leaf *a, const struct policy_leaf *b)
{
	return a->rule == b->rule && a->verdict == b->verdict;
}

static void assert_agrees(const struct rule_class *class, const struct policy_clause *clauses,
			  unsigned int n, uint8_t protocol, uint32_t port)
{
	struct policy_leaf expected = judge(clauses, n, protocol, port);
	struct policy_leaf actual = rule_class_judge(class, protocol, port);

	if (is_same(&expected, &actual))
		return;
	for (unsigned int i = 0; i < n; i++)
		print_message("step %u order %u rule %u protocol %u ports %u-%u\n", clauses[i].step,
			      clauses[i].order, clauses[i].rule, clauses[i].protocol,
			      clauses[i].first, clauses[i].last);
	fail_msg("protocol %u port %u: rule %u, verdict %u, not rule %u, verdict %u", protocol,
		 port, actual.rule, actual.verdict, expected.rule, expected.verdict);
}

/* Without any of its entries the class would say something else. */
static void assert_none_is_spare(const struct rule_class *class)
{
	g_autofree struct rule_class_entry *rest =
		g_new(struct rule_class_entry, class->n_entries + 1);

	for (unsigned int spare = 0; spare < class->n_entries; spare++) {
		const struct rule_class_entry *entry = &class->entries[spare];
		const struct rule_class *without;
		unsigned int n = 0;
		bool differs = false;

		for (unsigned int i = 0; i < class->n_entries; i++)
			if (i != spare)
				rest[n++] = class->entries[i];
		without = rule_class_new(&class->otherwise, rest, n);
		for (uint32_t i = 0; i < 1u << (POLICY_PORT_BITS - entry->prefix_len); i++) {
			struct policy_leaf a =
				rule_class_judge(class, entry->protocol, entry->port + i);
			struct policy_leaf b =
				rule_class_judge(without, entry->protocol, entry->port + i);

			differs |= !is_same(&a, &b) || a.match != b.match;
		}
		assert_true(differs);
		rule_class_unref(without);
	}
}

static void check(const struct rule_class *class, const struct policy_clause *clauses,
		  unsigned int n)
{
	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++) {
		bool icmp = protocols[i] == IPPROTO_ICMP || protocols[i] == IPPROTO_ICMPV6;

		for (uint32_t port = 0; port < (icmp ? 256 : N_PORTS); port++)
			assert_agrees(class, clauses, n, protocols[i], port);
	}
	assert_none_is_spare(class);
}

static const struct rule_class_entry *find(const struct rule_class *class, uint8_t protocol,
					   uint16_t port, uint8_t prefix_len)
{
	for (unsigned int i = 0; i < class->n_entries; i++)
		if (class->entries[i].protocol == protocol && class->entries[i].port == port &&
		    class->entries[i].prefix_len == prefix_len)
			return &class->entries[i];
	return NULL;
}

static struct policy_clause clause(enum policy_step step, uint32_t order, uint8_t protocol,
				   uint16_t first, uint16_t last)
{
	return (struct policy_clause){
		.step = step,
		.order = order,
		.rule = 100 + order,
		.names_peers = true,
		.protocol = protocol,
		.first = first,
		.last = last,
	};
}

static void assert_entry(const struct rule_class *class, uint16_t port, uint8_t prefix_len,
			 uint32_t rule, enum policy_verdict verdict)
{
	const struct rule_class_entry *entry = find(class, IPPROTO_TCP, port, prefix_len);

	assert_non_null(entry);
	assert_int_equal(entry->leaf.rule, rule);
	assert_int_equal(entry->leaf.verdict, verdict);
}

static void no_clause_denies(void **state)
{
	const struct rule_class *class = policy_class_new(NULL, 0);

	assert_int_equal(class->otherwise.verdict, POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(class->otherwise.rule, RULE_NUMBER_NONE);
	assert_int_equal(class->otherwise.match, POLICY_MATCH_NONE);
	assert_int_equal(class->n_entries, 0);
	rule_class_unref(class);
}

static void one_port_is_one_entry(void **state)
{
	struct policy_clause clauses[] = {clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 80, 80)};
	const struct rule_class *class = policy_class_new(clauses, 1);

	assert_int_equal(class->n_entries, 1);
	assert_entry(class, 80, 16, 100, POLICY_VERDICT_ALLOW);
	assert_int_equal(class->entries[0].leaf.match, POLICY_MATCH_L3_L4);
	check(class, clauses, 1);
	rule_class_unref(class);
}

/* 1000-2000 is 1000/13 1008/12 1024/7 1536/8 1792/9 1920/10 1984/12 2000/16. */
static void a_range_is_its_prefixes(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t prefix_len;
	} prefixes[] = {{1000, 13}, {1008, 12}, {1024, 7},  {1536, 8},
			{1792, 9},  {1920, 10}, {1984, 12}, {2000, 16}};
	struct policy_clause clauses[] = {clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 1000, 2000)};
	const struct rule_class *class = policy_class_new(clauses, 1);

	assert_int_equal(class->n_entries, G_N_ELEMENTS(prefixes));
	for (unsigned int i = 0; i < G_N_ELEMENTS(prefixes); i++)
		assert_entry(class, prefixes[i].port, prefixes[i].prefix_len, 100,
			     POLICY_VERDICT_ALLOW);
	check(class, clauses, 1);
	rule_class_unref(class);
}

/* The hole is one entry in the other, whatever the order of the rules. */
static void a_deny_inside_an_allow(void **state)
{
	struct policy_clause clauses[] = {
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 0, 65535),
		clause(POLICY_STEP_DENY, 1, IPPROTO_TCP, 22, 22),
	};
	const struct rule_class *class = policy_class_new(clauses, 2);

	assert_int_equal(class->n_entries, 2);
	assert_entry(class, 0, 0, 100, POLICY_VERDICT_ALLOW);
	assert_entry(class, 22, 16, 101, POLICY_VERDICT_DENY);
	assert_int_equal(find(class, IPPROTO_TCP, 0, 0)->leaf.match, POLICY_MATCH_L3_PROTO);
	check(class, clauses, 2);
	rule_class_unref(class);
}

/* What denies everything leaves nothing to look up. */
static void a_deny_of_everything_shadows(void **state)
{
	struct policy_clause clauses[] = {
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 80, 80),
		clause(POLICY_STEP_DENY, 1, 0, 0, 0),
	};
	const struct rule_class *class = policy_class_new(clauses, 2);

	assert_int_equal(class->n_entries, 0);
	assert_int_equal(class->otherwise.rule, 101);
	assert_int_equal(class->otherwise.verdict, POLICY_VERDICT_DENY);
	assert_int_equal(class->otherwise.match, POLICY_MATCH_L3_ONLY);
	check(class, clauses, 2);
	rule_class_unref(class);
}

/* Each way in which a verdict comes about, strongest first, on one port after the other. */
static void steps_have_their_order(void **state)
{
	struct policy_clause clauses[] = {
		clause(POLICY_STEP_NOT_ENFORCED, 0, 0, 0, 0),
		clause(POLICY_STEP_ALLOW, 1, IPPROTO_TCP, 1, 4),
		clause(POLICY_STEP_NEEDS, 2, IPPROTO_TCP, 1, 3),
		clause(POLICY_STEP_DENY, 3, IPPROTO_TCP, 1, 1),
	};
	const struct rule_class *class;

	clauses[2].needs = POLICY_NEEDS_L7;
	class = policy_class_new(clauses, 4);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 1).verdict, POLICY_VERDICT_DENY);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 3).verdict,
			 POLICY_VERDICT_NEEDS_PROXY);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 4).rule, 101);
	assert_int_equal(rule_class_judge(class, IPPROTO_TCP, 5).rule, 100);
	assert_int_equal(class->otherwise.verdict, POLICY_VERDICT_ALLOW);
	check(class, clauses, 4);
	rule_class_unref(class);
	clauses[0] = clause(POLICY_STEP_NEEDS, 0, IPPROTO_TCP, 1, 1);
	clauses[0].needs = POLICY_NEEDS_AUTH | POLICY_NEEDS_L7;
	class = policy_class_new(clauses, 1);
	assert_entry(class, 1, 16, 100, POLICY_VERDICT_NEEDS_AUTH);
	rule_class_unref(class);
}

/* Of one rule the clause that says most: no entry for 80 inside all ports. */
static void a_rule_is_its_widest_clause(void **state)
{
	struct policy_clause clauses[] = {
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 80, 80),
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 0, 65535),
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_UDP, 53, 53),
	};
	const struct rule_class *class = policy_class_new(clauses, 3);

	assert_int_equal(class->n_entries, 2);
	assert_entry(class, 0, 0, 100, POLICY_VERDICT_ALLOW);
	check(class, clauses, 3);
	rule_class_unref(class);
}

/* Types are looked up whole, beside ports of other protocols. */
static void types_are_single_entries(void **state)
{
	struct policy_clause clauses[] = {
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_ICMP, 8, 9),
		clause(POLICY_STEP_ALLOW, 0, IPPROTO_ICMPV6, 0, 65535),
		clause(POLICY_STEP_DENY, 1, IPPROTO_ICMPV6, 128, 128),
	};
	const struct rule_class *class = policy_class_new(clauses, 3);

	assert_int_equal(class->n_entries, 4);
	assert_non_null(find(class, IPPROTO_ICMP, 8, 16));
	assert_non_null(find(class, IPPROTO_ICMP, 9, 16));
	assert_non_null(find(class, IPPROTO_ICMPV6, 0, 0));
	assert_int_equal(find(class, IPPROTO_ICMPV6, 128, 16)->leaf.verdict, POLICY_VERDICT_DENY);
	check(class, clauses, 3);
	rule_class_unref(class);
}

/* Every length from 0 to 16, at both ends of the ports. */
static void every_prefix_length(void **state)
{
	for (unsigned int len = 0; len <= POLICY_PORT_BITS; len++) {
		uint32_t n = 1u << (POLICY_PORT_BITS - len);
		struct policy_clause clauses[] = {
			clause(POLICY_STEP_ALLOW, 0, IPPROTO_TCP, 0, n - 1),
			clause(POLICY_STEP_ALLOW, 0, IPPROTO_UDP, N_PORTS - n, N_PORTS - 1),
		};
		const struct rule_class *class = policy_class_new(clauses, 2);

		assert_int_equal(class->n_entries, 2);
		assert_non_null(find(class, IPPROTO_TCP, 0, len));
		assert_non_null(find(class, IPPROTO_UDP, N_PORTS - n, len));
		check(class, clauses, 2);
		rule_class_unref(class);
	}
}

static struct policy_clause random_clause(GRand *random, uint32_t order)
{
	static const uint16_t ends[] = {0, 1, 79, 80, 81, 1023, 1024, 32767, 32768, 65534, 65535};
	uint16_t a = ends[g_rand_int_range(random, 0, G_N_ELEMENTS(ends))];
	uint16_t b = ends[g_rand_int_range(random, 0, G_N_ELEMENTS(ends))];
	struct policy_clause result;

	if (g_rand_boolean(random))
		a = g_rand_int_range(random, 0, N_PORTS);
	if (g_rand_boolean(random))
		b = g_rand_boolean(random) ? a : g_rand_int_range(random, 0, N_PORTS);
	result = clause(g_rand_int_range(random, 0, POLICY_STEP_NOT_ENFORCED), order,
			protocols[g_rand_int_range(random, 0, 3)], MIN(a, b), MAX(a, b));
	if (g_rand_int_range(random, 0, 6) == 0) {
		result.protocol = g_rand_boolean(random) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		result.first = g_rand_int_range(random, 0, 256);
		result.last = result.first;
	}
	if (g_rand_int_range(random, 0, 12) == 0)
		result.protocol = 0;
	result.names_peers = g_rand_boolean(random);
	/* Of a rule, whichever of its clauses counts. */
	result.needs = order % 2 ? POLICY_NEEDS_AUTH : POLICY_NEEDS_TLS;
	return result;
}

/* Every port of every protocol, against the obvious. */
static void random_clauses_agree(void **state)
{
	const char *rounds = g_getenv("POLICY_CLASS_ROUNDS");
	unsigned int n_rounds = rounds ? atoi(rounds) : 20;
	g_autoptr(GRand) random = g_rand_new_with_seed(5);
	struct policy_clause clauses[12];

	for (unsigned int round = 0; round < n_rounds; round++) {
		unsigned int n = g_rand_int_range(random, 1, G_N_ELEMENTS(clauses) + 1);
		struct policy_clause given[G_N_ELEMENTS(clauses)];
		const struct rule_class *class;

		/* Some rules have several clauses. */
		for (unsigned int i = 0; i < n; i++)
			clauses[i] = random_clause(random, i / 2 + (round % 2 ? i : 0));
		memcpy(given, clauses, sizeof(given));
		class = policy_class_new(clauses, n);
		check(class, given, n);
		rule_class_unref(class);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_clause_denies),
		cmocka_unit_test(one_port_is_one_entry),
		cmocka_unit_test(a_range_is_its_prefixes),
		cmocka_unit_test(a_deny_inside_an_allow),
		cmocka_unit_test(a_deny_of_everything_shadows),
		cmocka_unit_test(steps_have_their_order),
		cmocka_unit_test(a_rule_is_its_widest_clause),
		cmocka_unit_test(types_are_single_entries),
		cmocka_unit_test(every_prefix_length),
		cmocka_unit_test(random_clauses_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
