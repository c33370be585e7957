/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/identity_limit.h"

#include "src/base/log.h"

#define FILE_NAME "identity-limit.json"
#define BATCH     512
/* Where the file is lost: more than were ever reserved and not known. */
#define LOST_SKIP 4096

/* Numbers of a scope. */
struct limit {
	uint32_t start;
	int reserved; /* on disk; atomic: a helper thread raises it */
};

struct identity_limit {
	struct state_dir *dir;
	char *boot_id;
	struct limit limits[IDENTITY_SCOPE__MAX];
	GMutex mutex;                  /* of the file's writer */
	bool is_busy;                  /* a job is under way */
	struct controller *controller; /* of the jobs; NULL: nobody asked */
};

/* Their names in the file. The oldest has only those of the first. */
static const struct {
	const char *limit;
	const char *start;
} members[IDENTITY_SCOPE__MAX] = {
	[IDENTITY_SCOPE_LABELS] = {"limit", "start"},
	[IDENTITY_SCOPE_PREFIX] = {"prefix-limit", "prefix-start"},
	[IDENTITY_SCOPE_NODE] = {"node-limit", "node-start"},
};

struct job {
	uv_work_t work;
	struct identity_limit *limit;
	enum identity_scope scope;
	uint32_t wanted;
	GError *error;
};

static void load_scope(struct identity_limit *limit, enum identity_scope scope,
		       const json_t *object, uint32_t greatest)
{
	struct identity_range range = identity_scope_get_range(scope);
	uint32_t reserved = json_integer_value(json_object_get(object, members[scope].limit));
	uint32_t start = json_integer_value(json_object_get(object, members[scope].start));
	const char *boot_id = json_string_value(json_object_get(object, "boot_id"));

	if (g_strcmp0(boot_id, limit->boot_id) != 0)
		start = reserved;
	limit->limits[scope].start = MIN(MAX(start, greatest), range.max);
	/* What another boot reserved is used up; the first number of this one reserves anew. */
	limit->limits[scope].reserved = MIN(MAX(reserved, greatest), range.max);
}

static void load_lost(struct identity_limit *limit, enum identity_scope scope, uint32_t greatest)
{
	struct identity_range range = identity_scope_get_range(scope);

	greatest = MAX(greatest, range.min - 1);
	limit->limits[scope].start = MIN(greatest + LOST_SKIP, range.max);
	limit->limits[scope].reserved = MIN(greatest, range.max);
}

static int load(struct identity_limit *limit, const uint32_t *greatest, GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = state_dir_read(limit->dir, FILE_NAME, &object, &cause);

	if (err && err != -ENOENT && err != -EBADMSG) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	for (enum identity_scope scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		if (err == -EBADMSG)
			load_lost(limit, scope, greatest[scope]);
		else
			load_scope(limit, scope, object, greatest[scope]);
	json_decref(object);
	return 0;
}

struct identity_limit *identity_limit_new(struct state_dir *dir, const char *boot_id,
					  const uint32_t greatest[static IDENTITY_SCOPE__MAX],
					  GError **error)
{
	struct identity_limit *limit = g_new0(struct identity_limit, 1);

	limit->dir = dir;
	limit->boot_id = g_strdup(boot_id);
	g_mutex_init(&limit->mutex);
	if (load(limit, greatest, error)) {
		identity_limit_free(limit);
		return NULL;
	}
	return limit;
}

void identity_limit_free(struct identity_limit *limit)
{
	if (!limit)
		return;
	g_mutex_clear(&limit->mutex);
	g_free(limit->boot_id);
	g_free(limit);
}

uint32_t identity_limit_get_start(const struct identity_limit *limit, enum identity_scope scope)
{
	return limit->limits[scope].start;
}

static bool is_reserved(struct identity_limit *limit, enum identity_scope scope, uint32_t number)
{
	return number <= (uint32_t)g_atomic_int_get(&limit->limits[scope].reserved);
}

static json_t *encode(struct identity_limit *limit, enum identity_scope changed, uint32_t wanted)
{
	json_t *object = json_pack("{s:s}", "boot_id", limit->boot_id);

	for (enum identity_scope scope = 0; scope < IDENTITY_SCOPE__MAX; scope++) {
		uint32_t reserved = g_atomic_int_get(&limit->limits[scope].reserved);

		json_object_set_new(object, members[scope].limit,
				    json_integer(scope == changed ? wanted : reserved));
		json_object_set_new(object, members[scope].start,
				    json_integer(limit->limits[scope].start));
	}
	return object;
}

int identity_limit_mend(struct identity_limit *limit, GError **error)
{
	bool is_used = false;
	uint32_t labels;
	int result = 0;

	g_mutex_lock(&limit->mutex);
	labels = g_atomic_int_get(&limit->limits[IDENTITY_SCOPE_LABELS].reserved);
	for (enum identity_scope scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		is_used |= g_atomic_int_get(&limit->limits[scope].reserved) != 0;
	if (is_used && !state_dir_has(limit->dir, FILE_NAME)) {
		result = state_dir_write_through(
			limit->dir, FILE_NAME, encode(limit, IDENTITY_SCOPE_LABELS, labels), error);
		if (!result)
			result = 1;
	}
	g_mutex_unlock(&limit->mutex);
	return result;
}

/* In either thread: whoever comes second finds it done. */
static int reserve(struct identity_limit *limit, enum identity_scope scope, uint32_t wanted,
		   GError **error)
{
	int err = 0;

	wanted = MIN(wanted, identity_scope_get_range(scope).max);
	g_mutex_lock(&limit->mutex);
	if (!is_reserved(limit, scope, wanted)) {
		err = state_dir_write_through(limit->dir, FILE_NAME, encode(limit, scope, wanted),
					      error);
		if (!err)
			g_atomic_int_set(&limit->limits[scope].reserved, wanted);
	}
	g_mutex_unlock(&limit->mutex);
	return err;
}

int identity_limit_ensure(struct identity_limit *limit, uint32_t number, GError **error)
{
	enum identity_scope scope;

	if (!identity_find_scope(number, &scope) || is_reserved(limit, scope, number))
		return 0;
	return reserve(limit, scope, number + BATCH, error);
}

static void run_job(uv_work_t *work)
{
	struct job *job = work->data;

	(void)!reserve(job->limit, job->scope, job->wanted, &job->error);
}

static void end_job(uv_work_t *work, int status)
{
	struct job *job = work->data;

	job->limit->is_busy = false;
	if (job->error && !controller_is_failing(job->limit->controller))
		log_warning("identity", "Reserving identity numbers failed, will try again",
			    "error=%s", job->error->message);
	controller_end(job->limit->controller, job->error);
	g_clear_error(&job->error);
	g_free(job);
}

void identity_limit_set_controller(struct identity_limit *limit, struct controller *controller)
{
	limit->controller = controller;
}

void identity_limit_reserve_soon(struct identity_limit *limit, uint32_t last, uv_loop_t *loop)
{
	enum identity_scope scope;
	uint32_t wanted;
	struct job *job;

	if (limit->is_busy || !identity_find_scope(last, &scope))
		return;
	wanted = MIN(last + BATCH, identity_scope_get_range(scope).max);
	if (is_reserved(limit, scope, wanted - BATCH / 2))
		return;
	job = g_new0(struct job, 1);
	job->limit = limit;
	job->scope = scope;
	job->wanted = wanted;
	job->work.data = job;
	limit->is_busy = true;
	controller_begin(limit->controller);
	uv_queue_work(loop, &job->work, run_job, end_job);
}
