// SPDX-License-Identifier: Apache-2.0
#include "src/source/file_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/clock.h"
#include "src/source/big_file.h"
#include "src/source/stamp.h"
#include "src/wire/value.h"

/* So long a turn of the loop looks at files. */
#define SLICE_NS (5 * NSEC_PER_MSEC)
/* Parsing more than this takes longer than a slice. */
#define BIG_BYTES (128 * 1024)

/* How long a file that is changed in place must not have changed: its writer has closed it … */
#define QUIET_NS (20 * NSEC_PER_MSEC)
/* … and left it empty, as who opens it again to fill it; … */
#define EMPTY_NS (500 * NSEC_PER_MSEC)
/* … or nobody has told that it is closed. */
#define OPEN_NS (3 * NSEC_PER_SEC)
/* It is said that a file does not come to rest. */
#define RESTLESS_NS        (5 * NSEC_PER_SEC)
#define SETTLE_INTERVAL_MS 10

/* What is known of a file, to tell whether it has to be read again. */
struct entry {
	struct stamp stamp; /* as it was read */
	bool is_link;
	bool is_read;     /* content is of what was read last */
	bool has_content; /* something of it is in force; is_read may be false */
	bool is_seen;     /* by the scan under way */
	bool is_settling; /* it is waited for until it has not changed for a moment */
	struct content_stamp content;
	struct stamp settling; /* as it was seen last while it is waited for */
	int64_t settled_ns;    /* CLOCK_MONOTONIC: then, if that is still so */
	int64_t restless_ns;   /* CLOCK_MONOTONIC: since when it is waited for */
};

struct file_reader {
	uv_loop_t *loop;
	char *root;
	struct file_set *files;
	GHashTable *entries; /* name, as "a.yaml" or "sub/a.yaml", to entry */
	GHashTable *added;   /* name, owned, to whether it is closed: for the next run */
	GPtrArray *order;    /* the same, borrowed, in the order of adding */
	GHashTable *current; /* the same of the run under way */
	GPtrArray *current_order;
	unsigned int i_current;
	GHashTable *settling;     /* name, owned: of entries that are waited for */
	void (*done)(void *data); /* of the run under way; NULL: there is none */
	void (*wake)(void *data);
	void *data;
	struct big_file *big_file; /* it is waited for */
	char *big_name;
	bool is_now; /* nothing is put off */
	size_t n_bytes;
	uv_timer_t slice, settle;
	unsigned int n_handles; /* still open */
};

static GHashTable *names_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void stop_waiting(struct file_reader *reader, const char *name, struct entry *entry)
{
	entry->is_settling = false;
	entry->restless_ns = 0;
	g_hash_table_remove(reader->settling, name);
}

static void forget_file(struct file_reader *reader, const char *name)
{
	g_autofree char *path = g_build_filename(reader->root, name, NULL);
	const struct entry *entry = g_hash_table_lookup(reader->entries, name);

	if (entry)
		reader->n_bytes += entry->content.n_bytes;
	file_set_remove(reader->files, path);
	g_hash_table_remove(reader->settling, name);
	g_hash_table_remove(reader->entries, name);
}

static void put_unreadable(struct file_reader *reader, const char *name, struct entry *entry,
			   const char *reason)
{
	g_autofree char *path = g_build_filename(reader->root, name, NULL);

	entry->is_read = false;
	file_set_put_unreadable(reader->files, path, reason);
}

static void put_too_long(struct file_reader *reader, const char *name, struct entry *entry,
			 off_t n_bytes)
{
	g_autofree char *reason = g_strdup_printf(
		"has %" PRIdMAX " bytes, and a file may have %d: split it into several",
		(intmax_t)n_bytes, VALUE_MAX_BYTES);

	put_unreadable(reader, name, entry, reason);
}

static void note_content(struct file_reader *reader, struct entry *entry,
			 const struct content_stamp *content)
{
	/* What it said before is freed. */
	reader->n_bytes += content->n_bytes + entry->content.n_bytes;
	entry->is_read = entry->has_content = true;
	entry->content = *content;
}

static void read_content(struct file_reader *reader, int fd, const char *name, struct entry *entry)
{
	g_autofree char *path = g_build_filename(reader->root, name, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	struct content_stamp content;
	size_t n_bytes;
	bool is_known;

	if (atomic_file_read_fd(fd, path, VALUE_MAX_BYTES, &text, &n_bytes, &error) < 0) {
		put_unreadable(reader, name, entry, error->message);
		return;
	}
	content = content_stamp_of(text, n_bytes);
	is_known = entry->is_read && content_stamp_equal(&entry->content, &content);
	note_content(reader, entry, &content);
	if (!is_known)
		file_set_put(reader->files, path, text, n_bytes);
}

static void run_slice(struct file_reader *reader);
static void on_settle(uv_timer_t *timer);
static void on_slice(uv_timer_t *timer);

static void on_big_file(const struct big_file_result *result, void *data)
{
	struct file_reader *reader = data;
	g_autofree char *name = g_steal_pointer(&reader->big_name);
	g_autofree char *path = g_build_filename(reader->root, name, NULL);
	struct entry *entry = g_hash_table_lookup(reader->entries, name);

	reader->big_file = NULL;
	if (result->error) {
		put_unreadable(reader, name, entry, result->reason);
	} else {
		note_content(reader, entry, &result->content);
		if (!result->is_known)
			file_set_put_manifest(reader->files, path, result->take_manifest);
	}
	run_slice(reader);
}

static void read_file(struct file_reader *reader, int take_fd, const struct stat *status,
		      const char *name, struct entry *entry)
{
	g_autofree char *path = g_build_filename(reader->root, name, NULL);

	if (status->st_size > VALUE_MAX_BYTES) {
		put_too_long(reader, name, entry, status->st_size);
		close(take_fd);
		return;
	}
	if (reader->is_now || status->st_size <= BIG_BYTES) {
		read_content(reader, take_fd, name, entry);
		close(take_fd);
		return;
	}
	reader->big_name = g_strdup(name);
	reader->big_file =
		big_file_read(reader->loop, take_fd, path, entry->is_read ? &entry->content : NULL,
			      on_big_file, reader);
}

/* How long the file must not have changed before it is read. */
static int64_t time_to_settle_ns(const struct entry *entry, const struct stamp *stamp,
				 bool is_closed)
{
	if (!entry->has_content || entry->stamp.device != stamp->device ||
	    entry->stamp.inode != stamp->inode)
		return 0;
	if (!is_closed)
		return OPEN_NS;
	return stamp->n_bytes ? QUIET_NS : EMPTY_NS;
}

/* Whether it has settled, or need not. */
static bool settle(struct file_reader *reader, const char *name, struct entry *entry,
		   const struct stamp *stamp, bool is_closed)
{
	int64_t wait_ns = time_to_settle_ns(entry, stamp, is_closed);
	int64_t now_ns = clock_monotonic_ns();

	if (!wait_ns || reader->is_now)
		return true;
	if (!entry->is_settling) {
		entry->restless_ns = now_ns;
		g_hash_table_add(reader->settling, g_strdup(name));
	}
	if (!entry->is_settling || !stamp_equal(&entry->settling, stamp)) {
		entry->settled_ns = now_ns + wait_ns;
		entry->settling = *stamp;
	} else if (is_closed) {
		entry->settled_ns = MIN(entry->settled_ns, now_ns + wait_ns);
	}
	entry->is_settling = true;
	if (now_ns >= entry->settled_ns)
		return true;
	if (now_ns - entry->restless_ns > RESTLESS_NS && entry->is_read)
		put_unreadable(reader, name, entry,
			       "is rewritten again and again: what it said before stays in force; "
			       "write it beside and rename it");
	if (!uv_is_active((uv_handle_t *)&reader->settle))
		uv_timer_start(&reader->settle, on_settle, SETTLE_INTERVAL_MS, SETTLE_INTERVAL_MS);
	return false;
}

static struct entry *ensure_entry(struct file_reader *reader, const char *name)
{
	struct entry *entry = g_hash_table_lookup(reader->entries, name);

	if (!entry) {
		entry = g_new0(struct entry, 1);
		g_hash_table_insert(reader->entries, g_strdup(name), entry);
	}
	return entry;
}

/* A descriptor of a regular file, or −errno. Others are not opened: that alone does something to a device. */
static int open_regular(const char *path, struct stat *ret_status)
{
	int fd;

	if (stat(path, ret_status) < 0)
		return -errno;
	if (!S_ISREG(ret_status->st_mode))
		return -EINVAL;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, ret_status) < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	return fd;
}

static void check_file(struct file_reader *reader, const char *name, bool is_closed)
{
	g_autofree char *path = g_build_filename(reader->root, name, NULL);
	struct stat status, link_status;
	int fd = open_regular(path, &status);
	struct entry *entry;
	struct stamp stamp;

	if (fd == -ENOENT || lstat(path, &link_status) < 0) {
		forget_file(reader, name);
		goto out;
	}
	entry = ensure_entry(reader, name);
	entry->is_seen = true;
	entry->is_link = S_ISLNK(link_status.st_mode);
	if (fd < 0) {
		entry->stamp = (struct stamp){};
		put_unreadable(reader, name, entry,
			       fd == -EINVAL ? "is not a regular file" : g_strerror(-fd));
		return;
	}
	stamp = stamp_of(&status);
	if (!is_closed && stamp_equal(&entry->stamp, &stamp) && !entry->is_settling)
		goto out;
	if (!settle(reader, name, entry, &stamp, is_closed))
		goto out;
	stop_waiting(reader, name, entry);
	/* The stamp is from before the reading: a change meanwhile shows in the next one. */
	entry->stamp = stamp;
	read_file(reader, fd, &status, name, entry);
	return;
out:
	if (fd >= 0)
		close(fd);
}

static void end_run(struct file_reader *reader)
{
	g_ptr_array_set_size(reader->current_order, 0);
	g_hash_table_remove_all(reader->current);
	reader->i_current = 0;
}

static void run_slice(struct file_reader *reader)
{
	int64_t end_ns = clock_monotonic_ns() + SLICE_NS;
	void (*done)(void *data) = reader->done;

	while (reader->i_current < reader->current_order->len) {
		const char *name = g_ptr_array_index(reader->current_order, reader->i_current++);

		check_file(reader, name,
			   GPOINTER_TO_INT(g_hash_table_lookup(reader->current, name)));
		if (reader->big_file)
			return;
		if (!reader->is_now && clock_monotonic_ns() > end_ns) {
			uv_timer_start(&reader->slice, on_slice, 0, 0);
			return;
		}
	}
	end_run(reader);
	reader->done = NULL;
	if (done)
		done(reader->data);
}

static void on_slice(uv_timer_t *timer)
{
	run_slice(timer->data);
}

static void begin_run(struct file_reader *reader)
{
	GHashTable *names = reader->current;
	GPtrArray *order = reader->current_order;

	g_assert(!reader->done && !order->len);
	reader->current = reader->added;
	reader->current_order = reader->order;
	reader->added = names;
	reader->order = order;
}

void file_reader_run(struct file_reader *reader, void (*done)(void *data))
{
	begin_run(reader);
	reader->done = done;
	run_slice(reader);
}

void file_reader_run_now(struct file_reader *reader)
{
	begin_run(reader);
	reader->is_now = true;
	run_slice(reader);
	reader->is_now = false;
}

void file_reader_add(struct file_reader *reader, const char *name, bool is_closed)
{
	gpointer known_name, known_closed;
	char *copy;

	if (g_hash_table_lookup_extended(reader->added, name, &known_name, &known_closed)) {
		/* The key of the table stays the one that order has. */
		if (is_closed && !GPOINTER_TO_INT(known_closed))
			g_hash_table_insert(reader->added, g_strdup(name), GINT_TO_POINTER(true));
		return;
	}
	copy = g_strdup(name);
	g_hash_table_insert(reader->added, copy, GINT_TO_POINTER(is_closed));
	g_ptr_array_add(reader->order, copy);
}

void file_reader_add_unwatched(struct file_reader *reader)
{
	GHashTableIter iter;
	gpointer name, entry;

	g_hash_table_iter_init(&iter, reader->entries);
	while (g_hash_table_iter_next(&iter, &name, &entry))
		if (((struct entry *)entry)->is_link || !((struct entry *)entry)->is_read)
			file_reader_add(reader, name, false);
}

void file_reader_know(struct file_reader *reader, const char *name)
{
	ensure_entry(reader, name)->has_content = true;
}

bool file_reader_has_work(const struct file_reader *reader)
{
	return reader->order->len;
}

static void on_settle(uv_timer_t *timer)
{
	struct file_reader *reader = timer->data;
	int64_t now_ns = clock_monotonic_ns();
	bool is_due = false;
	GHashTableIter iter;
	gpointer name;

	g_hash_table_iter_init(&iter, reader->settling);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		const struct entry *entry = g_hash_table_lookup(reader->entries, name);

		if (now_ns < entry->settled_ns)
			continue;
		file_reader_add(reader, name, false);
		is_due = true;
	}
	if (!g_hash_table_size(reader->settling))
		uv_timer_stop(timer);
	if (is_due)
		reader->wake(reader->data);
}

void file_reader_begin_scan(struct file_reader *reader)
{
	GHashTableIter iter;
	gpointer entry;

	g_hash_table_iter_init(&iter, reader->entries);
	while (g_hash_table_iter_next(&iter, NULL, &entry))
		((struct entry *)entry)->is_seen = false;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void file_reader_end_scan(struct file_reader *reader)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	gpointer name, entry;

	g_hash_table_iter_init(&iter, reader->entries);
	while (g_hash_table_iter_next(&iter, &name, &entry))
		if (!((struct entry *)entry)->is_seen)
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	for (unsigned int i = 0; i < names->len; i++)
		forget_file(reader, g_ptr_array_index(names, i));
}

unsigned int file_reader_n_files(const struct file_reader *reader)
{
	return g_hash_table_size(reader->entries);
}

size_t file_reader_take_n_bytes(struct file_reader *reader)
{
	size_t n_bytes = reader->n_bytes;

	reader->n_bytes = 0;
	return n_bytes;
}

struct file_reader *file_reader_new(uv_loop_t *loop, const char *root, struct file_set *files,
				    void (*wake)(void *data), void *data)
{
	struct file_reader *reader = g_new0(struct file_reader, 1);

	reader->loop = loop;
	reader->root = g_strdup(root);
	reader->files = files;
	reader->wake = wake;
	reader->data = data;
	reader->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	reader->added = names_new();
	reader->current = names_new();
	reader->settling = names_new();
	reader->order = g_ptr_array_new();
	reader->current_order = g_ptr_array_new();
	uv_timer_init(loop, &reader->slice);
	uv_timer_init(loop, &reader->settle);
	reader->slice.data = reader->settle.data = reader;
	reader->n_handles = 2;
	return reader;
}

static void on_closed(uv_handle_t *handle)
{
	struct file_reader *reader = handle->data;

	if (--reader->n_handles > 0)
		return;
	g_hash_table_unref(reader->entries);
	g_hash_table_unref(reader->added);
	g_hash_table_unref(reader->current);
	g_hash_table_unref(reader->settling);
	g_ptr_array_unref(reader->order);
	g_ptr_array_unref(reader->current_order);
	g_free(reader->big_name);
	g_free(reader->root);
	g_free(reader);
}

void file_reader_free(struct file_reader *reader)
{
	if (!reader)
		return;
	big_file_cancel(g_steal_pointer(&reader->big_file));
	uv_close((uv_handle_t *)&reader->slice, on_closed);
	uv_close((uv_handle_t *)&reader->settle, on_closed);
}
