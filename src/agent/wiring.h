/* SPDX-License-Identifier: Apache-2.0 */
/* What the lower layers are told of the settings. */
#pragma once

#include "src/agent/config.h"
#include "src/datapath/datapath.h"
#include "src/derive/config.h"

/* Borrows texts of settings. */
void wiring_init_derive(const struct settings *settings, struct derive_config *ret_config);
/* What may change while the agent runs: derive_reconfigure() follows. */
void wiring_update_derive(const struct settings *settings, struct derive_config *config);
/* Frees what init made. */
void wiring_fini_derive(struct derive_config *config);
/* What the programs are told while they run. Traces are off: nobody listens yet. */
struct runtime_config wiring_get_runtime(const struct settings *settings);
/*
 * All but the addresses of the router and the MTU. memory_bytes: of the machine, for the sizes of maps.
 */
void wiring_init_datapath(const struct settings *settings, uint64_t memory_bytes,
			  struct datapath_config *ret_config);
