/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/identity_limit.h"

#include "src/base/log.h"
#include "src/model/identity.h"

#define FILE_NAME "identity-limit.json"
#define BATCH     512
/* Where the file is lost: more than were ever reserved and not known. */
#define LOST_SKIP 4096

struct identity_limit {
	struct state_dir *dir;
	char *boot_id;
	uint32_t start;
	int reserved;                  /* on disk; atomic: a helper thread raises it */
	GMutex mutex;                  /* of the file's writer */
	bool is_busy;                  /* a job is under way */
	struct controller *controller; /* of the jobs; NULL: nobody asked */
};

struct job {
	uv_work_t work;
	struct identity_limit *limit;
	uint32_t wanted;
	GError *error;
};

static int load(struct identity_limit *limit, uint32_t greatest, GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = state_dir_read(limit->dir, FILE_NAME, &object, &cause);
	uint32_t reserved = json_integer_value(json_object_get(object, "limit"));
	uint32_t start = json_integer_value(json_object_get(object, "start"));
	const char *boot_id = json_string_value(json_object_get(object, "boot_id"));

	if (err && err != -ENOENT && err != -EBADMSG) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	if (err == -EBADMSG)
		start = greatest + LOST_SKIP;
	else if (g_strcmp0(boot_id, limit->boot_id) != 0)
		start = reserved;
	json_decref(object);
	limit->start = MIN(MAX(start, greatest), IDENTITY_ALLOCATED_MAX);
	/* What another boot reserved is used up; the first number of this one reserves anew. */
	limit->reserved = MIN(MAX(reserved, greatest), IDENTITY_ALLOCATED_MAX);
	return 0;
}

struct identity_limit *identity_limit_new(struct state_dir *dir, const char *boot_id,
					  uint32_t greatest, GError **error)
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

uint32_t identity_limit_get_start(const struct identity_limit *limit)
{
	return limit->start;
}

/* Called with the mutex. */
static int write_limit(struct identity_limit *limit, uint32_t number, GError **error)
{
	json_t *object = json_pack("{s:i, s:i, s:s}", "limit", (int)number, "start",
				   (int)limit->start, "boot_id", limit->boot_id);

	return state_dir_write_through(limit->dir, FILE_NAME, object, error);
}

int identity_limit_mend(struct identity_limit *limit, GError **error)
{
	int reserved, result = 0;

	g_mutex_lock(&limit->mutex);
	reserved = g_atomic_int_get(&limit->reserved);
	if (reserved && !state_dir_has(limit->dir, FILE_NAME)) {
		result = write_limit(limit, reserved, error);
		if (!result)
			result = 1;
	}
	g_mutex_unlock(&limit->mutex);
	return result;
}

/* In either thread: whoever comes second finds it done. */
static int reserve(struct identity_limit *limit, uint32_t wanted, GError **error)
{
	int err = 0;

	wanted = MIN(wanted, IDENTITY_ALLOCATED_MAX);
	g_mutex_lock(&limit->mutex);
	if ((uint32_t)g_atomic_int_get(&limit->reserved) < wanted) {
		err = write_limit(limit, wanted, error);
		if (!err)
			g_atomic_int_set(&limit->reserved, wanted);
	}
	g_mutex_unlock(&limit->mutex);
	return err;
}

int identity_limit_ensure(struct identity_limit *limit, uint32_t number, GError **error)
{
	if (number <= (uint32_t)g_atomic_int_get(&limit->reserved))
		return 0;
	return reserve(limit, number + BATCH, error);
}

static void run_job(uv_work_t *work)
{
	struct job *job = work->data;

	(void)!reserve(job->limit, job->wanted, &job->error);
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
	uint32_t wanted = MIN(last + BATCH, IDENTITY_ALLOCATED_MAX);
	struct job *job;

	if (limit->is_busy || (uint32_t)g_atomic_int_get(&limit->reserved) >= wanted - BATCH / 2)
		return;
	job = g_new0(struct job, 1);
	job->limit = limit;
	job->wanted = wanted;
	job->work.data = job;
	limit->is_busy = true;
	controller_begin(limit->controller);
	uv_queue_work(loop, &job->work, run_job, end_job);
}
