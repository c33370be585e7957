// SPDX-License-Identifier: Apache-2.0
#include "src/source/masquerade_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/clock.h"
#include "src/model/masquerade_range.h"
#include "src/source/masquerade_config.h"

/* How often what inotify cannot tell is looked at: mounts, and what lies behind symbolic links. */
#define CHECK_INTERVAL_MS 2000
#define MAX_BYTES         (1024 * 1024)
#define FOLDER_EVENTS     (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

struct masquerade_file {
	struct store *store;
	const struct tables *tables;
	char *path;
	struct controller *controller; /* NULL: nobody asked */
	file_set_problem problem;
	void *data;
	int inotify_fd; /* −1: the timer alone finds what changes */
	int watch;      /* of the folder; −1: it is not there */
	bool is_polled;
	char *text;            /* as read last; NULL: not yet, or it could not be read */
	struct stat last_seen; /* by the timer; zero: it was not there */
	struct stat last_read;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned int n_handles; /* still open */
};

static bool collect_cidr(const struct row *row, void *data)
{
	g_array_append_val(data, ((const struct masquerade_range *)row)->cidr);
	return true;
}

static bool contains(const GArray *cidrs, const struct cidr *cidr)
{
	for (unsigned int i = 0; i < cidrs->len; i++)
		if (cidr_equal(&g_array_index(cidrs, struct cidr, i), cidr))
			return true;
	return false;
}

static void put_ranges(const struct tables *tables, struct txn *txn, const GArray *wanted)
{
	g_autoptr(GArray) old = g_array_new(false, false, sizeof(struct cidr));

	table_foreach (tables->masquerade_ranges, collect_cidr, old)
		;
	for (unsigned int i = 0; i < old->len; i++) {
		const struct cidr *cidr = &g_array_index(old, struct cidr, i);

		if (!contains(wanted, cidr))
			txn_remove(txn, tables->masquerade_ranges, cidr, CIDR_KEY_BYTES);
	}
	for (unsigned int i = 0; i < wanted->len; i++) {
		struct masquerade_range *range =
			(struct masquerade_range *)row_new(&masquerade_range_class);

		range->cidr = g_array_index(wanted, struct cidr, i);
		txn_put(txn, tables->masquerade_ranges, &range->row);
	}
}

struct problem_search {
	const char *path;
	GPtrArray *keys;
};

static bool collect_problem(const struct row *row, void *data)
{
	const struct source_problem *problem = (const struct source_problem *)row;
	struct problem_search *search = data;

	if (!strcmp(problem->file, search->path))
		g_ptr_array_add(search->keys, g_strdup(problem->key));
	return true;
}

/* Takes the place of what was said of the file before. */
static void put_problems(const struct tables *tables, struct txn *txn, const char *path,
			 const GPtrArray *problems)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	struct problem_search search = {path, keys};

	table_foreach (tables->source_problems, collect_problem, &search)
		;
	for (unsigned int i = 0; i < keys->len; i++)
		txn_remove(txn, tables->source_problems, keys->pdata[i], strlen(keys->pdata[i]));
	for (unsigned int i = 0; i < problems->len; i++)
		txn_put(txn, tables->source_problems, row_ref(problems->pdata[i]));
}

static void unref_row(void *row)
{
	row_unref(row);
}

static GPtrArray *apply(struct store *store, const struct tables *tables, const char *path,
			const char *text, size_t n_bytes)
{
	GPtrArray *problems = g_ptr_array_new_with_free_func(unref_row);
	g_autoptr(GArray) ranges = masquerade_config_parse(path, text, n_bytes, problems);
	struct txn *txn = txn_new(store);

	if (ranges)
		put_ranges(tables, txn, ranges);
	put_problems(tables, txn, path, problems);
	txn_commit(txn);
	return problems;
}

void masquerade_file_apply(struct store *store, const struct tables *tables, const char *path,
			   const char *text, size_t n_bytes)
{
	g_ptr_array_unref(apply(store, tables, path, text, n_bytes));
}

static void report(const struct masquerade_file *file, const GPtrArray *problems)
{
	for (unsigned int i = 0; i < problems->len; i++)
		file->problem(problems->pdata[i], file->data);
}

static void report_unreadable(struct masquerade_file *file, const char *reason)
{
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(unref_row);
	struct source_problem *problem = manifest_problem_new(file->path, 0, NULL, NULL, reason);
	bool is_known =
		table_get(file->tables->source_problems, problem->key, strlen(problem->key));
	struct txn *txn = txn_new(file->store);

	g_clear_pointer(&file->text, g_free);
	g_ptr_array_add(problems, problem);
	put_problems(file->tables, txn, file->path, problems);
	txn_commit(txn);
	if (!is_known)
		report(file, problems);
}

/* 0 with an empty text where there is no file. */
static int read_text(struct masquerade_file *file, char **ret_text, size_t *ret_n_bytes,
		     GError **error)
{
	int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int err;

	file->last_read = (struct stat){0};
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		*ret_text = g_strdup("");
		*ret_n_bytes = 0;
		return 0;
	}
	if (fd < 0)
		return error_set_errno(error, errno, "opening it");
	/* From before the reading: a change meanwhile shows in the next look. */
	(void)!fstat(fd, &file->last_read);
	err = atomic_file_read_fd(fd, file->path, MAX_BYTES, ret_text, ret_n_bytes, error);
	close(fd);
	return err;
}

static void read_file(struct masquerade_file *file)
{
	g_autoptr(GPtrArray) problems = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	size_t n_bytes;

	controller_begin(file->controller);
	if (read_text(file, &text, &n_bytes, &error)) {
		report_unreadable(file, error->message);
		error_prefix(&error, "%s", file->path);
	} else if (g_strcmp0(text, file->text) != 0) {
		problems = apply(file->store, file->tables, file->path, text, n_bytes);
		report(file, problems);
		g_free(file->text);
		file->text = g_steal_pointer(&text);
	}
	store_settle(file->store);
	controller_end(file->controller, error);
}

/* The watch of a folder that was replaced is gone, or of no use: adding it anew is cheap. */
static void watch_folder(struct masquerade_file *file)
{
	g_autofree char *folder = g_path_get_dirname(file->path);
	int watch = inotify_add_watch(file->inotify_fd, folder, FOLDER_EVENTS);

	if (file->watch >= 0 && file->watch != watch)
		inotify_rm_watch(file->inotify_fd, file->watch);
	file->watch = watch;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct masquerade_file *file = poll->data;
	_Alignas(struct inotify_event) char buffer[4096];

	/* Which file it was does not matter: reading an unchanged one changes nothing. */
	while (read(file->inotify_fd, buffer, sizeof(buffer)) > 0)
		continue;
	read_file(file);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What changed since it was read, and not since the last look, has no writer at it any more. */
static void on_timer(uv_timer_t *timer)
{
	struct masquerade_file *file = timer->data;
	struct stat status = {0};
	bool is_at_rest;

	controller_begin(file->controller);
	watch_folder(file);
	if (stat(file->path, &status) < 0)
		status = (struct stat){0};
	is_at_rest = is_same(&status, &file->last_seen);
	file->last_seen = status;
	if (!file->text || (is_at_rest && !is_same(&status, &file->last_read)))
		read_file(file);
	else
		controller_end(file->controller, NULL);
}

struct masquerade_file *masquerade_file_new(uv_loop_t *loop, struct store *store,
					    const struct tables *tables, const char *path,
					    file_set_problem problem, void *data)
{
	struct masquerade_file *file = g_new0(struct masquerade_file, 1);

	file->store = store;
	file->tables = tables;
	file->path = g_canonicalize_filename(path, NULL);
	file->problem = problem;
	file->data = data;
	file->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	file->watch = -1;
	uv_timer_init(loop, &file->timer);
	file->timer.data = file;
	file->n_handles = 1;
	file->is_polled =
		file->inotify_fd >= 0 && uv_poll_init(loop, &file->poll, file->inotify_fd) == 0;
	if (file->is_polled) {
		file->poll.data = file;
		file->n_handles++;
	}
	return file;
}

void masquerade_file_set_controller(struct masquerade_file *file, struct controller *controller)
{
	file->controller = controller;
	controller_set_interval(controller, CHECK_INTERVAL_MS * NSEC_PER_MSEC);
}

void masquerade_file_start(struct masquerade_file *file)
{
	/* Watched before it is read: what changes in between is an event. */
	watch_folder(file);
	read_file(file);
	if (file->is_polled)
		uv_poll_start(&file->poll, UV_READABLE, on_readable);
	uv_timer_start(&file->timer, on_timer, CHECK_INTERVAL_MS, CHECK_INTERVAL_MS);
}

static void on_closed(uv_handle_t *handle)
{
	struct masquerade_file *file = handle->data;

	if (--file->n_handles > 0)
		return;
	if (file->inotify_fd >= 0)
		close(file->inotify_fd);
	g_free(file->path);
	g_free(file->text);
	g_free(file);
}

void masquerade_file_free(struct masquerade_file *file)
{
	if (!file)
		return;
	if (file->is_polled)
		uv_close((uv_handle_t *)&file->poll, on_closed);
	uv_close((uv_handle_t *)&file->timer, on_closed);
}
