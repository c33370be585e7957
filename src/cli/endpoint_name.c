/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/endpoint_name.h"

#include <string.h>

char *endpoint_name_selector(const char *text)
{
	const char *slash = strchr(text, '/');

	/* What is no name at all the agent shall judge. */
	if (strchr(text, ':') || *text == '-' || !text[strspn(text, "0123456789")])
		return g_strdup(text);
	if (!slash)
		return g_strconcat("pod-name:default:", text, NULL);
	return g_strdup_printf("pod-name:%.*s:%s", (int)(slash - text), text, slash + 1);
}
