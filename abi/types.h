/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What every header of abi/ rests on: the kernel's fixed-width types, one 128-bit address type for
 * both families, and the assertion that pins a layout.
 *
 * abi/ holds every byte that BPF programs and user space share. A structure here has no implicit
 * padding, and each header asserts sizes and offsets, so that both compilers must agree.
 */
#pragma once

#include <linux/types.h>

#define ABI_ASSERT_SIZE(type, bytes) \
	_Static_assert(sizeof(type) == (bytes), #type " must be " #bytes " bytes")
#define ABI_ASSERT_OFFSET(type, member, bytes)                      \
	_Static_assert(__builtin_offsetof(type, member) == (bytes), \
		       #type "." #member " must be at " #bytes)

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2). */
struct addr {
	union {
		__u8 bytes[16];
		__be32 words[4];
		__u64 halves[2];
	};
};
ABI_ASSERT_SIZE(struct addr, 16);

/* Bits that precede an IPv4 address in struct addr: a.b.c.d/N is stored with length N + 96. */
#define ADDR_V4_PREFIX_BITS 96

struct mac {
	__u8 bytes[6];
};
ABI_ASSERT_SIZE(struct mac, 6);
