// SPDX-License-Identifier: Apache-2.0
#include "src/model/cidr_label.h"

#include <string.h>
#include <glib.h>

const char *cidr_label_format(const struct cidr *cidr, char buffer[static CIDR_LABEL_KEY_BYTES])
{
	char text[CIDR_TEXT_BYTES];
	const char *end;
	char *out = buffer;

	cidr_format(cidr, text);
	end = strchr(text, '/');
	for (const char *c = text; *c; c++) {
		if (*c != ':') {
			*out++ = *c;
			continue;
		}
		if (c == text)
			*out++ = '0';
		*out++ = '-';
		if (c + 1 == end)
			*out++ = '0';
	}
	*out = '\0';
	return buffer;
}

bool cidr_label_get(const struct label *label, struct cidr *ret_cidr)
{
	char text[CIDR_LABEL_KEY_BYTES];
	struct cidr cidr;

	if (strcmp(label->source, CIDR_LABEL_SOURCE) != 0 || !strchr(label->key, '/') ||
	    g_strlcpy(text, label->key, sizeof(text)) >= sizeof(text))
		return false;
	/* The zeros of the ends are read as groups of the address, which they are. */
	for (char *c = text; *c; c++)
		if (*c == '-')
			*c = ':';
	if (cidr_parse(text, &cidr))
		return false;
	*ret_cidr = cidr;
	return true;
}

bool cidr_label_find(const struct label_set *set, struct cidr *ret_cidr)
{
	for (size_t i = 0; i < label_set_n(set); i++)
		if (cidr_label_get(label_set_get(set, i), ret_cidr))
			return true;
	return false;
}
