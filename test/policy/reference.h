/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge of the tests: what the manifests of a world say of a packet, read off the manifests each time
 * anew, in the order in which the documentation of Kubernetes and Cilium tells it. Slow, and to be read
 * beside that documentation: nothing is prepared, merged or kept.
 */
#pragma once

#include <stdint.h>
#include "test/policy/world.h"

enum reference_step {           /* which decides; the first that holds */
	REFERENCE_DENIED,       /* a deny rule covers the packet */
	REFERENCE_LOCALHOST,    /* from the node's own host, which allow-localhost lets in */
	REFERENCE_NEEDS,        /* covered by a rule with L7, TLS, a listener or authentication */
	REFERENCE_ALLOWED,      /* an allow rule covers it */
	REFERENCE_NOT_ENFORCED, /* nothing asks for a rule */
	REFERENCE_DEFAULT_DENY,
	REFERENCE_STEP__MAX,
};

struct reference_answer {
	enum reference_step step;
	char *rule; /* "CiliumNetworkPolicy/default/web spec.ingress[0]"; NULL; borrowed of the view */
};

/* What is said of one subject, one direction, one peer. */
struct reference_view;

/* parties: of the world, borrowed. */
struct reference_view *reference_view_new(struct world *world, const struct party *subject,
					  bool is_ingress, const struct party *peer);
void reference_view_free(struct reference_view *view);
/* protocol: IPPROTO_*; port: of ICMP the type. */
struct reference_answer reference_judge(const struct reference_view *view, uint8_t protocol,
					uint16_t port);
bool reference_step_allows(enum reference_step step);
const char *reference_step_text(enum reference_step step);

/* One element of ingress, egress, ingressDeny or egressDeny, and what is around it. */
struct reference_rule {
	struct world *world;
	const json_t *policy; /* the manifest */
	const json_t *spec;
	const json_t *json;
	bool is_kubernetes, is_clusterwide, is_ingress, is_deny;
	const char *namespace; /* of the policy; NULL: clusterwide */
	char *name;            /* of policy and path */
	const GPtrArray *
		requires; /* struct reference_rule: all of the subject and direction */
};

/* reference_selector.c: label selectors. source, prefix: of all keys; NULL: as the key says. */
bool selector_holds(const json_t *selector, const struct party *party, const char *source,
		    const char *prefix);
/* A peer of a CiliumNetworkPolicy, with the namespace that it means without naming it. */
bool endpoint_selector_holds(const struct reference_rule *rule, const json_t *selector,
			     const struct party *peer);

/* reference_peer.c: whether the rule means the peer. */
bool rule_selects_peer(const struct reference_rule *rule, const struct party *peer);

/* reference_port.c: what the rule's ports say of the packet. */
enum rule_covers {
	RULE_COVERS_NOT,
	RULE_COVERS,
	RULE_COVERS_WITH_NEEDS
};
enum rule_covers rule_covers(const struct reference_rule *rule, const struct party *subject,
			     uint8_t protocol, uint16_t port);

/* A member that is there: null is as if it were not. */
const json_t *member_of(const json_t *object, const char *name);
