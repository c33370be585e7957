// SPDX-License-Identifier: Apache-2.0
#include "src/model/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <glib.h>

#define V4_PREFIX_BYTES (ADDR_V4_PREFIX_BITS / 8)

static const uint8_t v4_prefix[V4_PREFIX_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int addr_parse(const char *text, struct addr *ret_addr)
{
	struct in6_addr v6;
	struct in_addr v4;

	/* inet_pton itself refuses leading zeros in IPv4, scope ids and anything behind the
	 * address. */
	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret_addr = addr_from_v4(v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
		return -EINVAL;
	*ret_addr = addr_from_v6(&v6);
	return 0;
}

struct addr addr_from_v4(struct in_addr v4)
{
	struct addr addr;

	memcpy(addr.bytes, v4_prefix, V4_PREFIX_BYTES);
	memcpy(addr.bytes + V4_PREFIX_BYTES, &v4, sizeof(v4));
	return addr;
}

struct addr addr_from_v6(const struct in6_addr *v6)
{
	struct addr addr;

	memcpy(addr.bytes, v6, sizeof(addr.bytes));
	return addr;
}

bool addr_is_v4(const struct addr *addr)
{
	return memcmp(addr->bytes, v4_prefix, V4_PREFIX_BYTES) == 0;
}

bool addr_is_zero(const struct addr *addr)
{
	return !addr->halves[0] && !addr->halves[1];
}

bool addr_is_group(const struct addr *addr)
{
	uint32_t host;

	if (!addr_is_v4(addr))
		return addr->bytes[0] == 0xff;
	memcpy(&host, &addr->bytes[12], sizeof(host));
	host = ntohl(host);
	return IN_MULTICAST(host) || host == INADDR_BROADCAST;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

/* The longest run of at least two zero groups, the first of equal ones: RFC 5952, section 4.2. */
static void find_zero_run(const uint16_t groups[static 8], int *ret_start, int *ret_n)
{
	*ret_start = -1;
	*ret_n = 1;
	for (int i = 0; i < 8;) {
		int n = 0;

		while (i + n < 8 && !groups[i + n])
			n++;
		if (n > *ret_n) {
			*ret_start = i;
			*ret_n = n;
		}
		i += n + 1;
	}
}

static void format_v6(const struct addr *addr, char buffer[static ADDR_TEXT_BYTES])
{
	uint16_t groups[8];
	int run_start, run_n;
	char *p = buffer;

	for (int i = 0; i < 8; i++)
		groups[i] = addr->bytes[2 * i] << 8 | addr->bytes[2 * i + 1];
	find_zero_run(groups, &run_start, &run_n);
	for (int i = 0; i < 8; i++) {
		if (i == run_start) {
			p += sprintf(p, "::");
			i += run_n - 1;
			continue;
		}
		p += sprintf(p, i == 0 || p[-1] == ':' ? "%x" : ":%x", groups[i]);
	}
}

const char *addr_format(const struct addr *addr, char buffer[static ADDR_TEXT_BYTES])
{
	const uint8_t *v4 = addr->bytes + V4_PREFIX_BYTES;

	if (addr_is_v4(addr))
		snprintf(buffer, ADDR_TEXT_BYTES, "%u.%u.%u.%u", v4[0], v4[1], v4[2], v4[3]);
	else
		format_v6(addr, buffer);
	return buffer;
}

/* Digits only, without leading zeros, at most max. −EINVAL or the number. */
static int parse_prefix_len(const char *text, int max)
{
	int len = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		len = len * 10 + *text - '0';
		if (len > max)
			return -EINVAL;
	}
	return len;
}

/* Zeroes the bits behind the prefix. True when one was set. */
static bool clear_host_bits(struct cidr *cidr)
{
	bool found = false;

	for (unsigned int i = cidr->prefix_len / 8; i < sizeof(cidr->addr.bytes); i++) {
		unsigned int n_kept = i == cidr->prefix_len / 8U ? cidr->prefix_len % 8U : 0;
		uint8_t mask = 0xff >> n_kept;

		found |= cidr->addr.bytes[i] & mask;
		cidr->addr.bytes[i] &= ~mask;
	}
	return found;
}

int cidr_parse(const char *text, struct cidr *ret_cidr)
{
	const char *slash = strchr(text, '/');
	size_t n_addr = slash ? (size_t)(slash - text) : strlen(text);
	char addr_text[ADDR_TEXT_BYTES];
	struct cidr cidr = {};
	bool has_host_bits;
	int v4_bits, len;

	if (n_addr >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, n_addr);
	addr_text[n_addr] = '\0';
	if (addr_parse(addr_text, &cidr.addr) < 0)
		return -EINVAL;
	v4_bits = addr_is_v4(&cidr.addr) ? ADDR_V4_PREFIX_BITS : 0;
	len = slash ? parse_prefix_len(slash + 1, 128 - v4_bits) : 128 - v4_bits;
	if (len < 0)
		return len;
	cidr.prefix_len = len + v4_bits;
	has_host_bits = clear_host_bits(&cidr);
	*ret_cidr = cidr;
	return has_host_bits ? -ERANGE : 0;
}

const char *cidr_format(const struct cidr *cidr, char buffer[static CIDR_TEXT_BYTES])
{
	size_t n;

	addr_format(&cidr->addr, buffer);
	n = strlen(buffer);
	snprintf(buffer + n, CIDR_TEXT_BYTES - n, "/%u", cidr_text_len(cidr));
	return buffer;
}

bool cidr_is_v4(const struct cidr *cidr)
{
	return cidr->prefix_len >= ADDR_V4_PREFIX_BITS && addr_is_v4(&cidr->addr);
}

unsigned int cidr_text_len(const struct cidr *cidr)
{
	return cidr_is_v4(cidr) ? cidr->prefix_len - ADDR_V4_PREFIX_BITS : cidr->prefix_len;
}

bool cidr_contains(const struct cidr *cidr, const struct addr *addr)
{
	struct cidr other = {.addr = *addr, .prefix_len = cidr->prefix_len};

	if (cidr_is_v4(cidr) != addr_is_v4(addr))
		return false;
	clear_host_bits(&other);
	return addr_equal(&other.addr, &cidr->addr);
}

struct cidr cidr_truncate(const struct cidr *cidr, unsigned int prefix_len)
{
	struct cidr around = {.addr = cidr->addr, .prefix_len = prefix_len};

	clear_host_bits(&around);
	return around;
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->prefix_len == b->prefix_len && addr_equal(&a->addr, &b->addr);
}

int cidr_compare(const void *cidr_a, const void *cidr_b)
{
	const struct cidr *a = cidr_a, *b = cidr_b;
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->prefix_len - (int)b->prefix_len;
}

struct cidr cidr_from_addr(const struct addr *addr)
{
	return (struct cidr){.addr = *addr, .prefix_len = 128};
}

int mac_parse(const char *text, struct mac *ret_mac)
{
	struct mac mac;

	if (strlen(text) != MAC_TEXT_BYTES - 1)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		int high = g_ascii_xdigit_value(text[i * 3]);
		int low = g_ascii_xdigit_value(text[i * 3 + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':'))
			return -EINVAL;
		mac.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_mac = mac;
	return 0;
}

const char *mac_format(const struct mac *mac, char buffer[static MAC_TEXT_BYTES])
{
	const uint8_t *bytes = mac->bytes;

	g_snprintf(buffer, MAC_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
		   bytes[2], bytes[3], bytes[4], bytes[5]);
	return buffer;
}

bool mac_is_zero(const struct mac *mac)
{
	static const struct mac zero;

	return !memcmp(mac, &zero, sizeof(zero));
}
