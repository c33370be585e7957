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
