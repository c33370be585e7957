/* SPDX-License-Identifier: Apache-2.0 */
/* A node in memory for tests of policy: a plan that tests change, and what its maps say of a packet. */
#pragma once

#include "src/datapath/fake_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include "src/model/identity.h"
#include "src/model/rule_set.h"

#define PEERS   PLAN_MAP_cilium_policy_peer
#define CLASSES PLAN_MAP_cilium_policy_class

/* Identities that tests ask about; not all are in a rule set. */
#define IDENTITY_FIRST 100
#define IDENTITY_N     6

struct node {
	struct store *store;
	struct tables tables;
	struct datapath *dp;
	struct reconcilers *reconcilers;
	uint32_t last_version; /* as the agent has it on disk: it outlives the agent */
	bool lockdown;
};

static inline int take_version(uint32_t *ret_version, void *data)
{
	*ret_version = ++((struct node *)data)->last_version;
	return 0;
}

static inline void node_start(struct node *node)
{
	node->store = tables_new(&node->tables);
	node->reconcilers = reconcilers_new(node->store, &node->tables, node->dp);
	reconcilers_set_clock(node->reconcilers, test_clock);
	reconcilers_set_version_source(node->reconcilers, take_version, node);
	reconcilers_set_policy_lockdown(node->reconcilers, node->lockdown);
	assert_int_equal(reconcilers_adopt(node->reconcilers, NULL), 0);
}

static inline void node_stop(struct node *node)
{
	reconcilers_free(node->reconcilers);
	store_free(node->store);
}

static inline struct node *node_new(uint32_t max_peers, uint32_t max_class_entries)
{
	const uint32_t limits[PLAN_MAP__MAX] = {[PEERS] = max_peers, [CLASSES] = max_class_entries};
	struct node *node = g_new0(struct node, 1);

	node->dp = test_datapath_new(limits);
	node_start(node);
	return node;
}

static inline void node_free(struct node *node)
{
	node_stop(node);
	node->dp->ops->free(node->dp);
	g_free(node);
}

static inline void node_come_to_rest(struct node *node)
{
	test_come_to_rest(node->reconcilers);
}

/* ---- the plan ---- */

/* Takes the reference. */
static inline void node_put_set(struct node *node, struct rule_set *take_set)
{
	struct txn *txn = txn_new(node->store);

	txn_put(txn, node->tables.rule_sets, &take_set->row);
	txn_commit(txn);
}

static inline void node_remove_set(struct node *node, uint32_t number)
{
	struct txn *txn = txn_new(node->store);

	txn_remove(txn, node->tables.rule_sets, &number, sizeof(number));
	txn_commit(txn);
}

static inline void node_put_endpoint(struct node *node, uint16_t id, uint32_t set, bool audit)
{
	struct endpoint_policy *row = (struct endpoint_policy *)row_new(&endpoint_policy_class);
	struct txn *txn = txn_new(node->store);

	row->endpoint_id = id;
	row->rule_set = set;
	row->audit = audit;
	row->policy_revision = 1;
	txn_put(txn, node->tables.endpoint_policies, &row->row);
	txn_commit(txn);
}

static inline void node_remove_endpoint(struct node *node, uint16_t id)
{
	struct txn *txn = txn_new(node->store);

	txn_remove(txn, node->tables.endpoint_policies, &id, sizeof(id));
	txn_commit(txn);
}

static inline void node_put_identity(struct node *node, uint32_t number)
{
	struct identity *row = (struct identity *)row_new(&identity_class);
	const struct label label = {.source = "k8s", .key = "n", .value = "x"};
	struct txn *txn = txn_new(node->store);

	row->number = number;
	row->labels = label_set_new(&label, 1);
	txn_put(txn, node->tables.identities, &row->row);
	txn_commit(txn);
}

/* A class that says one thing, and another for a port of TCP; port 0: for all the same. */
static inline const struct rule_class *class_new(enum policy_verdict verdict, uint32_t rule,
						 uint16_t port, enum policy_verdict at_port)
{
	const struct policy_leaf otherwise = {.rule = rule, .verdict = verdict};
	const struct rule_class_entry entry = {
		.protocol = IPPROTO_TCP,
		.prefix_len = 16,
		.port = port,
		.leaf = {.rule = rule + 1, .verdict = at_port},
	};

	return rule_class_new(&otherwise, &entry, port ? 1 : 0);
}

/* others, and n peers from first on, each with a reference to class; take_others, take_class. */
static inline void set_side(struct rule_set *set, enum policy_direction direction,
			    const struct rule_class *take_others, uint32_t first, uint32_t n,
			    const struct rule_class *take_class)
{
	struct rule_set_direction *side = &set->directions[direction];

	side->enforced = true;
	side->others = take_others;
	side->n_peers = n;
	side->peers = g_new0(struct rule_set_peer, n);
	for (uint32_t i = 0; i < n; i++)
		side->peers[i] = (struct rule_set_peer){first + i, rule_class_ref(take_class)};
	rule_class_unref(take_class);
}

/*
 * Ingress: n peers from first on may what class says (taken), all others nothing. Egress is open. Its policy is
 * NetworkPolicy/default/p.
 */
static inline struct rule_set *set_new(uint32_t number, uint64_t revision, uint32_t first,
				       uint32_t n, const struct rule_class *take_class)
{
	struct rule_set *set = rule_set_new(number, revision);

	set_side(set, POLICY_INGRESS, class_new(POLICY_VERDICT_DEFAULT_DENY, 0, 0, 0), first, n,
		 take_class);
	set_side(set, POLICY_EGRESS, class_new(POLICY_VERDICT_ALLOW, 2, 0, 0), 0, 0, NULL);
	set->directions[POLICY_EGRESS].open = true;
	set->directions[POLICY_EGRESS].enforced = false;
	g_ptr_array_add(set->policies, g_strdup("NetworkPolicy/default/p"));
	return set;
}

static inline const struct rule_class *allow(uint32_t rule)
{
	return class_new(POLICY_VERDICT_ALLOW, rule, 0, 0);
}

static inline const struct rule_class *allow_port(uint32_t rule, uint16_t port)
{
	return class_new(POLICY_VERDICT_DEFAULT_DENY, rule, port, POLICY_VERDICT_ALLOW);
}

/* Everybody may, but n peers from 100 on. */
static inline struct rule_set *deny_set(uint64_t revision, uint32_t n,
					const struct rule_class *take_class)
{
	struct rule_set *set = set_new(1, revision, 100, n, take_class);
	struct rule_set_direction *side = &set->directions[POLICY_INGRESS];

	rule_class_unref(side->others);
	side->others = allow(30);
	return set;
}

/* ---- a packet ---- */

struct question {
	enum policy_direction direction;
	uint32_t identity;
	uint8_t protocol;
	uint16_t port;
};

static inline struct policy_leaf judge_class(const struct datapath *dp,
					     const struct policy_peer *peer,
					     const struct question *question)
{
	struct policy_leaf leaf;

	for (int len = POLICY_PORT_BITS; peer->class && len >= 0; len--) {
		struct policy_class_key key = {
			.class = peer->class,
			.protocol = question->protocol,
			.prefix_len = len,
			.port = htons(question->port & (0xffff0000U >> len)),
		};
		const void *value =
			peer->prefix_lens & 1U << len ? fake_map_value(dp, CLASSES, &key) : NULL;

		if (value) {
			memcpy(&leaf, value, sizeof(leaf));
			return leaf;
		}
	}
	return peer->otherwise;
}

/* As the programs do it. Version 0 and what is not there: denied, rule 0. */
static inline struct policy_leaf judge(const struct datapath *dp, uint16_t endpoint_id,
				       const struct question *question)
{
	const struct policy_endpoint element =
		dp->ops->policy_get((struct datapath *)dp, endpoint_id);
	const uint32_t open[] = {POLICY_F_OPEN_INGRESS, POLICY_F_OPEN_EGRESS};
	struct policy_peer_key key = {
		.version = element.version,
		.identity = question->identity,
		.direction = question->direction,
	};
	struct policy_peer peer = {0};
	const void *value;

	if (element.version && element.flags & open[question->direction])
		return (struct policy_leaf){.rule = RULE_NUMBER_ALLOW_ANY,
					    .verdict = POLICY_VERDICT_ALLOW};
	value = element.version ? fake_map_value(dp, PEERS, &key) : NULL;
	if (!value && !(element.flags & POLICY_F_INCOMPLETE)) {
		key.identity = POLICY_IDENTITY_OTHERS;
		value = element.version ? fake_map_value(dp, PEERS, &key) : NULL;
	}
	if (value)
		memcpy(&peer, value, sizeof(peer));
	return judge_class(dp, &peer, question);
}

static inline void apply(struct node *node, struct rule_set *take_set)
{
	node_put_set(node, take_set);
	store_settle(node->store);
}

static inline enum policy_verdict verdict(const struct node *node, uint16_t id, uint32_t identity)
{
	const struct question question = {POLICY_INGRESS, identity, IPPROTO_TCP, 80};

	return judge(node->dp, id, &question).verdict;
}

static inline bool is_incomplete(const struct node *node, uint16_t id)
{
	return node->dp->ops->policy_get(node->dp, id).flags & POLICY_F_INCOMPLETE;
}

static inline uint32_t version_of(const struct node *node, uint16_t id)
{
	return node->dp->ops->policy_get(node->dp, id).version;
}

/* TCP from the identity to the endpoint. */
static inline bool is_allowed(const struct node *node, uint16_t id, uint32_t identity,
			      uint16_t port)
{
	const struct question question = {POLICY_INGRESS, identity, IPPROTO_TCP, port};

	return judge(node->dp, id, &question).verdict == POLICY_VERDICT_ALLOW;
}

static inline void assert_entries(const struct node *node, unsigned int n_peers,
				  unsigned int n_class_entries)
{
	assert_int_equal(fake_map_n_entries(node->dp, PEERS), n_peers);
	assert_int_equal(fake_map_n_entries(node->dp, CLASSES), n_class_entries);
}

/* As the rule set says it. */
static inline struct policy_leaf judge_set(const struct rule_set *set,
					   const struct question *question)
{
	if (set->directions[question->direction].open)
		return (struct policy_leaf){.rule = RULE_NUMBER_ALLOW_ANY,
					    .verdict = POLICY_VERDICT_ALLOW};
	return rule_class_judge(rule_set_get_class(set, question->direction, question->identity),
				question->protocol, question->port);
}

static inline bool leaf_is(struct policy_leaf a, struct policy_leaf b)
{
	return a.rule == b.rule && a.verdict == b.verdict;
}

/* fn is asked each question about the identity; false where fn said no. */
static inline bool foreach_question(uint32_t identity,
				    bool (*fn)(const struct question *question, void *data),
				    void *data)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	static const uint16_t ports[] = {8, 80, 443, 65535};

	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
		for (size_t i = 0; i < G_N_ELEMENTS(protocols); i++)
			for (size_t j = 0; j < G_N_ELEMENTS(ports); j++) {
				const struct question question = {direction, identity, protocols[i],
								  ports[j]};

				if (!fn(&question, data))
					return false;
			}
	return true;
}
