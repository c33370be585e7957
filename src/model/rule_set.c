// SPDX-License-Identifier: Apache-2.0
#include "src/model/rule_set.h"

#include <string.h>
#include <glib.h>

/* Keys are the interned classes themselves; borrowed. */
static GHashTable *classes;

static bool leaf_equal(const struct policy_leaf *a, const struct policy_leaf *b)
{
	return a->rule == b->rule && a->verdict == b->verdict && a->match == b->match;
}

static bool entry_equal(const struct rule_class_entry *a, const struct rule_class_entry *b)
{
	return a->protocol == b->protocol && a->prefix_len == b->prefix_len && a->port == b->port &&
	       leaf_equal(&a->leaf, &b->leaf);
}

static unsigned int mix(unsigned int hash, uint32_t value)
{
	return (hash ^ value) * 16777619u; /* FNV-1a, by words */
}

static unsigned int class_hash(const void *pointer)
{
	const struct rule_class *class = pointer;
	unsigned int hash = mix(class->n_entries, class->otherwise.rule);

	for (unsigned int i = 0; i < class->n_entries; i++) {
		const struct rule_class_entry *entry = &class->entries[i];

		hash = mix(hash, entry->leaf.rule);
		hash = mix(hash, (uint32_t)entry->protocol << 24 |
					 (uint32_t)entry->prefix_len << 16 | entry->port);
	}
	return hash;
}

static int class_equal(const void *pointer_a, const void *pointer_b)
{
	const struct rule_class *a = pointer_a, *b = pointer_b;

	if (a->n_entries != b->n_entries || !leaf_equal(&a->otherwise, &b->otherwise))
		return false;
	for (unsigned int i = 0; i < a->n_entries; i++)
		if (!entry_equal(&a->entries[i], &b->entries[i]))
			return false;
	return true;
}

static int compare_entries(const void *pointer_a, const void *pointer_b)
{
	const struct rule_class_entry *a = pointer_a, *b = pointer_b;

	if (a->protocol != b->protocol)
		return a->protocol - b->protocol;
	if (a->port != b->port)
		return a->port - b->port;
	return a->prefix_len - b->prefix_len;
}

const struct rule_class *rule_class_new(const struct policy_leaf *otherwise,
					const struct rule_class_entry *entries, unsigned int n)
{
	struct rule_class *class = g_malloc0(sizeof(*class) + n * sizeof(entries[0]));
	struct rule_class *known;

	class->n_refs = 1;
	class->otherwise = *otherwise;
	class->n_entries = n;
	for (unsigned int i = 0; i < n; i++) {
		g_assert(entries[i].prefix_len <= POLICY_PORT_BITS);
		class->entries[i] = entries[i];
		class->prefix_lens |= 1u << entries[i].prefix_len;
	}
	if (n > 1)
		qsort(class->entries, n, sizeof(class->entries[0]), compare_entries);
	if (!classes)
		classes = g_hash_table_new(class_hash, class_equal);
	known = g_hash_table_lookup(classes, class);
	if (!known) {
		g_hash_table_add(classes, class);
		return class;
	}
	g_free(class);
	return rule_class_ref(known);
}

const struct rule_class *rule_class_ref(const struct rule_class *class)
{
	((struct rule_class *)class)->n_refs++;
	return class;
}

void rule_class_unref(const struct rule_class *class)
{
	struct rule_class *mutable = (struct rule_class *)class;

	if (!mutable || --mutable->n_refs > 0)
		return;
	g_hash_table_remove(classes, mutable);
	g_free(mutable);
}

static const struct rule_class_entry *find_entry(const struct rule_class *class,
						 const struct rule_class_entry *wanted)
{
	return bsearch(wanted, class->entries, class->n_entries, sizeof(class->entries[0]),
		       compare_entries);
}

struct policy_leaf rule_class_judge(const struct rule_class *class, uint8_t protocol, uint16_t port)
{
	for (int len = POLICY_PORT_BITS; len >= 0; len--) {
		uint32_t beyond = (1u << (POLICY_PORT_BITS - len)) - 1;
		struct rule_class_entry wanted = {
			.protocol = protocol,
			.prefix_len = len,
			.port = port & ~beyond,
		};
		const struct rule_class_entry *entry;

		if (!(class->prefix_lens & 1u << len))
			continue;
		entry = find_entry(class, &wanted);
		if (entry)
			return entry->leaf;
	}
	return class->otherwise;
}

static void direction_fini(struct rule_set_direction *direction)
{
	for (unsigned int i = 0; i < direction->n_peers; i++)
		rule_class_unref(direction->peers[i].class);
	g_free(direction->peers);
	rule_class_unref(direction->others);
}

static void rule_set_fini(struct row *row)
{
	struct rule_set *set = (struct rule_set *)row;

	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		direction_fini(&set->directions[i]);
	g_ptr_array_unref(set->policies);
}

static bool direction_equal(const struct rule_set_direction *a, const struct rule_set_direction *b)
{
	if (a->enforced != b->enforced || a->open != b->open || a->others != b->others ||
	    a->n_peers != b->n_peers)
		return false;
	for (unsigned int i = 0; i < a->n_peers; i++)
		if (a->peers[i].identity != b->peers[i].identity ||
		    a->peers[i].class != b->peers[i].class)
			return false;
	return true;
}

static bool policies_equal(const GPtrArray *a, const GPtrArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++)
		if (strcmp(a->pdata[i], b->pdata[i]) != 0)
			return false;
	return true;
}

static bool rule_set_equal(const struct row *row_a, const struct row *row_b)
{
	const struct rule_set *a = (const struct rule_set *)row_a;
	const struct rule_set *b = (const struct rule_set *)row_b;

	if (a->number != b->number || a->revision != b->revision)
		return false;
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		if (!direction_equal(&a->directions[i], &b->directions[i]))
			return false;
	return policies_equal(a->policies, b->policies);
}

const struct row_class rule_set_class = {
	.name = "rule set",
	.size = sizeof(struct rule_set),
	.fini = rule_set_fini,
	.equal = rule_set_equal,
};

struct rule_set *rule_set_new(uint32_t number, uint64_t revision)
{
	struct rule_set *set = (struct rule_set *)row_new(&rule_set_class);

	set->number = number;
	set->revision = revision;
	set->policies = g_ptr_array_new_with_free_func(g_free);
	return set;
}

const struct rule_class *rule_set_get_class(const struct rule_set *set,
					    enum policy_direction direction, uint32_t identity)
{
	const struct rule_set_direction *side = &set->directions[direction];
	unsigned int low = 0, high = side->n_peers;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (side->peers[middle].identity < identity)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < side->n_peers && side->peers[low].identity == identity)
		return side->peers[low].class;
	return side->others;
}

static bool endpoint_policy_equal(const struct row *row_a, const struct row *row_b)
{
	const struct endpoint_policy *a = (const struct endpoint_policy *)row_a;
	const struct endpoint_policy *b = (const struct endpoint_policy *)row_b;

	return a->endpoint_id == b->endpoint_id && a->rule_set == b->rule_set &&
	       a->audit == b->audit && a->policy_revision == b->policy_revision;
}

const struct row_class endpoint_policy_class = {
	.name = "endpoint policy",
	.size = sizeof(struct endpoint_policy),
	.equal = endpoint_policy_equal,
};

static void rule_origin_fini(struct row *row)
{
	struct rule_origin *origin = (struct rule_origin *)row;

	g_free(origin->policy);
	g_free(origin->path);
	g_free(origin->file);
	g_free(origin->log);
}

static bool rule_origin_equal(const struct row *row_a, const struct row *row_b)
{
	const struct rule_origin *a = (const struct rule_origin *)row_a;
	const struct rule_origin *b = (const struct rule_origin *)row_b;

	return a->number == b->number && a->line == b->line &&
	       g_strcmp0(a->policy, b->policy) == 0 && g_strcmp0(a->path, b->path) == 0 &&
	       g_strcmp0(a->file, b->file) == 0 && g_strcmp0(a->log, b->log) == 0;
}

const struct row_class rule_origin_class = {
	.name = "rule origin",
	.size = sizeof(struct rule_origin),
	.fini = rule_origin_fini,
	.equal = rule_origin_equal,
};
