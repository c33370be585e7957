/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to derive many services: services_derive [number]. Each has a cluster address and four back ends on a
 * hundred nodes; a tenth have node ports. Prints milliseconds of CPU, the median and the longest of many changes, and
 * the heap that the derivations keep beside what they were given.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/base/intern.h"
#include "src/derive/derive.h"
#include "src/model/device.h"
#include "src/model/endpoint_slice.h"
#include "src/model/lb.h"
#include "src/model/service.h"
#include "test/bench/cost.h"

#define N_ENDPOINTS 4
#define N_CHANGES   2001

static struct addr addr_in(unsigned int net, unsigned int i)
{
	return addr_from_v4((struct in_addr){htonl(net << 24 | i)});
}

static void put_service(struct txn *txn, const struct tables *tables, unsigned int i)
{
	struct service *service = (struct service *)row_new(&service_class);
	struct service_port port = {.name = "http", .protocol = IPPROTO_TCP, .port = 80};
	struct addr addr = addr_in(10, 96 << 16 | (i + 1));
	g_autofree char *name = g_strdup_printf("app-%u", i);
	g_autofree char *namespace = g_strdup_printf("ns-%u", i % 50);

	object_meta_init_namespaced(&service->meta, namespace, name);
	if (i % 10 == 0 && i / 10 < 2768) {
		service->type = SERVICE_NODE_PORT;
		port.node_port = 30000 + i / 10;
	}
	service->cluster_ips = g_array_sized_new(false, false, sizeof(struct addr), 1);
	g_array_append_val(service->cluster_ips, addr);
	service_add_port(service, &port);
	service_share(service);
	txn_put(txn, tables->services, &service->row);
}

/* n: how many of its endpoints are ready. */
static void put_slice(struct txn *txn, const struct tables *tables, unsigned int i, unsigned int n)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)row_new(&endpoint_slice_class);
	const struct slice_port port = {.name = "http", .protocol = IPPROTO_TCP, .port = 8080};
	g_autofree char *name = g_strdup_printf("app-%u", i);
	g_autofree char *namespace = g_strdup_printf("ns-%u", i % 50);

	object_meta_init_namespaced(&slice->meta, namespace, name);
	endpoint_slice_init(slice, name);
	endpoint_slice_add_port(slice, &port);
	for (unsigned int k = 0; k < N_ENDPOINTS; k++) {
		g_autofree char *node = g_strdup_printf("node-%u", (i + k) % 100);

		endpoint_slice_add(slice, &(const struct slice_endpoint){
						  .addr = addr_in(11 + k, i),
						  .node = node,
						  .weight = SLICE_DEFAULT_WEIGHT,
						  .flags = k < n ? SLICE_ENDPOINT_READY : 0,
					  });
	}
	txn_put(txn, tables->endpoint_slices, &slice->row);
}

static void put_device(struct store *store, const struct tables *tables)
{
	struct device *device = (struct device *)row_new(&device_class);
	struct device_address address = {.addr = addr_in(192, 0xa80702), .prefix_len = 120};
	struct txn *txn = txn_new(store);

	device->ifindex = 2;
	device->name = g_strdup("eth0");
	device->up = device->default_route = true;
	device->addresses = g_array_new(false, true, sizeof(struct device_address));
	g_array_append_val(device->addresses, address);
	txn_put(txn, tables->devices, &device->row);
	txn_commit(txn);
	store_settle(store);
}

static void run_changes(struct store *store, const struct tables *tables, unsigned int n_services)
{
	static double times[N_CHANGES];
	uint64_t revision = store_revision(store);

	for (unsigned int i = 0; i < N_CHANGES; i++) {
		struct txn *txn = txn_new(store);
		double before_ms;

		put_slice(txn, tables, i * 7919 % n_services, 3);
		before_ms = cost_ms();
		txn_commit(txn);
		store_settle(store);
		times[i] = cost_ms() - before_ms;
	}
	cost_sort(times, N_CHANGES);
	printf("%-32s %9.3f ms %9.3f ms %9.3f ms\n", "a back end: median, p99, longest",
	       times[N_CHANGES / 2], times[N_CHANGES * 99 / 100], times[N_CHANGES - 1]);
	if (store_revision(store) == revision)
		exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 30000;
	struct derive_config config = {
		.node_name = "node-1",
		.cluster_name = "default",
		.enable_ipv4 = true,
		.enable_ipv6 = true,
		.enable_node_port = true,
		.lb_algorithm = LB_ALGORITHM_RANDOM,
		.node_port_min = 30000,
		.node_port_max = 32767,
	};
	struct tables tables;
	struct store *store;
	struct derive *derive;
	struct txn *txn;
	double mb, ms;

	mallopt(M_MMAP_MAX, 0);
	store = tables_new(&tables);
	derive = derive_new(store, &tables, &config, NULL);
	put_device(store, &tables);
	txn = txn_new(store);
	for (unsigned int i = 0; i < n; i++) {
		put_service(txn, &tables, i);
		put_slice(txn, &tables, i, N_ENDPOINTS);
	}
	txn_commit(txn);
	mb = cost_heap_mb();
	ms = cost_ms();
	store_settle(store);
	printf("%-32s %9.0f ms\n", "derived", cost_ms() - ms);
	printf("%-32s %9.1f MB %9.0f bytes a service\n", "kept", cost_heap_mb() - mb,
	       (cost_heap_mb() - mb) * 1e6 / n);
	if (table_n_rows(tables.lb_services) != n)
		return EXIT_FAILURE;
	run_changes(store, &tables, n);
	derive_free(derive);
	store_free(store);
	return EXIT_SUCCESS;
}
