/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities on disk: a watch that writes the table identities whenever it changed: those of labels to
 * identities.json, those of prefixes and nodes, which mean something on this node alone, to
 * local-identities.json.
 * Made after the derivations and before the reconcilers, so that a number is in the file before the
 * kernel knows it. The disk has the file a moment later, and see identity_limit.h; once the numbers of
 * labels have gone round the range, each new one waits for the disk. Those of this node alone never do:
 * nobody who outlives a power cut has heard of them.
 */
#pragma once

#include "src/agent/identity_limit.h"
#include "src/store/tables.h"

struct identity_file;

/* Reads the file into the table. NULL and *error where a newer agent wrote it. */
struct identity_file *identity_file_new(struct store *store, struct tables *tables,
					struct state_dir *dir, const char *boot_id,
					GPtrArray *problems, GError **error);
/* Numbers of the scope up to this may have been used: derive_set_last_identity() wants it. */
uint32_t identity_file_get_last(const struct identity_file *file, enum identity_scope scope);
/* From now on what changes is written. After derive_new(). */
void identity_file_watch(struct identity_file *file);
/*
 * "identity-file", which fails while the file is older than the table, and "identity-reserve". Borrowed:
 * they outlive it.
 */
void identity_file_set_controllers(struct identity_file *file, struct controllers *controllers);
void identity_file_free(struct identity_file *file); /* takes NULL */
/* Why the file is older than the table, or NULL. */
const GError *identity_file_get_error(const struct identity_file *file);
/* Writes the files that somebody has deleted. How many; or −errno. */
NODISCARD int identity_file_mend(struct identity_file *file, GError **error);
/* Sees to it that the next numbers need not wait for the disk. */
void identity_file_reserve_soon(struct identity_file *file, uv_loop_t *loop);
/* Writes again what could not be written. 0 or −errno. */
int identity_file_retry(struct identity_file *file);
