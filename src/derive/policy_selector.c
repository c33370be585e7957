// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_selector.h"

#include "src/derive/selector_index.h"
#include "src/model/cidr_label.h"
#include "src/model/identity.h"

struct known_identity {
	uint32_t number;
	const struct label_set *labels;
};

/* A prefix of an identity. */
struct identity_prefix {
	struct cidr cidr;
	uint32_t number;
};

struct policy_selectors {
	const struct derive_config *config;
	GHashTable *by_selector; /* struct selector, interned, to struct policy_selector */
	struct selector_index *by_labels;
	GHashTable *by_cidr;               /* struct cidr to GPtrArray of struct policy_selector */
	unsigned int n_by_prefix_len[129]; /* keys of by_cidr */
	GArray *identities;                /* struct known_identity, by number */
	GTree *prefixes;                   /* struct identity_prefix, by itself */
};

static unsigned int cidr_hash(const void *pointer)
{
	const struct cidr *cidr = pointer;
	unsigned int hash = cidr->prefix_len;

	for (unsigned int i = 0; i < sizeof(cidr->addr); i++)
		hash = hash * 31 + cidr->addr.bytes[i];
	return hash;
}

static int cidr_same(const void *a, const void *b)
{
	return cidr_equal(a, b);
}

/* By the first address, the wider first: what a prefix contains follows it. */
static int compare_prefixes(const void *pointer_a, const void *pointer_b, void *data)
{
	const struct identity_prefix *a = pointer_a, *b = pointer_b;
	int order = addr_compare(&a->cidr.addr, &b->cidr.addr);

	if (!order)
		order = a->cidr.prefix_len - b->cidr.prefix_len;
	if (!order)
		order = (a->number > b->number) - (a->number < b->number);
	return order;
}

static void unref_array(void *array)
{
	g_ptr_array_unref(array);
}

/* The index in numbers (uint32_t, or a struct of size that begins with one), or where it would be. */
static unsigned int find_number(const GArray *numbers, size_t size, uint32_t number)
{
	unsigned int low = 0, high = numbers->len;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (*(const uint32_t *)(void *)(numbers->data + middle * size) < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct known_identity *find_identity(const struct policy_selectors *selectors,
					    uint32_t number)
{
	unsigned int i = find_number(selectors->identities, sizeof(struct known_identity), number);
	struct known_identity *known =
		&g_array_index(selectors->identities, struct known_identity, i);

	return i < selectors->identities->len && known->number == number ? known : NULL;
}

bool policy_selector_has(const struct policy_selector *selector, uint32_t identity)
{
	unsigned int i = find_number(selector->identities, sizeof(uint32_t), identity);

	return i < selector->identities->len &&
	       g_array_index(selector->identities, uint32_t, i) == identity;
}

static void add_number(struct policy_selector *selector, uint32_t number)
{
	unsigned int i = find_number(selector->identities, sizeof(uint32_t), number);

	if (i == selector->identities->len ||
	    g_array_index(selector->identities, uint32_t, i) != number)
		g_array_insert_val(selector->identities, i, number);
}

static void remove_number(struct policy_selector *selector, uint32_t number)
{
	unsigned int i = find_number(selector->identities, sizeof(uint32_t), number);

	if (i < selector->identities->len &&
	    g_array_index(selector->identities, uint32_t, i) == number)
		g_array_remove_index(selector->identities, i);
}

/* All addresses of a family are also the world, of which no policy names a part. */
static bool selects_world(const struct policy_selectors *selectors, const struct cidr *cidr,
			  uint32_t number)
{
	const struct derive_config *config = selectors->config;
	bool v4 = cidr_is_v4(cidr);

	if (cidr_text_len(cidr))
		return false;
	if (number == IDENTITY_WORLD)
		return v4 ? config->enable_ipv4 && !config->enable_ipv6
			  : config->enable_ipv6 && !config->enable_ipv4;
	return number == (v4 ? IDENTITY_WORLD_IPV4 : IDENTITY_WORLD_IPV6);
}

static void find_worlds(const struct policy_selectors *selectors, struct policy_selector *selector)
{
	static const uint32_t worlds[] = {IDENTITY_WORLD, IDENTITY_WORLD_IPV4, IDENTITY_WORLD_IPV6};
	const struct cidr *cidr = selector_get_cidr(selector->selector);

	for (unsigned int i = 0; i < G_N_ELEMENTS(worlds); i++)
		if (selects_world(selectors, cidr, worlds[i]) &&
		    selector_contains(selector->selector, cidr))
			add_number(selector, worlds[i]);
}

/* The prefix of this length around the address. */
static struct cidr prefix_around(const struct addr *addr, unsigned int prefix_len)
{
	struct cidr cidr = {.addr = *addr, .prefix_len = prefix_len};

	for (unsigned int i = 0; i < sizeof(cidr.addr.bytes); i++) {
		unsigned int kept = prefix_len > i * 8 ? MIN(prefix_len - i * 8, 8) : 0;

		cidr.addr.bytes[i] &= 0xff00 >> kept;
	}
	return cidr;
}

/* Those of a node may have several prefixes; one inside is enough. */
static void find_prefixes(const struct policy_selectors *selectors,
			  struct policy_selector *selector)
{
	const struct cidr *cidr = selector_get_cidr(selector->selector);
	const struct identity_prefix start = {.cidr = *cidr};

	for (GTreeNode *node = g_tree_lower_bound(selectors->prefixes, &start); node;
	     node = g_tree_node_next(node)) {
		const struct identity_prefix *prefix = g_tree_node_key(node);
		struct cidr around = prefix_around(&prefix->cidr.addr, cidr->prefix_len);

		/* By bits: IPv4 stands in the middle of ::/0, which does not contain it. */
		if (!addr_equal(&around.addr, &cidr->addr))
			break;
		if (selector_contains(selector->selector, &prefix->cidr))
			add_number(selector, prefix->number);
	}
}

static void find_labels(const struct policy_selectors *selectors, struct policy_selector *selector)
{
	for (unsigned int i = 0; i < selectors->identities->len; i++) {
		const struct known_identity *known =
			&g_array_index(selectors->identities, struct known_identity, i);

		if (selector_matches(selector->selector, known->labels))
			g_array_append_val(selector->identities, known->number);
	}
}

static void add_by_cidr(struct policy_selectors *selectors, struct policy_selector *selector)
{
	const struct cidr *cidr = selector_get_cidr(selector->selector);
	GPtrArray *same = g_hash_table_lookup(selectors->by_cidr, cidr);

	if (!same) {
		same = g_ptr_array_new();
		g_hash_table_insert(selectors->by_cidr, g_memdup2(cidr, sizeof(*cidr)), same);
		selectors->n_by_prefix_len[cidr->prefix_len]++;
	}
	g_ptr_array_add(same, selector);
}

static void remove_by_cidr(struct policy_selectors *selectors, struct policy_selector *selector)
{
	const struct cidr *cidr = selector_get_cidr(selector->selector);
	GPtrArray *same = g_hash_table_lookup(selectors->by_cidr, cidr);

	g_ptr_array_remove_fast(same, selector);
	if (same->len)
		return;
	selectors->n_by_prefix_len[cidr->prefix_len]--;
	g_hash_table_remove(selectors->by_cidr, cidr);
}

const struct policy_selector *policy_selector_find(const struct policy_selectors *selectors,
						   const struct selector *selector)
{
	return g_hash_table_lookup(selectors->by_selector, selector);
}

struct policy_selector *policy_selector_ref(struct policy_selectors *selectors,
					    const struct selector *selector)
{
	struct policy_selector *known = g_hash_table_lookup(selectors->by_selector, selector);

	if (known) {
		known->n_refs++;
		return known;
	}
	known = g_new0(struct policy_selector, 1);
	known->selector = selector_ref(selector);
	known->identities = g_array_new(false, false, sizeof(uint32_t));
	known->users = g_hash_table_new(NULL, NULL);
	known->n_refs = 1;
	g_hash_table_insert(selectors->by_selector, (void *)selector, known);
	if (selector_get_kind(selector) == SELECTOR_CIDR) {
		add_by_cidr(selectors, known);
		find_worlds(selectors, known);
		find_prefixes(selectors, known);
	} else {
		selector_index_add(selectors->by_labels, selector, known);
		find_labels(selectors, known);
	}
	return known;
}

void policy_selector_unref(struct policy_selectors *selectors, struct policy_selector *selector)
{
	if (--selector->n_refs > 0)
		return;
	if (selector_get_kind(selector->selector) == SELECTOR_CIDR)
		remove_by_cidr(selectors, selector);
	else
		selector_index_remove(selectors->by_labels, selector->selector, selector);
	g_hash_table_remove(selectors->by_selector, selector->selector);
	g_hash_table_unref(selector->users);
	g_array_unref(selector->identities);
	selector_unref(selector->selector);
	g_free(selector);
}

struct walk {
	void (*fn)(struct policy_selector *selector, void *data);
	void *data;
};

static void visit(void *item, void *data)
{
	const struct walk *walk = data;

	walk->fn(item, walk->data);
}

/* Selectors of each prefix around this one. */
static void foreach_around(const struct policy_selectors *selectors, const struct cidr *cidr,
			   const struct walk *walk)
{
	unsigned int least = cidr_is_v4(cidr) ? ADDR_V4_PREFIX_BITS : 0;

	for (unsigned int len = least; len <= cidr->prefix_len; len++) {
		struct cidr around = prefix_around(&cidr->addr, len);
		GPtrArray *same = selectors->n_by_prefix_len[len]
					  ? g_hash_table_lookup(selectors->by_cidr, &around)
					  : NULL;

		for (unsigned int i = 0; same && i < same->len; i++) {
			struct policy_selector *selector = same->pdata[i];

			if (selector_contains(selector->selector, cidr))
				walk->fn(selector, walk->data);
		}
	}
}

static void foreach_world(const struct policy_selectors *selectors, uint32_t number,
			  const struct walk *walk)
{
	static const char *const texts[] = {"0.0.0.0/0", "::/0"};

	for (unsigned int i = 0; i < G_N_ELEMENTS(texts); i++) {
		GPtrArray *same = NULL;
		struct cidr cidr;

		if (!cidr_parse(texts[i], &cidr) && selects_world(selectors, &cidr, number))
			same = g_hash_table_lookup(selectors->by_cidr, &cidr);
		for (unsigned int j = 0; same && j < same->len; j++) {
			struct policy_selector *selector = same->pdata[j];

			if (selector_contains(selector->selector, &cidr))
				walk->fn(selector, walk->data);
		}
	}
}

void policy_selectors_foreach(const struct policy_selectors *selectors, uint32_t number,
			      void (*fn)(struct policy_selector *selector, void *data), void *data)
{
	const struct known_identity *known = find_identity(selectors, number);
	struct walk walk = {fn, data};
	struct cidr cidr;

	if (!known)
		return;
	selector_index_foreach(selectors->by_labels, known->labels, visit, &walk);
	for (size_t i = 0; i < label_set_n(known->labels); i++)
		if (cidr_label_get(label_set_get(known->labels, i), &cidr))
			foreach_around(selectors, &cidr, &walk);
	foreach_world(selectors, number, &walk);
}

static void put_prefixes(struct policy_selectors *selectors, const struct known_identity *known,
			 bool present)
{
	struct identity_prefix prefix = {.number = known->number};

	for (size_t i = 0; i < label_set_n(known->labels); i++) {
		if (!cidr_label_get(label_set_get(known->labels, i), &prefix.cidr))
			continue;
		if (present)
			g_tree_insert(selectors->prefixes, g_memdup2(&prefix, sizeof(prefix)),
				      NULL);
		else
			g_tree_remove(selectors->prefixes, &prefix);
	}
}

struct change {
	uint32_t number;
	struct walk walk;
};

static void lose(struct policy_selector *selector, void *data)
{
	const struct change *change = data;

	remove_number(selector, change->number);
	change->walk.fn(selector, change->walk.data);
}

static void gain(struct policy_selector *selector, void *data)
{
	const struct change *change = data;

	add_number(selector, change->number);
	change->walk.fn(selector, change->walk.data);
}

static void forget(struct policy_selectors *selectors, struct known_identity *known,
		   struct change *change)
{
	unsigned int i = find_number(selectors->identities, sizeof(*known), known->number);

	policy_selectors_foreach(selectors, known->number, lose, change);
	put_prefixes(selectors, known, false);
	label_set_unref(known->labels);
	g_array_remove_index(selectors->identities, i);
}

static void learn(struct policy_selectors *selectors, const struct label_set *labels,
		  struct change *change)
{
	struct known_identity known = {change->number, label_set_ref(labels)};
	unsigned int i = find_number(selectors->identities, sizeof(known), known.number);

	g_array_insert_val(selectors->identities, i, known);
	put_prefixes(selectors, &known, true);
	policy_selectors_foreach(selectors, known.number, gain, change);
}

bool policy_selectors_put_identity(struct policy_selectors *selectors, uint32_t number,
				   const struct label_set *labels,
				   void (*fn)(struct policy_selector *selector, void *data),
				   void *data)
{
	struct known_identity *known = find_identity(selectors, number);
	const struct label_set *wanted =
		labels ? label_set_ref(labels) : identity_reserved_labels(number);
	struct change change = {number, {fn, data}};
	bool replaced = known && wanted && known->labels != wanted;

	if (number != IDENTITY_UNKNOWN && (known ? known->labels : NULL) != wanted) {
		if (known)
			forget(selectors, known, &change);
		if (wanted)
			learn(selectors, wanted, &change);
	}
	label_set_unref(wanted);
	return replaced;
}

static void ignore(struct policy_selector *selector, void *data)
{
}

struct policy_selectors *policy_selectors_new(const struct derive_config *config)
{
	struct policy_selectors *selectors = g_new0(struct policy_selectors, 1);

	selectors->config = config;
	selectors->by_selector = g_hash_table_new(NULL, NULL);
	selectors->by_labels = selector_index_new();
	selectors->by_cidr = g_hash_table_new_full(cidr_hash, cidr_same, g_free, unref_array);
	selectors->identities = g_array_new(false, true, sizeof(struct known_identity));
	selectors->prefixes = g_tree_new_full(compare_prefixes, NULL, g_free, NULL);
	for (uint32_t number = IDENTITY_HOST; number <= IDENTITY_WORLD_IPV6; number++)
		policy_selectors_put_identity(selectors, number, NULL, ignore, NULL);
	return selectors;
}

void policy_selectors_free(struct policy_selectors *selectors)
{
	if (!selectors)
		return;
	g_hash_table_unref(selectors->by_selector);
	selector_index_free(selectors->by_labels);
	g_hash_table_unref(selectors->by_cidr);
	for (unsigned int i = 0; i < selectors->identities->len; i++)
		label_set_unref(
			g_array_index(selectors->identities, struct known_identity, i).labels);
	g_array_unref(selectors->identities);
	g_tree_unref(selectors->prefixes);
	g_free(selectors);
}
