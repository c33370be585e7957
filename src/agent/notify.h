/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told, where one started the agent (sd_notify(3)). */
#pragma once

#include "src/base/error.h"

/*
 * Sends the text, as in "READY=1", to the socket that NOTIFY_SOCKET names. 0, also where it is not set;
 * or −errno.
 */
NODISCARD int notify_send(const char *text, GError **error);
