/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows do not get a front end that they want, because another row has it. Few, as a rule. */
#pragma once

#include "src/derive/lb_claim.h"

struct lb_losses;

struct lb_losses *lb_losses_new(void);
void lb_losses_free(struct lb_losses *losses); /* takes NULL */
/* The row of the key does not get these (struct lb_claim_key) and no others. now: a reference is taken; NULL: none. */
void lb_losses_set(struct lb_losses *losses, const char *row_key, GArray *now);
/* Calls fn with the key of each row that does not get it, in no order. No change meanwhile. */
void lb_losses_foreach_of(const struct lb_losses *losses, const struct lb_claim_key *key,
			  void (*fn)(const char *row_key, void *data), void *data);
void lb_losses_foreach(const struct lb_losses *losses,
		       void (*fn)(const char *row_key, const struct lb_claim_key *key, void *data),
		       void *data);
