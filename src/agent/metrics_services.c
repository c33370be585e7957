/* SPDX-License-Identifier: Apache-2.0 */
/* Services: what came, changed and went, and how many there are. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/agent/backend_probe.h"
#include "src/model/endpoint_slice.h"
#include "src/model/lb.h"
#include "src/model/service.h"
#include "src/store/keyed_set.h"

struct metrics_services {
	struct tables *tables;
	/* Rows, a reference each, for their keys, of those that have been counted as added. */
	struct keyed_set services;
	struct keyed_set internal;  /* … with internalTrafficPolicy Local */
	struct keyed_set redirects; /* of CiliumLocalRedirectPolicies */
	uint64_t n_added, n_updated, n_deleted;
	uint64_t n_internal_added, n_internal_deleted;
	uint64_t n_redirects_added, n_redirects_deleted;
};

/* Keeps in keys whether it is there now, and counts where that is new. */
static void count(struct keyed_set *rows, const struct row_key *key, const struct row *row,
		  uint64_t *n_added, uint64_t *n_deleted)
{
	struct row *before = row ? keyed_set_put(rows, row_ref(row))
				 : keyed_set_remove(rows, key->data, key->n_bytes);

	*n_added += row && !before;
	*n_deleted += !row && before;
	row_unref(before);
}

static void count_service(struct metrics_services *metrics, const struct row_key *key)
{
	const struct row *row = table_get(metrics->tables->services, key->data, key->n_bytes);
	bool is_internal = row && ((const struct service *)row)->internal_local;
	uint64_t n_before = metrics->n_added;

	count(&metrics->services, key, row, &metrics->n_added, &metrics->n_deleted);
	metrics->n_updated += row && metrics->n_added == n_before;
	count(&metrics->internal, key, is_internal ? row : NULL, &metrics->n_internal_added,
	      &metrics->n_internal_deleted);
}

/* A slice is named after nothing: it counts where its service is known. */
static void count_slice(struct metrics_services *metrics, const struct row_key *key)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)table_get(
		metrics->tables->endpoint_slices, key->data, key->n_bytes);
	g_autofree char *service = NULL;

	if (!slice || !slice->service)
		return;
	service = g_strdup_printf("%s/%s", slice->meta.namespace, slice->service);
	metrics->n_updated += !!keyed_set_get(&metrics->services, service, strlen(service));
}

static void on_services(struct watch *watch, void *data)
{
	struct metrics_services *metrics = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		if (table == metrics->tables->services) {
			count_service(metrics, &key);
		} else if (table == metrics->tables->endpoint_slices) {
			count_slice(metrics, &key);
		} else {
			count(&metrics->redirects, &key, table_get(table, key.data, key.n_bytes),
			      &metrics->n_redirects_added, &metrics->n_redirects_deleted);
		}
	}
}

static void object_key(const void *item, struct row_key *ret_key)
{
	const struct object *object = item;

	*ret_key = (struct row_key){object->meta.key, strlen(object->meta.key)};
}

static bool unref_item(void *item, void *data)
{
	row_unref(item);
	return true;
}

static void clear(struct keyed_set *rows)
{
	keyed_set_foreach(rows, unref_item, NULL);
	keyed_set_fini(rows);
}

struct metrics_services *metrics_services_new(struct store *store, struct tables *tables)
{
	struct metrics_services *metrics = g_new0(struct metrics_services, 1);
	struct watch *watch = watch_new(store, "metrics-services", on_services, metrics);

	metrics->tables = tables;
	keyed_set_init(&metrics->services, object_key);
	keyed_set_init(&metrics->internal, object_key);
	keyed_set_init(&metrics->redirects, object_key);
	watch_add(watch, tables->services);
	watch_add(watch, tables->endpoint_slices);
	watch_add(watch, tables->local_redirects);
	return metrics;
}

void metrics_services_free(struct metrics_services *metrics)
{
	if (!metrics)
		return;
	clear(&metrics->services);
	clear(&metrics->internal);
	clear(&metrics->redirects);
	g_free(metrics);
}

struct totals {
	unsigned int n_by_type[LB_TYPE_LOCAL_REDIRECT + 1];
	unsigned int n_by_state[LB_BACKEND_MAINTENANCE + 1];
};

static bool add_totals(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;
	struct totals *totals = data;

	for (unsigned int i = 0; i < service->n_frontends; i++)
		if (!(service->frontends[i].flags & LB_FRONTEND_F_WILDCARD))
			totals->n_by_type[service->frontends[i].type]++;
	for (uint32_t i = 0; i < service->n_backends; i++)
		totals->n_by_state[service->backends[i].state]++;
	return true;
}

static void add_pair(struct metric_set *set, enum agent_metric metric, uint64_t n_added,
		     uint64_t n_deleted)
{
	metric_set_add(set, metric, METRIC_LABELS("add"), n_added);
	metric_set_add(set, metric, METRIC_LABELS("delete"), n_deleted);
}

static void add_probes(const struct agent *agent, struct metric_set *set)
{
	struct backend_probes_counts counts = backend_probes_get_counts(agent->backend_probes);

	metric_set_add(set, AGENT_METRIC_backend_probes_total, METRIC_LABELS("success"),
		       counts.n_good);
	metric_set_add(set, AGENT_METRIC_backend_probes_total, METRIC_LABELS("fail"), counts.n_bad);
	metric_set_add(set, AGENT_METRIC_backend_probe_targets, METRIC_LABELS("up"),
		       counts.n_targets - counts.n_down);
	metric_set_add(set, AGENT_METRIC_backend_probe_targets, METRIC_LABELS("down"),
		       counts.n_down);
}

static void add_kernel(const struct agent *agent, struct metric_set *set)
{
	struct reconciler_service_statistics kernel;

	if (!agent->reconcilers)
		return;
	kernel = reconcilers_service_statistics(agent->reconcilers);
	metric_set_add_histogram(set, AGENT_METRIC_service_implementation_delay,
				 METRIC_LABELS("update"), kernel.implementation_delays);
	metric_set_add(set, AGENT_METRIC_lb_overflows_total, METRIC_NO_LABELS, kernel.n_overflows);
	metric_set_add(set, AGENT_METRIC_lb_unfit_services, METRIC_NO_LABELS, kernel.n_failing);
}

void metrics_collect_services(struct metrics *metrics, struct metric_set *set)
{
	const struct metrics_services *services = metrics->services;
	struct totals totals = {0};

	add_pair(set, AGENT_METRIC_services_events_total, services->n_added, services->n_deleted);
	metric_set_add(set, AGENT_METRIC_services_events_total, METRIC_LABELS("update"),
		       services->n_updated);
	add_pair(set, AGENT_METRIC_feature_network_policies_local_redirect_policies_total,
		 services->n_redirects_added, services->n_redirects_deleted);
	add_pair(set, AGENT_METRIC_feature_network_policies_internal_traffic_policy_services_total,
		 services->n_internal_added, services->n_internal_deleted);
	table_foreach (services->tables->lb_services, add_totals, &totals)
		;
	for (unsigned int type = LB_TYPE_CLUSTER_IP; type <= LB_TYPE_LOCAL_REDIRECT; type++)
		metric_set_add(set, AGENT_METRIC_lb_frontends, METRIC_LABELS(lb_type_name(type)),
			       totals.n_by_type[type]);
	for (unsigned int state = 0; state <= LB_BACKEND_MAINTENANCE; state++)
		metric_set_add(set, AGENT_METRIC_lb_backends,
			       METRIC_LABELS(lb_backend_state_name(state)),
			       totals.n_by_state[state]);
	add_probes(metrics->agent, set);
	add_kernel(metrics->agent, set);
}
