/* SPDX-License-Identifier: Apache-2.0 */
/* A command in a network namespace of its own, as an endpoint: what cilium run does. */
#pragma once

#include "src/base/error.h"
#include "src/model/label.h"

struct run_request {
	const char *socket_path; /* of the agent */
	const char *name;        /* of the pod that the endpoint is */
	const char *namespace;
	const struct label_set *labels;
	char *const *argv; /* of the command; NULL at the end */
};

/*
 * Runs the command and removes its endpoint when it ends. Signals go on to the command; should this
 * process be killed, the command is too, its namespace with it, and the agent sees the interface
 * go. 0 and the command's status (128 + n when signal n ended it) in *ret_status, or −errno: the
 * command did not run; −ENOENT and −EACCES come from starting it.
 */
NODISCARD int run_in_endpoint(const struct run_request *request, int *ret_status, GError **error);
