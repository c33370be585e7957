/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints to be removed by an agent that is away: one file each, named after the attachment, in the
 * directory deleteQueue beside the agent's socket. A file is there before the agent is asked once more,
 * and the agent reads the directory once more when it answers: so none is overlooked.
 */
#pragma once

#include <stdbool.h>
#include "src/base/error.h"
#include "src/join/attachment.h"

/* The directory for an agent on this socket (plain, or with "unix://" in front). Free with g_free. */
char *delete_queue_directory(const char *socket_path);

/* Puts the attachment's endpoint into the queue. It being there already is no error. */
NODISCARD int delete_queue_put(const char *directory, const struct attachment *attachment,
			       GError **error);
void delete_queue_remove(const char *directory, const struct attachment *attachment);

/*
 * Calls fn for each endpoint in the queue, by the name that the REST API knows, and removes those for
 * which it returns true. Returns how many were removed, or −errno; no directory is an empty queue.
 */
NODISCARD int delete_queue_process(const char *directory,
				   bool (*fn)(const char *endpoint_id, void *data), void *data,
				   GError **error);
