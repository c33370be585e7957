/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of small JSON files that outlive the process. Each file carries the version of its form; a
 * file is replaced as a whole, so that a crash leaves the old one or the new one. A file that cannot be
 * read is set aside under "<name>.corrupt"; one that a newer agent wrote is refused, and left alone.
 * Symbolic links are not followed: one in the place of a file or a folder is set aside as well. The
 * directory itself must be one that only root can change (trusted_dir.h).
 *
 * What a call has written survives the agent's death at once, and the machine's when state_dir_sync_soon()
 * is done: waiting for the disk took 10 to 15 ms of every change that brought a new identity.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>
#include "src/base/controller.h"

#define STATE_DIR_VERSION 1

struct state_dir;

/* Makes the directory and its parents. NULL and *error. */
struct state_dir *state_dir_new(const char *path, GError **error);
/* Of an error of these calls: nothing can be written, and an agent may do without the directory. */
bool state_dir_is_full(const GError *error);
void state_dir_free(struct state_dir *dir); /* takes NULL; gives the lock up */

/* Locks the directory for this process. −EBUSY, with who has it: another agent runs on this state. */
NODISCARD int state_dir_lock(struct state_dir *dir, GError **error);
/*
 * Where the path leads elsewhere now, because somebody has deleted the directory or mounted something over it:
 * makes it again, empty, and locks it. The same for the lock alone. 0; −EBUSY: another agent has it.
 */
NODISCARD int state_dir_ensure(struct state_dir *dir, GError **error);
/* Whether the file is there. */
bool state_dir_has(struct state_dir *dir, const char *name);

/*
 * Writes object, whose reference it takes, to the file called name, which may lie in one folder below
 * ("12/ep_config.json"; the folder is made). 0 or −errno: nothing has changed.
 */
NODISCARD int state_dir_write(struct state_dir *dir, const char *name, json_t *object,
			      GError **error);
/* The same, and on the disk when it returns. Any thread may call it, one a file. */
NODISCARD int state_dir_write_through(struct state_dir *dir, const char *name, json_t *object,
				      GError **error);
/*
 * −EPROTONOSUPPORT where a newer agent wrote one of the files, folders included: to be asked before anything
 * is changed. Files that make no sense are left to state_dir_read().
 */
NODISCARD int state_dir_check_versions(struct state_dir *dir, GError **error);
/* 0; −ENOENT; −EBADMSG: set aside; −EPROTONOSUPPORT: written by a newer agent. Unref *ret_object. */
NODISCARD int state_dir_read(struct state_dir *dir, const char *name, json_t **ret_object,
			     GError **error);
/*
 * Has the files of the directory itself, folders left out, put on the disk by a helper thread. Does nothing
 * where nothing was written, and while an earlier call's work goes on. What the disk refuses is tried again
 * by the next call.
 */
void state_dir_sync_soon(struct state_dir *dir, uv_loop_t *loop);
/* Of that sync. Borrowed: it outlives the helper thread's work. */
void state_dir_set_controller(struct state_dir *dir, struct controller *controller);
/*
 * And the folder that it leaves empty. A file that is not there is no error, nor is one that a full or
 * failing disk keeps: it goes with a later state_dir_retry().
 */
NODISCARD int state_dir_remove(struct state_dir *dir, const char *name, GError **error);
/* While the last change has failed: finds out whether the disk takes changes again, and makes up for removals. */
void state_dir_retry(struct state_dir *dir);
/* Why the directory cannot be changed, and since when (CLOCK_REALTIME); NULL: it can. Free with g_free. */
char *state_dir_get_failure(struct state_dir *dir, int64_t *ret_since_ns);
/* For a file whose content made no sense to whoever read it. */
void state_dir_set_aside(struct state_dir *dir, const char *name);
/* Removes what an agent that was killed has left half-done: temporary files, empty folders. */
void state_dir_sweep(struct state_dir *dir);
/*
 * Names in the directory, or in one folder of it (NULL: itself), sorted; without what is set aside or
 * half-written. Free with g_ptr_array_unref.
 */
GPtrArray *state_dir_list(struct state_dir *dir, const char *folder);
