/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services that somebody made by hand: the table service_requests, kept in <lib-dir>/state/services, a file
 * for each. What a call has answered was written, or was refused; so the next agent has it before its reconcilers
 * look for what is too much in the kernel, and the next boot when the disk has synced it (state_dir.h). It is also in
 * force by then, where the kernel takes it.
 */
#pragma once

#include <uv.h>
#include "src/agent/state_dir.h"
#include "src/model/service_request.h"
#include "src/store/tables.h"

struct service_requests;

/*
 * Reads those of the agent before. NULL and *error: also where a newer agent wrote one. What makes no sense is set
 * aside, with its message in problems.
 */
struct service_requests *service_requests_new(uv_loop_t *loop, struct store *store,
					      const struct tables *tables, const char *path,
					      GPtrArray *problems, GError **error);
void service_requests_free(struct service_requests *requests); /* takes NULL */
/*
 * Makes a service, or changes one of the same number and front end; takes the caller's reference. −EEXIST: the
 * number is of one with another front end, or the front end of one with another number. *ret_created: it was new.
 */
NODISCARD int service_requests_put(struct service_requests *requests,
				   struct service_request *take_request, bool *ret_created,
				   GError **error);
/* −ENOENT: there is none. */
NODISCARD int service_requests_remove(struct service_requests *requests, uint32_t id,
				      GError **error);
/* Now and again: the sync of what was written, and what the disk has refused. Takes NULL. */
void service_requests_run(struct service_requests *requests);
