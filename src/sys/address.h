/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of network devices, both families. */
#pragma once

#include "src/sys/netlink.h"

struct address {
	uint32_t ifindex;
	uint32_t flags; /* IFA_F_* */
	struct addr addr;
	uint8_t prefix_len; /* as people write it: 0..32 for IPv4 */
	uint8_t scope;      /* RT_SCOPE_* */
};

/* Decodes RTM_NEWADDR or RTM_DELADDR. 0 or −EBADMSG. */
NODISCARD int address_decode(const struct nlmsghdr *message, struct address *ret_address);
/* Those of a device, or with ifindex 0 all of them: struct address, owned by the caller. */
NODISCARD int address_dump(struct netlink *nl, uint32_t ifindex, GArray **ret_addresses,
			   GError **error);
/* flags: IFA_F_NODAD, IFA_F_NOPREFIXROUTE. An address that is there already stays as it is. */
void address_append_add(struct netlink *nl, const struct address *address);
void address_append_delete(struct netlink *nl, const struct address *address);
