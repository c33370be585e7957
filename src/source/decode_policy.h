/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decoders of policies share. What is wrong is a problem, and the policy is refused whole; what is
 * legal but surely not meant, or waits for a later version, is a note.
 */
#pragma once

#include "src/model/policy.h"
#include "src/source/decode_private.h"

/* Of any list in a policy: as many prefixes as can have an identity, and far more than anybody writes. */
#define POLICY_MAX_ITEMS 65535

struct policy_decoder {
	struct policy *policy;
	const struct field *object; /* paths begin below it */
	bool is_host;               /* the spec under way selects nodes */
	bool is_init; /* its subject is pods that have no labels yet, nor a namespace */
};

void decode_policy_note(const struct policy_decoder *decoder, const struct field *field,
			bool fails_closed, const char *format, ...) G_GNUC_PRINTF(4, 5);
/*
 * A member of the mapping that is none of known, which ends in NULL, is a problem: a misspelt fromEndpoints would
 * else open what it should close. kubectl refuses it too.
 */
void decode_policy_members(const struct field *mapping, const char *const *known);
/* As field_first(); a list that is too long is a problem, and empty. */
struct field decode_policy_first(const struct field *list);
/* A new rule with the path, line and number of the field; in spec. */
struct policy_rule *decode_policy_rule(const struct policy_decoder *decoder,
				       struct policy_spec *spec, const struct field *field,
				       enum policy_direction direction, bool deny);
/* labels: the rule's own, struct label; those that say where it is from are added. */
const struct label_set *decode_policy_labels(const struct policy_decoder *decoder, const char *name,
					     GArray *labels);

/* A selector of labels under way. */
struct label_selector {
	GArray *requirements; /* struct requirement */
	GPtrArray *memory;    /* that their texts and lists of values need */
	bool is_all;          /* reserved:all: whatever else it says */
};

void label_selector_init(struct label_selector *selector);
void label_selector_fini(struct label_selector *selector);
/* value NULL: Exists. Copies all texts but source. */
void label_selector_add(struct label_selector *selector, const char *source, const char *key,
			const char *value);
/* Any source: source NULL matches any that was asked for. */
bool label_selector_has_key(const struct label_selector *selector, const char *source,
			    const char *key);
/* Keys of source k8s, or of any, that begin with the prefix. */
bool label_selector_has_prefix(const struct label_selector *selector, const char *prefix);
/* Some label must be there: not everything that lacks a label is selected. */
bool label_selector_is_positive(const struct label_selector *selector);
bool label_selector_has_source(const struct label_selector *selector, const char *source);
/*
 * Adds what matchLabels and matchExpressions say. source NULL: as Cilium writes keys, "k8s:app", "any:app" or
 * "app"; else of that source, and prefix (may be "") stands before each key.
 */
void decode_label_selector(const struct policy_decoder *decoder, const struct field *field,
			   const char *source, const char *prefix, struct label_selector *selector);
/* A new reference; notes where nothing can meet all requirements. */
const struct selector *label_selector_end(const struct policy_decoder *decoder,
					  const struct field *field,
					  const struct label_selector *selector);

/* The L3 members of an element. False: there are none. */
bool decode_policy_peers(const struct policy_decoder *decoder, const struct field *element,
			 struct policy_rule *rule);
/* Adds the names of the L3 members of the direction. */
void decode_policy_peer_names(enum policy_direction direction, GPtrArray *names);
/* text of a prefix; may_be_addr: an address alone too. False: none, which is a problem. */
bool decode_policy_cidr(const struct policy_decoder *decoder, const struct field *field,
			bool may_be_addr, struct cidr *ret_cidr);
/* cidr NULL: a group's, which may hold any. NULL: there are none. */
GArray *decode_policy_excepts(const struct policy_decoder *decoder, const struct field *list,
			      const struct cidr *cidr);

/* toPorts and icmps of an element. False: there are none. */
bool decode_policy_ports(const struct policy_decoder *decoder, const struct field *element,
			 struct policy_rule *rule);
/* Takes the name, interned. */
void decode_policy_add_port(const struct field *field, struct policy_rule *rule,
			    const struct policy_port *port);

/* Notes where the ports from n_before on, which are those of the item, are all among those before. */
void decode_policy_check_shadowed(const struct policy_decoder *decoder, const struct field *item,
				  const struct policy_rule *rule, unsigned int n_before);

/* What an element of toPorts has beside ports: enum policy_need. has_dns: DNS rules are among it. */
uint8_t decode_policy_l7(const struct policy_decoder *decoder, const struct field *element,
			 const struct policy_rule *rule, bool *ret_has_l7, bool *ret_has_dns);
/* matchName or matchPattern; is_pattern where it is the latter. NULL: a problem. */
const char *decode_policy_fqdn(const struct policy_decoder *decoder, const struct field *field,
			       bool *ret_is_pattern);
