/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
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
