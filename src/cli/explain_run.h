/* SPDX-License-Identifier: Apache-2.0 */
/* Which program of this node sees a packet, and at which device; and what it makes of it. */
#pragma once

#include "src/cli/explain_report.h"
#include "src/datapath/explain.h"
#include "src/wire/packet.h"

struct explain_run;

/* NULL and *error, as explainer_new(). */
struct explain_run *explain_run_new(GError **error);
void explain_run_free(struct explain_run *run); /* takes NULL */

/*
 * ip: the packet from its IP header on; n_full_bytes: on the wire. ends: by its addresses; the name of each
 * is the caller's. 0 with *ret_report, whose texts live until the next call; or −errno.
 */
NODISCARD int explain_run_packet(struct explain_run *run, const uint8_t *ip, size_t n_bytes,
				 size_t n_full_bytes, struct explain_report *ret_report,
				 GError **error);
