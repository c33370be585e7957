// SPDX-License-Identifier: Apache-2.0
/* Pods of other nodes come, go, move and take over addresses: their named ports are those of who has an address. */
#include "src/derive/remote_pod.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "src/base/intern.h"
#include "src/derive/label_filter.h"
#include "src/model/identity.h"

#define N_STEPS 3000
#define N_PODS  5

struct world {
	struct store *store;
	struct tables tables;
	struct derive_config config;
	struct ipcache_derivation *ipcache;
	struct policy_named_ports *ports;
	bool expected[65536][3]; /* identity, port */
	bool found[65536][3];
};

static const char *const addrs4[] = {"10.2.0.1", "10.2.0.2", "10.2.0.3"};
static const char *const addrs6[] = {"fd02::1", "fd02::2", "fd02::3"};

static void pick_addr(const char *const *texts, struct addr *ret_addr)
{
	unsigned int i = rand() % 4;

	if (i < 3)
		assert_int_equal(addr_parse(texts[i], ret_addr), 0);
}

static void change(struct world *world)
{
	struct txn *txn = txn_new(world->store);
	g_autofree char *key = g_strdup_printf("default/p%u", rand() % N_PODS);
	struct label label = {"k8s", "app", (const char *const[]){"a", "b", "c"}[rand() % 3]};
	struct pod *pod;

	if (rand() % 4 == 0) {
		txn_remove(txn, world->tables.pods, key, strlen(key));
		txn_commit(txn);
		return;
	}
	pod = (struct pod *)row_new(&pod_class);
	pod->meta.key = g_strdup(key);
	pod->meta.namespace = intern_new("default");
	pod->meta.name = strchr(pod->meta.key, '/') + 1;
	pod->meta.labels = label_set_new(&label, 1);
	pod->node_name = intern_new(rand() % 8 ? "node2" : "node1");
	pick_addr(addrs4, &pod->addr4);
	pick_addr(addrs6, &pod->addr6);
	if (rand() % 5) {
		pod_add_port(pod, "http", IPPROTO_TCP, rand() % 3);
		pod_add_port(pod, "other", IPPROTO_TCP, 9);
		pod_share_ports(pod);
	}
	txn_put(txn, world->tables.pods, &pod->row);
	txn_commit(txn);
}

static void expect(struct world *world, const char *text)
{
	const struct ipcache_entry *entry;
	const struct pod *pod;
	struct addr addr;
	struct cidr cidr;
	g_autofree char *key = NULL;

	assert_int_equal(addr_parse(text, &addr), 0);
	cidr = cidr_from_addr(&addr);
	entry = ipcache_get(world->ipcache, IPCACHE_LAYER_POD, &cidr);
	if (!entry)
		return;
	key = g_strdup_printf("%s/%s", entry->namespace, entry->name);
	pod = (const struct pod *)table_get(world->tables.pods, key, strlen(key));
	assert_non_null(pod);
	if (pod->ports)
		world->expected[entry->identity]
			       [g_array_index(pod->ports, struct pod_port, 0).number] = true;
}

static void find(uint32_t identity, uint16_t number, void *data)
{
	((struct world *)data)->found[identity][number] = true;
}

static void named_ports_are_those_of_addresses(void **state)
{
	struct world *world = *state;
	const char *http = intern_new("http");

	srand(1);
	for (unsigned int step = 0; step < N_STEPS; step++) {
		memset(world->expected, 0, sizeof(world->expected));
		memset(world->found, 0, sizeof(world->found));
		change(world);
		store_settle(world->store);
		for (size_t i = 0; i < G_N_ELEMENTS(addrs4); i++) {
			expect(world, addrs4[i]);
			expect(world, addrs6[i]);
		}
		policy_named_ports_foreach(world->ports, http, IPPROTO_TCP, find, world);
		assert_memory_equal(world->found, world->expected, sizeof(world->found));
	}
	intern_unref(http);
}

/* What the second pod of a template and an identity brings is nothing new. */
static void pods_of_a_template_are_one(void **state)
{
	struct world *world = *state;
	struct pod *pod = (struct pod *)row_new(&pod_class);

	pod_add_port(pod, "http", IPPROTO_TCP, 80);
	policy_named_ports_add(world->ports, 256, pod->ports);
	assert_true(policy_named_ports_take_changed(world->ports));
	policy_named_ports_add(world->ports, 256, pod->ports);
	policy_named_ports_remove(world->ports, 256, pod->ports);
	assert_false(policy_named_ports_take_changed(world->ports));
	policy_named_ports_add(world->ports, 257, pod->ports);
	assert_true(policy_named_ports_take_changed(world->ports));
	policy_named_ports_remove(world->ports, 256, pod->ports);
	assert_true(policy_named_ports_take_changed(world->ports));
	row_unref(&pod->row);
}

int main(void)
{
	static struct world world = {
		.config = {.node_name = "node1",
			   .cluster_name = "default",
			   .enable_ipv4 = true,
			   .enable_ipv6 = true},
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(named_ports_are_those_of_addresses, &world),
		cmocka_unit_test_prestate(pods_of_a_template_are_one, &world),
	};
	struct identity_derivation *identity;
	struct remote_pods *pods;
	int n_failed;

	world.store = tables_new(&world.tables);
	identity = identity_derivation_new(world.store, &world.tables, &world.config,
					   label_filter_new(NULL, NULL));
	world.ipcache = ipcache_derivation_new(world.store, &world.tables);
	world.ports = policy_named_ports_new();
	pods = remote_pods_new(world.store, &world.tables, &world.config, identity, world.ipcache,
			       world.ports);
	n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	remote_pods_free(pods);
	policy_named_ports_free(world.ports);
	ipcache_derivation_free(world.ipcache);
	identity_derivation_free(identity);
	store_free(world.store);
	return n_failed;
}
