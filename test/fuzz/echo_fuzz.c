/* SPDX-License-Identifier: Apache-2.0 */
#include "src/wire/echo.h"
#include "test/fuzz/fuzz.h"

/* The first byte says which family the socket has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct echo echo;

	if (!n_bytes || !echo_decode(data + 1, n_bytes - 1, data[0] & 1, &echo))
		return 0;
	g_assert(echo.kind != ECHO_REPLY ||
		 (echo.payload >= data && echo.payload + echo.n_payload_bytes == data + n_bytes));
	return 0;
}
