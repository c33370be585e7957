/* SPDX-License-Identifier: Apache-2.0 */
/* <state-dir>/cilium.pid: for people and scripts; nothing of ours reads it. */
#pragma once

#include "src/base/error.h"

#define PID_FILE_NAME "cilium.pid"

/* 0 or −errno. */
NODISCARD int pid_file_write(const char *state_dir, GError **error);
