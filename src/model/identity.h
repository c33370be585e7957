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

/* Key: the number, 4 bytes in host order. */
struct identity {
	struct row row;
	uint32_t number;
	const struct label_set *labels;
};

extern const struct row_class identity_class;

/* "host" for 1, …; NULL for a number that is not reserved. */
const char *identity_reserved_name(uint32_t number);
