/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/config_edit.h"

#include <string.h>
#include "src/agent/config_private.h"

/* What becomes of one row. */
struct row_edit {
	struct config_entry entry; /* text NULL: the row stays as it is */
	bool is_new_value;         /* settings has it */
};

struct config_edit {
	struct config *config;
	struct config *next;      /* what was read; NULL: only overrides */
	struct settings settings; /* borrows from config's what no row changes */
	struct row_edit *rows;
};

struct config_edit *config_edit_new(struct config *config)
{
	struct config_edit *edit = g_new0(struct config_edit, 1);

	edit->config = config;
	edit->settings = config->settings;
	edit->rows = g_new0(struct row_edit, option_n());
	return edit;
}

void config_edit_free(struct config_edit *edit)
{
	if (!edit)
		return;
	for (size_t i = 0; i < option_n(); i++) {
		if (edit->rows[i].is_new_value)
			option_fini_field(option_get(i), &edit->settings);
		config_fini_entry(&edit->rows[i].entry);
	}
	g_free(edit->rows);
	config_free(edit->next);
	g_free(edit);
}

/* Both texts are valid. */
static bool same_value(const struct option *option, const char *a, const char *b)
{
	union option_value value_a, value_b;
	bool same;

	if (!strcmp(a, b))
		return true;
	if (option_parse_value(option, a, &value_a))
		g_assert_not_reached();
	if (option_parse_value(option, b, &value_b))
		g_assert_not_reached();
	same = option_equal_values(option, &value_a, &value_b);
	option_fini_value(option, &value_a);
	option_fini_value(option, &value_b);
	return same;
}

/* The row gets text, place and origin; settings the value, where it is another. 0 or −EINVAL. */
static int set_row(struct config_edit *edit, size_t i, const struct config_entry *entry)
{
	const struct option *option = option_get(i);
	struct row_edit *row = &edit->rows[i];
	union option_value value;

	if (option_parse_value(option, entry->text, &value))
		return -EINVAL;
	if (row->is_new_value) {
		option_fini_field(option, &edit->settings);
		option_borrow_field(option, &edit->config->settings, &edit->settings);
	}
	config_fini_entry(&row->entry);
	row->entry = (struct config_entry){
		.text = g_strdup(entry->text),
		.place = g_strdup(entry->place),
		.origin = entry->origin,
		.differs = !same_value(option, entry->text, option->default_text),
	};
	/* Others borrow from the settings: what is equal stays where it is. */
	row->is_new_value = option->state == OPTION_STATE_ACTS &&
			    !same_value(option, entry->text, edit->config->entries[i].text);
	if (row->is_new_value)
		option_take_value(option, &value, &edit->settings);
	else
		option_fini_value(option, &value);
	return 0;
}

static bool stays_overridden(const struct config_edit *edit, size_t i)
{
	const struct config *config = edit->config;
	const char *set_key = edit->next->sources.key;

	return config->entries[i].origin == OPTION_ORIGIN_RUNTIME &&
	       same_value(option_get(i), config->configured[i].text, edit->next->entries[i].text) &&
	       (!set_key || strcmp(set_key, option_get(i)->key));
}

static void reread_row(struct config_edit *edit, size_t i)
{
	const struct option *option = option_get(i);
	const struct config_entry *next = &edit->next->entries[i];
	int err;

	if (stays_overridden(edit, i))
		return;
	if (option->state == OPTION_STATE_ACTS && !option->live &&
	    !same_value(option, edit->config->entries[i].text, next->text))
		return;
	err = set_row(edit, i, next);
	g_assert(!err); /* config_load() has checked it */
}

int config_edit_reread(struct config_edit *edit, const char *key, const char *text, GError **error)
{
	struct config_sources sources = edit->config->sources;
	int err;

	g_assert(!edit->next);
	sources.key = key;
	sources.text = text;
	err = config_load_sources(&sources, &edit->next, error);
	if (err)
		return err;
	for (size_t i = 0; i < option_n(); i++)
		reread_row(edit, i);
	return 0;
}

static int refuse_restart(const char *key, enum option_state state, GError **error)
{
	if (state != OPTION_STATE_ACTS)
		return error_set(error, EINVAL, "%s: this version does not act on the key", key);
	return error_set(error, EINVAL,
			 "%s: cannot be changed while the agent runs; \"cilium config set %s "
			 "VALUE\" writes it for the next start",
			 key, key);
}

int config_edit_override(struct config_edit *edit, const char *key, const char *text,
			 GError **error)
{
	int i = option_find(key);
	struct config_entry entry = {.text = (char *)text, .origin = OPTION_ORIGIN_RUNTIME};
	g_autofree char *allowed = NULL;

	if (i < 0)
		return error_set(error, ENOENT,
				 "%s: no such option and no such key; see \"cilium config "
				 "--list-options\" and \"cilium config view\"",
				 key);
	if (!option_get(i)->live)
		return refuse_restart(key, option_get(i)->state, error);
	if (!set_row(edit, i, text ? &entry : &edit->config->configured[i]))
		return 0;
	allowed = option_format_allowed(option_get(i));
	return error_set(error, EINVAL, "%s: got \"%.200s\", want %s", key, text, allowed);
}

int config_edit_check(const struct config_edit *edit, GError **error)
{
	g_autoptr(GString) problems = g_string_new(NULL);

	settings_check(&edit->settings, problems);
	return problems->len ? error_set(error, EINVAL, "%s", problems->str) : 0;
}

const struct settings *config_edit_get_settings(const struct config_edit *edit)
{
	return &edit->settings;
}

bool config_edit_concerns(const struct config_edit *edit, enum option_live who)
{
	for (size_t i = 0; i < option_n(); i++)
		if (option_get(i)->live == who && edit->rows[i].is_new_value)
			return true;
	return false;
}

static void tell(size_t i, const struct config_entry *wanted, const struct config_entry *in_force,
		 bool is_taken, void (*fn)(const struct config_change *change, void *data),
		 void *data)
{
	const struct option *option = option_get(i);
	struct config_change change = {
		.key = option->key,
		.text = wanted->text,
		.text_in_force = in_force->text,
		.origin = wanted->origin,
		.place = wanted->place,
		.state = is_taken ? CONFIG_CHANGE_IN_FORCE : CONFIG_CHANGE_NEEDS_RESTART,
	};

	if (same_value(option, wanted->text, in_force->text))
		return;
	if (option->state != OPTION_STATE_ACTS)
		change.state = CONFIG_CHANGE_NO_EFFECT;
	fn(&change, data);
}

void config_edit_foreach(const struct config_edit *edit,
			 void (*fn)(const struct config_change *change, void *data), void *data)
{
	for (size_t i = 0; i < option_n(); i++) {
		const struct config_entry *in_force = &edit->config->entries[i];

		if (edit->rows[i].entry.text)
			tell(i, &edit->rows[i].entry, in_force, true, fn, data);
		else if (edit->next && !stays_overridden(edit, i))
			tell(i, &edit->next->entries[i], in_force, false, fn, data);
	}
}

void config_edit_commit(struct config_edit *edit)
{
	struct config *config = edit->config, *next = edit->next;
	struct config_entry *configured;
	GPtrArray *unknown;

	for (size_t i = 0; i < option_n(); i++) {
		struct row_edit *row = &edit->rows[i];

		if (!row->entry.text)
			continue;
		if (row->is_new_value)
			option_fini_field(option_get(i), &config->settings);
		config_fini_entry(&config->entries[i]);
		config->entries[i] = row->entry;
		*row = (struct row_edit){0};
	}
	config->settings = edit->settings;
	if (!next)
		return;
	configured = g_steal_pointer(&next->configured);
	next->configured = config->configured;
	config->configured = configured;
	unknown = g_steal_pointer(&next->unknown);
	next->unknown = config->unknown;
	config->unknown = unknown;
}
