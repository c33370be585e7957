// SPDX-License-Identifier: Apache-2.0
/*
 * The smallest table of prefixes for a function of ports, found on the binary tree of prefixes:
 *
 *	Upwards. A prefix within one run could carry that run's leaf. Of two halves that have leaves in
 *	common, an entry is saved by any of these: they are what the prefix could carry. Of two halves that
 *	have none in common, one needs an entry of its own whatever the prefix carries: it could carry any
 *	of both. What the class says otherwise has no entry, so a prefix with a port of that could carry
 *	nothing else.
 *	Downwards. A prefix that could carry what it inherits from above needs no entry. Another gets one,
 *	with a leaf that it could carry, which its halves inherit; where the halves have none in common,
 *	that would save nothing, and it is left to them.
 */
#include "src/derive/port_prefix.h"

#define N_TYPES 256

/* The number of the leaf that has no entries. */
#define OTHERWISE 0

struct node {
	int children[2]; /* indexes; −1: the prefix lies in one run */
	GArray *leaves;  /* uint32_t, ascending: numbers of the leaves that it could carry */
	bool is_divided; /* its halves have none in common */
};

struct tree {
	const GArray *runs;
	GArray *numbers; /* uint32_t: of each run's leaf */
	GArray *leaves;  /* struct policy_leaf, by number; none twice; OTHERWISE first */
	GArray *nodes;   /* struct node */
	uint8_t protocol;
	GArray *entries;
};

static bool leaf_equal(const struct policy_leaf *a, const struct policy_leaf *b)
{
	return a->rule == b->rule && a->verdict == b->verdict && a->match == b->match;
}

static unsigned int leaf_hash(const void *pointer)
{
	const struct policy_leaf *leaf = pointer;

	return leaf->rule * 31 + leaf->verdict * 8u + leaf->match;
}

static int leaf_same(const void *a, const void *b)
{
	return leaf_equal(a, b);
}

static const struct port_run *run_get(const GArray *runs, unsigned int i)
{
	return &g_array_index(runs, struct port_run, i);
}

static void number_leaves(struct tree *tree, const struct policy_leaf *otherwise)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(leaf_hash, leaf_same);

	g_array_append_val(tree->leaves, *otherwise);
	g_hash_table_insert(numbers, (void *)otherwise, GUINT_TO_POINTER(OTHERWISE));
	for (unsigned int i = 0; i < tree->runs->len; i++) {
		const struct policy_leaf *leaf = &run_get(tree->runs, i)->leaf;
		uint32_t number = tree->leaves->len;
		void *known;

		if (g_hash_table_lookup_extended(numbers, leaf, NULL, &known)) {
			number = GPOINTER_TO_UINT(known);
		} else {
			g_hash_table_insert(numbers, (void *)leaf, GUINT_TO_POINTER(number));
			g_array_append_val(tree->leaves, *leaf);
		}
		g_array_append_val(tree->numbers, number);
	}
}

/* Those in common, or all. */
static GArray *combine(const GArray *a, const GArray *b, bool common)
{
	GArray *result = g_array_new(false, false, sizeof(uint32_t));
	unsigned int i = 0, j = 0;

	while (i < a->len || j < b->len) {
		uint32_t x = i < a->len ? g_array_index(a, uint32_t, i) : UINT32_MAX;
		uint32_t y = j < b->len ? g_array_index(b, uint32_t, j) : UINT32_MAX;
		uint32_t least = MIN(x, y);

		if (!common || x == y)
			g_array_append_val(result, least);
		i += x == least;
		j += y == least;
	}
	return result;
}

/* What a prefix could carry whose halves could carry a and b. */
static GArray *merge(const GArray *a, const GArray *b, bool *ret_is_divided)
{
	uint32_t otherwise = OTHERWISE;
	GArray *result;

	if (g_array_index(a, uint32_t, 0) == OTHERWISE ||
	    g_array_index(b, uint32_t, 0) == OTHERWISE) {
		result = g_array_new(false, false, sizeof(uint32_t));
		g_array_append_val(result, otherwise);
		return result;
	}
	result = combine(a, b, true);
	if (result->len)
		return result;
	g_array_unref(result);
	*ret_is_divided = true;
	return combine(a, b, false);
}

/* Upwards. run: the one that port first lies in. The node's index. */
static int add_node(struct tree *tree, uint32_t first, unsigned int len, unsigned int run)
{
	uint32_t n = 1u << (POLICY_PORT_BITS - len);
	struct node node = {.children = {-1, -1}};

	if (run + 1 == tree->runs->len || run_get(tree->runs, run + 1)->first >= first + n) {
		node.leaves = g_array_new(false, false, sizeof(uint32_t));
		g_array_append_val(node.leaves, g_array_index(tree->numbers, uint32_t, run));
	} else {
		const GArray *halves[2];

		for (unsigned int i = 0; i < 2; i++) {
			uint32_t start = first + i * n / 2;

			while (run + 1 < tree->runs->len &&
			       run_get(tree->runs, run + 1)->first <= start)
				run++;
			node.children[i] = add_node(tree, start, len + 1, run);
		}
		for (unsigned int i = 0; i < 2; i++)
			halves[i] =
				g_array_index(tree->nodes, struct node, node.children[i]).leaves;
		node.leaves = merge(halves[0], halves[1], &node.is_divided);
	}
	g_array_append_val(tree->nodes, node);
	return (int)tree->nodes->len - 1;
}

static bool could_carry(const struct node *node, uint32_t number)
{
	for (unsigned int i = 0; i < node->leaves->len; i++)
		if (g_array_index(node->leaves, uint32_t, i) == number)
			return true;
	return false;
}

static void add_entry(struct tree *tree, uint32_t first, unsigned int len,
		      const struct policy_leaf *leaf)
{
	struct rule_class_entry entry = {
		.protocol = tree->protocol,
		.prefix_len = len,
		.port = first,
		.leaf = *leaf,
	};

	g_array_append_val(tree->entries, entry);
}

/* Downwards. */
static void add_entries(struct tree *tree, const struct node *node, uint32_t first,
			unsigned int len, uint32_t inherited)
{
	uint32_t number = inherited;

	if (!node->is_divided && !could_carry(node, inherited)) {
		number = g_array_index(node->leaves, uint32_t, 0);
		add_entry(tree, first, len,
			  &g_array_index(tree->leaves, struct policy_leaf, number));
	}
	if (node->children[0] < 0)
		return;
	for (unsigned int i = 0; i < 2; i++)
		add_entries(tree, &g_array_index(tree->nodes, struct node, node->children[i]),
			    first + (i << (POLICY_PORT_BITS - len - 1)), len + 1, number);
}

void port_prefix_add_ports(const GArray *runs, uint8_t protocol,
			   const struct policy_leaf *otherwise, GArray *entries)
{
	struct tree tree = {
		.runs = runs,
		.numbers = g_array_new(false, false, sizeof(uint32_t)),
		.leaves = g_array_new(false, false, sizeof(struct policy_leaf)),
		.nodes = g_array_new(false, false, sizeof(struct node)),
		.protocol = protocol,
		.entries = entries,
	};
	int root;

	number_leaves(&tree, otherwise);
	root = add_node(&tree, 0, 0, 0);
	add_entries(&tree, &g_array_index(tree.nodes, struct node, root), 0, 0, OTHERWISE);
	for (unsigned int i = 0; i < tree.nodes->len; i++)
		g_array_unref(g_array_index(tree.nodes, struct node, i).leaves);
	g_array_unref(tree.nodes);
	g_array_unref(tree.leaves);
	g_array_unref(tree.numbers);
}

void port_prefix_add_types(const GArray *runs, uint8_t protocol,
			   const struct policy_leaf *otherwise, GArray *entries)
{
	struct tree tree = {.protocol = protocol, .entries = entries};
	const struct policy_leaf *rest = &run_get(runs, runs->len - 1)->leaf;
	unsigned int run = 0;

	if (!leaf_equal(rest, otherwise))
		add_entry(&tree, 0, 0, rest);
	for (uint32_t type = 0; type < N_TYPES; type++) {
		while (run + 1 < runs->len && run_get(runs, run + 1)->first <= type)
			run++;
		if (!leaf_equal(&run_get(runs, run)->leaf, rest))
			add_entry(&tree, type, POLICY_PORT_BITS, &run_get(runs, run)->leaf);
	}
}
