/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_log.h"

#include <string.h>
#include <glib.h>

struct endpoint_log {
	GHashTable *rings; /* endpoint id to struct ring */
};

/* GQueue: the newest at the head. */
static void free_entry(void *data)
{
	struct endpoint_log_entry *entry = data;

	g_free((char *)entry->message);
	g_free(entry);
}

static void free_ring(void *ring)
{
	g_queue_free_full(ring, free_entry);
}

struct endpoint_log *endpoint_log_new(void)
{
	struct endpoint_log *log = g_new0(struct endpoint_log, 1);

	log->rings = g_hash_table_new_full(NULL, NULL, NULL, free_ring);
	return log;
}

void endpoint_log_free(struct endpoint_log *log)
{
	if (!log)
		return;
	g_hash_table_unref(log->rings);
	g_free(log);
}

/* The cut leaves whole characters. */
static char *copy_message(const char *message)
{
	g_autofree char *cut = NULL;
	const char *end;

	if (strlen(message) < ENDPOINT_LOG_MESSAGE_BYTES)
		return g_strdup(message);
	cut = g_strndup(message, ENDPOINT_LOG_MESSAGE_BYTES - sizeof("…"));
	(void)g_utf8_validate(cut, -1, &end);
	return g_strdup_printf("%.*s…", (int)(end - cut), cut);
}

void endpoint_log_add(struct endpoint_log *log, uint16_t id, const struct endpoint_log_entry *entry)
{
	GQueue *ring = g_hash_table_lookup(log->rings, GUINT_TO_POINTER(id));
	struct endpoint_log_entry *copy = g_new(struct endpoint_log_entry, 1);

	if (!ring) {
		ring = g_queue_new();
		g_hash_table_insert(log->rings, GUINT_TO_POINTER(id), ring);
	}
	if (g_queue_get_length(ring) == ENDPOINT_LOG_MAX)
		free_entry(g_queue_pop_tail(ring));
	*copy = *entry;
	copy->message = copy_message(entry->message);
	g_queue_push_head(ring, copy);
}

void endpoint_log_remove(struct endpoint_log *log, uint16_t id)
{
	g_hash_table_remove(log->rings, GUINT_TO_POINTER(id));
}

void endpoint_log_foreach(const struct endpoint_log *log, uint16_t id,
			  bool (*fn)(const struct endpoint_log_entry *entry, void *data),
			  void *data)
{
	const GQueue *ring = g_hash_table_lookup(log->rings, GUINT_TO_POINTER(id));

	for (const GList *item = ring ? ring->head : NULL; item; item = item->next)
		if (!fn(item->data, data))
			return;
}
