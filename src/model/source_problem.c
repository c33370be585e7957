// SPDX-License-Identifier: Apache-2.0
#include "src/model/source_problem.h"

static void source_problem_fini(struct row *row)
{
	struct source_problem *problem = (struct source_problem *)row;

	g_free(problem->key);
	g_free(problem->file);
	g_free(problem->object);
	g_free(problem->field);
	g_free(problem->reason);
}

static bool source_problem_equal(const struct row *row_a, const struct row *row_b)
{
	const struct source_problem *a = (const struct source_problem *)row_a;
	const struct source_problem *b = (const struct source_problem *)row_b;

	return g_strcmp0(a->key, b->key) == 0 && g_strcmp0(a->file, b->file) == 0 &&
	       a->line == b->line && g_strcmp0(a->object, b->object) == 0 &&
	       g_strcmp0(a->field, b->field) == 0 && g_strcmp0(a->reason, b->reason) == 0;
}

const struct row_class source_problem_class = {
	.name = "source problem",
	.size = sizeof(struct source_problem),
	.fini = source_problem_fini,
	.equal = source_problem_equal,
};
