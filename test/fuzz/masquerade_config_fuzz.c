/* SPDX-License-Identifier: Apache-2.0 */
/* The file of ip-masq-agent: either ranges or a reason, never neither, and no range twice. */
#include "src/source/masquerade_config.h"

#include "src/model/addr.h"
#include "test/fuzz/fuzz.h"

static void unref_row(void *row)
{
	row_unref(row);
}

static void check_ranges(const GArray *ranges)
{
	for (unsigned int i = 0; i < ranges->len; i++)
		for (unsigned int j = 0; j < i; j++)
			g_assert(!cidr_equal(&g_array_index(ranges, struct cidr, i),
					     &g_array_index(ranges, struct cidr, j)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(unref_row);
	GArray *ranges = masquerade_config_parse("fuzz", (const char *)data, n_bytes, problems);

	g_assert(!ranges == (problems->len > 0));
	if (!ranges)
		return 0;
	check_ranges(ranges);
	g_array_unref(ranges);
	return 0;
}
