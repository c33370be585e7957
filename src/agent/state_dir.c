/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/state_dir_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/clock.h"
#include "src/base/trusted_dir.h"

#define MAX_FILE_BYTES (64 * 1024 * 1024)
#define LOCK_NAME      "lock"
#define CORRUPT_SUFFIX ".corrupt"
#define PROBE_NAME     "probe"
/* More than a file of an endpoint or an address takes. */
#define PROBE_BYTES 8192

struct state_dir *state_dir_new(const char *path, GError **error)
{
	struct state_dir *dir;
	int fd = trusted_dir_open(path, 0750, error);

	if (fd < 0) {
		error_prefix(error, "state directory");
		return NULL;
	}
	dir = g_new0(struct state_dir, 1);
	dir->path = g_strdup(path);
	dir->fd = fd;
	dir->lock_fd = -1;
	g_mutex_init(&dir->mutex);
	dir->unremoved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return dir;
}

bool state_dir_is_full(const GError *error)
{
	return error->code == ENOSPC || error->code == EDQUOT || error->code == EROFS;
}

void state_dir_free(struct state_dir *dir)
{
	if (!dir)
		return;
	state_dir_forget_sync(dir);
	if (dir->lock_fd >= 0)
		close(dir->lock_fd);
	close(dir->fd);
	g_hash_table_unref(dir->unremoved);
	g_mutex_clear(&dir->mutex);
	g_free(dir->failure);
	g_free(dir->path);
	g_free(dir);
}

static void write_lock(const struct state_dir *dir, const char *text)
{
	int fd = openat(dir->fd, LOCK_NAME, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

int state_dir_lock(struct state_dir *dir, GError **error)
{
	/* Not for writing: a file system can be made read-only while the agent runs. */
	int fd = openat(dir->fd, LOCK_NAME, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
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
		return error_set(
			error, EBUSY,
			"another agent (process %s) uses the state directory %s: stop it, or give "
			"this one a state-dir, lib-dir and socket-path of its own",
			n_bytes > 0 ? g_strchomp(pid) : "unknown", dir->path);
	}
	/* The lock counts; its holder's number only helps people, and does not fit on a full disk. */
	g_snprintf(pid, sizeof(pid), "%d\n", getpid());
	write_lock(dir, pid);
	dir->lock_fd = fd;
	return 0;
}

/* Whether name, below dir_fd, is what fd is open on. */
static bool is_same_file(int fd, int dir_fd, const char *name)
{
	struct stat open_one, named;

	return !fstat(fd, &open_one) && !fstatat(dir_fd, name, &named, 0) &&
	       open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static int ensure_lock(struct state_dir *dir, GError **error)
{
	int old_fd = dir->lock_fd;
	int err;

	if (old_fd < 0 || is_same_file(old_fd, dir->fd, LOCK_NAME))
		return 0;
	err = state_dir_lock(dir, error);
	if (!err)
		close(old_fd);
	return err;
}

int state_dir_ensure(struct state_dir *dir, GError **error)
{
	int fd;

	if (!is_same_file(dir->fd, AT_FDCWD, dir->path)) {
		fd = trusted_dir_open(dir->path, 0750, error);
		if (fd < 0)
			return fd;
		/* Under the same number: a helper thread may be about to use it. */
		dup3(fd, dir->fd, O_CLOEXEC);
		close(fd);
	}
	return ensure_lock(dir, error);
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
	/* A link or a file in the place of a folder leads nowhere. */
	if (fd < 0 && errno == ENOTDIR) {
		state_dir_set_aside(dir, folder);
		if (make && !mkdirat(dir->fd, folder, 0750))
			fd = openat(dir->fd, folder,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	}
	return fd < 0 ? -errno : fd;
}

/* The message of atomic_file.h names the file alone. */
static void prefix_directory(GError **error, const struct state_dir *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir->path, name, NULL);
	g_autofree char *directory = g_path_get_dirname(path);

	error_prefix(error, "%s", directory);
}

/* The folder of a file, where nothing else is in it. */
static void remove_folder(struct state_dir *dir, const char *name)
{
	const char *slash = strchr(name, '/');
	g_autofree char *folder = slash ? g_strndup(name, slash - name) : NULL;

	if (folder)
		(void)!unlinkat(dir->fd, folder, AT_REMOVEDIR);
}

/* Remembers how the last change went: failure is NULL where it went well. */
static void note_result(struct state_dir *dir, const char *failure)
{
	g_mutex_lock(&dir->mutex);
	if (failure && !dir->failure)
		dir->failing_since_ns = clock_boottime_ns();
	g_free(dir->failure);
	dir->failure = g_strdup(failure);
	g_mutex_unlock(&dir->mutex);
}

static int write_text(struct state_dir *dir, const char *name, const char *text, unsigned int flags,
		      GError **error)
{
	g_autoptr(GError) cause = NULL;
	const char *file;
	int fd = open_folder(dir, name, true, &file);
	int err = MIN(fd, 0);

	if (err) {
		atomic_file_set_error(&cause, -err, "making the folder of", name);
	} else {
		err = atomic_file_write(fd, file, text, strlen(text), flags, &cause);
		close(fd);
	}
	prefix_directory(&cause, dir, name);
	note_result(dir, cause ? cause->message : NULL);
	if (err) {
		remove_folder(dir, name);
		g_propagate_error(error, g_steal_pointer(&cause));
	}
	return err;
}

static int write_file(struct state_dir *dir, const char *name, json_t *object, unsigned int flags,
		      GError **error)
{
	g_autofree char *text = NULL;
	int err;

	json_object_set_new(object, "version", json_integer(STATE_DIR_VERSION));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	g_assert(text);
	err = write_text(dir, name, text, flags, error);
	g_mutex_lock(&dir->mutex);
	if (!err)
		g_hash_table_remove(dir->unremoved, name);
	g_mutex_unlock(&dir->mutex);
	return err;
}

int state_dir_write(struct state_dir *dir, const char *name, json_t *object, GError **error)
{
	struct stat info;

	/* Deleted under us: nothing can be written there any more, and nobody would find it. */
	if (!fstat(dir->fd, &info) && !info.st_nlink)
		(void)!state_dir_ensure(dir, NULL);
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
		return error_set(
			error, EPROTONOSUPPORT,
			"version %" JSON_INTEGER_FORMAT ", written by a newer agent; this one "
			"understands %d: start the newer one again, or remove the state with "
			"`cilium cleanup`",
			version, STATE_DIR_VERSION);
	return error_set(error, EBADMSG, "it has no version");
}

/* −EBADMSG for whatever is no file of ours. */
static int read_file(struct state_dir *dir, const char *name, json_t **ret_object, GError **error)
{
	g_autofree char *text = NULL;
	const char *file;
	size_t n_bytes;
	int fd = open_folder(dir, name, false, &file);
	int err;

	if (fd == -ENOTDIR)
		return error_set(error, EBADMSG, "%s/%s: its folder is none", dir->path, name);
	if (fd < 0)
		return error_set_errno(error, -fd, "reading %s/%s", dir->path, name);
	err = atomic_file_read(fd, file, MAX_FILE_BYTES, &text, &n_bytes, error);
	close(fd);
	if (!err)
		err = parse(text, n_bytes, ret_object, error);
	/* What is no regular file of ours, a link above all, is no better than one without sense. */
	else if (err == -ELOOP || err == -EINVAL || err == -EFBIG)
		err = -EBADMSG;
	if (err)
		error_prefix(error, "%s/%s", dir->path, name);
	return err;
}

bool state_dir_has(struct state_dir *dir, const char *name)
{
	struct stat info;

	return !fstatat(dir->fd, name, &info, AT_SYMLINK_NOFOLLOW);
}

int state_dir_read(struct state_dir *dir, const char *name, json_t **ret_object, GError **error)
{
	int err = read_file(dir, name, ret_object, error);

	if (err == -EBADMSG)
		state_dir_set_aside(dir, name);
	return err;
}

static int remove_file(struct state_dir *dir, const char *name, GError **error)
{
	const char *file;
	int fd = open_folder(dir, name, false, &file);
	int err;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return error_set_errno(error, -fd, "removing %s/%s", dir->path, name);
	err = atomic_file_remove(fd, file, 0, error);
	close(fd);
	if (err)
		prefix_directory(error, dir, name);
	else
		remove_folder(dir, name);
	return err;
}

int state_dir_remove(struct state_dir *dir, const char *name, GError **error)
{
	g_autoptr(GError) cause = NULL;
	int err = remove_file(dir, name, &cause);

	dir->is_dirty = true;
	if (!err)
		return 0;
	note_result(dir, cause->message);
	if (!atomic_file_is_disk_error(err)) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	g_mutex_lock(&dir->mutex);
	g_hash_table_add(dir->unremoved, g_strdup(name));
	g_mutex_unlock(&dir->mutex);
	return 0;
}

static void remove_unremoved(struct state_dir *dir)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	void *name;

	g_mutex_lock(&dir->mutex);
	g_hash_table_iter_init(&iter, dir->unremoved);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_ptr_array_add(names, g_strdup(name));
	g_hash_table_remove_all(dir->unremoved);
	g_mutex_unlock(&dir->mutex);
	/* What the disk still keeps comes into the table again. */
	for (unsigned int i = 0; i < names->len; i++)
		(void)!state_dir_remove(dir, names->pdata[i], NULL);
}

void state_dir_retry(struct state_dir *dir)
{
	g_autofree char *failure = state_dir_get_failure(dir, NULL);
	g_autofree char *blank = NULL;

	if (!failure)
		return;
	blank = g_strnfill(PROBE_BYTES, ' ');
	if (write_text(dir, PROBE_NAME, blank, 0, NULL))
		return;
	(void)!unlinkat(dir->fd, PROBE_NAME, 0);
	remove_unremoved(dir);
}

char *state_dir_get_failure(struct state_dir *dir, int64_t *ret_since_ns)
{
	char *failure;

	g_mutex_lock(&dir->mutex);
	failure = g_strdup(dir->failure);
	if (failure && ret_since_ns)
		*ret_since_ns = clock_realtime_of_ns(dir->failing_since_ns);
	g_mutex_unlock(&dir->mutex);
	return failure;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *state_dir_list(struct state_dir *dir, const char *folder)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	int fd = openat(dir->fd, folder ? folder : ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (entry->d_name[0] != '.' && !g_str_has_suffix(entry->d_name, CORRUPT_SUFFIX) &&
		    strcmp(entry->d_name, LOCK_NAME) != 0 && strcmp(entry->d_name, PROBE_NAME) != 0)
			g_ptr_array_add(names, g_strdup(entry->d_name));
	if (stream)
		closedir(stream);
	g_ptr_array_sort(names, compare_names);
	return names;
}

static void sweep_folder(int fd)
{
	DIR *stream = fdopendir(fd);
	const struct dirent *entry;

	if (!stream) {
		close(fd);
		return;
	}
	while ((entry = readdir(stream)))
		if (atomic_file_is_temporary(entry->d_name))
			(void)!unlinkat(fd, entry->d_name, 0);
	closedir(stream);
}

void state_dir_sweep(struct state_dir *dir)
{
	g_autoptr(GPtrArray) names = state_dir_list(dir, NULL);
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		sweep_folder(fd);
	for (unsigned int i = 0; i < names->len; i++) {
		fd = openat(dir->fd, names->pdata[i],
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		sweep_folder(fd);
		/* Does nothing where something is in it. */
		(void)!unlinkat(dir->fd, names->pdata[i], AT_REMOVEDIR);
	}
}

static int check_version(struct state_dir *dir, const char *name, GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = read_file(dir, name, &object, &cause);

	json_decref(object);
	if (err != -EPROTONOSUPPORT)
		return 0;
	g_propagate_error(error, g_steal_pointer(&cause));
	return err;
}

int state_dir_check_versions(struct state_dir *dir, GError **error)
{
	g_autoptr(GPtrArray) names = state_dir_list(dir, NULL);
	int err = 0;

	for (unsigned int i = 0; !err && i < names->len; i++) {
		g_autoptr(GPtrArray) files = state_dir_list(dir, names->pdata[i]);

		if (!files->len)
			err = check_version(dir, names->pdata[i], error);
		for (unsigned int j = 0; !err && j < files->len; j++) {
			g_autofree char *name = g_strdup_printf("%s/%s", (char *)names->pdata[i],
								(char *)files->pdata[j]);

			err = check_version(dir, name, error);
		}
	}
	return err;
}
