/* SPDX-License-Identifier: Apache-2.0 */
/* What was written reaches the disk: a helper thread waits for that. */
#include "src/agent/state_dir_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/log.h"

/* Its own descriptor and path: the directory may be closed while a helper thread is at it. */
struct sync {
	uv_work_t work;
	struct state_dir *dir; /* NULL: closed meanwhile; for the loop's thread alone */
	char *path;
	DIR *stream;
	GError *error;
};

/* Of regular files; the first failure is the one that is told. */
static void sync_file(struct sync *sync, const char *name)
{
	int fd = openat(dirfd(sync->stream), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat info;

	/* Replaced meanwhile: then it is written anew, and the next sync sees it. */
	if (fd < 0)
		return;
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && fdatasync(fd) < 0 && !sync->error)
		error_set_errno(&sync->error, errno, "%s/%s", sync->path, name);
	close(fd);
}

static void sync_run(uv_work_t *work)
{
	struct sync *sync = work->data;
	const struct dirent *entry;

	/* Some file systems do not say what an entry is. */
	while ((entry = readdir(sync->stream)))
		if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
			sync_file(sync, entry->d_name);
	if (fsync(dirfd(sync->stream)) < 0 && !sync->error)
		error_set_errno(&sync->error, errno, "%s", sync->path);
	closedir(sync->stream);
}

static void note_sync(struct state_dir *dir, GError *error)
{
	if (error) {
		error_prefix(&error, "putting state on the disk");
		if (!controller_is_failing(dir->controller))
			log_error("agent", "State is not on the disk: a power cut would lose it",
				  "error=%s", error->message);
		dir->is_dirty = true;
	}
	controller_end(dir->controller, error);
}

static void sync_done(uv_work_t *work, int status)
{
	struct sync *sync = work->data;

	if (sync->dir) {
		sync->dir->sync = NULL;
		note_sync(sync->dir, sync->error);
	}
	g_clear_error(&sync->error);
	g_free(sync->path);
	g_free(sync);
}

void state_dir_forget_sync(struct state_dir *dir)
{
	if (dir->sync)
		dir->sync->dir = NULL;
}

void state_dir_sync_soon(struct state_dir *dir, uv_loop_t *loop)
{
	struct sync *sync;
	DIR *stream;
	int fd;

	if (!dir->is_dirty || dir->sync)
		return;
	controller_begin(dir->controller);
	fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		g_autoptr(GError) error = NULL;

		error_set_errno(&error, errno, "%s", dir->path);
		if (fd >= 0)
			close(fd);
		note_sync(dir, error);
		return;
	}
	dir->is_dirty = false;
	sync = g_new0(struct sync, 1);
	sync->dir = dir;
	sync->path = g_strdup(dir->path);
	sync->stream = stream;
	sync->work.data = sync;
	dir->sync = sync;
	uv_queue_work(loop, &sync->work, sync_run, sync_done);
}

void state_dir_set_controller(struct state_dir *dir, struct controller *controller)
{
	dir->controller = controller;
}
