/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target needs: the entry point, and the input as a text that ends where it ends. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* The bytes up to the first zero, in memory of exactly that size: reading on is an error that shows. */
static inline char *fuzz_text(const uint8_t *data, size_t n_bytes)
{
	return g_strndup((const char *)data, n_bytes);
}
