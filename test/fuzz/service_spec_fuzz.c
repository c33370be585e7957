/* SPDX-License-Identifier: Apache-2.0 */
/* The body of PUT /service/{id}: what is accepted must survive being written and read again. */
#include <stdlib.h>
#include "src/api/service_spec.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct service_request *request = NULL, *again = NULL;
	g_autoptr(GError) error = NULL;
	json_t *json;
	char *text;

	if (service_spec_decode(1, (const char *)data, n_bytes, &request, &error)) {
		g_assert(error);
		return 0;
	}
	json = service_spec_encode(request);
	text = json_dumps(json, 0);
	g_assert(!service_spec_decode(1, text, strlen(text), &again, &error));
	g_assert(row_equal(&request->row, &again->row));
	row_unref(&request->row);
	row_unref(&again->row);
	json_decref(json);
	free(text);
	return 0;
}
