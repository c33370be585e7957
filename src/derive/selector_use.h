/* SPDX-License-Identifier: Apache-2.0 */
/* Which CIDR groups, or which services, the rules of policies name: by name, or by labels. */
#pragma once

#include "src/model/object.h"
#include "src/model/selector.h"

struct selector_uses;

struct selector_uses *selector_uses_new(void);
void selector_uses_free(struct selector_uses *uses); /* takes NULL */
/* change: 1 or −1. SELECTOR_CIDR_GROUP or SELECTOR_SERVICE. */
void selector_uses_count(struct selector_uses *uses, const struct selector *selector, int change);
/* That any selector means the object; namespace NULL: it has none. */
bool selector_uses_have(const struct selector_uses *uses, const char *namespace,
			const struct object_meta *meta);
/* True once after selectors came that were not there, or went for good. */
bool selector_uses_take_changed(struct selector_uses *uses);
