// SPDX-License-Identifier: Apache-2.0
#include "src/source/stamp.h"

struct stamp stamp_of(const struct stat *status)
{
	return (struct stamp){
		.device = status->st_dev,
		.inode = status->st_ino,
		.n_bytes = status->st_size,
		.mode = status->st_mode,
		.modified = status->st_mtim,
		.changed = status->st_ctim,
	};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->n_bytes == b->n_bytes &&
	       a->mode == b->mode && is_same_time(&a->modified, &b->modified) &&
	       is_same_time(&a->changed, &b->changed);
}
