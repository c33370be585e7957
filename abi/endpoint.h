/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Local endpoints: the map cilium_lxc, from address, and cilium_lxc_device, from device. */
#pragma once

#include "abi/types.h"

struct endpoint_key {
	struct addr addr;
};
ABI_ASSERT_SIZE(struct endpoint_key, 16);

/* Numbers as in Cilium, where the concept is the same. */
#define ENDPOINT_F_HOST           0x0001 /* an address of this node; no other field is meaningful */
#define ENDPOINT_F_SKIP_SIP_CHECK 0x0100 /* this endpoint may send from addresses not its own */
#define ENDPOINT_F_QUEUED         0x0200 /* its device has a queue of others: go in through that */
#define ENDPOINT_F_VIA_STACK      0x0400 /* the host's stack forwards what it sends and gets */
/* Whatever the node's configuration says; neither of a pair: as that. */
#define ENDPOINT_F_SIP_CHECK      0x0800 /* the pair of SKIP_SIP_CHECK */
#define ENDPOINT_F_DROP_EVENTS    0x1000
#define ENDPOINT_F_NO_DROP_EVENTS 0x2000
#define ENDPOINT_F_TRACE          0x4000
#define ENDPOINT_F_NO_TRACE       0x8000
#define ENDPOINT_F_VERDICTS       0x0020
#define ENDPOINT_F_NO_VERDICTS    0x0040
#define ENDPOINT_F_UNCOUNTED      0x0080 /* its connections count no packets and bytes */

/*
 * An endpoint with two addresses has two equal entries. The generation is a number never used
 * before on this node (see src/derive): a conntrack entry made for another generation is dead.
 */
struct endpoint_info {
	__u32 ifindex; /* of the host's side of the veth pair */
	__u32 identity;
	__u32 generation;
	__u16 id;
	__u16 flags;         /* ENDPOINT_F_* */
	struct mac mac;      /* of the interface inside the endpoint */
	struct mac node_mac; /* of the host's side */
	__u32 pad;
};
ABI_ASSERT_SIZE(struct endpoint_info, 32);
ABI_ASSERT_OFFSET(struct endpoint_info, mac, 16);

/* cilium_lxc_device: the same value under the ifindex of the host's side of the veth pair. */
struct endpoint_device_key {
	__u32 ifindex;
};
ABI_ASSERT_SIZE(struct endpoint_device_key, 4);
