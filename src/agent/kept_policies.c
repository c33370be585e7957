/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/kept_policies.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/base/log.h"

/* Changes within so long are written once. */
#define DELAY_MS 100
/* So long a turn of the loop writes. */
#define SLICE_NS (2 * NSEC_PER_MSEC)
/* Of the digest that names a file. */
#define NAME_DIGITS 40

struct kept_policies {
	uv_loop_t *loop;
	struct state_dir *dir;
	struct controller *controller;
	GPtrArray *goods;    /* struct last_good, as they were read */
	GHashTable *pending; /* name of a file to its json_t; to NULL where it is to go */
	uv_timer_t timer;
};

static void unref_json(void *object)
{
	json_decref(object);
}

static int compare_goods(const void *a, const void *b)
{
	const struct last_good *x = *(const struct last_good *const *)a;
	const struct last_good *y = *(const struct last_good *const *)b;
	int order = strcmp(x->file, y->file);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* NULL where it makes no sense. */
static struct last_good *decode(const json_t *object)
{
	const char *file = json_string_value(json_object_get(object, "file"));
	const char *text = json_string_value(json_object_get(object, "text"));
	json_int_t line = json_integer_value(json_object_get(object, "line"));
	json_t *inner = text ? json_loads(text, 0, NULL) : NULL;
	bool is_object = json_is_object(inner);

	json_decref(inner);
	if (!file || !is_object || line < 1 || line > VALUE_MAX_BYTES)
		return NULL;
	return last_good_new(file, line, text);
}

static int read_one(struct kept_policies *kept, const char *name, GPtrArray *problems,
		    GError **error)
{
	g_autoptr(GError) cause = NULL;
	json_t *object = NULL;
	int err = state_dir_read(kept->dir, name, &object, &cause);
	struct last_good *good = err ? NULL : decode(object);

	json_decref(object);
	if (good) {
		g_ptr_array_add(kept->goods, good);
	} else if (!err) {
		state_dir_set_aside(kept->dir, name);
		g_ptr_array_add(problems, g_strdup_printf("%s: no policy is in it", name));
	} else if (err == -EBADMSG) {
		g_ptr_array_add(problems, g_strdup(cause->message));
	} else if (err != -ENOENT) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return err;
	}
	return 0;
}

static int read_all(struct kept_policies *kept, GPtrArray *problems, GError **error)
{
	g_autoptr(GPtrArray) names = NULL;
	int err = 0;

	state_dir_sweep(kept->dir);
	names = state_dir_list(kept->dir, NULL);
	for (unsigned int i = 0; !err && i < names->len; i++)
		err = read_one(kept, names->pdata[i], problems, error);
	g_ptr_array_sort(kept->goods, compare_goods);
	return err;
}

struct kept_policies *kept_policies_new(uv_loop_t *loop, const char *path,
					struct controllers *controllers, GPtrArray *problems,
					GError **error)
{
	struct state_dir *dir = state_dir_new(path, error);
	struct kept_policies *kept;

	if (!dir)
		return NULL;
	kept = g_new0(struct kept_policies, 1);
	kept->loop = loop;
	kept->dir = dir;
	kept->controller = controller_new(controllers, "kept-policies", "state", 0);
	kept->goods = g_ptr_array_new_with_free_func((GDestroyNotify)last_good_free);
	kept->pending = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_json);
	uv_timer_init(loop, &kept->timer);
	kept->timer.data = kept;
	if (read_all(kept, problems, error)) {
		kept_policies_free(kept);
		return NULL;
	}
	return kept;
}

GPtrArray *kept_policies_take(struct kept_policies *kept)
{
	return g_steal_pointer(&kept->goods);
}

/* False: it is tried again. */
static bool write_one(struct kept_policies *kept, const char *name, json_t *object, GError **error)
{
	if (!object)
		return !state_dir_remove(kept->dir, name, error);
	return !state_dir_write(kept->dir, name, json_incref(object), error);
}

static void tell(struct kept_policies *kept, const GError *error)
{
	if (error && !controller_is_failing(kept->controller))
		log_warning("agent", "A policy cannot be kept for the next agent, will try again",
			    "error=%s hint=%s", error->message,
			    "until lib-dir can be written, do not restart the agent while a "
			    "policy is refused");
	controller_end(kept->controller, error);
}

/* Until deadline_ns (CLOCK_MONOTONIC), or the disk refuses one. True: nothing is left that could be written now. */
static bool write_pending(struct kept_policies *kept, int64_t deadline_ns)
{
	g_autoptr(GError) error = NULL;
	GHashTableIter iter;
	void *name, *object;
	bool is_late = false;

	controller_begin(kept->controller);
	g_hash_table_iter_init(&iter, kept->pending);
	while (!is_late && !error && g_hash_table_iter_next(&iter, &name, &object)) {
		if (write_one(kept, name, object, &error))
			g_hash_table_iter_remove(&iter);
		is_late = clock_monotonic_ns() > deadline_ns;
	}
	tell(kept, error);
	return error || !g_hash_table_size(kept->pending);
}

static void on_timer(uv_timer_t *timer)
{
	struct kept_policies *kept = timer->data;

	if (write_pending(kept, clock_monotonic_ns() + SLICE_NS))
		state_dir_sync_soon(kept->dir, kept->loop);
	else
		uv_timer_start(timer, on_timer, 1, 0);
}

void kept_policies_note(const char *file, const struct object_kind *kind, const char *key,
			unsigned int line, const char *text, void *data)
{
	struct kept_policies *kept = data;
	g_autofree char *what = g_strdup_printf("%s\n%s\n%s", file, kind->kind, key);
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what, -1);
	json_t *object = NULL;

	/* A path that is no UTF-8 is none that JSON could tell: pack fails, and nothing is kept. */
	if (text)
		object = json_pack("{s:s, s:I, s:s}", "file", file, "line", (json_int_t)line,
				   "text", text);
	g_hash_table_replace(kept->pending, g_strdup_printf("%.*s.json", NAME_DIGITS, digest),
			     object);
	if (!uv_is_active((uv_handle_t *)&kept->timer))
		uv_timer_start(&kept->timer, on_timer, DELAY_MS, 0);
}

void kept_policies_run(struct kept_policies *kept)
{
	if (!kept)
		return;
	/* Where somebody has deleted it. */
	(void)!state_dir_ensure(kept->dir, NULL);
	state_dir_retry(kept->dir);
	if (uv_is_active((uv_handle_t *)&kept->timer))
		return;
	if (g_hash_table_size(kept->pending))
		on_timer(&kept->timer);
	else
		state_dir_sync_soon(kept->dir, kept->loop);
}

static void on_closed(uv_handle_t *handle)
{
	g_free(handle->data);
}

void kept_policies_free(struct kept_policies *kept)
{
	if (!kept)
		return;
	(void)write_pending(kept, INT64_MAX);
	if (kept->goods)
		g_ptr_array_unref(kept->goods);
	g_hash_table_unref(kept->pending);
	state_dir_free(kept->dir);
	uv_close((uv_handle_t *)&kept->timer, on_closed);
}
