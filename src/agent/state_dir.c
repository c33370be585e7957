/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/state_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/log.h"

#define MAX_FILE_BYTES (64 * 1024 * 1024)
#define LOCK_NAME      "lock"
#define CORRUPT_SUFFIX ".corrupt"

/* Its own descriptor and path: the directory may be closed while a helper thread is at it. */
struct sync {
	uv_work_t work;
	struct state_dir *dir; /* NULL: closed meanwhile; for the loop's thread alone */
	char *path;
	DIR *stream;
	GError *error;
};

struct state_dir {
	char *path;
	bool is_dirty;                 /* written since the last sync */
	struct sync *sync;             /* under way; NULL: none */
	struct controller *controller; /* of it; NULL: nobody asked */
	int fd;
	int lock_fd; /* −1: not locked */
};

struct state_dir *state_dir_new(const char *path, GError **error)
{
	struct state_dir *dir;
	int fd = -1;

	if (g_mkdir_with_parents(path, 0750) == 0)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error_set_errno(error, errno, "state directory %s", path);
		return NULL;
	}
	dir = g_new0(struct state_dir, 1);
	dir->path = g_strdup(path);
	dir->fd = fd;
	dir->lock_fd = -1;
	return dir;
}

void state_dir_free(struct state_dir *dir)
{
	if (!dir)
		return;
	if (dir->sync)
		dir->sync->dir = NULL;
	if (dir->lock_fd >= 0)
		close(dir->lock_fd);
	close(dir->fd);
	g_free(dir->path);
	g_free(dir);
}

int state_dir_lock(struct state_dir *dir, GError **error)
{
	int fd = openat(dir->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char pid[32] = "";
	ssize_t n_bytes;

	if (fd < 0)
		return error_set_errno(error, errno, "%s/" LOCK_NAME, dir->path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int err = errno;

		n_bytes = read(fd, pid, sizeof(pid) - 1);
		close(fd);
		if (err != EWOULDBLOCK)
			return error_set_errno(error, err, "%s/" LOCK_NAME, dir->path);
		return error_set(error, EBUSY,
				 "another agent (process %s) uses the state directory %s",
				 n_bytes > 0 ? g_strchomp(pid) : "unknown", dir->path);
	}
	g_snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, pid, strlen(pid)) < 0) {
		int err = errno;

		close(fd);
		return error_set_errno(error, err, "%s/" LOCK_NAME, dir->path);
	}
	dir->lock_fd = fd;
	return 0;
}

/*
 * Splits "folder/file" and opens the folder, made where make is set. Returns a descriptor to close, or
 * −errno; *ret_file points into name.
 */
static int open_folder(struct state_dir *dir, const char *name, bool make, const char **ret_file)
{
	const char *slash = strchr(name, '/');
	g_autofree char *folder = NULL;
	int fd;

	*ret_file = slash ? slash + 1 : name;
	folder = slash ? g_strndup(name, slash - name) : g_strdup(".");
	if (make && slash && mkdirat(dir->fd, folder, 0750) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int write_file(struct state_dir *dir, const char *name, json_t *object, unsigned int flags,
		      GError **error)
{
	g_autofree char *text = NULL;
	const char *file;
	int fd, err;

	json_object_set_new(object, "version", json_integer(STATE_DIR_VERSION));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	g_assert(text);
	fd = open_folder(dir, name, true, &file);
	if (fd < 0)
		return error_set_errno(error, -fd, "writing %s/%s", dir->path, name);
	err = atomic_file_write(fd, file, text, strlen(text), flags, error);
	close(fd);
	if (err)
		error_prefix(error, "%s", dir->path);
	return err;
}

int state_dir_write(struct state_dir *dir, const char *name, json_t *object, GError **error)
{
	dir->is_dirty = true;
	return write_file(dir, name, object, 0, error);
}

int state_dir_write_through(struct state_dir *dir, const char *name, json_t *object, GError **error)
{
	return write_file(dir, name, object, ATOMIC_FILE_SYNC, error);
}

void state_dir_set_aside(struct state_dir *dir, const char *name)
{
	g_autofree char *aside = g_strconcat(name, CORRUPT_SUFFIX, NULL);

	/* Where even that fails, the next start finds the file again and says so again. */
	(void)!renameat(dir->fd, name, dir->fd, aside);
}

/* Decodes, and checks the version. */
static int parse(const char *text, size_t n_bytes, json_t **ret_object, GError **error)
{
	json_error_t cause;
	json_t *object = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &cause);
	json_int_t version;

	if (!object)
		return error_set(error, EBADMSG, "line %d: %s", cause.line, cause.text);
	version = json_integer_value(json_object_get(object, "version"));
	if (version == STATE_DIR_VERSION) {
		*ret_object = object;
		return 0;
	}
	json_decref(object);
	if (version > STATE_DIR_VERSION)
		return error_set(error, EPROTONOSUPPORT,
				 "version %" JSON_INTEGER_FORMAT ", written by a newer agent; this "
				 "one understands %d",
				 version, STATE_DIR_VERSION);
	return error_set(error, EBADMSG, "it has no version");
}

int state_dir_read(struct state_dir *dir, const char *name, json_t **ret_object, GError **error)
{
	g_autofree char *text = NULL;
	const char *file;
	size_t n_bytes;
	int fd = open_folder(dir, name, false, &file);
	int err;

	if (fd < 0)
		return error_set_errno(error, -fd, "reading %s/%s", dir->path, name);
	err = atomic_file_read(fd, file, MAX_FILE_BYTES, &text, &n_bytes, error);
	close(fd);
	if (!err)
		err = parse(text, n_bytes, ret_object, error);
	if (err)
		error_prefix(error, "%s/%s", dir->path, name);
	if (err == -EBADMSG)
		state_dir_set_aside(dir, name);
	return err;
}

int state_dir_remove(struct state_dir *dir, const char *name, GError **error)
{
	const char *slash = strchr(name, '/');
	const char *file;
	int fd = open_folder(dir, name, false, &file);
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return error_set_errno(error, -fd, "removing %s/%s", dir->path, name);
	err = atomic_file_remove(fd, file, 0, error);
	close(fd);
	dir->is_dirty = true;
	if (!err && slash) {
		g_autofree char *folder = g_strndup(name, slash - name);

		/* It stays where something else is in it. */
		(void)!unlinkat(dir->fd, folder, AT_REMOVEDIR);
	}
	return err;
}

/* Of regular files; the first failure is the one that is told. */
static void sync_file(struct sync *sync, const char *name)
{
	int fd = openat(dirfd(sync->stream), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	/* Replaced meanwhile: then it is written anew, and the next sync sees it. */
	if (fd < 0)
		return;
	if (fdatasync(fd) < 0 && !sync->error)
		error_set_errno(&sync->error, errno, "%s/%s", sync->path, name);
	close(fd);
}

static void sync_run(uv_work_t *work)
{
	struct sync *sync = work->data;
	const struct dirent *entry;

	while ((entry = readdir(sync->stream)))
		if (entry->d_type == DT_REG)
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

void state_dir_sync_soon(struct state_dir *dir, uv_loop_t *loop)
{
	struct sync *sync;
	DIR *stream;

	if (!dir->is_dirty || dir->sync)
		return;
	controller_begin(dir->controller);
	stream = opendir(dir->path);
	if (!stream) {
		g_autoptr(GError) error = NULL;

		error_set_errno(&error, errno, "%s", dir->path);
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

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *state_dir_list(struct state_dir *dir, const char *folder)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	int fd = openat(dir->fd, folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (entry->d_name[0] != '.' && !g_str_has_suffix(entry->d_name, CORRUPT_SUFFIX) &&
		    strcmp(entry->d_name, LOCK_NAME) != 0)
			g_ptr_array_add(names, g_strdup(entry->d_name));
	if (stream)
		closedir(stream);
	g_ptr_array_sort(names, compare_names);
	return names;
}
