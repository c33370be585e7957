/* SPDX-License-Identifier: Apache-2.0 */
/* The listener's end of the monitor socket. Blocking, or polled by the caller. */
#pragma once

#include <stdbool.h>
#include "src/base/error.h"
#include "src/observe/monitor_message.h"

/*
 * Connects and subscribes to the kinds (MONITOR_KIND_*). An owned descriptor, or −errno: −ENOENT or
 * −ECONNREFUSED where no agent listens.
 */
NODISCARD int monitor_client_connect(const char *path, unsigned int kinds, GError **error);

/*
 * The next message. Its size in bytes; 0: the agent has gone; −EAGAIN: none is there yet (dont_wait);
 * −EPROTO: the other side speaks another version, or nonsense.
 */
NODISCARD int monitor_client_receive(int fd, bool dont_wait, struct monitor_message *ret_message);

/* That the bytes are a message of this version, which holds what its type says. */
bool monitor_message_is_valid(const struct monitor_message *message, size_t n_bytes);
/* Bytes of an AGENT message's text. */
size_t monitor_message_n_text_bytes(size_t n_bytes);
