// SPDX-License-Identifier: Apache-2.0
#include "src/sys/neighbour.h"

#include <linux/neighbour.h>

void neighbour_append_router(struct netlink *nl, uint32_t ifindex, const struct addr *addr,
			     const struct mac *mac)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
						  "making the router known to device %u", ifindex);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ndm_family = (uint8_t)netlink_addr_family(addr);
	header->ndm_ifindex = (int)ifindex;
	header->ndm_state = NUD_PERMANENT;
	header->ndm_flags = NTF_ROUTER;
	netlink_put_addr(message, NDA_DST, addr);
	mnl_attr_put(message, NDA_LLADDR, sizeof(*mac), mac->bytes);
}
