/* SPDX-License-Identifier: Apache-2.0 */
/* What policy_rules.c and policy_rules_peer.c share. */
#pragma once

#include "src/derive/policy_rules.h"

/* A rule in its place. */
struct placed_rule {
	const struct policy_rule *rule;
	bool any_peer;
	bool names_ports;
	GPtrArray *selectors; /* struct policy_selector */
	GArray *ports;        /* struct policy_port without names */
};

struct policy_rules {
	struct policy_rules_input input; /* without specs */
	GPtrArray *rules;                /* struct placed_rule */
	GArray *any_peer;                /* uint32_t: places of rules that cover everybody */
	GHashTable *places;  /* struct policy_selector to GArray of uint32_t: places of rules */
	GHashTable *classes; /* GBytes: who is asked for and places; to struct rule_class */
	unsigned int n_classes_at_first;
	const struct rule_class *others;
};

/*
 * Borrowed: the class of a peer that rules in these places select; none twice, in any order. Equal lists
 * are looked up, not computed again.
 */
const struct rule_class *policy_rules_class_of(struct policy_rules *rules, const GArray *selected,
					       bool localhost);
/* Whether the identity is the host, which is allowed in. */
bool policy_rules_is_localhost(const struct policy_rules *rules, uint32_t identity);
