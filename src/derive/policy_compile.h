/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy with what its selectors mean at the moment: groups of prefixes and services become prefixes
 * and labels, as the tables say. What is left names identities alone.
 */
#pragma once

#include "src/derive/config.h"
#include "src/model/policy.h"
#include "src/store/tables.h"

struct compiled_rule {
	const struct policy_rule *rule; /* of the policy */
	bool any_peer;    /* also where it denies a prefix that nobody can tell from others */
	GPtrArray *peers; /* const struct selector, SELECTOR_LABELS or SELECTOR_CIDR */
};

struct compiled_spec {
	const struct compiled_policy *policy;
	const struct policy_spec *spec; /* of the policy */
	unsigned int index;             /* of the spec in the policy */
	uint32_t id;                    /* of policy and index, the same when the policy changes */
	GPtrArray *port_names;          /* interned: of ports of the subject's own; NULL: none */
	bool default_deny[POLICY_DIRECTION__MAX];
	GPtrArray *rules[POLICY_DIRECTION__MAX]; /* struct compiled_rule, in the manifest's order */
};

struct compiled_policy {
	const struct policy *policy; /* a reference */
	GPtrArray *specs;            /* struct compiled_spec */
};

/* What selectors are looked up in; tables, config and index are borrowed. */
struct policy_compile_world {
	const struct tables *tables;
	const struct derive_config *config;
	const struct table_index *slices;         /* endpoint_slices by "namespace/service" */
	const struct prefix_derivation *prefixes; /* NULL: all have identities */
	uint32_t last_id;                         /* of a compiled_spec */
};

/* before: what the policy was compiled to until now, or NULL. */
struct compiled_policy *policy_compile(struct policy_compile_world *world,
				       const struct policy *policy,
				       const struct compiled_policy *before);
void compiled_policy_free(struct compiled_policy *compiled); /* takes NULL */
/* Whether both say the same of the same endpoints and peers. */
bool compiled_policy_is_same(const struct compiled_policy *a, const struct compiled_policy *b);
/* Whether compiling the policy looked at the table, which is active_cidr_groups, services or endpoint_slices. */
bool policy_compile_uses(const struct tables *tables, const struct policy *policy,
			 const struct table *table);
/* Policies by key, specs by index: the order in which rules count. */
int compiled_spec_compare(const struct compiled_spec *a, const struct compiled_spec *b);
