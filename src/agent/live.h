/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration while the agent runs: read again, written, or changed until the agent ends. Either
 * all of a change is in force when a call returns, or nothing of it.
 */
#pragma once

#include "src/agent/config_edit.h"

struct agent;

typedef void (*live_change_fn)(const struct config_change *change, void *data);

/*
 * Reads everything again, as at a start; live keys are in force then. fn is told of each key whose
 * configured value was not in force. −EINVAL with all that is wrong.
 */
NODISCARD int live_reload(struct agent *agent, live_change_fn fn, void *data, GError **error);
/*
 * Writes the key's file in config-dir and does the same. Nothing is written that would be refused at a
 * start. −ENOENT: no such key; −EPERM: not a directory to write to; −EINVAL: a bad value, or one that
 * flags or the environment outrank.
 */
NODISCARD int live_set(struct agent *agent, const char *key, const char *text, live_change_fn fn,
		       void *data, GError **error);
/* At a start and after each reading: a key that is misspelled would change nothing in silence. */
void live_warn_unknown_keys(const struct config *config);
/* Applies and commits what was overridden. The edit stays the caller's. */
NODISCARD int live_apply(struct agent *agent, struct config_edit *edit, GError **error);
/*
 * What a reload would tell of now, without doing it: CONFIG_CHANGE_IN_FORCE is what it would change.
 * −EINVAL: it would be refused, and so would a start.
 */
NODISCARD int live_foreach_pending(const struct agent *agent, live_change_fn fn, void *data,
				   GError **error);
