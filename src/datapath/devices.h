/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the table of devices as the kernel has them: links, addresses, and which of them a default
 * route goes out of. Which of them are the node's is decided in src/derive.
 */
#pragma once

#include <uv.h>
#include "src/base/controller.h"
#include "src/store/table.h"

struct devices;

/*
 * Fills the table, says that it is synced, and follows the kernel from then on: each change is a
 * transaction and a store_settle(). changed is called, some time after and once for many events, when
 * something that the datapath made was taken away by anybody, the agent included: a device, an
 * address, a route, a filter. NULL and *error where the kernel cannot be read.
 */
struct devices *devices_new(uv_loop_t *loop, struct store *store, struct table *table,
			    void (*changed)(void *data), void *data, GError **error);
/* Runs when the kernel has told of a change, and again after a failure. Borrowed. */
void devices_set_controller(struct devices *devices, struct controller *controller);
/* Takes NULL. The rest is freed when the loop has run its closing callbacks. */
void devices_free(struct devices *devices);
