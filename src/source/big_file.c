// SPDX-License-Identifier: Apache-2.0
#include "src/source/big_file.h"

#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/clock.h"
#include "src/wire/value.h"

/* So long a turn of the loop decodes. */
#define SLICE_NS (5 * NSEC_PER_MSEC)
/* So long it waits for the next document of the thread: less than going round costs. */
#define LINGER_NS (50 * NSEC_PER_USEC)

struct big_file {
	uv_work_t work;
	uv_async_t async;
	int fd;
	char *path;
	bool has_known;
	struct content_stamp known;
	big_file_done done;
	void *data;
	bool is_async_closed, is_work_done;
	/* The loop's. */
	struct manifest_builder *builder;
	/* The thread's, and the loop's when it is done. */
	struct big_file_result result;
	GError *error;
	int parse_result;
	struct value_error parse_error;
	/* Both threads'. */
	uv_mutex_t mutex;
	uv_cond_t taken, offered;
	const struct value *document; /* NULL: the loop has decoded it */
	bool is_cancelled;
};

/* In the thread: waits until the loop has decoded the document. */
static bool offer(const struct value *document, void *data)
{
	struct big_file *big_file = data;
	bool goes_on;

	uv_mutex_lock(&big_file->mutex);
	big_file->document = document;
	uv_cond_signal(&big_file->offered);
	if (!big_file->is_cancelled)
		uv_async_send(&big_file->async);
	while (big_file->document && !big_file->is_cancelled)
		uv_cond_wait(&big_file->taken, &big_file->mutex);
	big_file->document = NULL;
	goes_on = !big_file->is_cancelled;
	uv_mutex_unlock(&big_file->mutex);
	return goes_on;
}

static void run(uv_work_t *work)
{
	struct big_file *big_file = work->data;
	g_autofree char *text = NULL;
	size_t n_bytes;

	big_file->result.error = atomic_file_read_fd(big_file->fd, big_file->path, VALUE_MAX_BYTES,
						     &text, &n_bytes, &big_file->error);
	if (big_file->result.error)
		return;
	big_file->result.content = content_stamp_of(text, n_bytes);
	big_file->result.is_known =
		big_file->has_known &&
		content_stamp_equal(&big_file->result.content, &big_file->known);
	if (!big_file->result.is_known)
		big_file->parse_result = manifest_parse_text(big_file->path, text, n_bytes, offer,
							     big_file, &big_file->parse_error);
}

/* The next document of the thread, which may be the one of the last turn. NULL: not yet. */
static const struct value *next_document(struct big_file *big_file)
{
	const struct value *document;

	uv_mutex_lock(&big_file->mutex);
	if (!big_file->document)
		uv_cond_timedwait(&big_file->offered, &big_file->mutex, LINGER_NS);
	document = big_file->document;
	uv_mutex_unlock(&big_file->mutex);
	return document;
}

static void give_back(struct big_file *big_file)
{
	uv_mutex_lock(&big_file->mutex);
	big_file->document = NULL;
	uv_cond_signal(&big_file->taken);
	uv_mutex_unlock(&big_file->mutex);
}

static void on_document(uv_async_t *async)
{
	struct big_file *big_file = async->data;
	int64_t deadline_ns = clock_monotonic_ns() + SLICE_NS;
	const struct value *document;

	while (clock_monotonic_ns() < deadline_ns && (document = next_document(big_file))) {
		if (!manifest_builder_add(big_file->builder, document, deadline_ns))
			break;
		give_back(big_file);
	}
	/* Nobody else tells of what is left. */
	if (next_document(big_file))
		uv_async_send(async);
}

static void free_when_closed(struct big_file *big_file)
{
	if (!big_file->is_async_closed || !big_file->is_work_done)
		return;
	uv_mutex_destroy(&big_file->mutex);
	uv_cond_destroy(&big_file->taken);
	uv_cond_destroy(&big_file->offered);
	g_clear_error(&big_file->error);
	g_free(big_file->parse_error.reason);
	g_free(big_file->path);
	close(big_file->fd);
	g_free(big_file);
}

static void on_async_closed(uv_handle_t *handle)
{
	struct big_file *big_file = handle->data;

	big_file->is_async_closed = true;
	free_when_closed(big_file);
}

/* NULL where nobody wants it. */
static struct manifest *take_manifest(struct big_file *big_file)
{
	struct big_file_result *result = &big_file->result;
	struct manifest *manifest = manifest_builder_end(
		big_file->builder, big_file->parse_result ? &big_file->parse_error : NULL);

	big_file->builder = NULL;
	if (!big_file->is_cancelled && !result->error && !result->is_known)
		return manifest;
	manifest_free(manifest);
	return NULL;
}

static void on_work_done(uv_work_t *work, int status)
{
	struct big_file *big_file = work->data;

	big_file->result.take_manifest = take_manifest(big_file);
	if (!big_file->is_cancelled) {
		big_file->result.reason = big_file->error ? big_file->error->message : NULL;
		uv_close((uv_handle_t *)&big_file->async, on_async_closed);
		big_file->done(&big_file->result, big_file->data);
	}
	big_file->is_work_done = true;
	free_when_closed(big_file);
}

struct big_file *big_file_read(uv_loop_t *loop, int fd, const char *path,
			       const struct content_stamp *known, big_file_done done, void *data)
{
	struct big_file *big_file = g_new0(struct big_file, 1);

	big_file->fd = fd;
	big_file->path = g_strdup(path);
	big_file->has_known = known;
	if (known)
		big_file->known = *known;
	big_file->done = done;
	big_file->data = data;
	big_file->builder = manifest_builder_new(path);
	uv_mutex_init(&big_file->mutex);
	uv_cond_init(&big_file->taken);
	uv_cond_init(&big_file->offered);
	uv_async_init(loop, &big_file->async, on_document);
	big_file->work.data = big_file->async.data = big_file;
	uv_queue_work(loop, &big_file->work, run, on_work_done);
	return big_file;
}

void big_file_cancel(struct big_file *big_file)
{
	if (!big_file)
		return;
	uv_mutex_lock(&big_file->mutex);
	big_file->is_cancelled = true;
	uv_cond_signal(&big_file->taken);
	uv_mutex_unlock(&big_file->mutex);
	uv_close((uv_handle_t *)&big_file->async, on_async_closed);
}
