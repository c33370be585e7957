/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rules to a class: what rules that all cover a peer say together about every protocol and port.
 *
 *	1. Each rule is taken apart into clauses: one protocol and one run of ports, or everything.
 *	2. Clauses are sorted by strength: denials, then what allow-localhost says, then what needs a
 *	   proxy or authentication, then what is allowed, then what goes because the direction is not
 *	   enforced; among equals in the order of the policies.
 *	3. The strongest clause about everything is what the class says otherwise.
 *	4. For each protocol that a clause names, the strongest clause that covers a port decides it.
 *	5. Runs of ports that are decided alike are written as prefixes: the smallest table of which
 *	   the longest prefix that matches gives the same answers.
 */
#pragma once

#include "src/model/policy.h"
#include "src/model/rule_set.h"

/* The steps of a verdict: the first of which a clause covers the packet decides. */
enum policy_step {
	POLICY_STEP_DENY,
	POLICY_STEP_ALLOW_LOCALHOST,
	POLICY_STEP_NEEDS,
	POLICY_STEP_ALLOW,
	POLICY_STEP_NOT_ENFORCED,
};

struct policy_clause {
	enum policy_step step;
	uint8_t needs;    /* enum policy_need, of POLICY_STEP_NEEDS */
	uint32_t order;   /* of the rule among all that select the endpoint */
	uint32_t rule;    /* its number */
	bool names_peers; /* the rule covers the peer because it selects it, not everybody */
	uint8_t protocol; /* IPPROTO_*; 0: every protocol, first and last do not count */
	uint16_t first;   /* port, or ICMP type */
	uint16_t last;    /* itself included; not below first */
};

/*
 * The class of the clauses, in any order; they are sorted in place. None: everything is denied by
 * default. The caller owns the reference.
 */
const struct rule_class *policy_class_new(struct policy_clause *clauses, unsigned int n);
