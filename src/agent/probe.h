/* SPDX-License-Identifier: Apache-2.0 */
/* One probe of one back end, on the loop. */
#pragma once

#include <uv.h>
#include "src/model/addr.h"
#include "src/model/service.h"

struct probe;

/* failure: what went wrong, or NULL. Called once, unless the probe was cancelled; the probe is gone then. */
typedef void (*probe_done)(const char *failure, void *data);

/*
 * Connects, and with HTTP asks for the path and reads the status. NULL and *ret_err, −errno, where the node has no
 * descriptor, memory or port left to try with; all else, a missing route too, is told by done, which is not called
 * within.
 */
struct probe *probe_start(uv_loop_t *loop, const struct addr *addr, uint16_t port,
			  const struct service_health *health, probe_done done, void *data,
			  int *ret_err);
/* done is not called any more. */
void probe_cancel(struct probe *probe);
