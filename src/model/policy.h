/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network policy as its manifest says it: a Kubernetes NetworkPolicy, a CiliumNetworkPolicy or a
 * CiliumClusterwideNetworkPolicy, brought into one form. What a policy selects is decided later, by the
 * derivations: nothing here depends on another object.
 */
#pragma once

#include "abi/policy.h"
#include "src/model/object.h"
#include "src/model/selector.h"

enum policy_kind {
	POLICY_KIND_KUBERNETES,  /* NetworkPolicy */
	POLICY_KIND_CILIUM,      /* CiliumNetworkPolicy */
	POLICY_KIND_CLUSTERWIDE, /* CiliumClusterwideNetworkPolicy */
	POLICY_KIND__MAX,
};

/* "NetworkPolicy", … */
const char *policy_kind_name(enum policy_kind kind);

/* What a rule asks for that this version does not have: what it would allow is refused. */
enum policy_need {
	POLICY_NEEDS_L7 = 0x01,
	POLICY_NEEDS_TLS = 0x02,      /* serverNames, terminatingTLS, originatingTLS */
	POLICY_NEEDS_LISTENER = 0x04, /* a listener of a CiliumEnvoyConfig */
	POLICY_NEEDS_AUTH = 0x08,
};

/* protocol 0: any, with or without ports; then port, end_port and name are not set. */
struct policy_port {
	uint8_t protocol;  /* IPPROTO_*; ANY of a manifest with a port becomes TCP, UDP and SCTP */
	uint8_t needs;     /* enum policy_need */
	bool all_ports;    /* every port of the protocol */
	uint16_t port;     /* first; ICMP: the type; 0 where name is set */
	uint16_t end_port; /* last; the first where there is one */
	const char *name;  /* interned: a port's name, looked up where the rule is applied */
};

/* One element of ingress, egress, ingressDeny or egressDeny: L3 and L4, both must match. */
struct policy_rule {
	uint32_t number; /* of the rule, never 0: policy_rule_number() */
	enum policy_direction direction;
	bool deny;
	uint8_t needs; /* enum policy_need, of all ports: authentication */
	char *path;    /* "spec.ingress[0]", "specs[1].egressDeny[2]" */
	unsigned int line;
	bool any_peer; /* no L3 member: everybody. Else whom one of peers selects; none: nobody */
	GPtrArray *peers; /* const struct selector */
	/* Peers are of fromEndpoints or toEndpoints: what rules for the subject require narrows them. */
	bool narrowed;
	GPtrArray *
		requires; /* const struct selector, SELECTOR_LABELS: fromRequires, toRequires */
	GArray *ports;    /* struct policy_port; empty: no L4 member, all protocols and ports */
	bool no_ports;    /* L4 members are there and name no port: the rule concerns nothing */
};

/* A spec, or one of specs; of a NetworkPolicy the only one. */
struct policy_spec {
	const struct selector *subject;           /* SELECTOR_LABELS, with the policy's namespace */
	bool selects_nodes;                       /* subject is of nodes: the host's own policy */
	bool default_deny[POLICY_DIRECTION__MAX]; /* no other traffic in that direction */
	GPtrArray *rules;               /* struct policy_rule, in the order of the manifest */
	const struct label_set *labels; /* those of the manifest's rule, and where it is from */
	char *description;              /* may be NULL */
	char *log;                      /* log.value; may be NULL */
};

/* Something that its author should know. */
struct policy_note {
	bool fails_closed; /* part of it is refused until a later version; else a warning */
	char *path;
	unsigned int line;
	char *text;
};

/*
 * Key: "<Kind>/<namespace>/<name>", or "<Kind>/<name>". Two rows are equal where they say the same on the
 * same lines of the same file: whoever explains a rule points there.
 */
struct policy {
	struct row row;
	struct object_meta meta;
	enum policy_kind kind;
	GPtrArray *specs; /* struct policy_spec */
	GPtrArray *notes; /* struct policy_note: what the object alone shows */
};

extern const struct row_class policy_class;

/* False where the policies differ in more than file, lines and notes: then something is judged differently. */
bool policy_is_same(const struct policy *a, const struct policy *b);

/* Empty, with no subject and no labels; belongs into the specs of a policy, which free it. */
struct policy_spec *policy_spec_new(void);
/* Without number and path. Belongs into the rules of a spec. */
struct policy_rule *policy_rule_new(enum policy_direction direction, bool deny);
void policy_spec_free(struct policy_spec *spec); /* takes NULL */
void policy_rule_free(struct policy_rule *rule); /* takes NULL */
/* A policy without specs and notes, in which everything is freed with it. */
struct policy *policy_new(void);
void policy_note_add(GPtrArray *notes, bool fails_closed, const char *path, unsigned int line,
		     const char *format, ...) G_GNUC_PRINTF(5, 6);
void policy_note_free(struct policy_note *note); /* takes NULL */

/*
 * The number of a rule, the same over restarts and on every node: a hash of the policy's key and the
 * rule's path. Never 0. Two rules may have the same number (one in 4 billion pairs): then an explanation
 * names both.
 */
uint32_t policy_rule_number(const char *policy_key, const char *path);
