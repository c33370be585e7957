/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of ip-masq-agent as a source: the table masquerade_ranges follows it. A bad file is reported
 * in source_problems, and what it said last stays in force; a missing one stands for the built-in list.
 *
 * A change that inotify tells of is in force at once; one behind a symbolic link or a mount of its own
 * within a few seconds, when the file has come to rest.
 */
#pragma once

#include <uv.h>
#include "src/base/controller.h"
#include "src/source/file_set.h"

struct masquerade_file;

/* problem is called for each problem that appears. */
struct masquerade_file *masquerade_file_new(uv_loop_t *loop, struct store *store,
					    const struct tables *tables, const char *path,
					    file_set_problem problem, void *data);
/* Runs at each look at the file, every few seconds; fails where it cannot be read. Borrowed; before the start. */
void masquerade_file_set_controller(struct masquerade_file *file, struct controller *controller);
/* Reads it and settles the store; from then on each change is committed and settled from the loop. */
void masquerade_file_start(struct masquerade_file *file);
/* Frees itself once the loop has run. Takes NULL. */
void masquerade_file_free(struct masquerade_file *file);

/* Puts what the text says into the tables, and takes out what it no longer says. */
void masquerade_file_apply(struct store *store, const struct tables *tables, const char *path,
			   const char *text, size_t n_bytes);
