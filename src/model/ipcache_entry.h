/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a prefix: its identity and where it lives. Key: struct cidr, 17 bytes. */
#pragma once

#include <stdint.h>
#include "src/base/row.h"
#include "src/model/addr.h"

struct ipcache_entry {
	struct row row;
	struct cidr cidr;
	uint32_t identity;
	uint8_t flags;         /* IPCACHE_F_* of abi/ipcache.h */
	struct addr host;      /* the node that has it; zero: not known */
	const char *source;    /* "local", "custom-resource", "generated", … : static string */
	const char *namespace; /* of the pod, interned; may be NULL */
	char *name;
};

extern const struct row_class ipcache_entry_class;
