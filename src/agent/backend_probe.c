/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/backend_probe.h"

#include <netinet/in.h>
#include <string.h>
#include "src/agent/probe.h"
#include "src/agent/probe_schedule.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/model/lb.h"
#include "src/model/service.h"
#include "src/store/keyed_set.h"

/* Probes that begin in one turn of the loop: a turn stays far below a millisecond. */
#define BURST 32
/*
 * What comes together is made known together, and derived once. Of a service with a thousand back ends that takes long:
 * then the loop is left to others for several times as long.
 */
#define COMMIT_DELAY_MS     10
#define COMMIT_DELAY_MAX_MS 500
#define COMMIT_SHARE        5
#define SAVE_DELAY_MS       1000
#define SAVE_RETRY_MS       3000

/* A probe under way. */
struct flight {
	struct backend_probes *probes;
	struct probe_target *target;
	struct probe *probe;
	int64_t start_ns;
};

struct backend_probes {
	struct backend_probes_parts parts;
	struct probe_schedule *schedule;
	GHashTable *services; /* char *: keys of those whose back ends are asked */
	GHashTable *rows;     /* key of lb_services to GPtrArray of struct probe_target */
	/* struct backend_health by key, a reference each: to be put or, without a reason, removed. */
	struct keyed_set verdicts;
	GHashTable *flights; /* struct flight, a set */
	uv_timer_t due, commit, save;
	unsigned int n_handles; /* still open */
	uint64_t n_good, n_bad;
	unsigned int commit_delay_ms;
	bool has_begun; /* the first look at all rows is over */
};

/* ---- what is known of back ends ---- */

static const struct backend_health *find_row(const struct backend_probes *probes,
					     const struct backend_health_key *key)
{
	return (const struct backend_health *)table_get(probes->parts.tables->backend_health, key,
							sizeof(*key));
}

/* By what is in the table, or is about to be. */
static bool is_known_down(const struct backend_probes *probes, const struct backend_health_key *key)
{
	const struct backend_health *verdict = keyed_set_get(&probes->verdicts, key, sizeof(*key));

	return verdict ? verdict->reason != NULL : find_row(probes, key) != NULL;
}

static void verdict_key(const void *item, struct row_key *ret_key)
{
	const struct backend_health *verdict = item;

	*ret_key = (struct row_key){&verdict->key, sizeof(verdict->key)};
}

static void on_commit(uv_timer_t *timer);

/* reason NULL: it is down no longer. */
static void note_verdict(struct backend_probes *probes, const struct backend_health_key *key,
			 const char *reason)
{
	struct backend_health *row = (struct backend_health *)row_new(&backend_health_class);

	row->key = *key;
	row->since_ns = clock_realtime_ns();
	row->reason = g_strdup(reason);
	/* Of two about the same the last one counts. */
	row_unref(keyed_set_put(&probes->verdicts, row));
	if (!uv_is_active((uv_handle_t *)&probes->commit))
		uv_timer_start(&probes->commit, on_commit, probes->commit_delay_ms, 0);
}

static void on_save(uv_timer_t *timer)
{
	struct backend_probes *probes = timer->data;

	if (!probes->parts.save(probes->parts.data))
		uv_timer_start(timer, on_save, SAVE_RETRY_MS, 0);
}

struct commit {
	struct table *table;
	struct txn *txn;
};

static bool add_to_commit(void *item, void *data)
{
	struct backend_health *verdict = item;
	const struct commit *commit = data;

	if (verdict->reason) {
		txn_put(commit->txn, commit->table, &verdict->row);
	} else {
		txn_remove(commit->txn, commit->table, &verdict->key, sizeof(verdict->key));
		row_unref(&verdict->row);
	}
	return true;
}

static void commit_verdicts(struct backend_probes *probes)
{
	struct commit commit = {
		.table = probes->parts.tables->backend_health,
		.txn = txn_new(probes->parts.store),
	};

	keyed_set_foreach(&probes->verdicts, add_to_commit, &commit);
	keyed_set_fini(&probes->verdicts);
	keyed_set_init(&probes->verdicts, verdict_key);
	txn_commit(commit.txn);
	if (probes->parts.save && !uv_is_active((uv_handle_t *)&probes->save))
		uv_timer_start(&probes->save, on_save, SAVE_DELAY_MS, 0);
}

static void on_commit(uv_timer_t *timer)
{
	struct backend_probes *probes = timer->data;
	int64_t start_ns = clock_monotonic_ns(), taken_ms;

	commit_verdicts(probes);
	store_settle(probes->parts.store);
	taken_ms = (clock_monotonic_ns() - start_ns) / NSEC_PER_MSEC;
	probes->commit_delay_ms =
		CLAMP(taken_ms * COMMIT_SHARE, COMMIT_DELAY_MS, COMMIT_DELAY_MAX_MS);
}

/* ---- probes ---- */

static void run_due(struct backend_probes *probes);

static void on_due(uv_timer_t *timer)
{
	run_due(timer->data);
}

static void arm(struct backend_probes *probes)
{
	int64_t next_ns = probe_schedule_next_ns(probes->schedule), now_ns = clock_monotonic_ns();

	if (next_ns == INT64_MAX) {
		uv_timer_stop(&probes->due);
		return;
	}
	/*
	 * The loop's own time may be that of the last turn; one millisecond late is no harm. And never 0: a timer that
	 * is due again at once runs in the same turn.
	 */
	uv_timer_start(&probes->due, on_due, MAX(next_ns - now_ns, 0) / NSEC_PER_MSEC + 1, 0);
}

static void log_verdict(const struct probe_target *target, const char *failure)
{
	char text[ADDR_TEXT_BYTES];

	if (failure)
		log_warning("health", "A back end does not answer, and gets no new connections",
			    "address=%s port=%u reason=%s", addr_format(&target->key.addr, text),
			    target->key.port, failure);
	else
		log_info("health", "A back end answers again", "address=%s port=%u",
			 addr_format(&target->key.addr, text), target->key.port);
}

static void report(struct backend_probes *probes, struct probe_target *target, int64_t start_ns,
		   const char *failure)
{
	enum probe_verdict verdict =
		probe_schedule_report(probes->schedule, target, !failure, start_ns);

	target->data = NULL;
	if (failure)
		probes->n_bad++;
	else
		probes->n_good++;
	if (verdict == PROBE_UNCHANGED)
		return;
	log_verdict(target, failure);
	note_verdict(probes, &target->key, failure);
}

static void on_done(const char *failure, void *data)
{
	struct flight *flight = data;
	struct backend_probes *probes = flight->probes;

	report(probes, flight->target, flight->start_ns, failure);
	g_hash_table_remove(probes->flights, flight);
	arm(probes);
}

/* False: the node cannot send any. */
static bool start(struct backend_probes *probes, struct probe_target *target)
{
	struct flight *flight = g_new0(struct flight, 1);
	g_autoptr(GError) error = NULL;
	int err = 0;

	flight->probes = probes;
	flight->target = target;
	flight->start_ns = clock_monotonic_ns();
	controller_begin(probes->parts.controller);
	flight->probe = probe_start(probes->parts.loop, &target->key.addr, target->key.port,
				    &target->health, on_done, flight, &err);
	if (flight->probe) {
		target->data = flight;
		g_hash_table_add(probes->flights, flight);
	} else {
		/* It says nothing about the back end: as if it had not been asked. */
		error_set_errno(&error, -err, "probing back ends of services");
		probe_schedule_give_back(probes->schedule, target, flight->start_ns);
		g_free(flight);
	}
	if (error && !controller_is_failing(probes->parts.controller))
		log_warning("health", "Back ends cannot be asked, will try again", "error=%s",
			    error->message);
	controller_end(probes->parts.controller, error);
	return !error;
}

static void run_due(struct backend_probes *probes)
{
	int64_t now_ns = clock_monotonic_ns();
	struct probe_target *target;

	for (unsigned int i = 0; i < BURST; i++) {
		target = probe_schedule_take(probes->schedule, now_ns);
		if (!target || !start(probes, target))
			break;
	}
	arm(probes);
}

/* ---- whom to ask ---- */

static void remove_target(struct backend_probes *probes, struct probe_target *target)
{
	struct backend_health_key key = target->key;
	struct flight *flight = target->data;

	if (!probe_schedule_remove(probes->schedule, target))
		return;
	if (flight) {
		probe_cancel(flight->probe);
		g_hash_table_remove(probes->flights, flight);
	}
	if (is_known_down(probes, &key))
		note_verdict(probes, &key, NULL);
}

static const struct service *find_service(const struct backend_probes *probes,
					  const struct lb_service *row)
{
	g_autofree char *key = NULL;
	g_autofree char *prefix = NULL;

	if (!row->namespace || !row->name || row->protocol != IPPROTO_TCP)
		return NULL;
	key = g_strconcat(row->namespace, "/", row->name, NULL);
	/* Not a host port, nor a redirect, whose names are a Pod's and a policy's. */
	prefix = g_strconcat(key, ":", NULL);
	if (!g_str_has_prefix(row->key, prefix))
		return NULL;
	return (const struct service *)table_get(probes->parts.tables->services, key, strlen(key));
}

/* The targets of the row as it is now; empty where there are none. */
static GPtrArray *put_targets(struct backend_probes *probes, const struct lb_service *row)
{
	const struct service *service = find_service(probes, row);
	GPtrArray *targets = g_ptr_array_new();
	int64_t now_ns = clock_monotonic_ns();

	for (uint32_t i = 0; service && service->health && i < row->n_backends; i++) {
		const struct lb_plan_backend *backend = &row->backends[i];
		struct backend_health_key key;

		if (backend->state == LB_BACKEND_TERMINATING)
			continue;
		key = backend_health_key_new(&backend->addr, backend->port, row->protocol,
					     service->meta.key);
		g_ptr_array_add(targets, probe_schedule_put(probes->schedule, &key, service->health,
							    is_known_down(probes, &key), now_ns));
	}
	return targets;
}

/* The new ones before the old ones go: who stays is not asked anew. */
static void note_row(struct backend_probes *probes, const char *key, size_t n_bytes)
{
	g_autofree char *text = g_strndup(key, n_bytes);
	const struct lb_service *row = (const struct lb_service *)table_get(
		probes->parts.tables->lb_services, key, n_bytes);
	GPtrArray *before = g_hash_table_lookup(probes->rows, text);
	GPtrArray *now = row ? put_targets(probes, row) : NULL;

	for (unsigned int i = 0; before && i < before->len; i++)
		remove_target(probes, before->pdata[i]);
	if (now && now->len)
		g_hash_table_replace(probes->rows, g_steal_pointer(&text), now);
	else
		g_hash_table_remove(probes->rows, text);
	if (now && !now->len)
		g_ptr_array_unref(now);
}

/* Its ports, as they are in lb_services; what the service no longer has goes from there as well. */
static void note_service(struct backend_probes *probes, const char *key, size_t n_bytes)
{
	g_autofree char *text = g_strndup(key, n_bytes);
	const struct service *service =
		(const struct service *)table_get(probes->parts.tables->services, key, n_bytes);
	bool was_asked = g_hash_table_contains(probes->services, text);
	bool is_asked = service && service->health;

	if (!was_asked && !is_asked)
		return;
	for (unsigned int i = 0; service && service->ports && i < service->ports->len; i++) {
		unsigned int port = g_array_index(service->ports, struct service_port, i).port;
		g_autofree char *v4 = g_strdup_printf("%s:%u/TCP/4", text, port);
		g_autofree char *v6 = g_strdup_printf("%s:%u/TCP/6", text, port);

		note_row(probes, v4, strlen(v4));
		note_row(probes, v6, strlen(v6));
	}
	if (is_asked)
		g_hash_table_add(probes->services, g_steal_pointer(&text));
	else
		g_hash_table_remove(probes->services, text);
}

/* Of the agent before, and of a service that is no more. */
static bool drop_stranger(const struct row *row, void *data)
{
	const struct backend_health *health = (const struct backend_health *)row;
	struct backend_probes *probes = data;

	if (!probe_schedule_find(probes->schedule, &health->key))
		note_verdict(probes, &health->key, NULL);
	return true;
}

static void on_change(struct watch *watch, void *data)
{
	struct backend_probes *probes = data;
	const struct tables *tables = probes->parts.tables;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		if (table == tables->services)
			note_service(probes, key.data, key.n_bytes);
		else if (g_hash_table_size(probes->services) || g_hash_table_size(probes->rows))
			note_row(probes, key.data, key.n_bytes);
	if (!probes->has_begun)
		table_foreach (tables->backend_health, drop_stranger, probes)
			;
	probes->has_begun = true;
	arm(probes);
}

/* ---- */

static void init_timer(struct backend_probes *probes, uv_timer_t *timer)
{
	uv_timer_init(probes->parts.loop, timer);
	timer->data = probes;
	probes->n_handles++;
}

struct backend_probes *backend_probes_new(const struct backend_probes_parts *parts)
{
	struct backend_probes *probes = g_new0(struct backend_probes, 1);
	struct watch *watch = watch_new(parts->store, "backend probes", on_change, probes);

	probes->parts = *parts;
	probes->commit_delay_ms = COMMIT_DELAY_MS;
	probes->schedule = probe_schedule_new(g_random_int());
	probes->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	probes->rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					     (GDestroyNotify)g_ptr_array_unref);
	keyed_set_init(&probes->verdicts, verdict_key);
	probes->flights = g_hash_table_new_full(NULL, NULL, g_free, NULL);
	init_timer(probes, &probes->due);
	init_timer(probes, &probes->commit);
	init_timer(probes, &probes->save);
	/* Services first: whose rows of lb_services matter. */
	watch_add(watch, parts->tables->services);
	watch_add(watch, parts->tables->lb_services);
	return probes;
}

static void on_closed(uv_handle_t *handle)
{
	struct backend_probes *probes = handle->data;

	if (!--probes->n_handles)
		g_free(probes);
}

void backend_probes_free(struct backend_probes *probes)
{
	GHashTableIter iter;
	void *flight;

	if (!probes)
		return;
	g_hash_table_iter_init(&iter, probes->flights);
	while (g_hash_table_iter_next(&iter, &flight, NULL))
		probe_cancel(((struct flight *)flight)->probe);
	if (probes->verdicts.n)
		commit_verdicts(probes);
	if (uv_is_active((uv_handle_t *)&probes->save))
		(void)probes->parts.save(probes->parts.data);
	g_hash_table_unref(probes->flights);
	g_hash_table_unref(probes->rows);
	g_hash_table_unref(probes->services);
	keyed_set_fini(&probes->verdicts);
	probe_schedule_free(probes->schedule);
	uv_close((uv_handle_t *)&probes->due, on_closed);
	uv_close((uv_handle_t *)&probes->commit, on_closed);
	uv_close((uv_handle_t *)&probes->save, on_closed);
}

struct backend_probes_counts backend_probes_get_counts(const struct backend_probes *probes)
{
	if (!probes)
		return (struct backend_probes_counts){};
	return (struct backend_probes_counts){
		.n_targets = probe_schedule_n_targets(probes->schedule),
		.n_down = probe_schedule_n_down(probes->schedule),
		.n_good = probes->n_good,
		.n_bad = probes->n_bad,
	};
}
