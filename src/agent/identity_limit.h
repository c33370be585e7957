/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a number from meaning other labels after a power cut. identities.json reaches the disk a moment
 * after a number is in use, and may be lost on the way; so numbers are reserved some hundred ahead, on
 * the disk before the first of them is used, and what was reserved before the machine died is not handed
 * out again. A restart within one boot loses nothing, and skips nothing.
 *
 * Generations need none of this: the connections that carry them die with the boot.
 */
#pragma once

#include "src/agent/state_dir.h"
#include "src/model/identity.h"

struct identity_limit;

/*
 * greatest: of the numbers of each scope that identities.json knows; 0: none. NULL and *error where a newer
 * agent wrote the file.
 */
struct identity_limit *identity_limit_new(struct state_dir *dir, const char *boot_id,
					  const uint32_t greatest[static IDENTITY_SCOPE__MAX],
					  GError **error);
void identity_limit_free(struct identity_limit *limit); /* takes NULL; no job may be under way */
/* Numbers of the scope up to this may have been used; below its range: none. */
uint32_t identity_limit_get_start(const struct identity_limit *limit, enum identity_scope scope);
/* That the number may be used: waits for the disk where it is not reserved. 0 or −errno. */
NODISCARD int identity_limit_ensure(struct identity_limit *limit, uint32_t number, GError **error);
/* Writes the file where somebody has deleted it. 1: written; 0: it was there, or never was; or −errno. */
NODISCARD int identity_limit_mend(struct identity_limit *limit, GError **error);
/* Of that helper thread's work. Borrowed: it outlives it. */
void identity_limit_set_controller(struct identity_limit *limit, struct controller *controller);
/* Reserves more in a helper thread when few are left above the number of a scope that was used last. */
void identity_limit_reserve_soon(struct identity_limit *limit, uint32_t last, uv_loop_t *loop);
