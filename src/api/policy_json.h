/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies in the JSON form of Cilium's rules, as "cilium policy get" prints them: whatever the manifest
 * was (a NetworkPolicy too), each spec becomes a rule with endpointSelector or nodeSelector, ingress,
 * egress, ingressDeny, egressDeny and labels.
 */
#pragma once

#include <jansson.h>
#include "src/model/policy.h"

/* One rule; labels say which object it is from. json_decref. */
json_t *policy_spec_to_json(const struct policy_spec *spec);
/* {"matchLabels": {"any:app": "web"}, "matchExpressions": […]} of a SELECTOR_LABELS. */
json_t *policy_selector_to_json(const struct selector *selector);
/* [{"key", "value", "source"}]: what Cilium prints labels of rules as. */
json_t *policy_labels_to_json(const struct label_set *labels);
/* What the rule asks for and this version refuses: "L7 rules, authentication"; NULL: nothing. g_free. */
char *policy_needs_format(uint8_t needs);
/* "TCP", "ICMPv6", …, "ANY" for 0; NULL for one that no policy names. */
const char *policy_protocol_name(uint8_t protocol);
