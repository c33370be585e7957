// SPDX-License-Identifier: Apache-2.0
/* What the maps of policy say about themselves: to the controller, the status, the log, whoever observes. */
#include "src/datapath/policy_private.h"

#include "src/base/clock.h"
#include "src/base/log.h"

#define NAME "policy"

/* Endpoints and policies that a text names. */
#define NAMES_MAX 3

bool policy_error_is_room(int error)
{
	return error == ENOSPC || error == E2BIG || error == ENOMEM;
}

bool policy_failing_note(const struct policy_maps *maps, struct policy_failing *failing, int err)
{
	bool is_news = failing->error != err;

	if (!failing->error)
		failing->since_ns = clock_boottime_ns();
	failing->next_ns = maps->now_ns() + reconcile_retry_ns(failing->n_tries);
	failing->n_tries++;
	failing->error = err;
	return is_news;
}

/* ---- texts ---- */

static char *endpoints_text(const struct policy_set *set)
{
	GString *text = g_string_new(set->subjects->len == 1 ? "endpoint" : "endpoints");

	for (guint i = 0; i < MIN(set->subjects->len, NAMES_MAX); i++)
		g_string_append_printf(text, "%s %u", i ? "," : "",
				       ((struct policy_subject *)set->subjects->pdata[i])->id);
	if (set->subjects->len > NAMES_MAX)
		g_string_append_printf(text, " and %u more", set->subjects->len - NAMES_MAX);
	return g_string_free(text, false);
}

static char *policies_text(const struct policy_set *set)
{
	const GPtrArray *policies = set->row->policies;
	GString *text = g_string_new(policies->len ? NULL : "no policy");

	for (guint i = 0; i < MIN(policies->len, NAMES_MAX); i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "",
				       (const char *)policies->pdata[i]);
	if (policies->len > NAMES_MAX)
		g_string_append_printf(text, " and %u more", policies->len - NAMES_MAX);
	return g_string_free(text, false);
}

char *policy_set_describe(const struct policy_set *set)
{
	g_autofree char *endpoints = endpoints_text(set);
	g_autofree char *policies = policies_text(set);

	return g_strdup_printf("rules of %s (%s), %u peers", endpoints, policies,
			       policy_set_n_peers(set->row));
}

/* ---- a rule set that cannot be applied ---- */

/* Each endpoint has it in its own log. */
static void tell_subjects(const struct policy_maps *maps, const struct policy_set *set,
			  enum reconciler_event event, int error)
{
	g_autofree char *policies = policies_text(set);
	g_autofree char *object = g_strdup_printf("policy (%s)", policies);

	for (guint i = 0; maps->observer && i < set->subjects->len; i++) {
		const struct reconciler_note note = {
			.event = event,
			.endpoint_id = ((struct policy_subject *)set->subjects->pdata[i])->id,
			.error = error,
			.object = object,
		};

		maps->observer(&note, maps->observer_data);
	}
}

static void tell_room(const struct policy_maps *maps, const struct policy_set *set)
{
	g_autofree char *rules = policy_set_describe(set);
	const struct reconciler_room_note note = {
		.fits = !set->failing.error,
		.error = set->failing.error,
		.rules = rules,
	};

	if (maps->room_observer)
		maps->room_observer(&note, maps->room_observer_data);
}

static const char *find_outcome(const struct policy_maps *maps, const struct policy_set *set)
{
	if (set->current && (set->current->flags & POLICY_F_INCOMPLETE))
		return "in force without some peers; who has no entry is denied";
	if (set->current && set->current->n_unfit)
		return "in force without some peers";
	if (maps->lockdown)
		return "everything is denied";
	return "what was in force before stays; a new endpoint is denied everything";
}

static void log_failure(const struct policy_maps *maps, const struct policy_set *set)
{
	struct reconciler_policy_statistics now = policy_maps_statistics(maps);
	g_autofree char *endpoints = endpoints_text(set);
	g_autofree char *policies = policies_text(set);

	if (!policy_error_is_room(set->failing.error)) {
		log_warning("datapath", "Rules cannot be put in force, will try again",
			    "endpoints=%s policies=%s error=%s outcome=%s", endpoints, policies,
			    g_strerror(set->failing.error), find_outcome(maps, set));
		return;
	}
	log_warning("datapath", "Rules do not fit into the kernel's maps, will try again",
		    "endpoints=%s policies=%s outcome=%s wants=%u peers=%u peers_max=%u ports=%u "
		    "ports_max=%u hint=%s",
		    endpoints, policies, find_outcome(maps, set), policy_set_n_peers(set->row),
		    now.n_peers, now.max_peers, now.n_class_entries, now.max_class_entries,
		    "let policies select fewer peers or ports, or raise bpf-policy-map-max");
}

void policy_set_note_failure(struct policy_maps *maps, struct policy_set *set, int err)
{
	bool was_room = policy_error_is_room(set->failing.error);

	if (!policy_failing_note(maps, &set->failing, -err))
		return;
	if (!was_room && policy_error_is_room(-err)) {
		maps->n_overflows++;
		tell_room(maps, set);
	}
	log_failure(maps, set);
	tell_subjects(maps, set, RECONCILER_FAILED, -err);
}

void policy_set_note_closed(const struct policy_maps *maps, const struct policy_set *set)
{
	g_autofree char *endpoints = endpoints_text(set);
	g_autofree char *policies = policies_text(set);

	log_warning("datapath", "Rules from before would let in a peer that is new and denied",
		    "endpoints=%s policies=%s outcome=%s hint=%s", endpoints, policies,
		    "until the rules fit, whoever has no entry of its own is denied",
		    "let policies select fewer peers or ports, or raise bpf-policy-map-max");
	tell_subjects(maps, set, RECONCILER_FAILED, set->failing.error);
}

void policy_set_note_success(struct policy_maps *maps, struct policy_set *set)
{
	bool was_room = policy_error_is_room(set->failing.error);
	g_autofree char *endpoints = NULL;

	if (!set->failing.error)
		return;
	set->failing = (struct policy_failing){0};
	if (was_room)
		tell_room(maps, set);
	endpoints = endpoints_text(set);
	log_info("datapath", "Rules that failed are in force", "endpoints=%s", endpoints);
	tell_subjects(maps, set, RECONCILER_APPLIED, 0);
}

/* ---- the controller ---- */

void policy_begin_run(struct policy_maps *maps)
{
	controller_begin(maps->controller);
}

static const struct policy_set *find_oldest_failing(const struct policy_maps *maps,
						    unsigned int *ret_n)
{
	const struct policy_set *oldest = NULL;
	GHashTableIter iter;
	void *pointer;

	*ret_n = 0;
	g_hash_table_iter_init(&iter, maps->sets);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		const struct policy_set *set = pointer;

		if (!set->failing.error)
			continue;
		++*ret_n;
		if (!oldest || set->failing.since_ns < oldest->failing.since_ns)
			oldest = set;
	}
	return oldest;
}

void policy_end_run(struct policy_maps *maps, const GError *cause)
{
	unsigned int n;
	const struct policy_set *oldest = find_oldest_failing(maps, &n);
	g_autofree char *object = NULL;
	g_autoptr(GError) error = NULL;

	g_hash_table_remove_all(maps->known); /* its keys live no longer than the rows */
	if (cause) {
		controller_end(maps->controller, cause);
		return;
	}
	if (oldest) {
		object = policy_set_describe(oldest);
		error_set(&error, oldest->failing.error, "%s: %s%s", object,
			  g_strerror(oldest->failing.error), n > 1 ? "; and others" : "");
	} else if (maps->reclaiming.error) {
		error_set_errno(&error, maps->reclaiming.error, "deleting old versions of rules");
	}
	controller_end(maps->controller, error);
}

/* ---- the status ---- */

struct reconciler_status policy_maps_status(const struct policy_maps *maps)
{
	unsigned int n_failing, n_wanted = table_n_rows(maps->rule_sets);

	find_oldest_failing(maps, &n_failing);
	return (struct reconciler_status){
		.name = NAME,
		.n_wanted = n_wanted,
		.n_applied = n_wanted - n_failing,
		.n_failing = n_failing + (maps->reclaiming.error != 0),
		.n_repaired = maps->n_repaired,
	};
}

static void tell_failure(const struct policy_failing *failing, const char *object,
			 uint16_t endpoint_id,
			 void (*fn)(const struct reconciler_failure *failure, void *data),
			 void *data)
{
	const struct reconciler_failure failure = {
		.reconciler = NAME,
		.object = object,
		.endpoint_id = endpoint_id,
		.error = failing->error,
		.since_ns = clock_realtime_of_ns(failing->since_ns),
		.n_tries = failing->n_tries,
	};

	fn(&failure, data);
}

void policy_maps_foreach_failure(const struct policy_maps *maps,
				 void (*fn)(const struct reconciler_failure *failure, void *data),
				 void *data)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->sets);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		const struct policy_set *set = pointer;
		g_autofree char *object = NULL;
		bool is_of_one = set->subjects->len == 1;

		if (!set->failing.error)
			continue;
		object = policy_set_describe(set);
		tell_failure(&set->failing, object,
			     is_of_one ? ((struct policy_subject *)set->subjects->pdata[0])->id : 0,
			     fn, data);
	}
	if (maps->reclaiming.error)
		tell_failure(&maps->reclaiming, "old versions of rules", 0, fn, data);
}

bool policy_maps_get(const struct policy_maps *maps, uint16_t endpoint_id,
		     struct reconciler_policy *ret_policy)
{
	const struct policy_subject *subject = policy_subject_get(maps, endpoint_id);
	const struct policy_set *set = subject ? subject->set : NULL;

	if (!subject)
		return false;
	*ret_policy = (struct reconciler_policy){
		.version = subject->element.version,
		.flags = subject->element.flags,
		.realized_rule_set_revision = subject->rule_set_revision,
		.realized_policy_revision = subject->policy_revision,
	};
	if (!set)
		return true;
	ret_policy->wanted_policy_revision = subject->row->policy_revision;
	ret_policy->wanted_rule_set_revision = set->row ? set->row->revision : 0;
	ret_policy->error = set->failing.error;
	ret_policy->since_ns = set->failing.error ? clock_realtime_of_ns(set->failing.since_ns) : 0;
	ret_policy->is_applied =
		!set->failing.error && set->current && subject->version == set->current;
	return true;
}

static void count_sets(const struct policy_maps *maps,
		       struct reconciler_policy_statistics *statistics)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->sets);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		const struct policy_set *set = pointer;

		if (policy_error_is_room(set->failing.error))
			statistics->n_unfit++;
		if (set->is_closed || (set->current && set->current->n_unfit))
			statistics->n_incomplete++;
	}
	g_hash_table_iter_init(&iter, maps->subjects);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		const struct policy_subject *subject = pointer;

		if (subject->row && !subject->version)
			statistics->n_locked_down++;
	}
}

struct reconciler_policy_statistics policy_maps_statistics(const struct policy_maps *maps)
{
	struct datapath *dp = maps->datapath;
	uint32_t max_peers = dp->ops->map_max_entries(dp, PLAN_MAP_cilium_policy_peer);
	uint32_t max_entries = dp->ops->map_max_entries(dp, PLAN_MAP_cilium_policy_class);
	unsigned int n_retired = g_queue_get_length((GQueue *)&maps->retired);
	struct reconciler_policy_statistics statistics = {
		.n_versions = g_hash_table_size(maps->versions) - n_retired,
		.n_retired = n_retired,
		.n_classes = g_hash_table_size(maps->classes),
		.n_peers = maps->n_peers,
		.max_peers = max_peers,
		.n_class_entries = maps->n_class_entries,
		.max_class_entries = max_entries,
		.reserved_peers = policy_reserve(max_peers),
		.reserved_class_entries = policy_reserve(max_entries),
		.n_overflows = maps->n_overflows,
		.n_flips = maps->n_flips,
		.implementation_delays = &maps->delays,
	};

	count_sets(maps, &statistics);
	return statistics;
}

/* ---- writes ---- */

void policy_tell_write(const struct policy_maps *maps, enum plan_map map, const void *key,
		       const void *value, int err)
{
	reconcile_tell_write(maps->on_write, maps->on_write_data, map, key, value, err);
}
