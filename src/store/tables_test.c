// SPDX-License-Identifier: Apache-2.0
#include "src/store/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "src/model/endpoint.h"
#include "src/model/ipcache_entry.h"
#include "src/model/plan.h"
#include "src/model/pod.h"

static void each_table_is_made(void **state)
{
	struct tables tables;
	struct store *store = tables_new(&tables);
	struct table **all = (struct table **)(void *)&tables;

	for (size_t i = 0; i < sizeof(tables) / sizeof(struct table *); i++) {
		assert_int_equal(table_n_rows(all[i]), 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(table_name(all[i]), table_name(all[j]));
	}
	assert_string_equal(table_name(tables.plan_routes), "plan_routes");
	store_free(store);
}

static void keys_are_as_the_nouns_say(void **state)
{
	struct tables tables;
	struct store *store = tables_new(&tables);
	struct txn *txn = txn_new(store);
	struct pod *pod = (struct pod *)row_new(&pod_class);
	struct endpoint *endpoint = endpoint_new();
	struct ipcache_entry *entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);
	uint32_t value = 1;
	uint16_t id = 7;
	uint8_t map_key[5] = {PLAN_MAP_cilium_devices, 1, 0, 0, 0};
	struct cidr cidr;

	object_meta_init_namespaced(&pod->meta, "default", "web");
	endpoint->id = id;
	assert_int_equal(cidr_parse("10.0.0.0/8", &cidr), 0);
	entry->cidr = cidr;
	txn_put(txn, tables.pods, &pod->row);
	txn_put(txn, tables.endpoints, &endpoint->row);
	txn_put(txn, tables.ipcache, &entry->row);
	txn_put(txn, tables.plan_map_entries,
		&plan_map_entry_new(PLAN_MAP_cilium_devices, map_key + 1, 4, &value, 4, 0)->row);
	txn_commit(txn);
	assert_ptr_equal(table_get(tables.pods, "default/web", 11), pod);
	assert_ptr_equal(table_get(tables.endpoints, &id, 2), endpoint);
	assert_ptr_equal(table_get(tables.ipcache, &cidr, 17), entry);
	assert_non_null(table_get(tables.plan_map_entries, map_key, 5));
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_table_is_made),
		cmocka_unit_test(keys_are_as_the_nouns_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
