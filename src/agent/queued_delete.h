/* SPDX-License-Identifier: Apache-2.0 */
/* What the CNI plugin wanted removed while no agent answered (src/join/delete_queue.h). */
#pragma once

#include "src/agent/endpoint_manager.h"
#include "src/base/controller.h"

/*
 * Removes the endpoints in the queue beside the socket. To be called when the REST API begins to do what
 * it is asked, and not before: a plugin writes its file, asks once more, and relies on one of the two. And
 * again while the controller (borrowed) is failing.
 */
void queued_delete_run(struct endpoint_manager *manager, const char *socket_path,
		       struct controller *controller);
