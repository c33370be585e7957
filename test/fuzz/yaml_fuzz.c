/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "src/wire/value.h"
#include "test/fuzz/fuzz.h"

/* Every text of the tree is NUL-terminated UTF-8, every list is as long as it says. */
static bool check(const struct value *value, void *data)
{
	unsigned int n = 0;

	g_assert(value->line > 0);
	if (value->text)
		g_assert(g_utf8_validate(value->text, -1, NULL));
	g_free(value_describe(value));
	if (value->type != VALUE_SEQUENCE && value->type != VALUE_MAPPING)
		return true;
	for (const struct value *item = value->first; item; item = item->next, n++) {
		g_assert(!item->key == (value->type == VALUE_SEQUENCE));
		check(item, data);
	}
	g_assert(n == value->n);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct value_error error;

	if (value_parse_yaml((const char *)data, n_bytes, check, NULL, &error) < 0)
		g_free(error.reason);
	return 0;
}
