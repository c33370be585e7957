/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, prefixes and MACs: text that is accepted is printed as text that means the same. */
#include "src/model/addr.h"
#include "test/fuzz/fuzz.h"

static void check_addr(const char *text)
{
	char buffer[ADDR_TEXT_BYTES];
	struct addr addr;
	struct addr again;

	if (addr_parse(text, &addr))
		return;
	g_assert(!addr_parse(addr_format(&addr, buffer), &again));
	g_assert(addr_equal(&addr, &again));
}

static void check_cidr(const char *text)
{
	char buffer[CIDR_TEXT_BYTES];
	struct cidr cidr;
	struct cidr again;

	if (cidr_parse(text, &cidr))
		return;
	g_assert(cidr.prefix_len <= 128);
	g_assert(cidr_contains(&cidr, &cidr.addr));
	g_assert(!cidr_parse(cidr_format(&cidr, buffer), &again));
	g_assert(cidr_equal(&cidr, &again));
}

static void check_mac(const char *text)
{
	char buffer[MAC_TEXT_BYTES];
	struct mac mac;
	struct mac again;

	if (mac_parse(text, &mac))
		return;
	g_assert(!mac_parse(mac_format(&mac, buffer), &again));
	g_assert(!memcmp(&mac, &again, sizeof(mac)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	g_autofree char *text = fuzz_text(data, n_bytes);

	check_addr(text);
	check_cidr(text);
	check_mac(text);
	return 0;
}
