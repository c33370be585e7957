// SPDX-License-Identifier: Apache-2.0
#include "src/join/attachment.h"

#include <string.h>
#include <glib.h>

#define ALIAS_PREFIX "cilium"
/* With it container ids of 160 characters fit into the alias; those of runtimes have 64. */
#define NETWORK_BYTES_MAX 72

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

/* What stands for the network in the alias. Free with g_free. */
static char *network_text(const char *network)
{
	g_autofree char *hash = NULL;

	if (strlen(network) <= NETWORK_BYTES_MAX)
		return g_strdup(network);
	hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, network, -1);
	return g_strdup_printf("sha256-%s", hash);
}

bool attachment_is_of_network(const struct attachment *attachment, const char *network)
{
	g_autofree char *text = network ? network_text(network) : NULL;

	return !g_strcmp0(attachment->network, text);
}

bool attachment_format_alias(const struct attachment *attachment,
			     char ret_alias[static ATTACHMENT_ALIAS_BYTES])
{
	g_autofree char *network = network_text(attachment->network);

	return g_snprintf(ret_alias, ATTACHMENT_ALIAS_BYTES, ALIAS_PREFIX ":%s:%s:%s", network,
			  attachment->container_id, attachment->ifname) < ATTACHMENT_ALIAS_BYTES;
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
