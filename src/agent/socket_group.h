/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>
#include "src/agent/config.h"

/*
 * The group of socket-group, UNIX_LISTEN_NO_GROUP where it is root's alone: the key is empty, or was not
 * set and there is no group of the default's name. −EINVAL where the key names a group that is not there.
 */
NODISCARD int socket_group_find(const struct config *config, gid_t *ret_group, GError **error);
