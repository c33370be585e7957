/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which row has a front end. Twelve bytes a slot and nothing else: what a front end is stands in the row. The
 * rows are the caller's and stay as long as they are in here.
 */
#pragma once

#include "src/model/lb.h"

struct lb_claims;

/* A front end by itself. All bytes count. */
struct lb_claim_key {
	struct addr addr;
	uint16_t port; /* 0: the wildcard of the address, whose protocol is 0 too */
	uint8_t protocol;
	uint8_t pad;
};

struct lb_claims *lb_claims_new(void);
void lb_claims_free(struct lb_claims *claims); /* takes NULL */
struct lb_claim_key lb_claim_key_of(const struct lb_service *row,
				    const struct lb_plan_frontend *frontend);
/* Borrowed; NULL: nobody has it. */
const struct lb_service *lb_claims_find(const struct lb_claims *claims,
					const struct lb_claim_key *key);
/* As what the row, whose it is, has it. */
enum lb_type lb_claim_type(const struct lb_service *row, const struct lb_claim_key *key);
/* Nobody has it. */
void lb_claims_put(struct lb_claims *claims, const struct lb_claim_key *key,
		   const struct lb_service *row);
/* False where the row does not have it. */
bool lb_claims_remove(struct lb_claims *claims, const struct lb_claim_key *key,
		      const struct lb_service *row);
