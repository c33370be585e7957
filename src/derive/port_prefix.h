/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of ports as prefixes, of which the longest that matches decides. */
#pragma once

#include <glib.h>
#include "src/model/rule_set.h"

/* Ports from first up to the next run's first; the last run ends with port 65535. */
struct port_run {
	uint32_t first;
	struct policy_leaf leaf;
};

/*
 * Appends to entries the fewest struct rule_class_entry that, with otherwise where none matches, say what
 * the runs say; none of them says otherwise. runs: struct port_run, ascending, from port 0 on.
 */
void port_prefix_add_ports(const GArray *runs, uint8_t protocol,
			   const struct policy_leaf *otherwise, GArray *entries);
/*
 * As port_prefix_add_ports, for types of ICMP messages, 0..255: these are looked up whole, so that there
 * are entries for single types, and one for all where the last run, above them, differs from otherwise.
 */
void port_prefix_add_types(const GArray *runs, uint8_t protocol,
			   const struct policy_leaf *otherwise, GArray *entries);
