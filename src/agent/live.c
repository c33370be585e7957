/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/live.h"

#include "src/agent/agent.h"
#include "src/agent/config_file.h"
#include "src/agent/conntrack_gc.h"
#include "src/agent/events.h"
#include "src/agent/notify.h"
#include "src/agent/wiring.h"
#include "src/base/log.h"

static void log_change(const struct config_change *change, void *data)
{
	const char *from = option_origin_text(change->origin);

	switch (change->state) {
	case CONFIG_CHANGE_IN_FORCE:
		log_info("config", "A key has another value now",
			 "key=%s value=%s before=%s from=%s place=%s", change->key, change->text,
			 change->text_in_force, from, change->place);
		break;
	case CONFIG_CHANGE_NEEDS_RESTART:
		log_warning("config", "A changed key waits for a restart of the agent",
			    "key=%s value=%s in-force=%s from=%s place=%s", change->key,
			    change->text, change->text_in_force, from, change->place);
		break;
	case CONFIG_CHANGE_NO_EFFECT:
		log_warning("config", "This version does not act on the key",
			    "key=%s value=%s place=%s", change->key, change->text, change->place);
		break;
	}
}

void live_warn_unknown_keys(const struct config *config)
{
	const char *const *unknown = config_get_unknown_keys(config);

	for (; unknown && *unknown; unknown++)
		log_warning("config", "Unknown key", "key=%s hint=%s", *unknown,
			    "remove its file or correct its name: cilium config view lists all");
}

static void apply_policy(struct agent *agent, const struct settings *settings)
{
	wiring_update_derive(settings, &agent->derive_config);
	derive_reconfigure(agent->derive);
	store_settle(agent->store);
}

int live_apply(struct agent *agent, struct config_edit *edit, GError **error)
{
	const struct settings *settings = config_edit_get_settings(edit);
	int err = 0;

	/* First what can fail, so that nothing needs to be undone. */
	if (config_edit_concerns(edit, OPTION_LIVE_EVENTS))
		err = events_configure(agent->events, settings, error);
	if (err)
		return err;
	/* Told of in the old form and level of the log. */
	config_edit_foreach(edit, log_change, NULL);
	if (config_edit_concerns(edit, OPTION_LIVE_LOG))
		settings_apply_log(settings);
	if (config_edit_concerns(edit, OPTION_LIVE_CONNTRACK_GC))
		conntrack_gc_configure(agent->conntrack_gc, settings);
	if (config_edit_concerns(edit, OPTION_LIVE_POLICY))
		apply_policy(agent, settings);
	config_edit_commit(edit);
	return 0;
}

int live_reload(struct agent *agent, live_change_fn fn, void *data, GError **error)
{
	struct config_edit *edit = config_edit_new(agent->config);
	int err;

	notify_reloading(agent->notify);
	err = config_edit_reread(edit, NULL, NULL, error);

	if (!err && fn)
		config_edit_foreach(edit, fn, data);
	if (!err)
		err = live_apply(agent, edit, error);
	config_edit_free(edit);
	if (!err) {
		live_warn_unknown_keys(agent->config);
		log_info("config", "The configuration was read again");
	}
	notify_ready(agent->notify);
	return err;
}

/* A file would change nothing where something else says what the value is. */
static int check_rank(const struct config *config, const char *key, GError **error)
{
	struct config_value value;

	if (config_find_configured(config, key, &value))
		return error_set(error, ENOENT,
				 "%s: no such key; \"cilium config view\" lists them all", key);
	if (value.origin == OPTION_ORIGIN_FLAG)
		return error_set(error, EINVAL,
				 "%s: --%s on the agent's command line outranks config-dir: change "
				 "it there and restart the agent",
				 key, key);
	if (value.origin == OPTION_ORIGIN_ENVIRONMENT)
		return error_set(error, EINVAL,
				 "%s: %s in the agent's environment outranks config-dir: change it "
				 "there and restart the agent",
				 key, value.place);
	return 0;
}

int live_set(struct agent *agent, const char *key, const char *text, live_change_fn fn, void *data,
	     GError **error)
{
	struct config_edit *edit = config_edit_new(agent->config);
	int err = check_rank(agent->config, key, error);

	if (!err)
		err = config_edit_reread(edit, key, text, error);
	if (!err)
		err = config_file_write(agent->settings->config_dir, key, text, error);
	if (!err) {
		config_edit_foreach(edit, fn, data);
		err = live_apply(agent, edit, error);
		if (err)
			error_prefix(error, "%s is written but not in force", key);
	}
	config_edit_free(edit);
	return err;
}

int live_foreach_pending(const struct agent *agent, live_change_fn fn, void *data, GError **error)
{
	struct config_edit *edit = config_edit_new(agent->config);
	int err = config_edit_reread(edit, NULL, NULL, error);

	if (!err)
		config_edit_foreach(edit, fn, data);
	config_edit_free(edit);
	return err;
}
