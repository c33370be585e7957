// SPDX-License-Identifier: Apache-2.0
#include "src/base/duration.h"

#include <math.h>
#include <string.h>
#include <glib.h>

static int parse_number(const char **text, double *ret_number)
{
	size_t n_digits = strspn(*text, "0123456789.");
	g_autofree char *digits = g_strndup(*text, n_digits);
	char *end;

	*ret_number = g_ascii_strtod(digits, &end);
	*text += n_digits;
	return *end || end == digits || !isfinite(*ret_number) ? -EINVAL : 0;
}

static int parse_unit(const char **text, double *ret_ns)
{
	/* Longer names first: "m" is the beginning of "ms". */
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{"ns", 1},  {"us", 1e3}, {"µs", 1e3},   {"ms", 1e6},
		{"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		if (!g_str_has_prefix(*text, units[i].name))
			continue;
		*text += strlen(units[i].name);
		*ret_ns = units[i].ns;
		return 0;
	}
	return -EINVAL;
}

int duration_parse(const char *text, int64_t *ret_ns)
{
	double sum_ns = 0;

	if (!strcmp(text, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (!*text)
		return -EINVAL;
	while (*text) {
		double number, unit_ns;

		if (parse_number(&text, &number) || parse_unit(&text, &unit_ns))
			return -EINVAL;
		sum_ns += number * unit_ns;
	}
	if (sum_ns > (double)(INT64_MAX / 2))
		return -EINVAL;
	*ret_ns = (int64_t)sum_ns;
	return 0;
}
