/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets whose file somebody has deleted are made again: nobody could connect to them any more. */
#pragma once

#include "src/base/error.h"

struct agent;

/* 0; or −errno, and it is to be tried again. */
NODISCARD int socket_mend_run(struct agent *agent, GError **error);
