/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_labels.h"

#include <string.h>

struct labels_edit {
	struct endpoint *endpoint;
	const struct endpoint_state *state; /* of before; NULL: none */
	const struct label_set *own_before;
};

static bool is_any_source(const struct label *label)
{
	return !strcmp(label->source, "any") || !strcmp(label->source, "unspec");
}

/* The label of the set under source and key. */
static const struct label *find(const struct label_set *set, const struct label *label)
{
	for (size_t i = 0; set && i < label_set_n(set); i++) {
		const struct label *each = label_set_get(set, i);

		if (!strcmp(each->key, label->key) && !strcmp(each->source, label->source))
			return each;
	}
	return NULL;
}

/* The label of the set that somebody means who may leave source and value out. */
static const struct label *find_meant(const struct label_set *set, const struct label *label)
{
	for (size_t i = 0; set && i < label_set_n(set); i++) {
		const struct label *each = label_set_get(set, i);

		if (!strcmp(each->key, label->key) &&
		    (is_any_source(label) || !strcmp(each->source, label->source)) &&
		    (!*label->value || !strcmp(each->value, label->value)))
			return each;
	}
	return NULL;
}

/* Replaces *set by itself without the label, and with more in its place where that is given. */
static void set_replace(const struct label_set **set, const struct label *label,
			const struct label *more)
{
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));
	const struct label_set *before = *set;

	for (size_t i = 0; i < label_set_n(before); i++) {
		const struct label *each = label_set_get(before, i);

		if (strcmp(each->key, label->key) != 0 || strcmp(each->source, label->source) != 0)
			g_array_append_vals(labels, each, 1);
	}
	if (more)
		g_array_append_vals(labels, more, 1);
	*set = label_set_new((const struct label *)(void *)labels->data, labels->len);
	label_set_unref(before);
}

/* A label of the state that is somebody else's than the operator's. */
static const struct label *given_only(const struct labels_edit *edit, const struct label *label)
{
	return label && !find(edit->own_before, label) ? label : NULL;
}

static int check_addition(const struct endpoint *endpoint, const struct label *label,
			  const char *text, GError **error)
{
	if (!strcmp(label->source, "reserved"))
		return error_set(error, EINVAL, "label %s: \"reserved\" is no source to give",
				 text);
	if (strlen(text) > ENDPOINT_LABEL_BYTES_MAX)
		return error_set(error, EINVAL, "label %.40s…: longer than %d bytes", text,
				 ENDPOINT_LABEL_BYTES_MAX);
	if (label_set_n(endpoint->user_labels) >= ENDPOINT_LABELS_MAX &&
	    !find(endpoint->user_labels, label))
		return error_set(error, EINVAL,
				 "label %s: the endpoint has %d added labels already", text,
				 ENDPOINT_LABELS_MAX);
	return 0;
}

static int add(const struct labels_edit *edit, const struct label *label, GError **error)
{
	struct endpoint *endpoint = edit->endpoint;
	const struct endpoint_state *state = edit->state;
	const struct label *disabled = state ? find(state->disabled_labels, label) : NULL;
	const struct label *given = given_only(edit, state ? find(state->labels, label) : NULL);
	g_autofree char *text = label_format(label);
	int err = check_addition(endpoint, label, text, error);

	if (err)
		return err;
	if (find(endpoint->disabled_labels, label) && disabled &&
	    !strcmp(disabled->value, label->value)) {
		set_replace(&endpoint->disabled_labels, label, NULL);
		return 0;
	}
	/* What is given and was disabled a moment ago, by the same request, is free. */
	if (given && !find(endpoint->disabled_labels, label)) {
		g_autofree char *given_text = label_format(given);

		if (!strcmp(given->value, label->value))
			return 0;
		return error_set(error, EEXIST,
				 "label %s: the manifest or the runtime gives %s; change it there, "
				 "or disable that one first (-d %s:%s)",
				 text, given_text, given->source, given->key);
	}
	set_replace(&endpoint->user_labels, label, label);
	return 0;
}

static int take_away(const struct labels_edit *edit, const struct label *label, GError **error)
{
	struct endpoint *endpoint = edit->endpoint;
	const struct endpoint_state *state = edit->state;
	const struct label *own = find_meant(endpoint->user_labels, label);
	const struct label *given =
		given_only(edit, state ? find_meant(state->labels, label) : NULL);
	g_autofree char *text = label_format(label);

	if (own) {
		set_replace(&endpoint->user_labels, own, NULL);
		return 0;
	}
	if (given && !strcmp(given->source, "reserved"))
		return error_set(error, EINVAL,
				 "label %s: stands for an endpoint without labels; add one instead",
				 text);
	if (given)
		set_replace(&endpoint->disabled_labels, given, given);
	else if (!find_meant(endpoint->disabled_labels, label))
		return error_set(error, ENOENT, "label %s: the endpoint does not have it", text);
	return 0;
}

/* Those that are his own and not in user go. */
static void keep_only(struct endpoint *endpoint, const struct label_set *user)
{
	const struct label_set *before = label_set_ref(endpoint->user_labels);

	for (size_t i = 0; i < label_set_n(before); i++)
		if (!find(user, label_set_get(before, i)))
			set_replace(&endpoint->user_labels, label_set_get(before, i), NULL);
	label_set_unref(before);
}

static int add_all(const struct labels_edit *edit, const struct label_set *set, GError **error)
{
	int err = 0;

	for (size_t i = 0; set && i < label_set_n(set) && !err; i++)
		err = add(edit, label_set_get(set, i), error);
	return err;
}

int endpoint_labels_change(struct endpoint *endpoint, const struct endpoint_state *state,
			   const struct endpoint_labels_change *change, GError **error)
{
	const struct labels_edit edit = {endpoint, state, label_set_ref(endpoint->user_labels)};
	int err = 0;

	if (change->user)
		keep_only(endpoint, change->user);
	for (size_t i = 0; change->delete && i < label_set_n(change->delete) && !err; i++)
		err = take_away(&edit, label_set_get(change->delete, i), error);
	if (!err)
		err = add_all(&edit, change->user, error);
	if (!err)
		err = add_all(&edit, change->add, error);
	label_set_unref(edit.own_before);
	return err;
}
