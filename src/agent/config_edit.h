/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of the configuration in force: prepared and checked as a whole, applied by whoever it
 * concerns (live.c), and then committed, or thrown away and nothing has changed. One at a time.
 */
#pragma once

#include "src/agent/config.h"
#include "src/agent/option.h"

struct config_edit;

enum config_change_state {
	CONFIG_CHANGE_IN_FORCE,      /* with the commit */
	CONFIG_CHANGE_NEEDS_RESTART, /* configured, and not in force */
	CONFIG_CHANGE_NO_EFFECT,     /* this version does not act on the key */
};

struct config_change {
	const char *key;
	const char *text;          /* what is configured */
	const char *text_in_force; /* until now */
	enum option_origin origin;
	const char *place; /* file or variable; NULL for defaults, flags and PATCH */
	enum config_change_state state;
};

struct config_edit *config_edit_new(struct config *config);
/* Takes NULL. What was not committed is thrown away. */
void config_edit_free(struct config_edit *edit);

/*
 * Reads everything again, as at a start. key: it is given text in config-dir, whatever its file says,
 * and what was changed of it at run time is over; NULL: none. What was changed of other keys at run
 * time stays, unless their configured text is another now: the later wish wins. −EINVAL with all that
 * is wrong with the configuration.
 */
NODISCARD int config_edit_reread(struct config_edit *edit, const char *key, const char *text,
				 GError **error);
/*
 * Gives a live key a value that lasts until the agent ends; NULL: what is configured, again. −ENOENT:
 * no such key; −EINVAL: a bad value, or a key that needs a restart.
 */
NODISCARD int config_edit_override(struct config_edit *edit, const char *key, const char *text,
				   GError **error);
/* Call it after overrides: whether the settings fit each other. */
NODISCARD int config_edit_check(const struct config_edit *edit, GError **error);

/* What will be in force. */
const struct settings *config_edit_get_settings(const struct config_edit *edit);
/* Whether a value that who is to be told differs from that in force. */
bool config_edit_concerns(const struct config_edit *edit, enum option_live who);
/* Keys whose value differs from that in force, in the order of option.def. */
void config_edit_foreach(const struct config_edit *edit,
			 void (*fn)(const struct config_change *change, void *data), void *data);
void config_edit_commit(struct config_edit *edit);
