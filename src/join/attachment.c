// SPDX-License-Identifier: Apache-2.0
#include "src/join/attachment.h"

#include <string.h>
#include <glib.h>

#define ALIAS_PREFIX "cilium"

void attachment_host_ifname(const struct attachment *attachment, char ret_name[static IFNAMSIZ])
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

	g_checksum_update(checksum, (const guchar *)attachment->container_id, -1);
	g_checksum_update(checksum, (const guchar *)attachment->ifname, -1);
	g_snprintf(ret_name, IFNAMSIZ, "lxc%.10s", g_checksum_get_string(checksum));
}

char *attachment_text(const struct attachment *attachment)
{
	return g_strdup_printf("%s:%s", attachment->container_id, attachment->ifname);
}

char *attachment_endpoint_id(const struct attachment *attachment)
{
	return g_strdup_printf("cni-attachment-id:%s:%s", attachment->container_id,
			       attachment->ifname);
}

bool attachment_format_alias(const struct attachment *attachment,
			     char ret_alias[static ATTACHMENT_ALIAS_BYTES])
{
	return g_snprintf(ret_alias, ATTACHMENT_ALIAS_BYTES, ALIAS_PREFIX ":%s:%s:%s",
			  attachment->network, attachment->container_id,
			  attachment->ifname) < ATTACHMENT_ALIAS_BYTES;
}

bool attachment_parse_alias(char alias[static ATTACHMENT_ALIAS_BYTES],
			    struct attachment *ret_attachment)
{
	char *rest = alias;
	const char *prefix = strsep(&rest, ":");
	const char *network = rest ? strsep(&rest, ":") : NULL;
	const char *container_id = rest ? strsep(&rest, ":") : NULL;

	/* What is left is the interface, whose name has no colon. */
	if (strcmp(prefix, ALIAS_PREFIX) || !rest || !*rest || strchr(rest, ':'))
		return false;
	*ret_attachment = (struct attachment){network, container_id, rest};
	return true;
}
