/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files that are whole or not there: state that must survive a kill at any instruction. A
 * file is named inside an open directory, so that nobody can swap the directory in between; a name
 * with a slash is refused, and a symbolic link is never followed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "src/base/error.h"

enum {
	ATOMIC_FILE_SYNC = 1, /* on disk when the call returns: survives the machine's death too */
	ATOMIC_FILE_PUBLIC = 2, /* readable by all (0644); else by the owner alone (0600) */
};

/*
 * Replaces the file by one with the given content. A reader sees the old or the new content; what a
 * killed writer left half-written is overwritten by the next call. One writer a file.
 */
NODISCARD int atomic_file_write(int dir_fd, const char *name, const void *data, size_t n_bytes,
				unsigned int flags, GError **error);
/*
 * Reads a regular file whole; *ret_data has a NUL behind it and is freed with g_free. −ENOENT,
 * −EFBIG where it is longer than max_bytes, −ELOOP for a symbolic link.
 */
NODISCARD int atomic_file_read(int dir_fd, const char *name, size_t max_bytes, char **ret_data,
			       size_t *ret_n_bytes, GError **error);
/* Reads an open regular file from its start; as atomic_file_read. path is for the message. */
NODISCARD int atomic_file_read_fd(int fd, const char *path, size_t max_bytes, char **ret_data,
				  size_t *ret_n_bytes, GError **error);
/*
 * "<what> <name>: <text of err>", and for a full or failing disk what to do about it. Returns −err, which
 * is given as a positive errno.
 */
int atomic_file_set_error(GError **error, int err, const char *what, const char *name);
/* Whether err, positive or −errno, is of a disk that is full, fails, or may not be written. */
bool atomic_file_is_disk_error(int err);
/* Whether a file is what a killed writer left half-written. */
bool atomic_file_is_temporary(const char *name);
/* 0 also where it was not there. flags: ATOMIC_FILE_SYNC. */
NODISCARD int atomic_file_remove(int dir_fd, const char *name, unsigned int flags, GError **error);
