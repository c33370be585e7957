/* SPDX-License-Identifier: Apache-2.0 */
/* The body of PUT /endpoint/{id}: what is accepted must survive being written and read again. */
#include "src/api/endpoint_request.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct endpoint_change_request request = {0};
	struct endpoint_change_request again = {0};
	g_autoptr(GError) error = NULL;

	if (endpoint_change_request_decode((const char *)data, n_bytes, &request, &error)) {
		g_assert(error);
	} else {
		g_autofree char *first = endpoint_change_request_encode(&request);
		g_autofree char *second = NULL;

		g_assert(!endpoint_change_request_decode(first, strlen(first), &again, &error));
		second = endpoint_change_request_encode(&again);
		g_assert_cmpstr(first, ==, second);
	}
	endpoint_change_request_fini(&request);
	endpoint_change_request_fini(&again);
	return 0;
}
