/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which identities a peer selector means, kept up to date: a new identity is tried against the few
 * selectors that may match it, a new selector against the identities once, however many rules use it.
 *
 * Every reserved identity is there from the start, with the labels that its number says.
 */
#pragma once

#include "src/derive/config.h"
#include "src/model/selector.h"

struct policy_selectors;

struct policy_selector {
	const struct selector *selector; /* SELECTOR_LABELS or SELECTOR_CIDR */
	GArray *identities;              /* uint32_t, ascending */
	GHashTable *users;               /* whatever its users put there, who take it out again */
	unsigned int n_refs;
};

/* config is borrowed. */
struct policy_selectors *policy_selectors_new(const struct derive_config *config);
void policy_selectors_free(struct policy_selectors *selectors); /* takes NULL */

/* SELECTOR_LABELS or SELECTOR_CIDR; the same for the same selector. */
struct policy_selector *policy_selector_ref(struct policy_selectors *selectors,
					    const struct selector *selector);
/* Borrowed; NULL: nobody holds a reference to it. */
const struct policy_selector *policy_selector_find(const struct policy_selectors *selectors,
						   const struct selector *selector);
void policy_selector_unref(struct policy_selectors *selectors, struct policy_selector *selector);
bool policy_selector_has(const struct policy_selector *selector, uint32_t identity);

/*
 * The identity has these labels now; NULL: those of its number if that is reserved, else it is gone. Calls
 * fn with each selector that lost or found it. True where it had other labels before.
 */
bool policy_selectors_put_identity(struct policy_selectors *selectors, uint32_t number,
				   const struct label_set *labels,
				   void (*fn)(struct policy_selector *selector, void *data),
				   void *data);
/* Calls fn with each selector that the identity is one of. */
void policy_selectors_foreach(const struct policy_selectors *selectors, uint32_t number,
			      void (*fn)(struct policy_selector *selector, void *data), void *data);
