/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last good version of each policy and CIDR group, in <lib-dir>/state/policies: what is bad when an agent starts
 * must not open what its good version closes. A file for each object of each manifest file that says it; they are
 * what is in force, and no more. Written a moment after a change is in force, once for many changes.
 *
 * What cannot be written is tried again by the next kept_policies_run(); it is the controller "kept-policies".
 */
#pragma once

#include <uv.h>
#include "src/agent/state_dir.h"
#include "src/source/last_good.h"

struct kept_policies;

/* NULL and *error: also where a newer agent wrote one. What makes no sense is set aside, with its message in problems. */
struct kept_policies *kept_policies_new(uv_loop_t *loop, const char *path,
					struct controllers *controllers, GPtrArray *problems,
					GError **error);
/* What was kept, in the order of files and lines: struct last_good. Once; free with g_ptr_array_unref. */
GPtrArray *kept_policies_take(struct kept_policies *kept);
/* As last_good_keep. kept: a struct kept_policies. */
void kept_policies_note(const char *file, const struct object_kind *kind, const char *key,
			unsigned int line, const char *text, void *kept);
/* Now and again: what the disk has refused, and the sync of what was written. Takes NULL. */
void kept_policies_run(struct kept_policies *kept);
/* Writes what is noted. Frees itself once the loop has run. Takes NULL. */
void kept_policies_free(struct kept_policies *kept);
