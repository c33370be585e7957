// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/reconciler_private.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/datapath/lb_maps.h"
#include "src/datapath/policy_maps.h"

#define FINISH_RETRY_NS NSEC_PER_SEC

enum {
	/* The order in which they run: what a program looks up is there before the program. */
	KIND_MAP_ENTRIES,
	KIND_ATTACHMENTS,
	KIND_ROUTES,
	KIND__MAX,
};

struct reconcilers {
	struct datapath *datapath;
	struct policy_maps *policy; /* before all kinds; what it removes, behind all */
	struct lb_maps *services;   /* behind the map entries, before the programs */
	reconciler_write_fn on_write;
	void *on_write_data;
	struct reconcile kinds[KIND__MAX];
	GHashTable *n_failing_by_endpoint;
	int64_t (*now_ns)(void);
	struct controller *finish_controller;
	bool adopted;
	/* load_finish, once the attachments have been compared. */
	bool finished;
	unsigned int n_finish_tries;
	int finish_error;        /* positive errno */
	int64_t finish_since_ns; /* CLOCK_BOOTTIME */
	int64_t finish_next_ns;
};

/* The maps that load made anew take the places of the old ones. */
static void finish_load(struct reconcilers *reconcilers)
{
	g_autoptr(GError) error = NULL;
	int err;

	if (!reconcilers->adopted || reconcilers->finished)
		return;
	controller_begin(reconcilers->finish_controller);
	err = reconcilers->datapath->ops->load_finish(reconcilers->datapath, &error);
	reconcilers->finished = !err;
	if (err && !error)
		error_set_errno(&error, -err, "finishing the load");
	controller_end(reconcilers->finish_controller, error);
	if (!err)
		return;
	if (!reconcilers->n_finish_tries++) {
		reconcilers->finish_since_ns = clock_boottime_ns();
		log_warning("datapath", "Finishing the load failed, will try again", "error=%s",
			    error->message);
	}
	reconcilers->finish_error = -err;
	reconcilers->finish_next_ns = reconcilers->now_ns() + FINISH_RETRY_NS;
}

static void run_watch(struct watch *watch, void *data)
{
	struct reconcile *reconcile = data;
	struct table *table;
	struct row_key key;

	reconcile_begin_run(reconcile);
	while (watch_pop(watch, &table, &key))
		reconcile_key(reconcile, &key);
	reconcile_end_run(reconcile, NULL);
}

/* What this leaves behind, load_finish carries over: a failure costs no entry. */
static void catch_up(struct reconcilers *reconcilers)
{
	g_autoptr(GError) error = NULL;

	if (reconcilers->adopted && !reconcilers->finished && !reconcilers->n_finish_tries &&
	    reconcilers->datapath->ops->load_catch_up(reconcilers->datapath, &error))
		log_warning("datapath",
			    "Entries of another version's maps were not carried over yet",
			    "error=%s", error->message);
}

static void run_attachment_watch(struct watch *watch, void *data)
{
	struct reconcilers *reconcilers = data;

	catch_up(reconcilers);
	run_watch(watch, &reconcilers->kinds[KIND_ATTACHMENTS]);
	if (!reconcilers->n_finish_tries)
		finish_load(reconcilers);
}

struct reconcilers *reconcilers_new(struct store *store, struct tables *tables,
				    struct datapath *datapath)
{
	struct reconcilers *reconcilers = g_new0(struct reconcilers, 1);
	const struct {
		const struct reconcile_kind *kind;
		struct table *table;
	} kinds[KIND__MAX] = {
		[KIND_MAP_ENTRIES] = {&reconcile_map_kind, tables->plan_map_entries},
		[KIND_ATTACHMENTS] = {&reconcile_attachment_kind, tables->plan_attachments},
		[KIND_ROUTES] = {&reconcile_route_kind, tables->plan_routes},
	};

	reconcilers->datapath = datapath;
	reconcilers->now_ns = clock_monotonic_ns;
	reconcilers->n_failing_by_endpoint = g_hash_table_new(NULL, NULL);
	reconcilers->policy = policy_maps_new(store, tables, datapath);
	policy_maps_watch(reconcilers->policy, store, tables);
	reconcilers->services = lb_maps_new(store, tables, datapath);
	for (int i = 0; i < KIND__MAX; i++) {
		struct reconcile *reconcile = &reconcilers->kinds[i];
		struct watch *watch;

		reconcile_init(reconcile, kinds[i].kind, datapath, kinds[i].table,
			       reconcilers->n_failing_by_endpoint);
		if (i == KIND_ATTACHMENTS)
			lb_maps_watch(reconcilers->services, store, tables);
		if (i == KIND_ATTACHMENTS)
			watch = watch_new(store, kinds[i].kind->name, run_attachment_watch,
					  reconcilers);
		else
			watch = watch_new(store, kinds[i].kind->name, run_watch, reconcile);
		watch_add(watch, kinds[i].table);
	}
	policy_maps_watch_removals(reconcilers->policy, store, tables);
	return reconcilers;
}

void reconcilers_set_controllers(struct reconcilers *reconcilers, struct controllers *controllers,
				 int64_t interval_ns)
{
	policy_maps_set_controller(reconcilers->policy, controllers, interval_ns);
	lb_maps_set_controller(reconcilers->services, controllers, interval_ns);
	for (int i = 0; i < KIND__MAX; i++)
		reconcilers->kinds[i].controller =
			controller_new(controllers, reconcilers->kinds[i].kind->controller_name,
				       "datapath", interval_ns);
	reconcilers->finish_controller = controller_new(controllers, "load-finish", "datapath", 0);
}

void reconcilers_free(struct reconcilers *reconcilers)
{
	if (!reconcilers)
		return;
	policy_maps_free(reconcilers->policy);
	lb_maps_free(reconcilers->services);
	for (int i = 0; i < KIND__MAX; i++)
		reconcile_fini(&reconcilers->kinds[i]);
	g_hash_table_unref(reconcilers->n_failing_by_endpoint);
	g_free(reconcilers);
}

void reconcilers_set_clock(struct reconcilers *reconcilers, int64_t (*now_ns)(void))
{
	reconcilers->now_ns = now_ns;
	policy_maps_set_clock(reconcilers->policy, now_ns);
	lb_maps_set_clock(reconcilers->services, now_ns);
	for (int i = 0; i < KIND__MAX; i++)
		reconcilers->kinds[i].now_ns = now_ns;
}

static void write_prefix(const struct row *row, void *data)
{
	struct reconcile *reconcile = data;
	struct row_key key;

	reconcile->kind->key(row, &key);
	reconcile_key(reconcile, &key);
}

/* Before anything else is written: the rules that come name these prefixes. */
static int seed_prefixes(struct reconcilers *reconcilers)
{
	struct reconcile *reconcile = &reconcilers->kinds[KIND_MAP_ENTRIES];
	int err;

	reconcile_begin_run(reconcile);
	err = policy_maps_seed(reconcilers->policy, reconcile->table, write_prefix, reconcile);
	reconcile_end_run(reconcile, NULL);
	return err;
}

int reconcilers_adopt(struct reconcilers *reconcilers, GError **error)
{
	int policy_err = policy_maps_adopt(reconcilers->policy);
	int err;

	if (policy_err)
		return error_set_errno(error, -policy_err, "reading the kernel's policy");
	for (int i = 0; i < KIND__MAX; i++) {
		err = reconcile_adopt(&reconcilers->kinds[i]);
		if (err)
			return error_set_errno(error, -err, "reading the kernel's %s",
					       reconcilers->kinds[i].kind->name);
	}
	err = lb_maps_adopt(reconcilers->services);
	if (err)
		return error_set_errno(error, -err, "reading the kernel's services");
	policy_err = seed_prefixes(reconcilers);
	if (policy_err)
		return error_set_errno(error, -policy_err, "reading the kernel's prefixes");
	reconcilers->adopted = true;
	return 0;
}

void reconcilers_allow_deletion(struct reconcilers *reconcilers)
{
	policy_maps_allow_deletion(reconcilers->policy);
	lb_maps_allow_deletion(reconcilers->services);
	for (int i = 0; i < KIND__MAX; i++) {
		unsigned int n_deleted = reconcile_allow_deletion(&reconcilers->kinds[i]);

		if (n_deleted)
			log_info("datapath", "Deleted what nothing wants any more",
				 "reconciler=%s objects=%u", reconcilers->kinds[i].kind->name,
				 n_deleted);
	}
}

static unsigned int resync_kind(struct reconcile *reconcile)
{
	bool was_failing = controller_is_failing(reconcile->controller);
	g_autoptr(GError) error = NULL;
	unsigned int n_repaired = 0;
	int err;

	reconcile_begin_run(reconcile);
	err = reconcile_resync(reconcile, &n_repaired);
	if (err)
		error_set_errno(&error, -err, "reading the kernel's %s", reconcile->kind->name);
	reconcile_end_run(reconcile, error);
	if (err && !was_failing)
		log_warning("datapath", "Reading the kernel failed, will try again",
			    "reconciler=%s error=%s", reconcile->kind->name, g_strerror(-err));
	return n_repaired;
}

static unsigned int resync_kinds(struct reconcilers *reconcilers, int first)
{
	unsigned int n_repaired = 0;

	for (int i = first; i < KIND__MAX; i++) {
		n_repaired += resync_kind(&reconcilers->kinds[i]);
	}
	return n_repaired;
}

unsigned int reconcilers_resync(struct reconcilers *reconcilers)
{
	return policy_maps_resync(reconcilers->policy) + lb_maps_resync(reconcilers->services) +
	       resync_kinds(reconcilers, 0);
}

unsigned int reconcilers_resync_devices(struct reconcilers *reconcilers)
{
	return resync_kinds(reconcilers, KIND_ATTACHMENTS);
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
	if (a_ns < 0 || b_ns < 0)
		return MAX(a_ns, b_ns);
	return MIN(a_ns, b_ns);
}

int64_t reconcilers_retry(struct reconcilers *reconcilers)
{
	int64_t next_ns = earlier(policy_maps_retry(reconcilers->policy),
				  lb_maps_retry(reconcilers->services));

	for (int i = 0; i < KIND__MAX; i++)
		next_ns = earlier(next_ns, reconcile_retry(&reconcilers->kinds[i]));
	if (!reconcilers->adopted || reconcilers->finished)
		return next_ns;
	if (reconcilers->now_ns() >= reconcilers->finish_next_ns)
		finish_load(reconcilers);
	if (reconcilers->finished)
		return next_ns;
	return earlier(next_ns, MAX(reconcilers->finish_next_ns - reconcilers->now_ns(), 0));
}

int reconcilers_reapply_endpoint(struct reconcilers *reconcilers, uint16_t endpoint_id,
				 void (*fn)(const struct reconciler_difference *difference,
					    void *data),
				 void *data)
{
	int n_objects = policy_maps_reapply_endpoint(reconcilers->policy, endpoint_id, fn, data);

	if (n_objects < 0)
		return n_objects;
	for (int i = 0; i < KIND__MAX; i++) {
		int n = reconcile_reapply_endpoint(&reconcilers->kinds[i], endpoint_id, fn, data);

		if (n < 0)
			return n;
		n_objects += n;
	}
	return n_objects;
}

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
