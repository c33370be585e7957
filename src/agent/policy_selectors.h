/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules in force select: for the answers of the API and for metrics. */
#pragma once

#include <jansson.h>
#include "src/agent/agent.h"

/* Classes of selectors, by whom they are for; texts are Cilium's. */
enum policy_selector_class {
	POLICY_SELECTOR_CLUSTER, /* labels of pods and nodes, and what is reserved */
	POLICY_SELECTOR_FQDN,    /* none yet: no name is looked up */
	POLICY_SELECTOR_WORLD,   /* prefixes */
	POLICY_SELECTOR_OTHER,
	POLICY_SELECTOR__MAX,
};

const char *policy_selector_class_name(enum policy_selector_class class);

/* [{selector, labels, users, identities}] in the order of the texts: SelectorCache. json_decref. */
json_t *policy_selectors_to_json(const struct agent *agent);
/* The most identities that one selector of each class selects. */
void policy_selectors_count_max(const struct agent *agent,
				unsigned int ret_max[static POLICY_SELECTOR__MAX]);
