/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/policy_text.h"

#include <string.h>
#include "src/cli/json_get.h"

/* ---- policy selectors ---- */

static const char *find_label(const json_t *labels, const char *key)
{
	json_t *label;
	size_t i;

	json_array_foreach(labels, i, label) if (!strcmp(json_get_text(label, "key", NULL),
							 key)) return json_get_text(label, "value",
										    NULL);
	return "";
}

/* "namespace/name" of the policy, which stand among the labels of its rules. */
static void append_policy_name(GString *text, const json_t *labels)
{
	const char *namespace = find_label(labels, "io.cilium.k8s.policy.namespace");

	g_string_append_printf(text, "%s%s%s", namespace, *namespace ? "/" : "",
			       find_label(labels, "io.cilium.k8s.policy.name"));
}

static void append_labels(GString *text, const json_t *labels)
{
	json_t *label;
	size_t i;

	g_string_append_c(text, '[');
	json_array_foreach(labels, i, label)
	{
		const char *value = json_get_text(label, "value", NULL);

		g_string_append_printf(text, "%s%s:%s%s%s", i ? " " : "",
				       json_get_text(label, "source", NULL),
				       json_get_text(label, "key", NULL), *value ? "=" : "", value);
	}
	g_string_append_c(text, ']');
}

void policy_append_selectors(GString *table, const json_t *selectors, bool verbose)
{
	json_t *selector, *identity;
	size_t i, j;

	g_string_append(table, "SELECTOR\tLABELS\tUSERS\tIDENTITIES\n");
	json_array_foreach(selectors, i, selector)
	{
		const json_t *labels = json_get(selector, "labels", NULL);

		g_string_append_printf(table, "%s\t", json_get_text(selector, "selector", NULL));
		if (verbose)
			append_labels(table, labels);
		else
			append_policy_name(table, labels);
		g_string_append_printf(table, "\t%lld", json_get_number(selector, "users", NULL));
		/* One a row, the first on the selector's own. */
		json_array_foreach(json_get(selector, "identities", NULL), j, identity)
			g_string_append_printf(table, "%s\t%lld\t\n", j ? "\t\t" : "",
					       (long long)json_integer_value(identity));
		if (!json_array_size(json_get(selector, "identities", NULL)))
			g_string_append(table, "\t\n");
	}
}

/* ---- policy list ---- */

static void append_count(GString *text, unsigned int n, const char *one, const char *many)
{
	if (n)
		g_string_append_printf(text, "%s%u %s", text->len ? ", " : "", n,
				       n == 1 ? one : many);
}

static char *summary(const json_t *policy)
{
	GString *text = g_string_new(NULL);
	unsigned int n_closed = 0, n_warnings = 0;
	json_t *note;
	size_t i;

	json_array_foreach(json_get(policy, "notes", NULL), i, note)
	{
		bool is_closed = json_is_true(json_get(note, "fails-closed", NULL));

		n_closed += is_closed;
		n_warnings += !is_closed;
	}
	append_count(text, json_array_size(json_get(policy, "problems", NULL)), "problem",
		     "problems");
	append_count(text, n_closed, "part fails closed", "parts fail closed");
	append_count(text, n_warnings, "warning", "warnings");
	return g_string_free(text, FALSE);
}

/* Where the manifest is bad the version before it may still be in force. */
static const char *in_force_text(const json_t *policy)
{
	bool is_active = json_is_true(json_get(policy, "active", NULL));

	if (json_array_size(json_get(policy, "problems", NULL)))
		return is_active ? "the last good version" : "no";
	return is_active ? "yes" : "soon";
}

void policy_append_list(GString *table, const json_t *status)
{
	json_t *policy;
	size_t i;

	g_string_append(table, "POLICY\tVALID\tIN FORCE\tRULES\tENDPOINTS\tNOTES\n");
	json_array_foreach(json_get(status, "policies", NULL), i, policy)
	{
		g_autofree char *notes = summary(policy);

		g_string_append_printf(
			table, "%s\t%s\t%s\t%lld\t%lld\t%s\n",
			json_get_text(policy, "policy", NULL),
			json_is_true(json_get(policy, "valid", NULL)) ? "True" : "False",
			in_force_text(policy), json_get_number(policy, "rules", NULL),
			json_get_number(policy, "endpoints", NULL), notes);
	}
}

static void append_place(GString *text, const char *file, long long line)
{
	if (*file && line)
		g_string_append_printf(text, " (%s:%lld)", file, line);
	else if (*file)
		g_string_append_printf(text, " (%s)", file);
}

static void append_of_policy(GString *text, const json_t *policy)
{
	const char *key = json_get_text(policy, "policy", NULL);
	json_t *item;
	size_t i;

	json_array_foreach(json_get(policy, "problems", NULL), i, item)
	{
		const char *field = json_get_text(item, "field", NULL);

		g_string_append_printf(text, "%s: refused: %s%s%s", key, field, *field ? ": " : "",
				       json_get_text(item, "reason", NULL));
		append_place(text, json_get_text(item, "file", NULL),
			     json_get_number(item, "line", NULL));
		g_string_append_c(text, '\n');
	}
	json_array_foreach(json_get(policy, "notes", NULL), i, item)
	{
		g_string_append_printf(
			text, "%s: %s: %s: %s", key,
			json_is_true(json_get(item, "fails-closed", NULL)) ? "fails closed"
									   : "warning",
			json_get_text(item, "path", NULL), json_get_text(item, "text", NULL));
		append_place(text, json_get_text(policy, "file", NULL),
			     json_get_number(item, "line", NULL));
		g_string_append_c(text, '\n');
	}
}

void policy_append_notes(GString *text, const json_t *status)
{
	json_t *policy;
	size_t i;

	json_array_foreach(json_get(status, "policies", NULL), i, policy)
		append_of_policy(text, policy);
}
