/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/api_statistics.h"

#include <string.h>
#include "src/base/clock.h"

struct api_statistics {
	GPtrArray *entries; /* struct api_statistics_entry; a few dozen at most */
};

static void free_entry(void *data)
{
	struct api_statistics_entry *entry = data;

	g_free((char *)entry->path);
	g_free(entry);
}

struct api_statistics *api_statistics_new(void)
{
	struct api_statistics *statistics = g_new0(struct api_statistics, 1);

	statistics->entries = g_ptr_array_new_with_free_func(free_entry);
	return statistics;
}

void api_statistics_free(struct api_statistics *statistics)
{
	if (!statistics)
		return;
	g_ptr_array_unref(statistics->entries);
	g_free(statistics);
}

/* A text of the list of calls, so that whoever asks for nonsense makes no new series. */
static const char *known_method(const char *method)
{
	for (enum api_call call = 0; call < API_CALL__MAX; call++)
		if (!strcmp(api_call_info(call)->method, method))
			return api_call_info(call)->method;
	return "other";
}

/* "/v1/endpoint" of "/endpoint/{id}/healthz". Free with g_free. */
static char *short_path(enum api_call call)
{
	const char *path = call < API_CALL__MAX ? api_call_info(call)->path : "";
	const char *end = *path ? strchr(path + 1, '/') : NULL;

	return g_strdup_printf(API_BASE_PATH "%.*s", end ? (int)(end - path) : (int)strlen(path),
			       path);
}

static struct api_statistics_entry *ensure_entry(struct api_statistics *statistics,
						 enum api_call call, const char *method,
						 unsigned int status)
{
	g_autofree char *path = short_path(call);
	struct api_statistics_entry *entry;

	method = known_method(method);
	for (unsigned int i = 0; i < statistics->entries->len; i++) {
		entry = statistics->entries->pdata[i];
		if (entry->status == status && !strcmp(entry->method, method) &&
		    !strcmp(entry->path, path))
			return entry;
	}
	entry = g_new0(struct api_statistics_entry, 1);
	entry->path = g_steal_pointer(&path);
	entry->method = method;
	entry->status = status;
	g_ptr_array_add(statistics->entries, entry);
	return entry;
}

void api_statistics_add(struct api_statistics *statistics, enum api_call call, const char *method,
			unsigned int status, int64_t duration_ns)
{
	struct api_statistics_entry *entry = ensure_entry(statistics, call, method, status);

	histogram_add_ns(&entry->times, duration_ns);
	entry->last_ns = clock_realtime_ns();
}

void api_statistics_foreach(const struct api_statistics *statistics,
			    void (*fn)(const struct api_statistics_entry *entry, void *data),
			    void *data)
{
	for (unsigned int i = 0; i < statistics->entries->len; i++)
		fn(statistics->entries->pdata[i], data);
}
