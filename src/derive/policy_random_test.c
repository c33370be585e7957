// SPDX-License-Identifier: Apache-2.0
/*
 * Random changes of a world of policies, identities, endpoints, pods and groups. After each, the rule sets
 * must be those of a world in which everything has been from the start, and must answer as a slow reading
 * of the rules does.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "src/derive/policy_world_test.h"
#include "src/model/cidr_group.h"
#include "src/model/cidr_label.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/pod.h"

#define N_IDENTITIES 14u
#define N_ENDPOINTS  6u
#define N_POLICIES   8u

/* Small enough that everything meets everything. */
static const char *const label_texts[] = {
	"k8s:app=a;",
	"k8s:app=b;",
	"k8s:app=a;k8s:tier=x;",
	"k8s:app=b;k8s:tier=x;",
	"k8s:tier=y;",
	"any:app=a;k8s:app=b;",
	"reserved:init=;",
	"cidr:10.0.0.0/8=;reserved:world-ipv4=;",
	"cidr:10.1.0.0/16=;reserved:world-ipv4=;",
	"cidr:10.1.1.0/24=;reserved:world-ipv4=;",
	"cidr:2001-db8--0/32=;reserved:world-ipv6=;",
	"cidr:2001-db8-1--0/48=;k8s:tier=x;",
};

static const char *const peers[] = {
	"k8s:app=a",
	"k8s:app=b",
	"k8s:tier=x",
	"k8s:app=b,k8s:tier=x",
	"any:app=a",
	"",
	"nobody",
	"reserved:host",
	"reserved:world-ipv4",
	"0.0.0.0/0",
	"0.0.0.0/0 10.0.0.0/8",
	"10.0.0.0/8",
	"10.0.0.0/8 10.1.0.0/16",
	"10.1.1.0/24",
	"2001:db8::/32",
	"2001:db8::/32 2001:db8:1::/48",
	"::/0",
	"group:g1",
	"group:g2",
};

static const char *const subjects[] = {"k8s:app=a", "k8s:app=b", "k8s:tier=x", "",
				       "k8s:app=a,k8s:tier=x"};
static const char *const group_texts[] = {"10.1.0.0/16", "10.0.0.0/8 2001:db8::/32",
					  "192.0.2.0/24 10.1.1.0/24"};
static const char *const group_names[] = {"g1", "g2"};
static const char *const port_names[] = {"http", "dns"};
static const char *const pod_keys[] = {"ns/one", "ns/two", "ns/three"};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

static unsigned int below(GRand *random, unsigned int n)
{
	return g_rand_int_range(random, 0, n);
}

#define pick(random, array) ((array)[below(random, G_N_ELEMENTS(array))])

static bool one_in(GRand *random, unsigned int n)
{
	return below(random, n) == 0;
}

/* ---- random changes ---- */

static void add_random_port(GRand *random, struct policy_rule *rule)
{
	uint8_t protocol = pick(random, protocols);
	unsigned int first = below(random, 100);

	if (protocol == IPPROTO_ICMP)
		test_policy_add_port(rule, protocol, first % 4, first % 4);
	else if (one_in(random, 4))
		test_policy_add_named_port(rule, protocol, pick(random, port_names));
	else if (one_in(random, 6))
		test_policy_add_port(rule, protocol, 0, UINT16_MAX);
	else
		test_policy_add_port(rule, protocol, first, first + below(random, 40));
	if (one_in(random, 8))
		g_array_index(rule->ports, struct policy_port, rule->ports->len - 1).needs =
			POLICY_NEEDS_L7;
}

static void add_random_rule(GRand *random, struct policy *policy, struct policy_spec *spec)
{
	struct policy_rule *rule =
		test_policy_add_rule(policy, spec, below(random, 2), one_in(random, 4));

	for (unsigned int i = below(random, 4); i > 0; i--)
		test_policy_add_peer(rule, pick(random, peers));
	for (unsigned int i = below(random, 3); i > 0; i--)
		add_random_port(random, rule);
	rule->no_ports = one_in(random, 10);
	rule->narrowed = g_rand_boolean(random);
	if (!rule->deny && one_in(random, 10))
		rule->needs = POLICY_NEEDS_AUTH;
	if (one_in(random, 10)) {
		rule->any_peer = false;
		g_ptr_array_add(rule->requires, (void *)test_selector(pick(random, peers)));
		if (selector_get_kind(rule->requires->pdata[0]) != SELECTOR_LABELS)
			g_ptr_array_set_size(rule->requires, 0);
	}
}

static struct policy *random_policy(GRand *random, const char *name)
{
	struct policy *policy = test_policy_new(name);

	for (unsigned int i = 1 + below(random, 2); i > 0; i--) {
		struct policy_spec *spec = test_policy_add_spec(policy, pick(random, subjects));

		for (unsigned int j = 1 + below(random, 3); j > 0; j--)
			add_random_rule(random, policy, spec);
		for (unsigned int j = 0; j < POLICY_DIRECTION__MAX; j++)
			spec->default_deny[j] = g_rand_boolean(random);
	}
	return policy;
}

static void change_policies(struct policy_world *world, GRand *random)
{
	g_autofree char *name = g_strdup_printf("p%u", below(random, N_POLICIES));

	if (one_in(random, 3))
		policy_world_remove_policy(world, name);
	else
		policy_world_put_policy(world, random_policy(random, name));
}

static void change_identities(struct policy_world *world, GRand *random)
{
	uint32_t number = 256 + below(random, N_IDENTITIES);

	if (one_in(random, 3))
		policy_world_remove_identity(world, number);
	else
		policy_world_put_identity(world, number, pick(random, label_texts));
}

static void change_endpoints(struct policy_world *world, GRand *random)
{
	uint16_t id = 1 + below(random, N_ENDPOINTS);

	if (one_in(random, 3))
		policy_world_remove_endpoint(world, id);
	else
		policy_world_put_endpoint(world, id, 256 + below(random, N_IDENTITIES),
					  label_texts[below(random, 7)],
					  one_in(random, 4) ? NULL : pick(random, pod_keys));
}

static void change_pods(struct policy_world *world, GRand *random)
{
	policy_world_put_pod(world, pick(random, pod_keys),
			     one_in(random, 4) ? NULL : pick(random, port_names),
			     protocols[below(random, 2)], 20 + below(random, 3));
}

static void change_groups(struct policy_world *world, GRand *random)
{
	policy_world_put_group(world, pick(random, group_names),
			       one_in(random, 3) ? NULL : pick(random, group_texts));
}

static void change_mode(struct policy_world *world, GRand *random)
{
	world->config.policy_mode = one_in(random, 2) ? POLICY_MODE_DEFAULT : below(random, 3);
	policy_derivation_reconfigure(world->derivation);
	store_settle(world->store);
}

static void change(struct policy_world *world, GRand *random)
{
	switch (below(random, 16)) {
	case 0 ... 5:
		change_policies(world, random);
		break;
	case 6 ... 9:
		change_identities(world, random);
		break;
	case 10 ... 12:
		change_endpoints(world, random);
		break;
	case 13:
		change_pods(world, random);
		break;
	case 14:
		change_groups(world, random);
		break;
	default:
		change_mode(world, random);
		break;
	}
}

/* ---- the same from the start ---- */

struct copy {
	struct txn *txn;
	struct table *table;
};

static bool copy_row(const struct row *row, void *data)
{
	const struct copy *copy = data;

	txn_put(copy->txn, copy->table, row_ref(row));
	return true;
}

static void copy_table(struct policy_world *to, struct table *table, const struct table *from)
{
	struct copy copy = {txn_new(to->store), table};

	table_foreach (from, copy_row, &copy)
		;
	txn_commit(copy.txn);
}

static void init_copy(struct policy_world *copy, const struct policy_world *world)
{
	const struct tables *from = &world->tables;

	policy_world_init(copy);
	copy->config = world->config;
	copy_table(copy, copy->tables.active_policies, from->active_policies);
	copy_table(copy, copy->tables.identities, from->identities);
	copy_table(copy, copy->tables.endpoints, from->endpoints);
	copy_table(copy, copy->tables.endpoint_states, from->endpoint_states);
	copy_table(copy, copy->tables.pods, from->pods);
	copy_table(copy, copy->tables.active_cidr_groups, from->active_cidr_groups);
	policy_world_set_synced(copy);
}

static void assert_same_direction(const struct rule_set_direction *a,
				  const struct rule_set_direction *b)
{
	assert_int_equal(a->enforced, b->enforced);
	assert_int_equal(a->open, b->open);
	assert_ptr_equal(a->others, b->others);
	assert_int_equal(a->n_peers, b->n_peers);
	for (unsigned int i = 0; i < a->n_peers; i++) {
		assert_int_equal(a->peers[i].identity, b->peers[i].identity);
		assert_ptr_equal(a->peers[i].class, b->peers[i].class);
		assert_ptr_not_equal(a->peers[i].class, a->others);
	}
}

static void assert_same(struct policy_world *world, struct policy_world *copy)
{
	assert_int_equal(table_n_rows(world->tables.rule_sets),
			 table_n_rows(copy->tables.rule_sets));
	assert_int_equal(table_n_rows(world->tables.rule_origins),
			 table_n_rows(copy->tables.rule_origins));
	assert_int_equal(table_n_rows(world->tables.endpoint_policies),
			 table_n_rows(copy->tables.endpoint_policies));
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++) {
		const struct rule_set *a = policy_world_get_rule_set(world, id);
		const struct rule_set *b = policy_world_get_rule_set(copy, id);

		assert_int_equal(!a, !b);
		if (!a)
			continue;
		for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
			assert_same_direction(&a->directions[i], &b->directions[i]);
		assert_int_equal(a->policies->len, b->policies->len);
		for (unsigned int i = 0; i < a->policies->len; i++)
			assert_string_equal(a->policies->pdata[i], b->policies->pdata[i]);
	}
}

/* ---- the slow reading ---- */

struct question {
	struct policy_world *world;
	const struct endpoint_state *state;
	enum policy_direction direction;
	uint32_t identity;
	const struct label_set *labels; /* of the identity */
	uint8_t protocol;
	uint16_t port;
	bool named; /* by a rule with this name */
	const struct policy_port *name;
	const struct policy_rule *rule;
	GPtrArray *specs; /* that select the endpoint */
};

static bool selects_prefix(const struct selector *selector, const struct question *question)
{
	const struct cidr *cidr = selector_get_cidr(selector);
	struct cidr own;

	if (!cidr_text_len(cidr) &&
	    question->identity == (cidr_is_v4(cidr) ? IDENTITY_WORLD_IPV4 : IDENTITY_WORLD_IPV6))
		return true;
	return cidr_label_find(question->labels, &own) && selector_contains(selector, &own);
}

static bool selects_group(const struct selector *selector, const struct question *question)
{
	const char *name = selector_get_name(selector);
	const struct cidr_group *group = (const struct cidr_group *)table_get(
		question->world->tables.active_cidr_groups, name, strlen(name));

	for (unsigned int i = 0; group && i < group->cidrs->len; i++) {
		const struct selector *one =
			selector_new_cidr(&g_array_index(group->cidrs, struct cidr, i), NULL);
		bool selects = selects_prefix(one, question);

		selector_unref(one);
		if (selects)
			return true;
	}
	return false;
}

static bool meets_requirements(const struct policy_rule *rule, const struct question *question)
{
	for (unsigned int i = 0; i < question->specs->len; i++) {
		const struct policy_spec *spec = question->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules->len; j++) {
			const struct policy_rule *other = spec->rules->pdata[j];

			if (other->deny != rule->deny || other->direction != rule->direction)
				continue;
			for (unsigned int k = 0; k < other->requires->len; k++)
				if (!selector_matches(other->requires->pdata[k], question->labels))
					return false;
		}
	}
	return true;
}

static bool selects_peer(const struct policy_rule *rule, const struct question *question)
{
	for (unsigned int i = 0; !rule->any_peer && i < rule->peers->len; i++) {
		const struct selector *selector = rule->peers->pdata[i];

		switch (selector_get_kind(selector)) {
		case SELECTOR_LABELS:
			if (selector_matches(selector, question->labels) &&
			    (!rule->narrowed || meets_requirements(rule, question)))
				return true;
			break;
		case SELECTOR_CIDR:
			if (selects_prefix(selector, question))
				return true;
			break;
		case SELECTOR_CIDR_GROUP:
			if (selects_group(selector, question))
				return true;
			break;
		default:
			break;
		}
	}
	return rule->any_peer;
}

static const struct label_set *labels_of(struct policy_world *world, uint32_t number)
{
	const struct identity *identity = (const struct identity *)table_get(
		world->tables.identities, &number, sizeof(number));

	return identity ? label_set_ref(identity->labels) : identity_reserved_labels(number);
}

static bool has_port(const struct question *question, uint16_t id)
{
	const struct endpoint *endpoint = (const struct endpoint *)table_get(
		question->world->tables.endpoints, &id, sizeof(id));
	g_autofree char *key = NULL;
	const struct pod *pod;

	if (!endpoint || !endpoint->pod_name)
		return false;
	key = g_strdup_printf("%s/%s", endpoint->namespace, endpoint->pod_name);
	pod = (const struct pod *)table_get(question->world->tables.pods, key, strlen(key));
	for (unsigned int i = 0; pod && pod->ports && i < pod->ports->len; i++) {
		const struct pod_port *port = &g_array_index(pod->ports, struct pod_port, i);

		if (!strcmp(port->name, question->name->name) &&
		    port->protocol == question->protocol && port->number == question->port)
			return true;
	}
	return false;
}

/* Whether a pod that the rule selects has the port under that name. */
static bool peer_has_port(const struct row *row, void *data)
{
	const struct endpoint_state *state = (const struct endpoint_state *)row;
	struct question *question = data, other = *question;

	other.identity = state->identity;
	other.labels = labels_of(question->world, state->identity);
	/* Not told yet: only what selects everybody selects it. */
	if (!other.labels)
		other.labels = label_set_new(NULL, 0);
	if (selects_peer(question->rule, &other))
		question->named |= has_port(question, state->id);
	label_set_unref(other.labels);
	return true;
}

static bool covers_port(const struct policy_rule *rule, const struct policy_port *port,
			struct question *question)
{
	if (!port->protocol)
		return true;
	if (port->protocol != question->protocol)
		return false;
	if (!port->name)
		return port->all_ports ||
		       (port->port <= question->port && question->port <= port->end_port);
	question->name = port;
	question->rule = rule;
	question->named = false;
	if (rule->direction == POLICY_INGRESS)
		return has_port(question, question->state->id);
	table_foreach (question->world->tables.endpoint_states, peer_has_port, question)
		;
	return question->named;
}

/* The needs of the widest of the ports that cover it are what the rule asks for. */
static bool covers(const struct policy_rule *rule, struct question *question, bool *ret_needs,
		   bool *ret_free)
{
	*ret_needs = *ret_free = false;
	if (rule->no_ports || !selects_peer(rule, question))
		return false;
	*ret_free = !rule->ports->len && !rule->needs;
	*ret_needs = !rule->ports->len && rule->needs;
	for (unsigned int i = 0; i < rule->ports->len; i++) {
		const struct policy_port *port = &g_array_index(rule->ports, struct policy_port, i);

		if (!covers_port(rule, port, question))
			continue;
		if (rule->needs | port->needs)
			*ret_needs = true;
		else
			*ret_free = true;
	}
	return *ret_needs || *ret_free;
}

static uint8_t verdict_of(struct question *question, bool enforced)
{
	bool needs = false, allowed = false, denied = false;

	for (unsigned int i = 0; i < question->specs->len; i++) {
		const struct policy_spec *spec = question->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules->len; j++) {
			const struct policy_rule *rule = spec->rules->pdata[j];
			bool rule_needs, rule_free;

			if (rule->direction != question->direction ||
			    !covers(rule, question, &rule_needs, &rule_free))
				continue;
			denied |= rule->deny;
			needs |= !rule->deny && rule_needs;
			allowed |= !rule->deny && rule_free;
		}
	}
	if (denied)
		return POLICY_VERDICT_DENY;
	if (needs)
		return POLICY_VERDICT_NEEDS_PROXY;
	return allowed || !enforced ? POLICY_VERDICT_ALLOW : POLICY_VERDICT_DEFAULT_DENY;
}

static bool collect_specs(const struct row *row, void *data)
{
	const struct policy *policy = (const struct policy *)row;
	struct question *question = data;

	for (unsigned int i = 0; i < policy->specs->len; i++) {
		struct policy_spec *spec = policy->specs->pdata[i];

		if (selector_matches(spec->subject, question->state->identity_labels))
			g_ptr_array_add(question->specs, spec);
	}
	return true;
}

static bool is_enforced(const struct question *question)
{
	if (question->world->config.policy_mode != POLICY_MODE_DEFAULT)
		return question->world->config.policy_mode == POLICY_MODE_ALWAYS;
	for (unsigned int i = 0; i < question->specs->len; i++) {
		const struct policy_spec *spec = question->specs->pdata[i];

		if (spec->default_deny[question->direction])
			return true;
	}
	return question->world->config.enforce_init &&
	       label_set_find(question->state->identity_labels, "reserved", "init");
}

static void print_rule(const struct policy_rule *rule)
{
	print_message("  %s%s%s%s needs %u", rule->direction ? "egress" : "ingress",
		      rule->deny ? " deny" : "", rule->any_peer ? " any" : "",
		      rule->narrowed ? " narrowed" : "", rule->needs);
	for (unsigned int i = 0; i < rule->peers->len; i++)
		print_message(" peer %s", selector_text(rule->peers->pdata[i]));
	for (unsigned int i = 0; i < rule->requires->len; i++)
		print_message(" requires %s", selector_text(rule->requires->pdata[i]));
	for (unsigned int i = 0; i < rule->ports->len; i++) {
		const struct policy_port *port = &g_array_index(rule->ports, struct policy_port, i);

		print_message(" port %u %s %u-%u needs %u", port->protocol,
			      port->name ? port->name : "", port->port, port->end_port,
			      port->needs);
	}
	print_message(rule->no_ports ? " no ports\n" : "\n");
}

static void print_specs(const struct question *question)
{
	for (unsigned int i = 0; i < question->specs->len; i++) {
		const struct policy_spec *spec = question->specs->pdata[i];

		print_message("spec of %s\n", selector_text(spec->subject));
		for (unsigned int j = 0; j < spec->rules->len; j++)
			print_rule(spec->rules->pdata[j]);
	}
}

static void ask(struct policy_world *world, GRand *random)
{
	static const uint32_t reserved[] = {IDENTITY_HOST, IDENTITY_WORLD_IPV4, IDENTITY_WORLD_IPV6,
					    IDENTITY_INIT};
	struct question question = {
		.world = world,
		.direction = below(random, 2),
		.identity = one_in(random, 4) ? pick(random, reserved)
					      : 256 + below(random, N_IDENTITIES),
		.protocol = pick(random, protocols),
		.port = one_in(random, 3) ? 20 + below(random, 3) : below(random, 150),
	};
	uint16_t id = 1 + below(random, N_ENDPOINTS);
	uint8_t expected, actual;

	question.state = (const struct endpoint_state *)table_get(world->tables.endpoint_states,
								  &id, sizeof(id));
	question.labels = labels_of(world, question.identity);
	if (!question.state || !question.labels) {
		label_set_unref(question.labels);
		return;
	}
	question.specs = g_ptr_array_new();
	if (world->config.policy_mode != POLICY_MODE_NEVER)
		table_foreach (world->tables.active_policies, collect_specs, &question)
			;
	expected = verdict_of(&question, is_enforced(&question));
	actual = policy_world_judge(world, id, question.direction, question.identity,
				    question.protocol, question.port)
			 .verdict;
	if (actual == POLICY_VERDICT_NEEDS_AUTH)
		actual = POLICY_VERDICT_NEEDS_PROXY;
	if (actual != expected)
		print_specs(&question);
	if (actual != expected)
		fail_msg("endpoint %u direction %u identity %u protocol %u port %u: %u, not %u", id,
			 question.direction, question.identity, question.protocol, question.port,
			 actual, expected);
	g_ptr_array_unref(question.specs);
	label_set_unref(question.labels);
}

static void any_order_is_the_same(void **state)
{
	const char *text = g_getenv("POLICY_RANDOM_SEEDS");
	unsigned int n_seeds = text ? atoi(text) : 10;

	for (unsigned int seed = 1; seed <= n_seeds; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		struct policy_world world, copy;

		print_message("seed %u\n", seed);
		policy_world_init(&world);
		world.config.enforce_init = seed % 2;
		policy_world_set_synced(&world);
		for (unsigned int step = 0; step < 150; step++) {
			change(&world, random);
			for (unsigned int i = 0; i < 40; i++)
				ask(&world, random);
			init_copy(&copy, &world);
			assert_same(&world, &copy);
			policy_world_fini(&copy);
		}
		policy_world_fini(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
