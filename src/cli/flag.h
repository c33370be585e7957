/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of a command line: the tables of struct cli_flag, searched and stored. */
#pragma once

#include "src/cli/command.h"

/* Those that every command has: --config, --debug, --help, --host. Ends with a NULL name. */
extern const struct cli_flag cli_global_flags[];

/*
 * The flag of the command (NULL: none), else the global one; NULL: there is no such flag. name:
 * without dashes, n bytes of it; NULL: looked for by short_name.
 */
const struct cli_flag *flag_find(const struct cli_command *command, const char *name, size_t n,
				 char short_name);
bool flag_takes_value(const struct cli_flag *flag);
/* " string": what the help says behind the name; "" for a switch. */
const char *flag_argument(const struct cli_flag *flag);
/* "a number, 0 to …": what a value may be, behind "expected". */
const char *flag_wants(const struct cli_flag *flag);
/*
 * value: what stands behind '=' or in the next word, kept; NULL for a switch without one. 0 or
 * −EINVAL.
 */
NODISCARD int flag_set(const struct cli_flag *flag, char *value);

/* What the global flags say; valid once the flags are parsed. */
bool flag_wants_help(void);
/*
 * Puts --host, --debug, CILIUM_SOCK and the file of --config (else ~/.cilium.yaml, if there is one)
 * together. 0, or −EINVAL, −ENOENT, … with *error naming what is wrong and where.
 */
NODISCARD int flag_settle_globals(GError **error);
/* The path of the agent's socket, after flag_settle_globals(). */
const char *flag_socket_path(void);
