/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to read many services from one file and to hold them: services_decode [number]. Each has an
 * EndpointSlice of four addresses. Prints milliseconds of CPU, and the heap that is left when all is read.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include "src/source/file_set.h"
#include "test/bench/cost.h"

#define N_ENDPOINTS 4

static void append_meta(GString *text, const char *kind, const char *api, unsigned int i)
{
	g_string_append_printf(
		text,
		"---\napiVersion: %s\nkind: %s\nmetadata:\n  name: app-%u\n  namespace: ns-%u\n"
		"  uid: %08x-1111-4222-8333-%012x\n  labels:\n    app: app-%u\n    team: t%u\n",
		api, kind, i, i % 50, i, i, i, i % 20);
}

static void append_service(GString *text, unsigned int i)
{
	append_meta(text, "Service", "v1", i);
	g_string_append_printf(text,
			       "spec:\n  clusterIP: 10.%u.%u.%u\n  selector:\n    app: app-%u\n"
			       "  ports:\n  - name: http\n    port: 80\n    protocol: TCP\n"
			       "    targetPort: 8080\n  sessionAffinity: None\n  type: ClusterIP\n",
			       96 + (i >> 16), i >> 8 & 255, i & 255, i);
}

static void append_slice(GString *text, unsigned int i)
{
	append_meta(text, "EndpointSlice", "discovery.k8s.io/v1", i);
	g_string_append_printf(text,
			       "    kubernetes.io/service-name: app-%u\naddressType: IPv4\n"
			       "ports:\n- name: http\n  port: 8080\n  protocol: TCP\nendpoints:\n",
			       i);
	for (unsigned int k = 0; k < N_ENDPOINTS; k++)
		g_string_append_printf(
			text,
			"- addresses: [10.%u.%u.%u]\n  conditions: {ready: true, serving: true}\n"
			"  nodeName: node-%u\n  zone: zone-%u\n",
			k, i >> 8 & 255, i & 255, (i + k) % 100, k % 3);
}

static void print_problem(const struct source_problem *problem, void *data)
{
	fprintf(stderr, "line %u: %s: %s\n", problem->line, problem->field, problem->reason);
	exit(1);
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 30000;
	GString *text = g_string_new(NULL);
	struct tables tables;
	struct store *store;
	struct file_set *set;
	double before_mb, before_ms, mb, ms;

	mallopt(M_MMAP_MAX, 0);
	store = tables_new(&tables);
	set = file_set_new(store, &tables, print_problem, NULL);
	for (unsigned int i = 0; i < n; i++) {
		append_service(text, i);
		append_slice(text, i);
	}
	printf("%-32s %9.1f MB\n", "text", (double)text->len / 1e6);
	before_mb = cost_heap_mb();
	before_ms = cost_ms();
	file_set_begin(set);
	file_set_put(set, "services.yaml", text->str, text->len);
	file_set_commit(set);
	store_settle(store);
	ms = cost_ms() - before_ms;
	mb = cost_heap_mb() - before_mb;
	printf("%-32s %9.0f ms\n", "read, decoded and committed", ms);
	printf("%-32s %9.1f MB %9.0f bytes a service\n", "kept", mb, mb * 1e6 / n);
	if (table_n_rows(tables.services) != n || table_n_rows(tables.endpoint_slices) != n)
		return 1;
	file_set_free(set);
	mb = cost_heap_mb() - before_mb;
	printf("%-32s %9.1f MB %9.0f bytes a service\n", "of which rows and tables", mb,
	       mb * 1e6 / n);
	store_free(store);
	g_string_free(text, TRUE);
	return 0;
}
