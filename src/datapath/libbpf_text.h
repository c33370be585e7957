/* SPDX-License-Identifier: Apache-2.0 */
/* What libbpf has to say about a failure, for the error instead of for standard error. */
#pragma once

#include "src/base/error.h"

/* From now on libbpf's warnings are kept; at most one caller at a time. */
void libbpf_text_begin(void);
/* "what: …" with what the kernel lacks, and the end of the warnings, where it says why. Returns err, −errno. */
int libbpf_text_error(GError **error, int err, const char *what);
void libbpf_text_end(void);
