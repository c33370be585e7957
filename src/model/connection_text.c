/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/connection_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "src/model/addr.h"

const char *protocol_format(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	default:
		return "unknown";
	}
}

void connection_append_end(GString *text, const struct addr *addr, __be16 port)
{
	char buffer[ADDR_TEXT_BYTES];

	g_string_append_printf(text, addr_is_v4(addr) ? "%s:%u" : "[%s]:%u",
			       addr_format(addr, buffer), ntohs(port));
}

char *connection_format_end(const struct addr *addr, __be16 port)
{
	GString *text = g_string_new(NULL);

	connection_append_end(text, addr, port);
	return g_string_free(text, FALSE);
}

int connection_parse_end(const char *text, struct addr *ret_addr, __be16 *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool in_brackets = *text == '[' && colon > text && colon[-1] == ']';
	g_autofree char *ip = NULL;
	struct addr addr;
	guint64 port;

	if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, UINT16_MAX, &port, NULL))
		return -EINVAL;
	ip = in_brackets ? g_strndup(text + 1, colon - text - 2) : g_strndup(text, colon - text);
	/* "fd00::1:80" may be read two ways; "[10.0.0.1]:80" nobody writes. */
	if (!strchr(ip, ':') == in_brackets || addr_parse(ip, &addr))
		return -EINVAL;
	*ret_addr = addr;
	*ret_port = htons((uint16_t)port);
	return 0;
}

static void append_flags(GString *text, const struct ct_entry *entry)
{
	g_string_append_printf(text, "Flags=0x%04x [ ", entry->flags);
	if (ct_entry_side_closed(entry->rx_flags))
		g_string_append(text, "RxClosing ");
	if (ct_entry_side_closed(entry->tx_flags))
		g_string_append(text, "TxClosing ");
	if (entry->flags & CT_F_SEEN_NON_SYN)
		g_string_append(text, "SeenNonSyn ");
	if (entry->flags & CT_F_LOOPBACK)
		g_string_append(text, "LBLoopback ");
	if (entry->flags & CT_F_DSR)
		g_string_append(text, "DSR ");
	if (entry->flags & CT_F_VIA_STACK)
		g_string_append(text, "ViaStack ");
	g_string_append(text, "] ");
}

static int initiator(const struct ct_entry *entry)
{
	return entry->flags & CT_F_INITIATOR_1 ? 1 : 0;
}

bool connection_get_frontend(const struct ct_key *key, const struct ct_entry *entry,
			     struct addr *ret_addr, __be16 *ret_port)
{
	int to = !initiator(entry);

	if (key->kind == CT_KIND_SERVICE) {
		*ret_addr = key->addr[to];
		*ret_port = key->port[to];
	} else if (entry->flags & CT_F_SERVICE) {
		*ret_addr = entry->service_addr;
		*ret_port = entry->service_port;
	} else {
		return false;
	}
	return true;
}

static void append_translation(GString *text, const struct ct_key *key,
			       const struct ct_entry *entry)
{
	if (entry->nat == CT_NAT_SOURCE) {
		g_string_append(text, " XLATE_SRC ");
		connection_append_end(text, &entry->nat_addr, entry->nat_port);
	}
	if (key->kind == CT_KIND_SERVICE) {
		g_string_append(text, " XLATE_DST ");
		connection_append_end(text, &entry->service_addr, entry->service_port);
	}
}

void connection_append(GString *text, const struct ct_key *key, const struct ct_entry *entry,
		       const struct connection_context *context)
{
	bool is_service = key->kind == CT_KIND_SERVICE;
	int from = initiator(entry);

	g_string_append(text, protocol_format(key->protocol));
	g_string_append(text, entry->generation[from] || is_service ? " OUT " : " IN ");
	connection_append_end(text, &key->addr[from], key->port[from]);
	g_string_append(text, " -> ");
	connection_append_end(text, &key->addr[!from], key->port[!from]);
	g_string_append_printf(text, " %sexpires=%u ", is_service ? "service " : "",
			       entry->expires);
	if (context->now_tick)
		g_string_append_printf(text, "(remaining: %d sec(s)) ",
				       (int32_t)(entry->expires - *context->now_tick));
	g_string_append_printf(text,
			       "Packets=%llu Bytes=%llu RxFlagsSeen=0x%02x LastRxReport=%u "
			       "TxFlagsSeen=0x%02x LastTxReport=%u ",
			       entry->packets, entry->bytes, entry->rx_flags, entry->last_report,
			       entry->tx_flags, entry->last_report);
	append_flags(text, entry);
	g_string_append_printf(text, "RevNAT=%u SourceSecurityID=%u BackendID=%u", context->revnat,
			       ct_entry_initiator_identity(entry), entry->backend);
	append_translation(text, key, entry);
}

static void append_created(GString *text, const struct nat_entry *entry, const uint32_t *now_tick)
{
	if (now_tick)
		g_string_append_printf(text, " Created=%us ago NeedsCT=0",
				       *now_tick - entry->created);
	else
		g_string_append_printf(text, " Created=%u NeedsCT=0", entry->created);
}

void translation_append(GString *text, const struct nat_key *key, const struct nat_entry *entry,
			const uint32_t *now_tick)
{
	const char *protocol = protocol_format(key->protocol);

	g_string_append_printf(text, "%s OUT ", protocol);
	connection_append_end(text, &entry->addr, entry->port);
	g_string_append(text, " -> ");
	connection_append_end(text, &key->peer, key->peer_port);
	g_string_append(text, " XLATE_SRC ");
	connection_append_end(text, &key->addr, key->port);
	append_created(text, entry, now_tick);

	g_string_append_printf(text, "\n%s IN ", protocol);
	connection_append_end(text, &key->peer, key->peer_port);
	g_string_append(text, " -> ");
	connection_append_end(text, &key->addr, key->port);
	g_string_append(text, " XLATE_DST ");
	connection_append_end(text, &entry->addr, entry->port);
	append_created(text, entry, now_tick);
}
