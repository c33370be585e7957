/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/socket_group.h"

#include <grp.h>
#include "src/rpc/unix_listen.h"

#define KEY "socket-group"

int socket_group_find(const struct config *config, gid_t *ret_group, GError **error)
{
	const char *name = config_get_settings(config)->socket_group;
	const struct group *group;
	uint64_t number;

	if (!*name) {
		*ret_group = UNIX_LISTEN_NO_GROUP;
		return 0;
	}
	/* The greatest number stands for "no group" in the kernel. */
	if (g_ascii_string_to_unsigned(name, 10, 0, UINT32_MAX - 1, &number, NULL)) {
		*ret_group = number;
		return 0;
	}
	group = getgrnam(name);
	if (!group && config_get_origin(config, KEY) != OPTION_ORIGIN_DEFAULT)
		return error_set(error, EINVAL,
				 KEY
				 ": there is no group \"%s\"; make it (groupadd --system %s), name "
				 "another, or leave the key empty for root alone",
				 name, name);
	*ret_group = group ? group->gr_gid : UNIX_LISTEN_NO_GROUP;
	return 0;
}
