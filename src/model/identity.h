/* SPDX-License-Identifier: Apache-2.0 */
/* Security identities: labels to number. The numbers of the reserved ones are Cilium's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/model/label.h"
#include "src/base/row.h"

enum {
#define RESERVED_IDENTITY(name, number, text) IDENTITY_##name = number,
#include "src/model/reserved_identity.def"
#undef RESERVED_IDENTITY
	/* Numbers handed out for labels, cluster id 0. */
	IDENTITY_ALLOCATED_MIN = 256,
	IDENTITY_ALLOCATED_MAX = 65535,
	/* Numbers that mean something on this node alone: of prefixes, and of other nodes. */
	IDENTITY_PREFIX_MIN = 0x01000001,
	IDENTITY_PREFIX_MAX = 0x0100ffff,
	IDENTITY_NODE_MIN = 0x02000001,
	IDENTITY_NODE_MAX = 0x0200ffff,
};

/* Who a number means something to, and where it comes from. */
enum identity_scope {
	IDENTITY_SCOPE_LABELS, /* labels of pods; and whatever is reserved */
	IDENTITY_SCOPE_PREFIX, /* this node: prefixes that policies use */
	IDENTITY_SCOPE_NODE,   /* this node: other nodes, where their labels count */
	IDENTITY_SCOPE__MAX,
};

/* Numbers that a scope hands out. */
struct identity_range {
	uint32_t min;
	uint32_t max;
};

/* Key: the number, 4 bytes in host order. */
struct identity {
	struct row row;
	uint32_t number;
	const struct label_set *labels;
};

extern const struct row_class identity_class;

/* "host" for 1, …; NULL for a number that is not reserved. */
const char *identity_reserved_name(uint32_t number);
/*
 * The labels of a reserved number, as long as no row of the table identities says more; NULL for a number
 * that is not reserved. Unref it.
 */
const struct label_set *identity_reserved_labels(uint32_t number);

struct identity_range identity_scope_get_range(enum identity_scope scope);
/* True where a scope hands the number out. */
bool identity_find_scope(uint32_t number, enum identity_scope *ret_scope);
