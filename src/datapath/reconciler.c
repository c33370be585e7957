// SPDX-License-Identifier: Apache-2.0
/* All reconcilers: in which order they run, adopt, delete, compare and try again. */
#include "src/datapath/reconciler_private.h"

#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/datapath/lb_maps.h"
#include "src/datapath/policy_maps.h"

#define FINISH_RETRY_NS NSEC_PER_SEC

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
		if (i == KIND_ATTACHMENTS) {
			lb_maps_watch(reconcilers->services, store, tables);
			watch = watch_new(store, kinds[i].kind->name, run_attachment_watch,
					  reconcilers);
		} else {
			watch = watch_new(store, kinds[i].kind->name, run_watch, reconcile);
		}
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

unsigned int reconcilers_resync_others(struct reconcilers *reconcilers)
{
	return policy_maps_resync(reconcilers->policy) + resync_kinds(reconcilers, 0);
}

bool reconcilers_resync_services(struct reconcilers *reconcilers, unsigned int *n_repaired)
{
	return lb_maps_resync_next(reconcilers->services, n_repaired);
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
