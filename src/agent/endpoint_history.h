/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the log of each endpoint: what it is wanted to be, its identity, and what the kernel says to its
 * objects. Watches of the store and the reconcilers tell it; nobody calls it for a change.
 */
#pragma once

#include "src/agent/endpoint_log.h"
#include "src/agent/endpoint_manager.h"

struct endpoint_history;

/* Before the first endpoint is put, and after the derivations were made. All is borrowed. */
struct endpoint_history *endpoint_history_new(struct store *store, struct tables *tables,
					      const struct endpoint_manager *manager);
void endpoint_history_free(struct endpoint_history *history); /* takes NULL */
/* When the reconcilers are made, so that what follows them runs last. */
void endpoint_history_set_reconcilers(struct endpoint_history *history,
				      struct reconcilers *reconcilers);
const struct endpoint_log *endpoint_history_get_log(const struct endpoint_history *history);
