/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policies say of endpoints, ready for the kernel: the plan of policy. Endpoints that the same
 * rules select, with the same named ports, share a rule set; peers that the same rules select share a
 * class.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "abi/policy.h"
#include "src/base/row.h"

struct rule_class_entry {
	uint8_t protocol; /* IPPROTO_* */
	uint8_t prefix_len;
	uint16_t port; /* host byte order; bits beyond the prefix are zero */
	struct policy_leaf leaf;
};

/*
 * A total function of protocol and port. Immutable, reference-counted and interned: equal classes are
 * the same pointer. Entries are sorted by protocol, port, prefix_len, and none could be left out.
 */
struct rule_class {
	unsigned int n_refs;
	uint32_t prefix_lens; /* bit n: an entry has prefix_len n */
	struct policy_leaf otherwise;
	unsigned int n_entries;
	struct rule_class_entry entries[];
};

const struct rule_class *rule_class_new(const struct policy_leaf *otherwise,
					const struct rule_class_entry *entries, unsigned int n);
const struct rule_class *rule_class_ref(const struct rule_class *class);
void rule_class_unref(const struct rule_class *class); /* takes NULL */
/* What the class says, as the programs find it. ICMP: port is the type. */
struct policy_leaf rule_class_judge(const struct rule_class *class, uint8_t protocol,
				    uint16_t port);

struct rule_set_peer {
	uint32_t identity;
	const struct rule_class *class; /* the set holds a reference */
};

struct rule_set_direction {
	bool enforced; /* a rule with default deny selects the endpoints, or the mode says so */
	bool open;     /* not enforced, and no rule: nothing is looked up */
	const struct rule_class *others; /* of identities without an entry; never NULL */
	unsigned int n_peers;
	struct rule_set_peer *peers; /* sorted by identity; owned */
};

/*
 * Key: number, 4 bytes in host order. Under the same number and revision only peers come and go: those
 * of identities that come and go. Everything else is another revision.
 */
struct rule_set {
	struct row row;
	uint32_t number; /* never 0; not the kernel's version */
	uint64_t revision;
	struct rule_set_direction directions[POLICY_DIRECTION__MAX];
	GPtrArray *policies; /* char *, keys of the policies that select the endpoints, sorted */
};

extern const struct row_class rule_set_class;

struct rule_set *rule_set_new(uint32_t number, uint64_t revision);
/* Borrowed: the class of the identity, or that of the others. Never NULL. */
const struct rule_class *rule_set_get_class(const struct rule_set *set,
					    enum policy_direction direction, uint32_t identity);

/* Which rule set an endpoint has. Key: endpoint id, 2 bytes in host order; 0 is the host. */
struct endpoint_policy {
	struct row row;
	uint16_t endpoint_id;
	uint32_t rule_set; /* number */
	bool audit;
	uint64_t policy_revision; /* the revision of all policies that this takes into account */
};

extern const struct row_class endpoint_policy_class;

/* Where a rule's number comes from. Key: number, 4 bytes in host order. */
struct rule_origin {
	struct row row;
	uint32_t number;
	char *policy; /* key of the policy; or "reserved" for what no policy says (allow-localhost) */
	char *path;   /* "spec.ingress[0]" */
	char *file;   /* may be NULL */
	unsigned int line;
	char *log; /* may be NULL */
};

extern const struct row_class rule_origin_class;

/* Numbers of what no policy says; policy_rule_number() gives none of these. */
enum {
	RULE_NUMBER_NONE = 0,
	RULE_NUMBER_ALLOW_LOCALHOST =
		1, /* reserved:io.cilium.policy.derived-from=allow-localhost-ingress */
	RULE_NUMBER_ALLOW_ANY =
		POLICY_RULE_ALLOW_ANY, /* … allow-any-ingress, allow-any-egress: not enforced */
	RULE_NUMBER_RESERVED_MAX = 15,
};
