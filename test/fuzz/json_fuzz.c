/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <jansson.h>
#include "src/wire/value.h"
#include "test/fuzz/fuzz.h"

static bool accept(const struct value *root, void *data)
{
	return true;
}

/* jansson knows JSON too: what it takes, we take, and the other way round, but for known limits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct value_error error = {};
	int r = value_parse_json((const char *)data, n_bytes, accept, NULL, &error);
	/* jansson takes a NUL for the end in some places. */
	json_t *other = memchr(data, 0, n_bytes)
				? NULL
				: json_loadb((const char *)data, n_bytes,
					     JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	if (other && r < 0)
		g_assert(g_str_has_prefix(error.reason, "nested deeper"));
	/* jansson gives up on numbers that do not fit; here they become the nearest. */
	if (!other && r == 0)
		g_assert(memchr(data, 'e', n_bytes) || memchr(data, 'E', n_bytes) || n_bytes > 18);
	g_free(error.reason);
	json_decref(other);
	return 0;
}
