/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about a world, and what the reference and the plan answer. */
#pragma once

#include "test/policy/plan.h"
#include "test/policy/random.h"
#include "test/policy/reference.h"

/* A packet's protocol and port; of ICMP the type. */
struct packet_kind {
	uint8_t protocol;
	uint16_t port;
};

#define N_PACKET_KINDS 46
extern const struct packet_kind packet_kinds[N_PACKET_KINDS];

/* struct question: what one end's rules say of the other. */
struct question {
	char *subject; /* "endpoint/3", "host" */
	char *peer;    /* an address, or "reserved:health" */
	bool is_ingress;
	struct packet_kind kind;
};

void question_fini(struct question *question);
/* Who can be asked about: char *. */
GPtrArray *question_subjects(const json_t *world);
GPtrArray *question_peers(const json_t *world);

/* Index of the subject in the world's endpoints, -1 for the host. */
int subject_endpoint(const char *subject);
/* NULL: the world has no such party. */
const struct party *subject_party(struct world *world, const char *subject);

/*
 * Whether the question has an answer. None: about the host without a firewall, of the host about itself,
 * and, where prefixes mean nodes, about the host, whose addresses are one identity.
 */
bool question_is_fair(const json_t *world, const struct party *subject, const struct party *peer);

/* Whether the plan says what the reference says, and if not, both in a text. */
bool answers_agree(const struct plan *plan, const struct reference_answer *expected,
		   const struct policy_leaf *got);
char *answers_text(const struct plan *plan, const struct reference_answer *expected,
		   const struct policy_leaf *got);
char *question_text(const struct question *question);
