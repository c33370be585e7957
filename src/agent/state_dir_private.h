/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a state directory share. */
#pragma once

#include <stdbool.h>
#include "src/agent/state_dir.h"

struct sync;

struct state_dir {
	char *path;
	bool is_dirty;                 /* written since the last sync */
	struct sync *sync;             /* under way; NULL: none */
	struct controller *controller; /* of it; NULL: nobody asked */
	int fd;
	int lock_fd;              /* −1: not locked */
	GMutex mutex;             /* of what follows: helper threads write, too */
	char *failure;            /* why the last change was not possible; NULL: it was */
	int64_t failing_since_ns; /* CLOCK_BOOTTIME */
	GHashTable *unremoved;    /* char *: names that the disk did not let go of yet */
};

/* state_dir_sync.c: one that is under way goes on without the directory. */
void state_dir_forget_sync(struct state_dir *dir);
