/* SPDX-License-Identifier: Apache-2.0 */
/* Rule sets that are drawn by chance, for policy_property_test.c. */
#pragma once

#include "src/datapath/policy_test.h"

#define N_ENDPOINTS 5
#define N_SETS      4
#define N_CLASSES   10

/* The plan, which outlives the agent as manifests do. */
struct plan {
	struct node *node;
	GRand *rand;
	const struct rule_class *classes[N_CLASSES];
	struct rule_set *sets[N_SETS + 1]; /* by number; NULL: not in the plan */
	uint32_t set_of[N_ENDPOINTS + 1];  /* by id; 0: not in the plan */
	bool audit[N_ENDPOINTS + 1];
	uint64_t last_revision;
	/* Rule sets that may be in force for an endpoint, by their rows; NULL: nothing, all is denied. */
	GPtrArray *allowed[N_ENDPOINTS + 1];
	/* Rows that the plan had since it last came to rest: peers go last of all. */
	GPtrArray *recent;
	bool may_be_stricter; /* maps may be full, writes may fail */
};

static inline unsigned int draw(const struct plan *plan, unsigned int n)
{
	return g_rand_int_range(plan->rand, 0, n);
}

static inline bool one_in(const struct plan *plan, unsigned int n)
{
	return draw(plan, n) == 0;
}

/* ---- what is drawn ---- */

static inline const struct rule_class *draw_class(const struct plan *plan)
{
	static const struct rule_class_entry entries[] = {
		{IPPROTO_TCP, 16, 80, {11, POLICY_VERDICT_ALLOW, 0, 0}},
		{IPPROTO_TCP, 16, 443, {12, POLICY_VERDICT_DENY, 0, 0}},
		{IPPROTO_TCP, 0, 0, {13, POLICY_VERDICT_ALLOW, 0, 0}},
		{IPPROTO_UDP, 9, 0xff80, {14, POLICY_VERDICT_ALLOW, 0, 0}},
		{IPPROTO_ICMP, 16, 8, {15, POLICY_VERDICT_NEEDS_PROXY, 0, 0}},
	};
	const struct policy_leaf otherwise = {.rule = 1 + draw(plan, 3),
					      .verdict = draw(plan, POLICY_VERDICT__MAX)};
	struct rule_class_entry drawn[G_N_ELEMENTS(entries)];
	unsigned int n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
		if (!one_in(plan, 3))
			continue;
		drawn[n] = entries[i];
		drawn[n++].leaf.rule += 100 * draw(plan, 3);
	}
	return rule_class_new(&otherwise, drawn, n);
}

static inline const struct rule_class *pick_class(const struct plan *plan)
{
	return rule_class_ref(plan->classes[draw(plan, N_CLASSES)]);
}

static inline void draw_side(const struct plan *plan, struct rule_set_direction *side)
{
	side->open = one_in(plan, 5);
	side->others = pick_class(plan);
	side->peers = g_new0(struct rule_set_peer, IDENTITY_N);
	for (uint32_t i = 0; i < IDENTITY_N; i++)
		if (one_in(plan, 2))
			side->peers[side->n_peers++] =
				(struct rule_set_peer){IDENTITY_FIRST + i, pick_class(plan)};
}

static inline struct rule_set *draw_set(struct plan *plan, uint32_t number)
{
	struct rule_set *set = rule_set_new(number, ++plan->last_revision);

	draw_side(plan, &set->directions[POLICY_INGRESS]);
	draw_side(plan, &set->directions[POLICY_EGRESS]);
	g_ptr_array_add(set->policies, g_strdup("NetworkPolicy/default/p"));
	return set;
}

/* The same rules; an identity has come where there was none, or gone. */
static inline struct rule_set *draw_peers(const struct plan *plan, const struct rule_set *before)
{
	struct rule_set *set = rule_set_new(before->number, before->revision);
	uint32_t identity = IDENTITY_FIRST + draw(plan, IDENTITY_N);

	for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++) {
		const struct rule_set_direction *from = &before->directions[direction];
		struct rule_set_direction *side = &set->directions[direction];
		bool was_there = false;

		side->open = from->open;
		side->others = rule_class_ref(from->others);
		side->peers = g_new0(struct rule_set_peer, IDENTITY_N);
		for (uint32_t i = 0; i <= from->n_peers; i++) {
			uint32_t next = i < from->n_peers ? from->peers[i].identity : UINT32_MAX;

			if (next > identity && !was_there) {
				side->peers[side->n_peers++] =
					(struct rule_set_peer){identity, pick_class(plan)};
				was_there = true;
			}
			was_there |= next == identity;
			if (i < from->n_peers && next != identity)
				side->peers[side->n_peers++] = (struct rule_set_peer){
					next, rule_class_ref(from->peers[i].class)};
		}
	}
	g_ptr_array_add(set->policies, g_strdup("NetworkPolicy/default/p"));
	return set;
}
