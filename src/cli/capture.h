/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a command of this program in a process of its own: one that hangs or dies takes nobody along. */
#pragma once

#include <glib.h>

/*
 * Appends what the command ("endpoint list") prints, on both outputs, and how it ended where that was no
 * success. At most n_bytes_max, and for at most 30 s: where it was cut, that is said.
 */
void capture_append(GString *out, const char *const words[], size_t n_bytes_max);
