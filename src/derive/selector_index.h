/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of many selectors match a set of labels, without trying each. A selector stands in one bucket: of
 * a key and value that it asks for, else of a key, else of what must always be tried.
 */
#pragma once

#include "src/model/selector.h"

struct selector_index;

struct selector_index *selector_index_new(void);
void selector_index_free(struct selector_index *index); /* takes NULL */
/* selector: SELECTOR_LABELS; it and item are borrowed until they are removed. An item is added once. */
void selector_index_add(struct selector_index *index, const struct selector *selector, void *item);
void selector_index_remove(struct selector_index *index, const struct selector *selector,
			   void *item);
/* Calls fn with the item of each selector that matches, in no order; fn must not change the index. */
void selector_index_foreach(const struct selector_index *index, const struct label_set *labels,
			    void (*fn)(void *item, void *data), void *data);
/*
 * What the selector is looked for under: the requirement for one value that tells most, or NULL. A
 * namespace is what nearly every selector asks for.
 */
const struct requirement *selector_index_choose(const struct selector *selector);
