// SPDX-License-Identifier: Apache-2.0
#include "src/source/directory.h"

#include <dirent.h>
#include <malloc.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/source/file_reader.h"
#include "src/source/restore.h"

/* How often what inotify cannot tell is looked at: mounts, and what lies behind symbolic links. */
#define CHECK_INTERVAL_MS 2000
/* Of events, one after another: far more than come while they are read. */
#define MAX_READS 64

#define CONTENT_EVENTS                                                                      \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define PARENT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

struct directory {
	struct store *store;
	const struct tables *tables;
	char *path;
	struct controller *controller; /* NULL: nobody asked */
	struct file_set *files;
	struct file_reader *reader;
	GPtrArray *goods; /* struct last_good, borrowed; NULL after the start */
	last_good_keep keep;
	void *keep_data;
	GHashTable *subdirs; /* inotify watch to name */
	int inotify_fd;
	int watch;          /* of the directory; −1: it is not there */
	int parent_watch;   /* of the nearest directory above it that is there */
	struct stat status; /* of the directory, where watch is not −1 */
	bool is_running;    /* between controller_begin() and _end(): files are read, in slices */
	bool is_scanning;   /* … of all files */
	bool is_there;      /* as the last scan saw it */
	bool must_scan;     /* something happened that a single file does not explain */
	char *trouble;      /* why the last scan did not see or watch everything; NULL: it did */
	int trouble_error;  /* positive errno of it */
	bool is_partial;    /* it did not see everything */
	uv_poll_t poll;
	uv_timer_t timer;
	uv_timer_t again;
	unsigned int n_handles; /* still open */
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool directory_is_manifest(const char *name)
{
	return name[0] != '.' &&
	       (g_str_has_suffix(name, ".yaml") || g_str_has_suffix(name, ".yml") ||
		g_str_has_suffix(name, ".json"));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first trouble of a scan is told; it is tried again until there is none. */
static void note_trouble(struct directory *directory, const char *what, const char *path, int err)
{
	if (directory->trouble)
		return;
	directory->trouble = g_strdup_printf("%s %s failed: %s", what, path, g_strerror(err));
	directory->trouble_error = err;
}

static int add_watch(struct directory *directory, const char *path, uint32_t events)
{
	int watch = inotify_add_watch(directory->inotify_fd, path, events);

	/* Other errors say that the path leads to no directory. */
	if (watch < 0 && (errno == ENOSPC || errno == ENOMEM))
		note_trouble(directory, "watching", path, errno);
	return watch;
}

static void watch_subdir(struct directory *directory, const char *path, const char *name)
{
	int watch = add_watch(directory, path, CONTENT_EVENTS | IN_DONT_FOLLOW);

	if (watch >= 0)
		g_hash_table_replace(directory->subdirs, GINT_TO_POINTER(watch), g_strdup(name));
}

/* The names in a directory, sorted. NULL: it is not there, or cannot be read, which is noted. */
static GPtrArray *list_names(struct directory *directory, const char *path)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	DIR *stream = opendir(path);
	const struct dirent *found;

	if (stream) {
		while ((errno = 0, found = readdir(stream)))
			if (found->d_name[0] != '.')
				g_ptr_array_add(names, g_strdup(found->d_name));
		closedir(stream);
	}
	if (errno) {
		if (errno != ENOENT && errno != ENOTDIR) {
			note_trouble(directory, "reading", path, errno);
			directory->is_partial = true;
		}
		return NULL;
	}
	g_ptr_array_sort(names, compare_names);
	return g_steal_pointer(&names);
}

/*
 * In the order of names, so that which of two files says an object first does not depend on the disk.
 * subdir: NULL for the directory itself. False where it is not there.
 */
static bool scan(struct directory *directory, const char *subdir)
{
	g_autofree char *path = g_build_filename(directory->path, subdir, NULL);
	g_autoptr(GPtrArray) names = list_names(directory, path);

	for (unsigned int i = 0; names && i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		g_autofree char *below =
			g_build_filename(subdir ? subdir : name, subdir ? name : NULL, NULL);
		g_autofree char *full = g_build_filename(path, name, NULL);
		struct stat status;

		if (lstat(full, &status) < 0)
			continue;
		if (S_ISDIR(status.st_mode) && !subdir) {
			/* Watched before it is read: what changes in between is an event. */
			watch_subdir(directory, full, name);
			scan(directory, name);
		} else if (directory_is_manifest(name)) {
			file_reader_add(directory->reader, below, false);
		}
	}
	return names || directory->is_partial;
}

static void drop_watches(struct directory *directory)
{
	GHashTableIter iter;
	gpointer watch;

	g_hash_table_iter_init(&iter, directory->subdirs);
	while (g_hash_table_iter_next(&iter, &watch, NULL))
		inotify_rm_watch(directory->inotify_fd, GPOINTER_TO_INT(watch));
	g_hash_table_remove_all(directory->subdirs);
	if (directory->watch >= 0)
		inotify_rm_watch(directory->inotify_fd, directory->watch);
	if (directory->parent_watch >= 0)
		inotify_rm_watch(directory->inotify_fd, directory->parent_watch);
	directory->watch = directory->parent_watch = -1;
}

/* What is watched is what the path leads to. */
static bool is_in_place(const struct directory *directory)
{
	struct stat status;

	return directory->watch >= 0 && directory->parent_watch >= 0 &&
	       stat(directory->path, &status) == 0 && is_same_file(&status, &directory->status);
}

/* Watches the directory, and above it where it would appear. */
static void arm(struct directory *directory)
{
	char *above = g_path_get_dirname(directory->path);

	drop_watches(directory);
	while ((directory->parent_watch = add_watch(directory, above, PARENT_EVENTS)) < 0 &&
	       strcmp(above, "/") != 0) {
		char *next = g_path_get_dirname(above);

		g_free(above);
		above = next;
	}
	g_free(above);
	directory->watch = add_watch(directory, directory->path, CONTENT_EVENTS);
	if (directory->watch >= 0 && stat(directory->path, &directory->status) < 0) {
		inotify_rm_watch(directory->inotify_fd, directory->watch);
		directory->watch = -1;
	}
}

/* Of the last scan, or since. */
static void end_run(struct directory *directory)
{
	g_autoptr(GError) error = NULL;

	if (directory->trouble)
		error_set(&error, directory->trouble_error, "%s", directory->trouble);
	else if (directory->watch < 0)
		error_set(&error, ENOENT, "%s is not there: make it, or set manifest-dir",
			  directory->path);
	controller_end(directory->controller, error);
}

/* Everything again; files whose times are the same will not be read. */
static void begin_scan(struct directory *directory)
{
	directory->must_scan = directory->is_partial = false;
	g_clear_pointer(&directory->trouble, g_free);
	if (!is_in_place(directory))
		arm(directory);
	file_reader_begin_scan(directory->reader);
	directory->is_there = scan(directory, NULL);
	directory->is_scanning = true;
}

static void end_scan(struct directory *directory)
{
	bool is_there = directory->is_there;

	directory->is_scanning = false;
	if (is_there && !directory->trouble)
		file_set_remove(directory->files, directory->path);
	else
		file_set_put_unreadable(directory->files, directory->path,
					is_there ? directory->trouble
						 : "is not there, or is no directory: make it, or "
						   "name another with manifest-dir");
	/* What was not seen need not be gone: a mount that is away must not open what policies close. */
	if (!directory->is_partial && is_there)
		file_reader_end_scan(directory->reader);
}

/* The kernel has dropped it: what it watched is gone. */
static void forget_watch(struct directory *directory, int watch)
{
	if (g_hash_table_remove(directory->subdirs, GINT_TO_POINTER(watch)))
		return;
	if (watch == directory->watch)
		directory->watch = -1;
	else if (watch == directory->parent_watch)
		directory->parent_watch = -1;
	else
		return;
	directory->must_scan = true;
}

static void on_event(struct directory *directory, const struct inotify_event *event)
{
	const char *subdir = g_hash_table_lookup(directory->subdirs, GINT_TO_POINTER(event->wd));
	g_autofree char *path = NULL;
	g_autofree char *name = NULL;
	struct stat status;

	if (event->mask & IN_Q_OVERFLOW) {
		directory->must_scan = true;
		return;
	}
	if (event->mask & IN_IGNORED) {
		forget_watch(directory, event->wd);
		return;
	}
	if (event->wd == directory->parent_watch)
		directory->must_scan |= !is_in_place(directory);
	if (!subdir && event->wd != directory->watch)
		return;
	if (!event->len || (event->mask & IN_ISDIR)) {
		/* The directory itself; or a directory in it, which for ..data is not hidden. */
		directory->must_scan |= !(event->mask & IN_ATTRIB);
		return;
	}
	if (event->name[0] == '.') {
		/* A ConfigMap is changed by moving the link ..data. */
		directory->must_scan |=
			(event->mask & IN_MOVED_TO) && g_str_has_prefix(event->name, "..");
		return;
	}
	if (!directory_is_manifest(event->name))
		return;
	name = g_build_filename(subdir ? subdir : event->name, subdir ? event->name : NULL, NULL);
	path = g_build_filename(directory->path, name, NULL);
	/* Just made, and its writer is at it: it counts when closed. A link is whole at once. */
	if ((event->mask & IN_CREATE) && lstat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_nlink == 1)
		return;
	/* A change of its mode says nothing of what its writer is at. */
	file_reader_add(directory->reader, name, !(event->mask & IN_ATTRIB));
}

/* So much text leaves so much free memory inside the heap that giving it back is worth the time. */
#define TRIM_BYTES (4 * 1024 * 1024)

static void commit(struct directory *directory)
{
	bool is_long = file_reader_take_n_bytes(directory->reader) > TRIM_BYTES;

	file_set_commit(directory->files);
	store_settle(directory->store);
	if (is_long)
		malloc_trim(0);
}

/*
 * All events first, and then each file once: whoever writes a file more often than it can be read must
 * not keep the loop here.
 */
static void read_events(struct directory *directory)
{
	_Alignas(struct inotify_event) char buffer[64 * 1024];

	for (unsigned int i = 0; i < MAX_READS; i++) {
		ssize_t n = read(directory->inotify_fd, buffer, sizeof(buffer));
		const struct inotify_event *event;

		if (n <= 0)
			break;
		for (char *p = buffer; p < buffer + n; p += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(void *)p;
			on_event(directory, event);
		}
	}
}

static void finish(struct directory *directory)
{
	if (directory->is_scanning)
		end_scan(directory);
	commit(directory);
	directory->is_running = false;
	end_run(directory);
}

static void begin(struct directory *directory)
{
	controller_begin(directory->controller);
	file_set_begin(directory->files);
	directory->is_running = true;
	if (directory->must_scan)
		begin_scan(directory);
}

static void on_run_done(void *data);
static void on_again(uv_timer_t *timer);

/* What comes while files are read is for the next run: whoever writes all the time must not keep one from ending. */
static void look(struct directory *directory)
{
	controller_begin(directory->controller); /* a sign of life of a run that takes long */
	if (directory->is_running)
		return;
	begin(directory);
	file_reader_run(directory->reader, on_run_done);
}

static void on_run_done(void *data)
{
	struct directory *directory = data;

	finish(directory);
	/* In a turn of its own: the loop has others to serve. */
	if (directory->must_scan || file_reader_has_work(directory->reader))
		uv_timer_start(&directory->again, on_again, 0, 0);
}

static void on_again(uv_timer_t *timer)
{
	look(timer->data);
}

static void on_settled(void *data)
{
	look(data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct directory *directory = poll->data;

	read_events(directory);
	look(directory);
}

static void on_timer(uv_timer_t *timer)
{
	struct directory *directory = timer->data;

	directory->must_scan |= !is_in_place(directory) || directory->trouble;
	if (is_in_place(directory))
		file_reader_add_unwatched(directory->reader);
	look(directory);
}

struct directory *directory_new(uv_loop_t *loop, struct store *store, const struct tables *tables,
				const char *path, file_set_problem problem, void *data,
				GError **error)
{
	struct directory *directory;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0) {
		error_set_errno(error, errno, "watching %s", path);
		return NULL;
	}
	directory = g_new0(struct directory, 1);
	directory->store = store;
	directory->tables = tables;
	directory->path = g_canonicalize_filename(path, NULL);
	directory->files = file_set_new(store, tables, problem, data);
	directory->reader =
		file_reader_new(loop, directory->path, directory->files, on_settled, directory);
	directory->subdirs = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	directory->inotify_fd = fd;
	directory->watch = directory->parent_watch = -1;
	uv_poll_init(loop, &directory->poll, fd);
	uv_timer_init(loop, &directory->timer);
	uv_timer_init(loop, &directory->again);
	directory->poll.data = directory->timer.data = directory->again.data = directory;
	directory->n_handles = 3;
	return directory;
}

void directory_set_controller(struct directory *directory, struct controller *controller)
{
	directory->controller = controller;
	controller_set_interval(controller, CHECK_INTERVAL_MS * NSEC_PER_MSEC);
}

void directory_set_keeper(struct directory *directory, GPtrArray *goods, last_good_keep keep,
			  void *data)
{
	directory->goods = goods;
	directory->keep = keep;
	directory->keep_data = data;
}

void directory_start(struct directory *directory)
{
	directory->must_scan = true;
	begin(directory);
	restore_last_good(directory->goods, directory->path, directory->files, directory->reader,
			  directory->keep, directory->keep_data);
	directory->goods = NULL;
	file_reader_run_now(directory->reader);
	table_set_synced(directory->tables->namespaces);
	table_set_synced(directory->tables->nodes);
	table_set_synced(directory->tables->pods);
	table_set_synced(directory->tables->policies);
	table_set_synced(directory->tables->cidr_groups);
	table_set_synced(directory->tables->services);
	table_set_synced(directory->tables->endpoint_slices);
	table_set_synced(directory->tables->local_redirects);
	table_set_synced(directory->tables->source_problems);
	/* Watches see tables that are synced and full at once. */
	finish(directory);
	uv_poll_start(&directory->poll, UV_READABLE, on_readable);
	uv_timer_start(&directory->timer, on_timer, CHECK_INTERVAL_MS, CHECK_INTERVAL_MS);
}

unsigned int directory_n_files(const struct directory *directory)
{
	return file_reader_n_files(directory->reader);
}

static void on_closed(uv_handle_t *handle)
{
	struct directory *directory = handle->data;

	if (--directory->n_handles > 0)
		return;
	close(directory->inotify_fd);
	g_hash_table_unref(directory->subdirs);
	g_free(directory->trouble);
	g_free(directory->path);
	g_free(directory);
}

void directory_free(struct directory *directory)
{
	if (!directory)
		return;
	/* Now, because the store may be gone when the loop runs. */
	file_reader_free(g_steal_pointer(&directory->reader));
	file_set_free(g_steal_pointer(&directory->files));
	uv_close((uv_handle_t *)&directory->again, on_closed);
	uv_close((uv_handle_t *)&directory->poll, on_closed);
	uv_close((uv_handle_t *)&directory->timer, on_closed);
}
