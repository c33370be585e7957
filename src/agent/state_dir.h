/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of small JSON files that outlive the process. Each file carries the version of its form; a
 * file is replaced as a whole, so that a crash leaves the old one or the new one. A file that cannot be
 * read is set aside under "<name>.corrupt"; one that a newer agent wrote is refused, and left alone.
 */
#pragma once

#include <jansson.h>
#include "src/base/error.h"

#define STATE_DIR_VERSION 1

struct state_dir;

/* Makes the directory and its parents. NULL and *error. */
struct state_dir *state_dir_new(const char *path, GError **error);
void state_dir_free(struct state_dir *dir); /* takes NULL */
const char *state_dir_path(const struct state_dir *dir);

/*
 * Locks the directory for this process, until it ends. −EBUSY with who has it: another agent runs on the
 * same state.
 */
NODISCARD int state_dir_lock(struct state_dir *dir, GError **error);

/*
 * Writes object, whose reference it takes, to the file called name, which may lie in one folder below
 * ("12/ep_config.json"; the folder is made). On return it is on the disk. 0 or −errno: nothing has changed.
 */
NODISCARD int state_dir_write(struct state_dir *dir, const char *name, json_t *object,
			      GError **error);
/* 0; −ENOENT; −EBADMSG: set aside; −EPROTONOSUPPORT: written by a newer agent. Unref *ret_object. */
NODISCARD int state_dir_read(struct state_dir *dir, const char *name, json_t **ret_object,
			     GError **error);
/* And the folder that it leaves empty. A file that is not there is no error. */
NODISCARD int state_dir_remove(struct state_dir *dir, const char *name, GError **error);
/* Names in the directory, or in one folder of it, without those set aside. Free with g_ptr_array_unref. */
GPtrArray *state_dir_list(struct state_dir *dir, const char *folder);
