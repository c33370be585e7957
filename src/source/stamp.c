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

struct content_stamp content_stamp_of(const char *text, size_t n_bytes)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n_bytes; i++)
		hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	return (struct content_stamp){.hash = hash, .n_bytes = n_bytes};
}

bool content_stamp_equal(const struct content_stamp *a, const struct content_stamp *b)
{
	return a->hash == b->hash && a->n_bytes == b->n_bytes;
}
