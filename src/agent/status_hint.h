/* SPDX-License-Identifier: Apache-2.0 */
/* What a person does next about an object that cannot be applied. Pure. */
#pragma once

#include "src/datapath/reconciler.h"

/* bpf_root: where maps and links are pinned. One sentence, or two; g_free. */
char *status_next_step(const struct reconciler_failure *failure, const char *bpf_root);
/* "ENOSPC" for a positive errno; its number where it has no name. g_free. */
char *status_errno_name(int error);
