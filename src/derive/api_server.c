// SPDX-License-Identifier: Apache-2.0
#include "src/derive/api_server.h"

#include <stdlib.h>
#include <string.h>
#include "src/model/endpoint_slice.h"

#define NAMESPACE "default"
#define SERVICE   "kubernetes"

struct api_server {
	struct table_index *slices; /* those of the service, under its name */
	GArray *addrs;              /* struct addr, sorted, none twice */
};

static void key_slice(const struct row *row,
		      void (*add)(const void *key, size_t n_bytes, void *data), void *data)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)row;

	if (!g_strcmp0(slice->service, SERVICE) && !g_strcmp0(slice->meta.namespace, NAMESPACE))
		add(SERVICE, strlen(SERVICE), data);
}

struct api_server *api_server_new(const struct tables *tables)
{
	struct api_server *server = g_new0(struct api_server, 1);

	server->slices = table_index_new(tables->endpoint_slices, key_slice);
	server->addrs = g_array_new(false, false, sizeof(struct addr));
	return server;
}

void api_server_free(struct api_server *server)
{
	if (!server)
		return;
	g_array_unref(server->addrs);
	g_free(server);
}

static bool add_addrs(const struct row *row, void *data)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)row;

	endpoint_slice_get_addrs(slice, data);
	return true;
}

static int compare_addrs(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static GArray *read_addrs(const struct api_server *server)
{
	g_autoptr(GArray) all = g_array_new(false, false, sizeof(struct addr));
	GArray *addrs = g_array_new(false, false, sizeof(struct addr));

	table_index_foreach(server->slices, SERVICE, strlen(SERVICE), add_addrs, all);
	g_array_sort(all, compare_addrs);
	for (unsigned int i = 0; i < all->len; i++) {
		const struct addr *addr = &g_array_index(all, struct addr, i);

		if (!i || !addr_equal(addr, addr - 1))
			g_array_append_val(addrs, *addr);
	}
	return addrs;
}

bool api_server_update(struct api_server *server)
{
	GArray *addrs = read_addrs(server);
	bool changed = addrs->len != server->addrs->len ||
		       (addrs->len && memcmp(addrs->data, server->addrs->data,
					     addrs->len * sizeof(struct addr)) != 0);

	g_array_unref(server->addrs);
	server->addrs = addrs;
	return changed;
}

bool api_server_has(const struct api_server *server, const struct addr *addr)
{
	return server->addrs->len && bsearch(addr, server->addrs->data, server->addrs->len,
					     sizeof(struct addr), compare_addrs);
}

const GArray *api_server_get_addrs(const struct api_server *server)
{
	return server->addrs;
}

bool api_server_is_slice(const struct row_key *key)
{
	static const char *const kinds[] = {"EndpointSlice/" NAMESPACE "/",
					    "Endpoints/" NAMESPACE "/"};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		size_t n_bytes = strlen(kinds[i]);

		if (key->n_bytes > n_bytes && !memcmp(key->data, kinds[i], n_bytes))
			return true;
	}
	return false;
}
