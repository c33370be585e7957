/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options from their text. */
#include "src/agent/option.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "src/base/duration.h"

/* As Go reads booleans: what is in people's ConfigMaps. */
static int parse_bool(const char *text, bool *ret_value)
{
	static const char *const trues[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
	static const char *const falses[] = {"0", "f", "F", "false", "FALSE", "False", NULL};

	if (!g_strv_contains(trues, text) && !g_strv_contains(falses, text))
		return -EINVAL;
	*ret_value = g_strv_contains(trues, text);
	return 0;
}

static int parse_integer(const char *text, int64_t *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return -EINVAL;
	errno = 0;
	*ret_value = strtoll(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

static int parse_float(const char *text, double *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return -EINVAL;
	*ret_value = g_ascii_strtod(text, &end);
	return *end || end == text || !isfinite(*ret_value) ? -EINVAL : 0;
}

static int parse_duration(const char *text, double *ret_ns)
{
	int64_t ns;

	if (duration_parse(text, &ns))
		return -EINVAL;
	*ret_ns = (double)ns;
	return 0;
}

static double parse_bound(const struct option *option, const char *text)
{
	double bound = 0;
	int err;

	if (option->type == OPTION_TYPE_DURATION)
		err = parse_duration(text, &bound);
	else
		err = parse_float(text, &bound);
	g_assert(!err); /* a row of ours */
	return bound;
}

/* allowed is a list of numbers and ranges a..b; empty: everything. */
static bool is_in_range(const struct option *option, double value)
{
	g_auto(GStrv) words = g_strsplit(option->allowed, " ", -1);

	if (!*option->allowed)
		return true;
	for (char **word = words; *word; word++) {
		char *dots = strstr(*word, "..");
		const char *last = dots ? dots + 2 : *word;

		if (dots)
			*dots = '\0';
		if (value >= parse_bound(option, *word) && value <= parse_bound(option, last))
			return true;
	}
	return false;
}

static int parse_number(const struct option *option, const char *text, union option_value *value)
{
	int64_t integer;
	double real;

	switch (option->type) {
	case OPTION_TYPE_UINT:
		if (parse_integer(text, &integer) || integer < 0 || integer > UINT32_MAX)
			return -EINVAL;
		value->number = (unsigned int)integer;
		return is_in_range(option, (double)integer) ? 0 : -EINVAL;
	case OPTION_TYPE_INT:
		if (parse_integer(text, &integer) || integer < -1 || integer > INT32_MAX)
			return -EINVAL;
		value->integer = (int)integer;
		return is_in_range(option, (double)integer) ? 0 : -EINVAL;
	case OPTION_TYPE_FLOAT:
		if (parse_float(text, &value->real))
			return -EINVAL;
		return is_in_range(option, value->real) ? 0 : -EINVAL;
	default:
		if (parse_duration(text, &real) || !is_in_range(option, real))
			return -EINVAL;
		value->ns = (int64_t)real;
		return 0;
	}
}

/* The number of the word in allowed, or −1. */
static int find_word(const char *allowed, const char *text)
{
	g_auto(GStrv) words = g_strsplit(allowed, " ", -1);

	for (int i = 0; words[i]; i++)
		if (*text && !strcmp(words[i], text))
			return i;
	return -1;
}

/* Commas and blanks, in any number, separate. */
static char **split_list(const char *text)
{
	g_auto(GStrv) parts = g_strsplit_set(text, ", \t\r\n", -1);
	GPtrArray *list = g_ptr_array_new();

	for (char **part = parts; *part; part++)
		if (**part)
			g_ptr_array_add(list, g_strdup(*part));
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, false);
}

static int parse_flags(const char *allowed, const char *text, unsigned int *ret_flags)
{
	g_auto(GStrv) list = split_list(text);
	g_auto(GStrv) words = g_strsplit(allowed, " ", -1);
	unsigned int flags = 0;

	for (char **word = list; *word; word++) {
		int bit = find_word(allowed, *word);

		if (!strcmp(*word, "all"))
			flags |= (1U << g_strv_length(words)) - 1;
		else if (bit >= 0)
			flags |= 1U << bit;
		else
			return -EINVAL;
	}
	*ret_flags = flags;
	return 0;
}

static int parse_json_map(const char *text, GPtrArray *list)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *key;
	json_t *member;

	if (!json_is_object(object)) {
		json_decref(object);
		return -EINVAL;
	}
	json_object_foreach(object, key, member)
	{
		char *dumped = json_dumps(member, JSON_ENCODE_ANY | JSON_COMPACT);
		const char *value = json_is_string(member) ? json_string_value(member) : dumped;

		g_ptr_array_add(list, g_strdup_printf("%s=%s", key, value));
		free(dumped);
	}
	json_decref(object);
	return 0;
}

/* A part without = belongs to the value before it: "create=rate:10/s,burst:4". */
static int parse_pairs(const char *text, GPtrArray *list)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	for (char **part = parts; *part; part++) {
		const char *equals = strchr(*part, '=');

		if (equals == *part || (!equals && !list->len))
			return -EINVAL;
		if (equals) {
			g_ptr_array_add(list, g_strstrip(g_strdup(*part)));
		} else {
			char **last = (char **)&list->pdata[list->len - 1];
			char *joined = g_strconcat(*last, ",", *part, NULL);

			g_free(*last);
			*last = joined;
		}
	}
	return 0;
}

static int parse_map(const char *text, char ***ret_list)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	int err = *text == '{' ? parse_json_map(text, list) : parse_pairs(text, list);

	if (err) {
		g_ptr_array_unref(list);
		return err;
	}
	g_ptr_array_add(list, NULL);
	*ret_list = (char **)g_ptr_array_free(list, false);
	return 0;
}

static bool is_name(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= 32 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n &&
	       text[0] != '-' && text[n - 1] != '-';
}

static bool has_control_character(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

static bool is_listen(const char *text)
{
	const char *colon = strrchr(text, ':');
	int64_t port;

	if (!colon || has_control_character(text) || parse_integer(colon + 1, &port) || port < 0 ||
	    port > UINT16_MAX)
		return false;
	/* An IPv6 address stands in brackets, so that its colons are not the port's. */
	return *text == '[' ? colon > text && colon[-1] == ']' : strchr(text, ':') == colon;
}

static int parse_text(const struct option *option, const char *text, char **ret_text)
{
	switch (option->type) {
	case OPTION_TYPE_NAME:
		if (!is_name(text))
			return -EINVAL;
		break;
	case OPTION_TYPE_PATH:
		if (!*text || strlen(text) >= 4096 || has_control_character(text))
			return -EINVAL;
		*ret_text = g_canonicalize_filename(text, NULL);
		return 0;
	case OPTION_TYPE_LISTEN:
		if (!is_listen(text))
			return -EINVAL;
		break;
	default:
		break;
	}
	*ret_text = g_strdup(text);
	return 0;
}

static int parse_cidr(const struct option *option, const char *text, struct optional_cidr *ret)
{
	if (find_word(option->allowed, text) >= 0)
		return 0; /* not set */
	if (cidr_parse(text, &ret->cidr))
		return -EINVAL;
	ret->is_set = true;
	return cidr_is_v4(&ret->cidr) == (option->type == OPTION_TYPE_CIDR4) ? 0 : -EINVAL;
}

static int parse_ports(const char *text, struct port_range *ret_ports)
{
	g_auto(GStrv) ends = g_strsplit_set(text, ",-", -1);
	int64_t min, max;

	if (g_strv_length(ends) != 2 || parse_integer(g_strstrip(ends[0]), &min) ||
	    parse_integer(g_strstrip(ends[1]), &max))
		return -EINVAL;
	if (min < 0 || max < min || max > UINT16_MAX)
		return -EINVAL;
	ret_ports->min = (uint16_t)min;
	ret_ports->max = (uint16_t)max;
	return 0;
}

/* Helm writes values that nobody set as empty ones; only texts and lists can mean it. */
static bool may_be_empty(enum option_type type)
{
	switch (type) {
	case OPTION_TYPE_STRING:
	case OPTION_TYPE_FLAGS:
	case OPTION_TYPE_LIST:
	case OPTION_TYPE_MAP:
		return true;
	default:
		return false;
	}
}

/* Zero is the value of "not set", and the empty text. */
static void set_empty(const struct option *option, union option_value *value)
{
	switch (option->type) {
	case OPTION_TYPE_NAME:
	case OPTION_TYPE_PATH:
	case OPTION_TYPE_LISTEN:
		value->text = g_strdup("");
		break;
	default:
		break;
	}
}

static int parse_word(const struct option *option, const char *text, unsigned int *ret_number)
{
	int number = find_word(option->allowed, text);

	if (number < 0)
		return -EINVAL;
	*ret_number = (unsigned int)number;
	return 0;
}

static int parse_type(const struct option *option, const char *text, union option_value *value)
{
	switch (option->type) {
	case OPTION_TYPE_BOOL:
		return parse_bool(text, &value->boolean);
	case OPTION_TYPE_UINT:
	case OPTION_TYPE_INT:
	case OPTION_TYPE_FLOAT:
	case OPTION_TYPE_DURATION:
		return parse_number(option, text, value);
	case OPTION_TYPE_STRING:
	case OPTION_TYPE_NAME:
	case OPTION_TYPE_PATH:
	case OPTION_TYPE_LISTEN:
		return parse_text(option, text, &value->text);
	case OPTION_TYPE_ENUM:
		return parse_word(option, text, &value->number);
	case OPTION_TYPE_FLAGS:
		return parse_flags(option->allowed, text, &value->number);
	case OPTION_TYPE_LIST:
		value->list = split_list(text);
		return 0;
	case OPTION_TYPE_MAP:
		return parse_map(text, &value->list);
	case OPTION_TYPE_ADDRESS:
		return addr_parse(text, &value->address);
	case OPTION_TYPE_CIDR4:
	case OPTION_TYPE_CIDR6:
		return parse_cidr(option, text, &value->cidr);
	case OPTION_TYPE_PORTS:
		return parse_ports(text, &value->ports);
	case OPTION_TYPE__MAX:
		break;
	}
	g_assert_not_reached();
}

int option_parse_value(const struct option *option, const char *text, union option_value *ret_value)
{
	union option_value value;
	int err;

	/* Every byte, padding too: equal values are compared as bytes. */
	memset(&value, 0, sizeof(value));
	if (!g_utf8_validate(text, -1, NULL))
		return -EINVAL;
	if (!*text && !may_be_empty(option->type))
		text = option->default_text;
	if (*text || may_be_empty(option->type)) {
		err = parse_type(option, text, &value);
		if (err)
			return err;
	} else {
		set_empty(option, &value);
	}
	memcpy(ret_value, &value, sizeof(value));
	return 0;
}
