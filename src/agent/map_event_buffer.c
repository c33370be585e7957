/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/map_event_buffer.h"

#include <string.h>
#include "src/agent/option.h"

static int parse_duration(const char *text, int64_t *ret_ns)
{
	static const struct option duration = {
		.type = OPTION_TYPE_DURATION, .default_text = "0", .allowed = ""};
	union option_value value;
	int err = *text ? option_parse_value(&duration, text, &value) : -EINVAL;

	if (!err)
		*ret_ns = value.ns;
	return err;
}

int map_event_buffer_parse(const char *pair, char **ret_name, struct map_event_buffer *ret_buffer)
{
	const char *equals = strchr(pair, '=');
	struct map_event_buffer buffer = {0};
	g_auto(GStrv) words = NULL;
	guint64 n_events;

	if (!equals || equals == pair)
		return -EINVAL;
	words = g_strsplit(equals + 1, "_", -1);
	if (g_strv_length(words) != 3 ||
	    !g_strv_contains((const char *const[]){"enabled", "disabled", NULL}, words[0]) ||
	    !g_ascii_string_to_unsigned(words[1], 10, 0, MAP_EVENT_BUFFER_MAX, &n_events, NULL) ||
	    parse_duration(words[2], &buffer.age_max_ns))
		return -EINVAL;
	if (g_str_equal(words[0], "enabled"))
		buffer.n_events_max = n_events;
	*ret_name = g_strndup(pair, equals - pair);
	*ret_buffer = buffer;
	return 0;
}
