/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/option.h"

#include <string.h>

/* The C type of each option type: the fields of struct settings are checked against it. */
#define FIELD_BOOL     bool
#define FIELD_UINT     unsigned int
#define FIELD_INT      int
#define FIELD_FLOAT    double
#define FIELD_DURATION int64_t
#define FIELD_STRING   char *
#define FIELD_NAME     char *
#define FIELD_PATH     char *
#define FIELD_LISTEN   char *
#define FIELD_ENUM     unsigned int
#define FIELD_FLAGS    unsigned int
#define FIELD_LIST     char **
#define FIELD_MAP      char **
#define FIELD_ADDRESS  struct addr
#define FIELD_CIDR4    struct optional_cidr
#define FIELD_CIDR6    struct optional_cidr
#define FIELD_PORTS    struct port_range

#define OPTION(type, field, key, default_text, allowed, help)                                   \
	_Static_assert(__builtin_types_compatible_p(FIELD_##type,                               \
						    __typeof__(((struct settings *)0)->field)), \
		       "the field of " key " has another type");
#include "src/agent/option.def"
#undef OPTION

static const struct option options[] = {
#define OPTION(...) OPTION_LIVE(NONE, __VA_ARGS__)
#define OPTION_LIVE(live, type, field, key, default_text, allowed, help) \
	{OPTION_TYPE_##type,                                             \
	 OPTION_STATE_ACTS,                                              \
	 OPTION_LIVE_##live,                                             \
	 offsetof(struct settings, field),                               \
	 key,                                                            \
	 default_text,                                                   \
	 allowed,                                                        \
	 help},
#include "src/agent/option.def"
#undef OPTION
#define OPTION(type, key, default_text, allowed, help) \
	{OPTION_TYPE_##type,                           \
	 OPTION_STATE_LATER,                           \
	 OPTION_LIVE_NONE,                             \
	 0,                                            \
	 key,                                          \
	 default_text,                                 \
	 allowed,                                      \
	 help},
#include "src/agent/option_later.def"
#undef OPTION
#define OPTION(type, key, default_text, allowed, help) \
	{OPTION_TYPE_##type,                           \
	 OPTION_STATE_OPERATOR,                        \
	 OPTION_LIVE_NONE,                             \
	 0,                                            \
	 key,                                          \
	 default_text,                                 \
	 allowed,                                      \
	 help},
#include "src/agent/option_operator.def"
#undef OPTION
};

static const size_t field_bytes[OPTION_TYPE__MAX] = {
	[OPTION_TYPE_BOOL] = sizeof(FIELD_BOOL),
	[OPTION_TYPE_UINT] = sizeof(FIELD_UINT),
	[OPTION_TYPE_INT] = sizeof(FIELD_INT),
	[OPTION_TYPE_FLOAT] = sizeof(FIELD_FLOAT),
	[OPTION_TYPE_STRING] = sizeof(FIELD_STRING),
	[OPTION_TYPE_DURATION] = sizeof(FIELD_DURATION),
	[OPTION_TYPE_NAME] = sizeof(FIELD_NAME),
	[OPTION_TYPE_PATH] = sizeof(FIELD_PATH),
	[OPTION_TYPE_LISTEN] = sizeof(FIELD_LISTEN),
	[OPTION_TYPE_ENUM] = sizeof(FIELD_ENUM),
	[OPTION_TYPE_FLAGS] = sizeof(FIELD_FLAGS),
	[OPTION_TYPE_LIST] = sizeof(FIELD_LIST),
	[OPTION_TYPE_MAP] = sizeof(FIELD_MAP),
	[OPTION_TYPE_ADDRESS] = sizeof(FIELD_ADDRESS),
	[OPTION_TYPE_CIDR4] = sizeof(FIELD_CIDR4),
	[OPTION_TYPE_CIDR6] = sizeof(FIELD_CIDR6),
	[OPTION_TYPE_PORTS] = sizeof(FIELD_PORTS),
};

static const char *const type_texts[OPTION_TYPE__MAX] = {
	[OPTION_TYPE_BOOL] = "true or false",
	[OPTION_TYPE_UINT] = "a number",
	[OPTION_TYPE_INT] = "a number from -1 on",
	[OPTION_TYPE_FLOAT] = "a number such as 0.5",
	[OPTION_TYPE_DURATION] = "a duration such as 1h30m, 5s or 100ms",
	[OPTION_TYPE_STRING] = "text",
	[OPTION_TYPE_NAME] = "up to 32 of a-z, 0-9 and -, a letter or digit at both ends",
	[OPTION_TYPE_PATH] = "a path",
	[OPTION_TYPE_LISTEN] = "host:port or :port",
	[OPTION_TYPE_ENUM] = "one of",
	[OPTION_TYPE_FLAGS] = "all or a list of",
	[OPTION_TYPE_LIST] = "a list separated by commas or blanks",
	[OPTION_TYPE_MAP] = "key=value,… or a JSON object",
	[OPTION_TYPE_ADDRESS] = "an IP address",
	[OPTION_TYPE_CIDR4] = "an IPv4 prefix such as 10.0.0.0/16, without host bits",
	[OPTION_TYPE_CIDR6] = "an IPv6 prefix such as fd00::/64, without host bits",
	[OPTION_TYPE_PORTS] = "two ports in ascending order, such as 30000,32767",
};

size_t option_n(void)
{
	return G_N_ELEMENTS(options);
}

const struct option *option_get(size_t i)
{
	return &options[i];
}

int option_find(const char *key)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		if (!strcmp(options[i].key, key))
			return (int)i;
	return -1;
}

static bool type_is_text(enum option_type type)
{
	return type == OPTION_TYPE_STRING || type == OPTION_TYPE_NAME || type == OPTION_TYPE_PATH ||
	       type == OPTION_TYPE_LISTEN;
}

static bool type_is_list(enum option_type type)
{
	return type == OPTION_TYPE_LIST || type == OPTION_TYPE_MAP;
}

void option_fini_value(const struct option *option, union option_value *value)
{
	if (type_is_text(option->type))
		g_free(value->text);
	else if (type_is_list(option->type))
		g_strfreev(value->list);
	memset(value, 0, sizeof(*value));
}

bool option_equal_values(const struct option *option, const union option_value *a,
			 const union option_value *b)
{
	if (type_is_text(option->type))
		return !strcmp(a->text, b->text);
	if (type_is_list(option->type))
		return g_strv_equal((const char *const *)a->list, (const char *const *)b->list);
	if (option->type == OPTION_TYPE_CIDR4 || option->type == OPTION_TYPE_CIDR6)
		return a->cidr.is_set == b->cidr.is_set &&
		       a->cidr.cidr.prefix_len == b->cidr.cidr.prefix_len &&
		       !addr_compare(&a->cidr.cidr.addr, &b->cidr.cidr.addr);
	/* What is left are numbers, in memory that was zero before. */
	return !memcmp(a, b, sizeof(*a)); /* NOLINT(bugprone-suspicious-memory-comparison) */
}

void option_take_value(const struct option *option, union option_value *value,
		       struct settings *settings)
{
	g_assert(option->state == OPTION_STATE_ACTS);
	memcpy((char *)settings + option->field_offset, value, field_bytes[option->type]);
	memset(value, 0, sizeof(*value));
}

void option_borrow_field(const struct option *option, const struct settings *from,
			 struct settings *to)
{
	memcpy((char *)to + option->field_offset, (const char *)from + option->field_offset,
	       field_bytes[option->type]);
}

void option_fini_field(const struct option *option, struct settings *settings)
{
	union option_value value = {0};

	g_assert(option->state == OPTION_STATE_ACTS);
	memcpy(&value, (char *)settings + option->field_offset, field_bytes[option->type]);
	option_fini_value(option, &value);
}

char *option_format_allowed(const struct option *option)
{
	g_auto(GStrv) words = g_strsplit(option->allowed, " ", -1);
	bool alternative = option->type == OPTION_TYPE_CIDR4 || option->type == OPTION_TYPE_CIDR6;
	g_autofree char *joined = g_strjoinv(", ", words);

	if (!*option->allowed)
		return g_strdup(type_texts[option->type]);
	return g_strdup_printf(alternative ? "%s, or %s" : "%s: %s", type_texts[option->type],
			       joined);
}

char *option_format_variable(const struct option *option)
{
	g_autofree char *upper = g_ascii_strup(option->key, -1);

	return g_strdup_printf("CILIUM_%s", g_strdelimit(upper, "-", '_'));
}
