/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_index.h"

#include <string.h>

typedef void (*add_key)(const void *key, size_t n_bytes, void *data);

static void add_name(const char *kind, const char *name, add_key add, void *data)
{
	g_autofree char *key = g_strconcat(kind, ":", name, NULL);

	if (name)
		add(key, strlen(key), data);
}

static void add_addr(const char *kind, const struct addr *addr, add_key add, void *data)
{
	char text[ADDR_TEXT_BYTES];

	if (!addr_is_zero(addr))
		add_name(kind, addr_format(addr, text), add, data);
}

static void keys_of(const struct row *row, add_key add, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	g_autofree char *attachment =
		g_strconcat(endpoint->container_id, ":", endpoint->container_ifname, NULL);

	add_name("container-id", endpoint->container_id, add, data);
	add_name("cni-attachment-id", attachment, add, data);
	add_name("container-name", endpoint->container_name, add, data);
	add_name("interface", endpoint->host_ifname, add, data);
	if (endpoint->pod_name && endpoint->namespace) {
		g_autofree char *pod =
			g_strconcat(endpoint->namespace, "/", endpoint->pod_name, NULL);

		add_name("pod-name", pod, add, data);
	}
	add_addr("ipv4", &endpoint->addr4, add, data);
	add_addr("ipv6", &endpoint->addr6, add, data);
}

struct table_index *endpoint_index_new(struct table *endpoints)
{
	return table_index_new(endpoints, keys_of);
}

static bool take_lowest(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	const struct endpoint **lowest = data;

	if (!*lowest || endpoint->id < (*lowest)->id)
		*lowest = endpoint;
	return true;
}

const struct endpoint *endpoint_index_get(const struct table_index *index, const char *kind,
					  const char *name)
{
	g_autofree char *key = g_strconcat(kind, ":", name, NULL);
	const struct endpoint *lowest = NULL;

	table_index_foreach(index, key, strlen(key), take_lowest, &lowest);
	return lowest;
}

static const struct endpoint *get_by_addr(const struct table_index *index, bool v4,
					  const char *name)
{
	char text[ADDR_TEXT_BYTES];
	struct addr addr;

	if (addr_parse(name, &addr) || addr_is_v4(&addr) != v4)
		return NULL;
	return endpoint_index_get(index, v4 ? "ipv4" : "ipv6", addr_format(&addr, text));
}

/* "ns/name", and "ns:name", which Cilium's tools also write. */
static const struct endpoint *get_by_pod(const struct table_index *index, const char *name)
{
	g_autofree char *pod = g_strdup(name);
	char *colon = strchr(pod, ':');

	if (colon && !strchr(pod, '/'))
		*colon = '/';
	return endpoint_index_get(index, "pod-name", pod);
}

static const struct endpoint *get_by_number(const struct table *endpoints, const char *text)
{
	uint64_t number;
	uint16_t id;

	if (!g_ascii_string_to_unsigned(text, 10, 1, UINT16_MAX, &number, NULL))
		return NULL;
	id = number;
	return (const struct endpoint *)table_get(endpoints, &id, sizeof(id));
}

/* False where the kind is none of ours. */
static bool find_by_kind(const struct table_index *index, const struct table *endpoints,
			 const char *kind, const char *name, const struct endpoint **ret_endpoint)
{
	static const char *const plain[] = {"container-id", "container-name", "cni-attachment-id",
					    NULL};

	if (!strcmp(kind, "cilium-local"))
		*ret_endpoint = get_by_number(endpoints, name);
	else if (!strcmp(kind, "pod-name") || !strcmp(kind, "cep-name"))
		*ret_endpoint = get_by_pod(index, name);
	else if (!strcmp(kind, "ipv4") || !strcmp(kind, "ipv6"))
		*ret_endpoint = get_by_addr(index, kind[3] == '4', name);
	else if (g_strv_contains(plain, kind))
		*ret_endpoint = endpoint_index_get(index, kind, name);
	else
		return false;
	return true;
}

int endpoint_index_find(const struct table_index *index, const struct table *endpoints,
			const char *id, const struct endpoint **ret_endpoint, GError **error)
{
	const char *colon = strchr(id, ':');
	g_autofree char *kind = colon ? g_strndup(id, colon - id) : g_strdup("cilium-local");
	const char *name = colon ? colon + 1 : id;
	const struct endpoint *found = NULL;

	if (!*name || strspn(id, "0123456789") != (colon ? 0 : strlen(id)) ||
	    !find_by_kind(index, endpoints, kind, name, &found))
		return error_set(
			error, EINVAL,
			"\"%s\" names no endpoint: want a number, or container-id:, "
			"container-name:, cni-attachment-id:, pod-name:, cep-name:, ipv4: or "
			"ipv6: and a name",
			id);
	if (!found)
		return error_set(error, ENOENT,
				 "there is no endpoint %s: see \"cilium endpoint list\"", id);
	*ret_endpoint = found;
	return 0;
}
