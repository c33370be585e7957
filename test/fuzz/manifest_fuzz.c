/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "src/source/manifest.h"
#include "test/fuzz/fuzz.h"

/* As JSON where it begins like JSON. What is accepted is whole, what is refused has a reason. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	bool is_json = n_bytes && data[0] == '{';
	struct manifest *manifest =
		manifest_parse(is_json ? "a.json" : "a.yaml", (const char *)data, n_bytes);
	unsigned int n_refused = 0;

	for (unsigned int i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *said =
			&g_array_index(manifest->objects, struct manifest_object, i);

		n_refused += !said->object;
		if (said->object)
			g_assert(strcmp(said->object->meta.key, said->key) == 0);
	}
	if (n_refused || !manifest->complete)
		g_assert(manifest->problems->len);
	manifest_free(manifest);
	return 0;
}
