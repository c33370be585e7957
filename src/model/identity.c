// SPDX-License-Identifier: Apache-2.0
#include "src/model/identity.h"

static void identity_fini(struct row *row)
{
	label_set_unref(((struct identity *)row)->labels);
}

static bool identity_equal(const struct row *row_a, const struct row *row_b)
{
	const struct identity *a = (const struct identity *)row_a;
	const struct identity *b = (const struct identity *)row_b;

	return a->number == b->number && a->labels == b->labels;
}

const struct row_class identity_class = {
	.name = "identity",
	.size = sizeof(struct identity),
	.fini = identity_fini,
	.equal = identity_equal,
};

const char *identity_reserved_name(uint32_t number)
{
	static const char *const names[] = {
#define RESERVED_IDENTITY(name, number, text) [number] = text,
#include "src/model/reserved_identity.def"
#undef RESERVED_IDENTITY
	};

	return number < G_N_ELEMENTS(names) ? names[number] : NULL;
}

const struct label_set *identity_reserved_labels(uint32_t number)
{
	const char *name = identity_reserved_name(number);
	const struct label labels[] = {
		{.source = "reserved", .key = name, .value = ""},
		{.source = "reserved", .key = "remote-node", .value = ""},
	};

	/* An API server that is not on this host is on a node. */
	return name ? label_set_new(labels, number == IDENTITY_KUBE_APISERVER ? 2 : 1) : NULL;
}

struct identity_range identity_scope_get_range(enum identity_scope scope)
{
	static const struct identity_range ranges[IDENTITY_SCOPE__MAX] = {
		[IDENTITY_SCOPE_LABELS] = {IDENTITY_ALLOCATED_MIN, IDENTITY_ALLOCATED_MAX},
		[IDENTITY_SCOPE_PREFIX] = {IDENTITY_PREFIX_MIN, IDENTITY_PREFIX_MAX},
		[IDENTITY_SCOPE_NODE] = {IDENTITY_NODE_MIN, IDENTITY_NODE_MAX},
	};

	return ranges[scope];
}

bool identity_find_scope(uint32_t number, enum identity_scope *ret_scope)
{
	for (enum identity_scope scope = 0; scope < IDENTITY_SCOPE__MAX; scope++) {
		struct identity_range range = identity_scope_get_range(scope);

		if (number < range.min || number > range.max)
			continue;
		*ret_scope = scope;
		return true;
	}
	return false;
}
