/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/map_text.h"

#include <arpa/inet.h>
#include <string.h>
#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "abi/policy.h"
#include "src/model/map_text_lb.h"

char *map_prefix_format(const struct addr *addr, uint32_t prefix_len)
{
	struct cidr cidr = {.addr = *addr, .prefix_len = prefix_len};
	char text[ADDR_TEXT_BYTES];

	return g_strdup_printf("%s/%u", addr_format(addr, text), cidr_text_len(&cidr));
}

static const char *direction_text(uint8_t direction)
{
	return direction == POLICY_EGRESS ? "egress" : "ingress";
}

static char *format_policy_peer_key(const void *key)
{
	struct policy_peer_key peer;

	memcpy(&peer, key, sizeof(peer));
	return g_strdup_printf("%u %s %u", peer.version, direction_text(peer.direction),
			       peer.identity);
}

static char *format_policy_class_key(const void *key)
{
	struct policy_class_key class;

	memcpy(&class, key, sizeof(class));
	return g_strdup_printf("%u protocol=%u port=%u/%u", class.class, class.protocol,
			       ntohs(class.port), class.prefix_len);
}

char *map_key_format(enum plan_map map, const void *key)
{
	struct ipcache_prefix_key prefix;
	char text[ADDR_TEXT_BYTES];
	struct addr addr;
	uint32_t number;

	switch (map) {
	case PLAN_MAP_cilium_lxc:
		memcpy(&addr, key, sizeof(addr));
		return g_strdup_printf("%s:0", addr_format(&addr, text));
	case PLAN_MAP_cilium_ipcache:
		memcpy(&addr, key, sizeof(addr));
		return map_prefix_format(&addr, 128);
	case PLAN_MAP_cilium_ipcache_prefix:
	case PLAN_MAP_cilium_ipmasq:
		memcpy(&prefix, key, sizeof(prefix));
		addr = prefix.addr; /* aligned */
		return map_prefix_format(&addr, prefix.prefix_len);
	case PLAN_MAP_cilium_lxc_device:
	case PLAN_MAP_cilium_devices:
	case PLAN_MAP_cilium_policy_endpoint:
		memcpy(&number, key, sizeof(number));
		return g_strdup_printf("%u", number);
	case PLAN_MAP_cilium_policy_peer:
		return format_policy_peer_key(key);
	case PLAN_MAP_cilium_policy_class:
		return format_policy_class_key(key);
	default:
		return map_key_format_lb(map, key);
	}
}

static void append_mac(GString *text, const char *name, const struct mac *mac)
{
	const uint8_t *bytes = mac->bytes;

	g_string_append_printf(text, " %s=%02X:%02X:%02X:%02X:%02X:%02X", name, bytes[0], bytes[1],
			       bytes[2], bytes[3], bytes[4], bytes[5]);
}

static char *format_endpoint(const struct endpoint_info *info)
{
	GString *text;

	if (info->flags & ENDPOINT_F_HOST)
		return g_strdup("(localhost)");
	text = g_string_new(NULL);
	g_string_printf(text, "id=%-5u sec_id=%-5u flags=0x%04X ifindex=%-3u", info->id,
			info->identity, info->flags, info->ifindex);
	append_mac(text, "mac", &info->mac);
	append_mac(text, "nodemac", &info->node_mac);
	g_string_append_printf(text, " parent_ifindex=%-3d", 0);
	return g_string_free(text, FALSE);
}

static char *format_ipcache(const struct ipcache_info *info)
{
	char tunnel[ADDR_TEXT_BYTES] = "0.0.0.0";
	const char *flag_text = "<none>";

	if (!addr_is_zero(&info->tunnel_endpoint))
		addr_format(&info->tunnel_endpoint, tunnel);
	if (info->flags & IPCACHE_F_LOCAL_HOST)
		flag_text = "localhost";
	else if (info->flags & IPCACHE_F_REMOTE_NODE)
		flag_text = "remotenode";
	return g_strdup_printf("identity=%u encryptkey=%u tunnelendpoint=%s flags=%s",
			       info->identity, info->encrypt_key, tunnel, flag_text);
}

static const char *addr_or_none(const struct addr *addr, char buffer[static ADDR_TEXT_BYTES])
{
	return addr_is_zero(addr) ? "<none>" : addr_format(addr, buffer);
}

static const char *device_flags_text(uint32_t flags)
{
	if (flags & DEVICE_F_L3)
		return "l3";
	return flags & DEVICE_F_XDP ? "xdp" : "<none>";
}

static char *format_device(const struct device_info *info)
{
	char text4[ADDR_TEXT_BYTES], text6[ADDR_TEXT_BYTES];
	char addr4[ADDR_TEXT_BYTES], addr6[ADDR_TEXT_BYTES];

	return g_strdup_printf("masquerade4=%s masquerade6=%s mtu=%u flags=%s addr4=%s addr6=%s",
			       addr_or_none(&info->masquerade4, text4),
			       addr_or_none(&info->masquerade6, text6), info->mtu,
			       device_flags_text(info->flags), addr_or_none(&info->addr4, addr4),
			       addr_or_none(&info->addr6, addr6));
}

static char *format_policy_leaf(const struct policy_leaf *leaf)
{
	static const char *const texts[POLICY_VERDICT__MAX] = {
		[POLICY_VERDICT_DEFAULT_DENY] = "default-deny",
		[POLICY_VERDICT_ALLOW] = "allow",
		[POLICY_VERDICT_DENY] = "deny",
		[POLICY_VERDICT_NEEDS_PROXY] = "needs-proxy",
		[POLICY_VERDICT_NEEDS_AUTH] = "needs-auth",
	};

	return g_strdup_printf("verdict=%s rule=%u match=%u",
			       leaf->verdict < POLICY_VERDICT__MAX ? texts[leaf->verdict] : "?",
			       leaf->rule, leaf->match);
}

static char *format_policy_peer(const struct policy_peer *peer)
{
	g_autofree char *otherwise = format_policy_leaf(&peer->otherwise);

	return g_strdup_printf("class=%u prefixes=0x%05X %s", peer->class, peer->prefix_lens,
			       otherwise);
}

char *map_value_format(enum plan_map map, const void *value)
{
	struct policy_endpoint element;
	struct policy_peer peer;
	struct policy_leaf leaf;
	struct endpoint_info endpoint;
	struct ipcache_info ipcache;
	struct device_info device;

	switch (map) {
	case PLAN_MAP_cilium_lxc:
	case PLAN_MAP_cilium_lxc_device:
		memcpy(&endpoint, value, sizeof(endpoint));
		return format_endpoint(&endpoint);
	case PLAN_MAP_cilium_ipcache:
	case PLAN_MAP_cilium_ipcache_prefix:
		memcpy(&ipcache, value, sizeof(ipcache));
		return format_ipcache(&ipcache);
	case PLAN_MAP_cilium_ipmasq:
		return g_strdup("excluded");
	case PLAN_MAP_cilium_devices:
		memcpy(&device, value, sizeof(device));
		return format_device(&device);
	case PLAN_MAP_cilium_policy_endpoint:
		memcpy(&element, value, sizeof(element));
		return g_strdup_printf("version=%u flags=0x%02X", element.version, element.flags);
	case PLAN_MAP_cilium_policy_peer:
		memcpy(&peer, value, sizeof(peer));
		return format_policy_peer(&peer);
	case PLAN_MAP_cilium_policy_class:
		memcpy(&leaf, value, sizeof(leaf));
		return format_policy_leaf(&leaf);
	default:
		return map_value_format_lb(map, value);
	}
}
