// SPDX-License-Identifier: Apache-2.0
#include "src/source/syntax.h"

#include <string.h>
#include <glib.h>

#define MAX_LABEL     63
#define MAX_SUBDOMAIN 253
#define MAX_PORT_NAME 15

static bool is_dns_label(const char *text, size_t n)
{
	if (n == 0 || n > MAX_LABEL || text[0] == '-' || text[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_islower(text[i]) && !g_ascii_isdigit(text[i]) && text[i] != '-')
			return false;
	return true;
}

static bool is_dns_subdomain(const char *text, size_t n)
{
	const char *end = text + n;

	if (n > MAX_SUBDOMAIN)
		return false;
	for (;;) {
		const char *dot = memchr(text, '.', end - text);

		if (!is_dns_label(text, (dot ? dot : end) - text))
			return false;
		if (!dot)
			return true;
		text = dot + 1;
	}
}

bool syntax_is_dns_label(const char *text)
{
	return is_dns_label(text, strlen(text));
}

bool syntax_is_dns_subdomain(const char *text)
{
	return is_dns_subdomain(text, strlen(text));
}

static bool is_qualified_name(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > MAX_LABEL || !g_ascii_isalnum(text[0]) || !g_ascii_isalnum(text[n - 1]))
		return false;
	for (; *text; text++)
		if (!g_ascii_isalnum(*text) && !strchr("-_.", *text))
			return false;
	return true;
}

bool syntax_is_label_key(const char *text)
{
	const char *slash = strchr(text, '/');

	if (!slash)
		return is_qualified_name(text);
	return is_dns_subdomain(text, slash - text) && is_qualified_name(slash + 1);
}

bool syntax_is_label_value(const char *text)
{
	return !*text || is_qualified_name(text);
}

bool syntax_is_port_name(const char *text)
{
	size_t n = strlen(text);
	bool has_letter = false;

	if (n == 0 || n > MAX_PORT_NAME || text[0] == '-' || text[n - 1] == '-')
		return false;
	for (; *text; text++) {
		has_letter |= g_ascii_isalpha(*text);
		if (!g_ascii_isalnum(*text) && (*text != '-' || text[1] == '-'))
			return false;
	}
	return has_letter;
}

int syntax_parse_number(const char *text, int max)
{
	int64_t number = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (!g_ascii_isdigit(*text))
			return -1;
		number = number * 10 + *text - '0';
		if (number > max)
			return -1;
	}
	return number;
}
