/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include <glib.h>

static void add(struct endpoint_log *log, uint16_t id, const char *message)
{
	endpoint_log_add(log, id,
			 &(const struct endpoint_log_entry){
				 .time_ns = 7, .phase = ENDPOINT_READY, .message = message});
}

static bool append(const struct endpoint_log_entry *entry, void *data)
{
	g_string_append_printf(data, "%s ", entry->message);
	return true;
}

static bool take_one(const struct endpoint_log_entry *entry, void *data)
{
	g_string_append(data, entry->message);
	return false;
}

static GString *messages(struct endpoint_log *log, uint16_t id)
{
	GString *text = g_string_new(NULL);

	endpoint_log_foreach(log, id, append, text);
	return text;
}

static void newest_first_each_its_own(void **state)
{
	struct endpoint_log *log = endpoint_log_new();
	g_autoptr(GString) one = NULL, two = NULL, none = NULL, newest = g_string_new(NULL);

	add(log, 1, "a");
	add(log, 2, "x");
	add(log, 1, "b");
	one = messages(log, 1);
	two = messages(log, 2);
	assert_string_equal(one->str, "b a ");
	assert_string_equal(two->str, "x ");
	endpoint_log_foreach(log, 1, take_one, newest);
	assert_string_equal(newest->str, "b");
	endpoint_log_remove(log, 1);
	none = messages(log, 1);
	assert_string_equal(none->str, "");
	endpoint_log_free(log);
}

static void the_oldest_go(void **state)
{
	struct endpoint_log *log = endpoint_log_new();
	g_autoptr(GString) text = NULL;
	g_auto(GStrv) words = NULL;

	for (int i = 0; i < 3 * ENDPOINT_LOG_MAX; i++) {
		g_autofree char *message = g_strdup_printf("%d", i);

		add(log, 1, message);
	}
	text = messages(log, 1);
	words = g_strsplit(text->str, " ", -1);
	assert_int_equal(g_strv_length(words), ENDPOINT_LOG_MAX + 1); /* and an empty one */
	assert_string_equal(words[0], "191");
	assert_string_equal(words[ENDPOINT_LOG_MAX - 1], "128");
	endpoint_log_free(log);
}

/* A message is cut between characters, so that JSON can show it. */
static void long_messages_are_cut(void **state)
{
	struct endpoint_log *log = endpoint_log_new();
	g_autoptr(GString) message = g_string_new(NULL), text = g_string_new(NULL);

	for (int i = 0; i < 2; i++) {
		while (message->len < 3 * ENDPOINT_LOG_MESSAGE_BYTES)
			g_string_append(message, "ä");
		add(log, 1, message->str);
		g_string_truncate(text, 0);
		endpoint_log_foreach(log, 1, take_one, text);
		assert_in_range(text->len, ENDPOINT_LOG_MESSAGE_BYTES - 8,
				ENDPOINT_LOG_MESSAGE_BYTES - 1);
		assert_true(g_utf8_validate(text->str, -1, NULL));
		assert_true(g_str_has_suffix(text->str, "ä…"));
		g_string_assign(message, "x"); /* the other parity */
	}
	endpoint_log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first_each_its_own),
		cmocka_unit_test(the_oldest_go),
		cmocka_unit_test(long_messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
