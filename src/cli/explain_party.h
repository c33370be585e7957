/* SPDX-License-Identifier: Apache-2.0 */
/* Whom --from and --to of cilium explain name, and who has an address, from the pinned maps. */
#pragma once

#include <glib.h>
#include "src/cli/explain_report.h"

struct explain_party {
	bool is_host;     /* which address of the node depends on the other end */
	bool has_addr[2]; /* IPv4, IPv6 */
	struct addr addr[2];
	char *name; /* "default/web", "example.org"; NULL: it was an address. g_free */
};

/*
 * "host", an address, the number of an endpoint, [namespace/]pod, another name of an endpoint as the API has
 * them, or a DNS name, which is looked up here. 0, or the exit status after the complaint.
 */
int explain_party_find(const char *flag, const char *text, const struct explain_agent *agent,
		       struct explain_party *ret_party);

/* The address under which the node talks to another; false: it has no route there. */
bool explain_party_host_addr(const struct addr *peer, struct addr *ret_addr);

/* Fills addr, where and what belongs to it. 0 or −errno and *error. */
NODISCARD int explain_party_classify(const struct addr *addr, struct explain_end *ret_end,
				     GError **error);
