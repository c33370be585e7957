// SPDX-License-Identifier: Apache-2.0
#include "src/sys/port_set.h"

#include <string.h>

bool port_set_has(const struct port_set *set, uint16_t port)
{
	return set->words[port / 64] >> port % 64 & 1;
}

void port_set_add(struct port_set *set, uint16_t first, uint16_t last)
{
	for (unsigned int port = first; port <= last; port++)
		set->words[port / 64] |= UINT64_C(1) << port % 64;
}

void port_set_remove(struct port_set *set, uint16_t first, uint16_t last)
{
	for (unsigned int port = first; port <= last; port++)
		set->words[port / 64] &= ~(UINT64_C(1) << port % 64);
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &number, NULL))
		return false;
	*ret_port = number;
	return true;
}

bool port_set_parse(struct port_set *set, const char *text)
{
	g_autofree char *stripped = g_strstrip(g_strdup(text));
	g_auto(GStrv) parts = g_strsplit(stripped, ",", -1);

	for (char **part = parts; *part; part++) {
		char *dash = strchr(*part, '-');
		uint16_t first, last;

		if (dash)
			*dash = '\0';
		if (!parse_port(*part, &first) || !parse_port(dash ? dash + 1 : *part, &last) ||
		    last < first)
			return false;
		port_set_add(set, first, last);
	}
	return true;
}

char *port_set_format(const struct port_set *set)
{
	GString *text = g_string_new(NULL);

	for (unsigned int port = 0; port <= UINT16_MAX; port++) {
		unsigned int first = port;

		if (!port_set_has(set, port))
			continue;
		while (port < UINT16_MAX && port_set_has(set, port + 1))
			port++;
		g_string_append_printf(text, "%s%u", text->len ? "," : "", first);
		if (port > first)
			g_string_append_printf(text, "-%u", port);
	}
	return g_string_free(text, FALSE);
}
