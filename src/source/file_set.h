/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file says which object. A change of a file changes only what differs in it; what a file says of
 * an object that it now says badly stays in force; an object belongs to the file that said it first, and
 * passes to the next when that file lets go of it.
 *
 * Calls between file_set_begin() and file_set_commit() become visible together.
 */
#pragma once

#include <stddef.h>
#include "src/model/source_problem.h"
#include "src/source/last_good.h"
#include "src/store/tables.h"

struct file_set;

/* Called once for each problem that appears, for the log. */
typedef void (*file_set_problem)(const struct source_problem *problem, void *data);

struct file_set *file_set_new(struct store *store, const struct tables *tables,
			      file_set_problem problem, void *data);
void file_set_free(struct file_set *set);

/* From now on keep is called for each change of an object that is to be kept; for each file that says it. */
void file_set_set_keeper(struct file_set *set, last_good_keep keep, void *data);

void file_set_begin(struct file_set *set);
/* The file has this text now. file ends in .json for JSON. */
void file_set_put(struct file_set *set, const char *file, const char *text, size_t n_bytes);
/* The same, of a text that is parsed. */
void file_set_put_manifest(struct file_set *set, const char *file, struct manifest *take_manifest);
/* The file is there and cannot be read: its objects stay as they are. */
void file_set_put_unreadable(struct file_set *set, const char *file, const char *reason);
/* The file is gone, and its objects with it. */
void file_set_remove(struct file_set *set, const char *file);
void file_set_commit(struct file_set *set);
