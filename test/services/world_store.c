// SPDX-License-Identifier: Apache-2.0
#include "test/services/world.h"

#include <string.h>
#include "src/derive/slice_index.h"
#include "src/model/backend_health.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/service_request.h"

static struct table *table_of(const struct tables *tables, unsigned int kind)
{
	struct table *const all[LB_WORLD__MAX] = {
		[LB_WORLD_SERVICE] = tables->services,
		[LB_WORLD_SLICE] = tables->endpoint_slices,
		[LB_WORLD_NODE] = tables->nodes,
		[LB_WORLD_DEVICE] = tables->devices,
		[LB_WORLD_POD] = tables->pods,
		[LB_WORLD_ENDPOINT] = tables->endpoints,
		[LB_WORLD_REDIRECT] = tables->local_redirects,
		[LB_WORLD_REQUEST] = tables->service_requests,
		[LB_WORLD_HEALTH] = tables->backend_health,
	};

	return all[kind];
}

struct lb_world_store *lb_world_store_new(const struct lb_world *world)
{
	struct lb_world_store *store = g_new0(struct lb_world_store, 1);

	store->store = tables_new(&store->tables);
	store->derivation = lb_derivation_new(store->store, &store->tables, &world->config,
					      slice_index_new(&store->tables));
	return store;
}

void lb_world_store_free(struct lb_world_store *store)
{
	lb_derivation_free(store->derivation);
	store_free(store->store);
	g_free(store);
}

static bool add_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, row_ref(row));
	return true;
}

static void unref_row(void *row)
{
	row_unref(row);
}

static bool is_in(const struct lb_world *world, unsigned int kind, const struct row *row)
{
	for (unsigned int i = 0; i < LB_WORLD_N_KEYS; i++)
		if (world->rows[kind][i] == row)
			return true;
	return false;
}

static void remove_row(struct txn *txn, struct table *table, unsigned int kind,
		       const struct row *row)
{
	const char *text = NULL;

	switch (kind) {
	case LB_WORLD_DEVICE:
		txn_remove(txn, table, &((const struct device *)row)->ifindex, sizeof(uint32_t));
		break;
	case LB_WORLD_ENDPOINT:
		txn_remove(txn, table, &((const struct endpoint *)row)->id, sizeof(uint16_t));
		break;
	case LB_WORLD_REQUEST:
		txn_remove(txn, table, &((const struct service_request *)row)->id,
			   sizeof(uint32_t));
		break;
	case LB_WORLD_HEALTH:
		txn_remove(txn, table, &((const struct backend_health *)row)->key,
			   sizeof(struct backend_health_key));
		break;
	default:
		text = ((const struct object *)row)->meta.key;
		txn_remove(txn, table, text, strlen(text));
	}
}

void lb_world_store_update(struct lb_world_store *store, const struct lb_world *world)
{
	struct txn *txn = txn_new(store->store);

	for (unsigned int kind = 0; kind < LB_WORLD__MAX; kind++) {
		struct table *table = table_of(&store->tables, kind);
		g_autoptr(GPtrArray) before = g_ptr_array_new_with_free_func(unref_row);

		table_foreach (table, add_row, before)
			;
		for (unsigned int i = 0; i < before->len; i++)
			if (!is_in(world, kind, before->pdata[i]))
				remove_row(txn, table, kind, before->pdata[i]);
		for (unsigned int i = 0; i < LB_WORLD_N_KEYS; i++)
			if (world->rows[kind][i])
				txn_put(txn, table, row_ref(world->rows[kind][i]));
	}
	txn_commit(txn);
	store_settle(store->store);
}
