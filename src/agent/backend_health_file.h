/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend-health.json in the state directory: which back ends the agent's probes found down. The next agent begins
 * with it, so that a restart sends no connections to the dead; after a boot everything is asked anew.
 */
#pragma once

#include "src/agent/state_dir.h"
#include "src/store/tables.h"

/* Into the table, which is synced then. What makes no sense is set aside, with a message in problems. */
void backend_health_file_load(struct state_dir *dir, struct store *store,
			      const struct tables *tables, GPtrArray *problems);
/* 0 or −errno. */
NODISCARD int backend_health_file_save(struct state_dir *dir, const struct tables *tables,
				       GError **error);
