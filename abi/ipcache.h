/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Address to identity, and where the address lives. Single addresses are in a hash
 * (cilium_ipcache), prefixes in a trie (cilium_ipcache_prefix), which so stays small; a lookup asks
 * the hash first.
 */
#pragma once

#include "abi/types.h"

struct ipcache_key {
	struct addr addr;
};
ABI_ASSERT_SIZE(struct ipcache_key, 16);

struct ipcache_prefix_key {
	__u32 prefix_len; /* 0..128; an IPv4 prefix counts from ADDR_V4_PREFIX_BITS */
	struct addr addr __attribute__((packed, aligned(4)));
};
ABI_ASSERT_SIZE(struct ipcache_prefix_key, 20);

#define IPCACHE_F_LOCAL_HOST  0x01 /* an address of this node */
#define IPCACHE_F_REMOTE_NODE 0x02 /* an address of another node */

struct ipcache_info {
	struct addr tunnel_endpoint; /* the node to encapsulate to; all zero: none */
	__u32 identity;
	__u8 flags;       /* IPCACHE_F_* */
	__u8 encrypt_key; /* 0: in the clear */
	__u16 pad;
};
ABI_ASSERT_SIZE(struct ipcache_info, 24);
