// SPDX-License-Identifier: Apache-2.0
#include "src/cni/result.h"

#include <string.h>

/* Places in the list of interfaces. */
enum {
	HOST_INTERFACE,
	CONTAINER_INTERFACE,
};

static json_t *encode_interface(enum cni_version version, const char *name, const struct mac *mac,
				uint32_t mtu, const char *sandbox)
{
	char text[MAC_TEXT_BYTES];
	json_t *interface = json_pack("{s:s, s:s}", "name", name, "mac", mac_format(mac, text));

	if (version >= CNI_VERSION_1_1_0)
		json_object_set_new(interface, "mtu", json_integer(mtu));
	if (sandbox)
		json_object_set_new(interface, "sandbox", json_string(sandbox));
	return interface;
}

static void append_family(json_t *root, enum cni_version version, const struct addr *addr,
			  const struct addr *router)
{
	bool v4 = addr_is_v4(addr);
	char gateway[ADDR_TEXT_BYTES];
	char text[ADDR_TEXT_BYTES];
	json_t *ip;

	if (addr_is_zero(addr))
		return;
	addr_format(router, gateway);
	ip = json_object();
	if (version < CNI_VERSION_1_0_0)
		json_object_set_new(ip, "version", json_string(v4 ? "4" : "6"));
	json_object_set_new(ip, "address",
			    json_sprintf("%s/%d", addr_format(addr, text), v4 ? 32 : 128));
	json_object_set_new(ip, "gateway", json_string(gateway));
	json_object_set_new(ip, "interface", json_integer(CONTAINER_INTERFACE));
	json_array_append_new(json_object_get(root, "ips"), ip);
	json_array_append_new(
		json_object_get(root, "routes"),
		json_pack("{s:s, s:s}", "dst", v4 ? "0.0.0.0/0" : "::/0", "gw", gateway));
}

json_t *result_encode(enum cni_version version, const struct join_result *result,
		      const char *ifname, const char *netns)
{
	json_t *root = json_pack("{s:s, s:[], s:[], s:[], s:{}}", "cniVersion",
				 cni_version_text(version), "interfaces", "ips", "routes", "dns");
	json_t *interfaces = json_object_get(root, "interfaces");

	json_array_append_new(interfaces, encode_interface(version, result->host_ifname,
							   &result->host_mac, result->mtu, NULL));
	json_array_append_new(interfaces,
			      encode_interface(version, ifname, &result->mac, result->mtu, netns));
	append_family(root, version, &result->addr4, &result->router4);
	append_family(root, version, &result->addr6, &result->router6);
	return root;
}

/* The index of the container's interface in the result, or −1. */
static json_int_t find_interface(const json_t *result, const char *ifname)
{
	const json_t *interfaces = json_object_get(result, "interfaces");

	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *interface = json_array_get(interfaces, i);
		const char *name = json_string_value(json_object_get(interface, "name"));

		if (name && !strcmp(name, ifname) &&
		    json_string_length(json_object_get(interface, "sandbox")))
			return (json_int_t)i;
	}
	return -1;
}

static int decode_mac(const json_t *interface, struct result_expectation *expectation,
		      GError **error)
{
	const char *text = json_string_value(json_object_get(interface, "mac"));

	if (!text || !*text)
		return 0;
	if (mac_parse(text, &expectation->mac) < 0)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"prevResult: mac: got \"%s\", want 02:00:00:00:00:01", text);
	expectation->has_mac = true;
	return 0;
}

static int decode_ips(const json_t *list, json_int_t interface,
		      struct result_expectation *expectation, GError **error)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *element = json_array_get(list, i);
		const json_t *index = json_object_get(element, "interface");
		g_autofree char *text =
			g_strdup(json_string_value(json_object_get(element, "address")));
		char *slash = text ? strchr(text, '/') : NULL;
		struct result_ip ip;

		if (json_is_integer(index) && json_integer_value(index) != interface)
			continue;
		if (slash)
			*slash = '\0';
		if (!text || addr_parse(text, &ip.addr) < 0)
			return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
					"prevResult: ips: element %zu has no address", i);
		g_array_append_val(expectation->ips, ip);
	}
	return 0;
}

static int decode_routes(const json_t *list, struct result_expectation *expectation, GError **error)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *element = json_array_get(list, i);
		const char *destination = json_string_value(json_object_get(element, "dst"));
		const char *gateway = json_string_value(json_object_get(element, "gw"));
		struct result_route route = {};

		if (!destination || cidr_parse(destination, &route.destination) < 0 ||
		    (gateway && *gateway && addr_parse(gateway, &route.gateway) < 0))
			return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
					"prevResult: routes: element %zu is not a route", i);
		g_array_append_val(expectation->routes, route);
	}
	return 0;
}

int result_decode(const json_t *result, const char *ifname,
		  struct result_expectation *ret_expectation, GError **error)
{
	json_int_t interface = find_interface(result, ifname);
	struct result_expectation expectation = {};
	int status;

	if (interface < 0)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"prevResult: no interface %s in a sandbox", ifname);
	expectation.ips = g_array_new(FALSE, FALSE, sizeof(struct result_ip));
	expectation.routes = g_array_new(FALSE, FALSE, sizeof(struct result_route));
	status =
		decode_mac(json_array_get(json_object_get(result, "interfaces"), (size_t)interface),
			   &expectation, error);
	if (!status)
		status = decode_ips(json_object_get(result, "ips"), interface, &expectation, error);
	if (!status)
		status = decode_routes(json_object_get(result, "routes"), &expectation, error);
	if (status)
		result_expectation_fini(&expectation);
	else
		*ret_expectation = expectation;
	return status;
}

void result_expectation_fini(struct result_expectation *expectation)
{
	g_clear_pointer(&expectation->ips, g_array_unref);
	g_clear_pointer(&expectation->routes, g_array_unref);
}
