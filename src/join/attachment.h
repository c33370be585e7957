/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attachment: one interface of one container in one network. Everything that is made for it carries
 * a name that follows from it, so that it can be found and removed by whoever knows the attachment, and
 * nothing has to be remembered.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>

struct attachment {
	const char *network; /* the CNI network's name; "run" for cilium run */
	const char *container_id;
	const char *ifname; /* inside */
};

/* Room for the kernel's longest alias with its end. */
#define ATTACHMENT_ALIAS_BYTES 256

/* "lxc" and ten hex digits that follow from container and interface. */
void attachment_host_ifname(const struct attachment *attachment, char ret_name[static IFNAMSIZ]);
/* "<container id>:<interface>". Free with g_free. */
char *attachment_text(const struct attachment *attachment);
/* The agent's name for it: "cni-attachment-id:<container id>:<interface>". Free with g_free. */
char *attachment_endpoint_id(const struct attachment *attachment);

/*
 * "cilium:<network>:<container id>:<interface>", the alias of the host's interface. Of a network with a long
 * name it has a hash. false where it is too long all the same, because of the container id.
 */
bool attachment_format_alias(const struct attachment *attachment,
			     char ret_alias[static ATTACHMENT_ALIAS_BYTES]);
/* The other way; the members point into alias, which is cut up. false: not one of ours. */
bool attachment_parse_alias(char alias[static ATTACHMENT_ALIAS_BYTES],
			    struct attachment *ret_attachment);
/* Whether an attachment whose alias was parsed is of the network. */
bool attachment_is_of_network(const struct attachment *attachment, const char *network);
