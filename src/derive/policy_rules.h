/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of one direction that select an endpoint, in the order in which they count, and the class of
 * each peer: that of the rules that cover it.
 */
#pragma once

#include "src/derive/policy_compile.h"
#include "src/derive/policy_named_port.h"
#include "src/derive/policy_selector.h"
#include "src/model/rule_set.h"

struct policy_rules;

struct policy_rules_input {
	struct policy_selectors *selectors;
	const struct policy_named_ports *named_ports; /* egress: of the peers */
	const GArray *own_ports; /* struct pod_port; ingress: of the endpoint; may be NULL */
	const GPtrArray
		*specs; /* struct compiled_spec, in their order; live as long as the rules */
	enum policy_direction direction;
	bool enforced;
	bool allow_localhost;
	void *owner;
};

struct policy_rules *policy_rules_new(const struct policy_rules_input *input);
void policy_rules_free(struct policy_rules *rules); /* takes NULL */
void *policy_rules_get_owner(const struct policy_rules *rules);
enum policy_direction policy_rules_get_direction(const struct policy_rules *rules);
bool policy_rules_is_empty(const struct policy_rules *rules);
/* Borrowed: of a peer that no rule selects. */
const struct rule_class *policy_rules_get_others(const struct policy_rules *rules);
/*
 * struct rule_set_peer by identity: all whose class is not that of the others. The caller owns the array
 * and the references in it.
 */
GArray *policy_rules_find_peers(struct policy_rules *rules);
/*
 * The class of an identity that these selectors (struct policy_selector, of any rules) match; the caller
 * owns the reference.
 */
const struct rule_class *policy_rules_find_class(struct policy_rules *rules, uint32_t identity,
						 const GPtrArray *matching);
/* Whether a port that a rule names is another number by now. */
bool policy_rules_are_stale(const struct policy_rules *rules);
