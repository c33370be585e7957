// SPDX-License-Identifier: Apache-2.0
#include "src/derive/slice_index.h"

#include <string.h>
#include "src/model/endpoint_slice.h"

static void key_service(const struct row *row,
			void (*add)(const void *key, size_t n_bytes, void *data), void *data)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)row;
	g_autofree char *key = NULL;

	if (!slice->service)
		return;
	key = g_strdup_printf("%s/%s", slice->meta.namespace, slice->service);
	add(key, strlen(key), data);
}

const struct table_index *slice_index_new(const struct tables *tables)
{
	return table_index_new(tables->endpoint_slices, key_service);
}
