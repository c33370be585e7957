/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of endpoints: numbers that never repeat on this node, not even over a crash, as conntrack
 * entries of an old endpoint are told by them. A block of numbers is marked as used on disk before the
 * first of it is handed out.
 */
#pragma once

#include <stdint.h>
#include "src/agent/state_dir.h"

struct generation;

/* NULL and *error where the file cannot be read, or a newer agent wrote it. */
struct generation *generation_new(struct state_dir *dir, GError **error);
void generation_free(struct generation *generation); /* takes NULL */
/* Never hand out at or below this: where the file was lost, and an endpoint is still there. */
void generation_raise(struct generation *generation, uint32_t used);
/* Writes the file where somebody has deleted it. 1: written; 0: it was there, or never was; or −errno. */
NODISCARD int generation_mend(struct generation *generation, GError **error);
/* 1 or above. 0 or −errno when the next block cannot be marked. */
NODISCARD int generation_take(struct generation *generation, uint32_t *ret_generation,
			      GError **error);
