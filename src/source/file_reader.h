/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files of a directory of manifests have to be read again, and reading them: a few milliseconds at a
 * time, so that the loop has others to serve; long ones on a helper thread.
 *
 * A file that is moved in is whole. One that is rewritten in place is seen empty, or cut off, while its
 * writer is at it, and that must not take away what it said: it counts once it has not changed for a moment.
 */
#pragma once

#include <uv.h>
#include "src/source/file_set.h"

struct file_reader;

/* files is borrowed. wake: a file that was waited for can be looked at; file_reader_run() does. */
struct file_reader *file_reader_new(uv_loop_t *loop, const char *root, struct file_set *files,
				    void (*wake)(void *data), void *data);
/* Frees itself once the loop has run. Takes NULL. */
void file_reader_free(struct file_reader *reader);

/*
 * The file may have changed; name is below the root. is_closed: its writer has closed it, or moved it in, and
 * its times are not asked, for two writes within one tick of the clock leave the same.
 */
void file_reader_add(struct file_reader *reader, const char *name, bool is_closed);
/* The files that no event tells of: links, and those that could not be read. */
void file_reader_add_unwatched(struct file_reader *reader);
/* The file says something already, though it was not read: it is gone unless a scan finds it. */
void file_reader_know(struct file_reader *reader, const char *name);
bool file_reader_has_work(const struct file_reader *reader);
/* Looks at what was added until now, between file_set_begin() and _commit() of the caller; then calls done. */
void file_reader_run(struct file_reader *reader, void (*done)(void *data));
/* The same at once, however long it takes; long files too. */
void file_reader_run_now(struct file_reader *reader);

/* Files that were not added since file_reader_begin_scan() are gone. */
void file_reader_begin_scan(struct file_reader *reader);
void file_reader_end_scan(struct file_reader *reader);

unsigned int file_reader_n_files(const struct file_reader *reader);
/* Bytes read since the last call, and of what was there before. */
size_t file_reader_take_n_bytes(struct file_reader *reader);
