// SPDX-License-Identifier: Apache-2.0
/* Values that several kinds have. */
#include <string.h>
#include "src/source/decode_private.h"

uint8_t decode_protocol(const struct field *field)
{
	const char *text = field_text(field);

	if (!field_is_set(field) || g_strcmp0(text, "TCP") == 0)
		return IPPROTO_TCP;
	if (g_strcmp0(text, "UDP") == 0)
		return IPPROTO_UDP;
	if (g_strcmp0(text, "SCTP") == 0)
		return IPPROTO_SCTP;
	if (text)
		field_want(field, "TCP, UDP or SCTP");
	return 0;
}

uint16_t decode_port_number(const struct field *field)
{
	int64_t number;

	if (!field_is_set(field))
		field_add_problem(field, "is missing");
	return field_int(field, 1, UINT16_MAX, &number) ? number : 0;
}

/* What keeps packets of others from reaching the address; NULL: nothing. */
static const char *what_kind(const struct addr *addr)
{
	struct in6_addr v6;
	struct in_addr v4;

	memcpy(&v6, addr->bytes, sizeof(v6));
	if (addr_is_v4(addr)) {
		uint32_t host;

		memcpy(&v4, &addr->bytes[12], sizeof(v4));
		host = ntohl(v4.s_addr);
		if (!host)
			return "is unspecified";
		if (host >> 24 == IN_LOOPBACKNET)
			return "is of loopback";
		if (host >> 16 == 0xa9fe)
			return "is of the link alone";
		return addr_is_group(addr) ? "is of a group" : NULL;
	}
	if (IN6_IS_ADDR_UNSPECIFIED(&v6))
		return "is unspecified";
	if (IN6_IS_ADDR_LOOPBACK(&v6))
		return "is of loopback";
	if (IN6_IS_ADDR_LINKLOCAL(&v6))
		return "is of the link alone";
	return addr_is_group(addr) ? "is of a group" : NULL;
}

bool decode_host_address(const struct field *field, struct addr *ret_addr)
{
	const char *text = field_required_text(field);
	const char *kind;
	struct addr addr;

	if (!text)
		return false;
	if (addr_parse(text, &addr) < 0) {
		field_want(field, "an IPv4 or IPv6 address");
		return false;
	}
	kind = what_kind(&addr);
	if (kind) {
		field_add_problem(field, "got \"%s\", which %s: want the address of a host", text,
				  kind);
		return false;
	}
	*ret_addr = addr;
	return true;
}

bool decode_check_length(const struct field *list, unsigned int max)
{
	bool is_list = list->value && list->value->type == VALUE_SEQUENCE;

	if (!is_list || list->value->n <= max)
		return true;
	field_add_problem(list, "has %u items, want at most %u", list->value->n, max);
	return false;
}

int decode_word(const struct field *field, const char *const *words)
{
	const char *text = field_text(field);
	g_autoptr(GString) wanted = NULL;

	for (int i = 0; text && words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	if (!text)
		return -1;
	wanted = g_string_new(words[0]);
	for (int i = 1; words[i]; i++)
		g_string_append_printf(wanted, "%s%s", words[i + 1] ? ", " : " or ", words[i]);
	field_want(field, wanted->str);
	return -1;
}
