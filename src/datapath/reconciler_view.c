// SPDX-License-Identifier: Apache-2.0
/* What the reconcilers are asked, and whom they tell. */
#include "src/datapath/reconciler_private.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/datapath/lb_maps.h"
#include "src/datapath/policy_maps.h"

void reconcilers_set_observer(struct reconcilers *reconcilers, reconciler_observer observer,
			      void *data)
{
	policy_maps_set_observer(reconcilers->policy, observer, data);
	for (int i = 0; i < KIND__MAX; i++) {
		reconcilers->kinds[i].observer = observer;
		reconcilers->kinds[i].observer_data = data;
	}
}

void reconcilers_set_room_observer(struct reconcilers *reconcilers,
				   reconciler_room_observer observer, void *data)
{
	policy_maps_set_room_observer(reconcilers->policy, observer, data);
}

bool reconcilers_endpoint_applied(const struct reconcilers *reconcilers, uint16_t endpoint_id)
{
	return !g_hash_table_contains(reconcilers->n_failing_by_endpoint,
				      GUINT_TO_POINTER(endpoint_id));
}

void reconcilers_foreach_status(const struct reconcilers *reconcilers,
				void (*fn)(const struct reconciler_status *status, void *data),
				void *data)
{
	struct reconciler_status policy = policy_maps_status(reconcilers->policy);
	struct reconciler_status services = lb_maps_status(reconcilers->services);

	fn(&policy, data);
	fn(&services, data);
	for (int i = 0; i < KIND__MAX; i++) {
		const struct reconcile *reconcile = &reconcilers->kinds[i];
		unsigned int n_wanted = table_n_rows(reconcile->table);
		struct reconciler_status status = {
			.name = reconcile->kind->name,
			.n_wanted = n_wanted,
			.n_applied = n_wanted - reconcile_n_missing(reconcile),
			.n_failing = reconcile->failing.n,
			.n_repaired = reconcile->n_repaired,
		};

		fn(&status, data);
	}
}

struct visit {
	const struct reconcile *reconcile;
	void (*fn)(const struct reconciler_failure *failure, void *data);
	void *data;
};

static bool visit_failing(void *item, void *data)
{
	const struct failing *failing = item;
	const struct visit *visit = data;
	g_autofree char *object = visit->reconcile->kind->describe(failing->row);
	struct reconciler_failure failure = {
		.reconciler = visit->reconcile->kind->name,
		.object = object,
		.endpoint_id = failing->endpoint_id,
		.error = failing->error,
		.since_ns = clock_realtime_of_ns(failing->since_ns),
		.n_tries = failing->n_tries,
	};

	visit->fn(&failure, visit->data);
	return true;
}

void reconcilers_foreach_failure(const struct reconcilers *reconcilers,
				 void (*fn)(const struct reconciler_failure *failure, void *data),
				 void *data)
{
	policy_maps_foreach_failure(reconcilers->policy, fn, data);
	lb_maps_foreach_failure(reconcilers->services, fn, data);
	for (int i = 0; i < KIND__MAX; i++) {
		struct visit visit = {&reconcilers->kinds[i], fn, data};

		keyed_set_foreach(&reconcilers->kinds[i].failing, visit_failing, &visit);
	}
	if (reconcilers->n_finish_tries && !reconcilers->finished) {
		struct reconciler_failure failure = {
			.reconciler = "load",
			.object = "maps made anew",
			.error = reconcilers->finish_error,
			.since_ns = clock_realtime_of_ns(reconcilers->finish_since_ns),
			.n_tries = reconcilers->n_finish_tries,
		};

		fn(&failure, data);
	}
}

/* ---- entries of maps ---- */

struct entry_visit {
	const struct reconcile *reconcile;
	void (*fn)(const struct reconciler_entry *entry, void *data);
	void *data;
};

static bool visit_wanted(const struct row *row, void *data)
{
	const struct entry_visit *visit = data;
	const struct failing *failing;
	struct row_key key;

	visit->reconcile->kind->key(row, &key);
	failing = keyed_set_get(&visit->reconcile->failing, key.data, key.n_bytes);
	visit->fn(
		&(const struct reconciler_entry){
			.entry = (const struct plan_map_entry *)row,
			.wanted = true,
			.error = failing ? failing->error : 0,
		},
		visit->data);
	return true;
}

static bool visit_unwanted(void *item, void *data)
{
	const struct entry_visit *visit = data;
	const struct failing *failing = item;

	if (!table_get(visit->reconcile->table, failing->key.data, failing->key.n_bytes))
		visit->fn(
			&(const struct reconciler_entry){
				.entry = (const struct plan_map_entry *)failing->row,
				.error = failing->error,
			},
			visit->data);
	return true;
}

void reconcilers_foreach_entry(const struct reconcilers *reconcilers,
			       void (*fn)(const struct reconciler_entry *entry, void *data),
			       void *data)
{
	const struct reconcile *reconcile = &reconcilers->kinds[KIND_MAP_ENTRIES];
	struct entry_visit visit = {reconcile, fn, data};

	table_foreach (reconcile->table, visit_wanted, &visit)
		;
	keyed_set_foreach(&reconcile->failing, visit_unwanted, &visit);
}

bool reconcilers_entry_is_failing(const struct reconcilers *reconcilers, enum plan_map map,
				  const void *key, size_t n_bytes)
{
	const struct reconcile *reconcile = &reconcilers->kinds[KIND_MAP_ENTRIES];
	uint8_t data[1 + 64] = {map};

	g_assert(n_bytes < sizeof(data));
	memcpy(data + 1, key, n_bytes);
	return keyed_set_get(&reconcile->failing, data, 1 + n_bytes);
}

static void observe_write(const struct row *row, bool removed, int err, void *data)
{
	const struct reconcilers *reconcilers = data;
	const struct reconciler_entry write = {
		.entry = (const struct plan_map_entry *)row,
		.wanted = !removed,
		.error = -err,
	};

	if (reconcilers->on_write)
		reconcilers->on_write(&write, reconcilers->on_write_data);
}

void reconcilers_set_write_observer(struct reconcilers *reconcilers, reconciler_write_fn fn,
				    void *data)
{
	struct reconcile *reconcile = &reconcilers->kinds[KIND_MAP_ENTRIES];

	policy_maps_set_write_observer(reconcilers->policy, fn, data);
	lb_maps_set_write_observer(reconcilers->services, fn, data);
	reconcilers->on_write = fn;
	reconcilers->on_write_data = data;
	reconcile->on_write = observe_write;
	reconcile->on_write_data = reconcilers;
}

/* ---- policy ---- */

void reconcilers_set_version_source(struct reconcilers *reconcilers, policy_take_version take,
				    void *data)
{
	policy_maps_set_version_source(reconcilers->policy, take, data);
}

void reconcilers_set_policy_waiter(struct reconcilers *reconcilers, policy_wait wait, void *data)
{
	policy_maps_set_waiter(reconcilers->policy, wait, data);
}

void reconcilers_end_policy_wait(struct reconcilers *reconcilers, int err)
{
	policy_maps_end_wait(reconcilers->policy, err);
	policy_maps_retry(reconcilers->policy);
}

void reconcilers_set_policy_lockdown(struct reconcilers *reconcilers, bool lockdown)
{
	policy_maps_set_lockdown(reconcilers->policy, lockdown);
}

bool reconcilers_policy_get(const struct reconcilers *reconcilers, uint16_t endpoint_id,
			    struct reconciler_policy *ret_policy)
{
	return policy_maps_get(reconcilers->policy, endpoint_id, ret_policy);
}

struct reconciler_policy_statistics
reconcilers_policy_statistics(const struct reconcilers *reconcilers)
{
	return policy_maps_statistics(reconcilers->policy);
}

/* ---- services ---- */

void reconcilers_set_maglev(struct reconcilers *reconcilers, uint32_t size, uint32_t seed)
{
	lb_maps_set_maglev(reconcilers->services, size, seed);
}

void reconcilers_set_backend_observer(struct reconcilers *reconcilers,
				      reconciler_backend_observer fn, void *data)
{
	lb_maps_set_backend_observer(reconcilers->services, fn, data);
}

void reconcilers_foreach_service(const struct reconcilers *reconcilers,
				 void (*fn)(const struct reconciler_service *service, void *data),
				 void *data)
{
	lb_maps_foreach(reconcilers->services, fn, data);
}

bool reconcilers_service_by_frontend_id(const struct reconcilers *reconcilers, uint32_t id,
					void (*fn)(const struct reconciler_service *service,
						   void *data),
					void *data)
{
	return lb_maps_by_frontend_id(reconcilers->services, id, fn, data);
}

struct reconciler_service_statistics
reconcilers_service_statistics(const struct reconcilers *reconcilers)
{
	return lb_maps_statistics(reconcilers->services);
}
