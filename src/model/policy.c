// SPDX-License-Identifier: Apache-2.0
#include "src/model/policy.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/model/rule_set.h"

const char *policy_kind_name(enum policy_kind kind)
{
	static const char *const names[] = {
		[POLICY_KIND_KUBERNETES] = "NetworkPolicy",
		[POLICY_KIND_CILIUM] = "CiliumNetworkPolicy",
		[POLICY_KIND_CLUSTERWIDE] = "CiliumClusterwideNetworkPolicy",
	};

	g_assert(kind < POLICY_KIND__MAX);
	return names[kind];
}

static void unref_selector(void *selector)
{
	selector_unref(selector);
}

static void fini_port(void *port)
{
	intern_unref(((struct policy_port *)port)->name);
}

struct policy_rule *policy_rule_new(enum policy_direction direction, bool deny)
{
	struct policy_rule *rule = g_new0(struct policy_rule, 1);

	rule->direction = direction;
	rule->deny = deny;
	rule->peers = g_ptr_array_new_with_free_func(unref_selector);
	rule->
		requires
	= g_ptr_array_new_with_free_func(unref_selector);
	rule->ports = g_array_new(FALSE, TRUE, sizeof(struct policy_port));
	g_array_set_clear_func(rule->ports, fini_port);
	return rule;
}

void policy_rule_free(struct policy_rule *rule)
{
	if (!rule)
		return;
	g_free(rule->path);
	g_ptr_array_unref(rule->peers);
	g_ptr_array_unref(rule->requires);
	g_array_unref(rule->ports);
	g_free(rule);
}

struct policy_spec *policy_spec_new(void)
{
	struct policy_spec *spec = g_new0(struct policy_spec, 1);

	spec->rules = g_ptr_array_new_with_free_func((GDestroyNotify)policy_rule_free);
	return spec;
}

void policy_spec_free(struct policy_spec *spec)
{
	if (!spec)
		return;
	selector_unref(spec->subject);
	g_ptr_array_unref(spec->rules);
	label_set_unref(spec->labels);
	g_free(spec->description);
	g_free(spec->log);
	g_free(spec);
}

void policy_note_add(GPtrArray *notes, bool fails_closed, const char *path, unsigned int line,
		     const char *format, ...)
{
	struct policy_note *note = g_new0(struct policy_note, 1);
	va_list args;

	note->fails_closed = fails_closed;
	note->path = g_strdup(path);
	note->line = line;
	va_start(args, format);
	note->text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(notes, note);
}

void policy_note_free(struct policy_note *note)
{
	if (!note)
		return;
	g_free(note->path);
	g_free(note->text);
	g_free(note);
}

struct policy *policy_new(void)
{
	struct policy *policy = (struct policy *)row_new(&policy_class);

	policy->specs = g_ptr_array_new_with_free_func((GDestroyNotify)policy_spec_free);
	policy->notes = g_ptr_array_new_with_free_func((GDestroyNotify)policy_note_free);
	return policy;
}

static void policy_fini(struct row *row)
{
	struct policy *policy = (struct policy *)row;

	object_meta_fini(&policy->meta);
	g_ptr_array_unref(policy->specs);
	g_ptr_array_unref(policy->notes);
}

/* Interned things: the same pointers in the same order. */
static bool pointers_equal(const GPtrArray *a, const GPtrArray *b)
{
	return a->len == b->len &&
	       (!a->len || memcmp(a->pdata, b->pdata, a->len * sizeof(a->pdata[0])) == 0);
}

static bool ports_equal(const GArray *a, const GArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct policy_port *x = &g_array_index(a, struct policy_port, i);
		const struct policy_port *y = &g_array_index(b, struct policy_port, i);

		if (x->protocol != y->protocol || x->needs != y->needs ||
		    x->all_ports != y->all_ports || x->port != y->port ||
		    x->end_port != y->end_port || x->name != y->name)
			return false;
	}
	return true;
}

static bool rule_is_same(const struct policy_rule *a, const struct policy_rule *b)
{
	return a->number == b->number && a->direction == b->direction && a->deny == b->deny &&
	       a->needs == b->needs && strcmp(a->path, b->path) == 0 &&
	       a->any_peer == b->any_peer && a->narrowed == b->narrowed &&
	       a->no_ports == b->no_ports && pointers_equal(a->peers, b->peers) &&
	       pointers_equal(a->requires, b->requires) && ports_equal(a->ports, b->ports);
}

static bool spec_is_same(const struct policy_spec *a, const struct policy_spec *b)
{
	if (a->subject != b->subject || a->selects_nodes != b->selects_nodes ||
	    memcmp(a->default_deny, b->default_deny, sizeof(a->default_deny)) != 0 ||
	    a->labels != b->labels || g_strcmp0(a->description, b->description) != 0 ||
	    g_strcmp0(a->log, b->log) != 0 || a->rules->len != b->rules->len)
		return false;
	for (unsigned int i = 0; i < a->rules->len; i++)
		if (!rule_is_same(g_ptr_array_index(a->rules, i), g_ptr_array_index(b->rules, i)))
			return false;
	return true;
}

bool policy_is_same(const struct policy *a, const struct policy *b)
{
	if (a->kind != b->kind || !object_meta_equal(&a->meta, &b->meta) ||
	    a->specs->len != b->specs->len)
		return false;
	for (unsigned int i = 0; i < a->specs->len; i++)
		if (!spec_is_same(g_ptr_array_index(a->specs, i), g_ptr_array_index(b->specs, i)))
			return false;
	return true;
}

static bool notes_equal(const GPtrArray *a, const GPtrArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++) {
		const struct policy_note *x = g_ptr_array_index(a, i);
		const struct policy_note *y = g_ptr_array_index(b, i);

		if (x->fails_closed != y->fails_closed || x->line != y->line ||
		    strcmp(x->path, y->path) != 0 || strcmp(x->text, y->text) != 0)
			return false;
	}
	return true;
}

/* Of policies that are the same. */
static bool lines_equal(const struct policy *a, const struct policy *b)
{
	for (unsigned int i = 0; i < a->specs->len; i++) {
		const struct policy_spec *x = g_ptr_array_index(a->specs, i);
		const struct policy_spec *y = g_ptr_array_index(b->specs, i);

		for (unsigned int j = 0; j < x->rules->len; j++) {
			const struct policy_rule *of_x = g_ptr_array_index(x->rules, j);
			const struct policy_rule *of_y = g_ptr_array_index(y->rules, j);

			if (of_x->line != of_y->line)
				return false;
		}
	}
	return a->meta.line == b->meta.line;
}

static bool policy_equal(const struct row *row_a, const struct row *row_b)
{
	const struct policy *a = (const struct policy *)row_a;
	const struct policy *b = (const struct policy *)row_b;

	return a->meta.file == b->meta.file && policy_is_same(a, b) && lines_equal(a, b) &&
	       notes_equal(a->notes, b->notes);
}

const struct row_class policy_class = {
	.name = "policy",
	.size = sizeof(struct policy),
	.fini = policy_fini,
	.equal = policy_equal,
};

/* FNV-1a; the NUL between the two parts too. */
static uint32_t mix(uint32_t hash, const char *text)
{
	do
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	while (*text++);
	return hash;
}

uint32_t policy_rule_number(const char *policy_key, const char *path)
{
	uint32_t number = mix(mix(2166136261U, policy_key), path);

	return number > RULE_NUMBER_RESERVED_MAX ? number : number + RULE_NUMBER_RESERVED_MAX + 1;
}
