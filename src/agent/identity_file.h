/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities on disk: a watch that writes the table identities to identities.json whenever it changed.
 * Made after the derivations and before the reconcilers, so that a number is on disk before the kernel
 * knows it.
 */
#pragma once

#include "src/agent/state_dir.h"
#include "src/store/tables.h"

struct identity_file;

/* Reads the file into the table. NULL and *error where a newer agent wrote it. */
struct identity_file *identity_file_new(struct store *store, struct tables *tables,
					struct state_dir *dir, GPtrArray *problems, GError **error);
/* From now on what changes is written. After derive_new(). */
void identity_file_watch(struct identity_file *file);
void identity_file_free(struct identity_file *file); /* takes NULL */
/* Why the file is older than the table, or NULL. */
const GError *identity_file_get_error(const struct identity_file *file);
/* Writes again what could not be written. 0 or −errno. */
int identity_file_retry(struct identity_file *file);
