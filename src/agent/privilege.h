/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of root's power the agent keeps. privilege.c has the table: which capability what needs, and until
 * when. The rest goes before anything is read, what only the start needs goes when it is over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

/*
 * Before the first thread: gives up all that the table does not name, for this program and whatever it may
 * ever execute. −EPERM where without a capability nothing could work; *error says which and for what.
 */
NODISCARD int privilege_begin(GError **error);
/*
 * When the start is over: gives up what only it needed, and what it takes to end sockets of endpoints where
 * ends_sockets is false. −EPERM where another thread has more than this one keeps.
 */
NODISCARD int privilege_finish(bool ends_sockets, GError **error);

/* A capability that the agent began without. */
struct privilege_lack {
	const char *name; /* "CAP_SYS_ADMIN" */
	const char *what; /* that does not work, or not fully */
};

/*
 * Each capability of the table that was not there, that nothing else stood in for, and that something in use
 * needs: the sockets' group, where sockets_have_group.
 */
void privilege_foreach_lack(bool sockets_have_group,
			    void (*fn)(const struct privilege_lack *lack, void *data), void *data);
/* Whether the group of a file can be changed to one that is not the agent's own. */
bool privilege_can_chown(void);
/* The names that are held now, separated by blanks: "CAP_NET_ADMIN CAP_SYS_ADMIN". Free with g_free. */
char *privilege_format_held(void);
