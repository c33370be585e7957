/* SPDX-License-Identifier: Apache-2.0 */
/* Services: what came, changed and went, and how many there are. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/agent/backend_probe.h"
#include "src/model/lb.h"
#include "src/model/service.h"

struct metrics_services {
	struct tables *tables;
	GHashTable *services;  /* char *: keys of those that have been counted as added */
	GHashTable *internal;  /* … with internalTrafficPolicy Local */
	GHashTable *redirects; /* of CiliumLocalRedirectPolicies */
	uint64_t n_added, n_updated, n_deleted;
	uint64_t n_internal_added, n_internal_deleted;
	uint64_t n_redirects_added, n_redirects_deleted;
};

/* Keeps in keys whether it is there now, and counts where that is new. */
static void count(GHashTable *keys, const char *key, bool is_there, uint64_t *n_added,
		  uint64_t *n_deleted)
{
	if (is_there)
		*n_added += g_hash_table_add(keys, g_strdup(key));
	else
		*n_deleted += g_hash_table_remove(keys, key);
}

static void count_service(struct metrics_services *metrics, const struct row_key *key)
{
	g_autofree char *text = g_strndup(key->data, key->n_bytes);
	const struct service *service = (const struct service *)table_get(metrics->tables->services,
									  key->data, key->n_bytes);
	uint64_t n_before = metrics->n_added;

	count(metrics->services, text, service, &metrics->n_added, &metrics->n_deleted);
	metrics->n_updated += service && metrics->n_added == n_before;
	count(metrics->internal, text, service && service->internal_local,
	      &metrics->n_internal_added, &metrics->n_internal_deleted);
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
	metrics->n_updated += g_hash_table_contains(metrics->services, service);
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
			g_autofree char *text = g_strndup(key.data, key.n_bytes);

			count(metrics->redirects, text, table_get(table, key.data, key.n_bytes),
			      &metrics->n_redirects_added, &metrics->n_redirects_deleted);
		}
	}
}

static GHashTable *keys_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

struct metrics_services *metrics_services_new(struct store *store, struct tables *tables)
{
	struct metrics_services *metrics = g_new0(struct metrics_services, 1);
	struct watch *watch = watch_new(store, "metrics-services", on_services, metrics);

	metrics->tables = tables;
	metrics->services = keys_new();
	metrics->internal = keys_new();
	metrics->redirects = keys_new();
	watch_add(watch, tables->services);
	watch_add(watch, tables->endpoint_slices);
	watch_add(watch, tables->local_redirects);
	return metrics;
}

void metrics_services_free(struct metrics_services *metrics)
{
	if (!metrics)
		return;
	g_hash_table_unref(metrics->services);
	g_hash_table_unref(metrics->internal);
	g_hash_table_unref(metrics->redirects);
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
