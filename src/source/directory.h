/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of manifests as a source: *.yaml, *.yml and *.json, not hidden, in the directory itself
 * and one level of subdirectories. A file counts when its writer closes it, or when it is moved in. What
 * was read of a directory that is missing now stays: only what is seen to be gone is gone.
 *
 * A file may be a symbolic link (a mounted ConfigMap is made of them); a subdirectory may not.
 */
#pragma once

#include <uv.h>
#include "src/base/controller.h"
#include "src/source/file_set.h"

struct directory;

/* problem is called for each problem that appears. NULL and *error where inotify cannot be had. */
struct directory *directory_new(uv_loop_t *loop, struct store *store, const struct tables *tables,
				const char *path, file_set_problem problem, void *data,
				GError **error);
/*
 * Runs at each look at the directory, every few seconds and whenever something changed; fails where not all
 * of it can be seen. Borrowed; before the start.
 */
void directory_set_controller(struct directory *directory, struct controller *controller);
/*
 * What an earlier agent has kept, in the order of files and lines, is in force as if it had been read before; from
 * the start on keep is told what to keep. goods: struct last_good, borrowed until the start. Before the start.
 */
void directory_set_keeper(struct directory *directory, GPtrArray *goods, last_good_keep keep,
			  void *data);
/*
 * Reads everything, sets the tables synced and settles the store. From then on each change is
 * committed and settled from the loop.
 */
void directory_start(struct directory *directory);
/* Whether a file of this name is read: one that ends in .yaml, .yml or .json and begins with no dot. */
bool directory_is_manifest(const char *name);
unsigned int directory_n_files(const struct directory *directory);
/* Frees itself once the loop has run: its handles close there. Takes NULL. */
void directory_free(struct directory *directory);
