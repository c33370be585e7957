/* SPDX-License-Identifier: Apache-2.0 */
#include "src/datapath/conversion.h"

#include <string.h>

/* Structures in structures, and elements of arrays of them: a layout of ours has a few dozen. */
#define MAX_DEPTH    8
#define MAX_ELEMENTS 256

/* A number, or an array of numbers. */
struct leaf {
	char *path; /* "addr[1].word" */
	uint32_t offset_bits;
	uint32_t n_bits;
};

struct copy {
	uint32_t from; /* bytes */
	uint32_t to;
	uint32_t n_bytes;
};

struct conversion {
	GArray *key_copies; /* struct copy */
	GArray *value_copies;
	uint32_t n_key_bytes; /* of the layout that is made */
	uint32_t n_value_bytes;
};

static void leaf_clear(void *data)
{
	g_free(((struct leaf *)data)->path);
}

static void add_leaves(const struct btf *btf, uint32_t id, const char *path, uint32_t offset_bits,
		       int depth, GArray *leaves);

static void add_leaf(GArray *leaves, const char *path, uint32_t offset_bits, uint32_t n_bits)
{
	const struct leaf leaf = {g_strdup(path), offset_bits, n_bits};

	g_array_append_val(leaves, leaf);
}

static void add_members(const struct btf *btf, const struct btf_type *type, const char *path,
			uint32_t offset_bits, int depth, GArray *leaves)
{
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *name = btf__name_by_offset(btf, member->name_off);
		uint32_t n_bits = btf_member_bitfield_size(type, i);
		uint32_t member_bits = offset_bits + btf_member_bit_offset(type, i);
		g_autofree char *below = g_strconcat(path, *path ? "." : "", name, NULL);

		if (n_bits)
			add_leaf(leaves, below, member_bits, n_bits);
		else
			add_leaves(btf, member->type, below, member_bits, depth, leaves);
	}
}

static void add_elements(const struct btf *btf, const struct btf_type *type, const char *path,
			 uint32_t offset_bits, int depth, GArray *leaves)
{
	const struct btf_array *array = btf_array(type);
	int64_t n_bytes = btf__resolve_size(btf, array->type);
	const struct btf_type *element =
		btf__type_by_id(btf, MAX(btf__resolve_type(btf, array->type), 0));

	if (!btf_is_composite(element) && !btf_is_array(element)) {
		add_leaf(leaves, path, offset_bits, 8 * MAX(n_bytes, 0) * array->nelems);
		return;
	}
	for (uint32_t i = 0; i < MIN(array->nelems, MAX_ELEMENTS); i++) {
		g_autofree char *below = g_strdup_printf("%s[%u]", path, i);

		add_leaves(btf, array->type, below, offset_bits + 8 * MAX(n_bytes, 0) * i, depth,
			   leaves);
	}
}

static void add_leaves(const struct btf *btf, uint32_t id, const char *path, uint32_t offset_bits,
		       int depth, GArray *leaves)
{
	const struct btf_type *type = btf__type_by_id(btf, MAX(btf__resolve_type(btf, id), 0));

	if (depth > MAX_DEPTH)
		return;
	if (btf_is_composite(type))
		add_members(btf, type, path, offset_bits, depth + 1, leaves);
	else if (btf_is_array(type))
		add_elements(btf, type, path, offset_bits, depth + 1, leaves);
	else
		add_leaf(leaves, path, offset_bits, 8 * MAX(btf__resolve_size(btf, id), 0));
}

static GArray *leaves_of(const struct btf *btf, uint32_t id)
{
	GArray *leaves = g_array_new(false, false, sizeof(struct leaf));

	g_array_set_clear_func(leaves, leaf_clear);
	add_leaves(btf, id, "", 0, 0, leaves);
	return leaves;
}

static bool is_same_type(const struct btf *a, uint32_t a_id, const struct btf *b, uint32_t b_id)
{
	g_autoptr(GArray) a_leaves = leaves_of(a, a_id);
	g_autoptr(GArray) b_leaves = leaves_of(b, b_id);

	if (a_leaves->len != b_leaves->len ||
	    btf__resolve_size(a, a_id) != btf__resolve_size(b, b_id))
		return false;
	for (unsigned int i = 0; i < a_leaves->len; i++) {
		const struct leaf *x = &g_array_index(a_leaves, struct leaf, i);
		const struct leaf *y = &g_array_index(b_leaves, struct leaf, i);

		if (strcmp(x->path, y->path) != 0 || x->offset_bits != y->offset_bits ||
		    x->n_bits != y->n_bits)
			return false;
	}
	return true;
}

bool conversion_is_identity(const struct map_types *from, const struct map_types *to)
{
	return is_same_type(from->btf, from->key_id, to->btf, to->key_id) &&
	       is_same_type(from->btf, from->value_id, to->btf, to->value_id);
}

static bool is_padding(const struct leaf *leaf)
{
	const char *dot = strrchr(leaf->path, '.');

	return g_str_has_prefix(dot ? dot + 1 : leaf->path, "pad");
}

/* NULL where there is none that says the same: of that name, as large, and in whole bytes. */
static const struct leaf *find_counterpart(const GArray *leaves, const struct leaf *leaf)
{
	for (unsigned int i = 0; i < leaves->len; i++) {
		const struct leaf *other = &g_array_index(leaves, struct leaf, i);

		if (strcmp(other->path, leaf->path) == 0)
			return other->n_bits == leaf->n_bits &&
					       !((other->offset_bits | leaf->offset_bits |
						  leaf->n_bits) %
						 8)
				       ? other
				       : NULL;
	}
	return NULL;
}

/* *ret_n_missing: members that have no counterpart among from. Owned. */
static GArray *match(const GArray *from, const GArray *to, unsigned int *ret_n_missing)
{
	GArray *copies = g_array_new(false, false, sizeof(struct copy));
	unsigned int n_missing = 0;

	for (unsigned int i = 0; i < to->len; i++) {
		const struct leaf *leaf = &g_array_index(to, struct leaf, i);
		const struct leaf *other = is_padding(leaf) ? NULL : find_counterpart(from, leaf);

		if (other) {
			const struct copy copy = {other->offset_bits / 8, leaf->offset_bits / 8,
						  leaf->n_bits / 8};

			g_array_append_val(copies, copy);
		} else if (!is_padding(leaf)) {
			n_missing++;
		}
	}
	*ret_n_missing = n_missing;
	return copies;
}

/* Owned; NULL where something of the one is not in the other. */
static GArray *match_keys(const struct map_types *from, const struct map_types *to)
{
	g_autoptr(GArray) from_leaves = leaves_of(from->btf, from->key_id);
	g_autoptr(GArray) to_leaves = leaves_of(to->btf, to->key_id);
	unsigned int n_missing, n_lost;
	g_autoptr(GArray) back = match(to_leaves, from_leaves, &n_lost);
	g_autoptr(GArray) copies = match(from_leaves, to_leaves, &n_missing);

	return n_missing || n_lost || !copies->len ? NULL : g_steal_pointer(&copies);
}

struct conversion *conversion_new(const struct map_types *from, const struct map_types *to)
{
	g_autoptr(GArray) from_leaves = leaves_of(from->btf, from->value_id);
	g_autoptr(GArray) to_leaves = leaves_of(to->btf, to->value_id);
	GArray *key_copies = match_keys(from, to);
	struct conversion *conversion;
	unsigned int n_new;

	if (!key_copies)
		return NULL;
	conversion = g_new0(struct conversion, 1);
	conversion->key_copies = key_copies;
	conversion->value_copies = match(from_leaves, to_leaves, &n_new);
	conversion->n_key_bytes = btf__resolve_size(to->btf, to->key_id);
	conversion->n_value_bytes = btf__resolve_size(to->btf, to->value_id);
	return conversion;
}

void conversion_free(struct conversion *conversion)
{
	if (!conversion)
		return;
	g_array_unref(conversion->key_copies);
	g_array_unref(conversion->value_copies);
	g_free(conversion);
}

static void run(const GArray *copies, const void *from, void *to, size_t n_bytes)
{
	memset(to, 0, n_bytes);
	for (unsigned int i = 0; i < copies->len; i++) {
		const struct copy *copy = &g_array_index(copies, struct copy, i);

		memcpy((uint8_t *)to + copy->to, (const uint8_t *)from + copy->from, copy->n_bytes);
	}
}

void conversion_run_key(const struct conversion *conversion, const void *key, void *ret_key)
{
	run(conversion->key_copies, key, ret_key, conversion->n_key_bytes);
}

void conversion_run_value(const struct conversion *conversion, const void *value, void *ret_value)
{
	run(conversion->value_copies, value, ret_value, conversion->n_value_bytes);
}
