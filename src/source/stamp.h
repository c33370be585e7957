/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* What changes when a file does. All zero: not looked at yet. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t n_bytes;
	mode_t mode;
	struct timespec modified, changed;
};

struct stamp stamp_of(const struct stat *status);
bool stamp_equal(const struct stamp *a, const struct stamp *b);

/* Tells one content from another; nobody gains from making two collide but its own author. */
struct content_stamp {
	uint64_t hash;
	size_t n_bytes;
};

struct content_stamp content_stamp_of(const char *text, size_t n_bytes);
bool content_stamp_equal(const struct content_stamp *a, const struct content_stamp *b);
