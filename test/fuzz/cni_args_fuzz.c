/* SPDX-License-Identifier: Apache-2.0 */
/* CNI_ARGS: who the container is, as its runtime says. */
#include "src/cni/environment.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	g_autofree char *text = fuzz_text(data, n_bytes);
	g_autoptr(GError) error = NULL;
	struct environment environment = {0};

	if (environment_parse_args(text, &environment, &error))
		g_assert(error);
	environment_is_identifier(text);
	environment_is_ifname(text);
	environment_fini(&environment);
	return 0;
}
