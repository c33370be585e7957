/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and prefixes of both families in one type; text forms as in RFC 4291 and RFC 5952. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>
#include "abi/types.h"

/* Room for the longest text of an address or prefix with its end. */
#define ADDR_TEXT_BYTES 46
#define CIDR_TEXT_BYTES 50

struct cidr {
	struct addr addr;   /* host bits are zero */
	uint8_t prefix_len; /* 0..128; an IPv4 prefix counts from ADDR_V4_PREFIX_BITS */
};

/* Of the key of a table by prefix: what is behind it in the structure is padding. */
#define CIDR_KEY_BYTES 17

/*
 * "10.0.0.1" or "fd00::1". 0 or −EINVAL. Refused is what two programs may read differently: leading
 * zeros ("010.0.0.1"), scope ids ("fe80::1%eth0"), IPv4 written as IPv6 ("::ffff:10.0.0.1").
 */
int addr_parse(const char *text, struct addr *ret_addr);
/* Writes the text into buffer and returns it. */
const char *addr_format(const struct addr *addr, char buffer[static ADDR_TEXT_BYTES]);
struct addr addr_from_v4(struct in_addr v4);
struct addr addr_from_v6(const struct in6_addr *v6);
bool addr_is_v4(const struct addr *addr);
bool addr_is_zero(const struct addr *addr);
/* Whether it stands for many hosts: multicast, or IPv4's limited broadcast. */
bool addr_is_group(const struct addr *addr);
/* Order of the big-endian numbers: <0, 0, >0. */
int addr_compare(const struct addr *a, const struct addr *b);
bool addr_equal(const struct addr *a, const struct addr *b);

/*
 * "10.0.0.0/24", "fd00::/64", or an address alone for its whole length. 0, −EINVAL, or −ERANGE
 * where all that is wrong is that host bits are not zero: *ret_cidr is then the prefix without
 * them.
 */
int cidr_parse(const char *text, struct cidr *ret_cidr);
const char *cidr_format(const struct cidr *cidr, char buffer[static CIDR_TEXT_BYTES]);
bool cidr_is_v4(const struct cidr *cidr);
/* The prefix length as people write it: 0..32 for IPv4. */
unsigned int cidr_text_len(const struct cidr *cidr);
/* False where the families differ: ::/0 contains no IPv4 address. */
bool cidr_contains(const struct cidr *cidr, const struct addr *addr);
/* The prefix of at most its own length that holds it; IPv4 from ADDR_V4_PREFIX_BITS on. */
struct cidr cidr_truncate(const struct cidr *cidr, unsigned int prefix_len);
bool cidr_equal(const struct cidr *a, const struct cidr *b);
/* Of two struct cidr, for sorting and searching: by address, then the shorter prefix first: <0, 0, >0. */
int cidr_compare(const void *cidr_a, const void *cidr_b);
/* The prefix of one address. */
struct cidr cidr_from_addr(const struct addr *addr);

/* Room for the text of a link-layer address with its end. */
#define MAC_TEXT_BYTES 18

/* "02:00:00:0a:0b:0c". 0 or −EINVAL. */
int mac_parse(const char *text, struct mac *ret_mac);
const char *mac_format(const struct mac *mac, char buffer[static MAC_TEXT_BYTES]);
bool mac_is_zero(const struct mac *mac);
