// SPDX-License-Identifier: Apache-2.0
#include "src/model/ipcache_entry.h"

#include "src/base/intern.h"

static void ipcache_entry_fini(struct row *row)
{
	struct ipcache_entry *entry = (struct ipcache_entry *)row;

	intern_unref(entry->namespace);
	g_free(entry->name);
}

static bool ipcache_entry_equal(const struct row *row_a, const struct row *row_b)
{
	const struct ipcache_entry *a = (const struct ipcache_entry *)row_a;
	const struct ipcache_entry *b = (const struct ipcache_entry *)row_b;

	return cidr_equal(&a->cidr, &b->cidr) && a->identity == b->identity &&
	       a->flags == b->flags && addr_equal(&a->host, &b->host) &&
	       g_strcmp0(a->source, b->source) == 0 && a->namespace == b->namespace &&
	       g_strcmp0(a->name, b->name) == 0;
}

const struct row_class ipcache_entry_class = {
	.name = "ipcache entry",
	.size = sizeof(struct ipcache_entry),
	.fini = ipcache_entry_fini,
	.equal = ipcache_entry_equal,
};
