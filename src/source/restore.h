/* SPDX-License-Identifier: Apache-2.0 */
/* What an earlier agent has kept, in force again before the directory is read. */
#pragma once

#include "src/source/file_reader.h"
#include "src/source/last_good.h"

/*
 * Between file_set_begin() and _commit(). goods: struct last_good in the order of files and lines, NULL: none; those
 * of another directory than root, or not to the taste of this version, are told to keep as gone. From then on the
 * set tells keep, which may be NULL.
 */
void restore_last_good(const GPtrArray *goods, const char *root, struct file_set *files,
		       struct file_reader *reader, last_good_keep keep, void *data);
