// SPDX-License-Identifier: Apache-2.0
/* What CiliumNetworkPolicies, CiliumClusterwideNetworkPolicies and NetworkPolicies have in common. */
#include "src/source/decode_policy.h"

#include <string.h>
#include "src/base/nearest.h"

/* Of a policy; more are not noted: nobody reads them. */
#define MAX_NOTES 50

void decode_policy_note(const struct policy_decoder *decoder, const struct field *field,
			bool fails_closed, const char *format, ...)
{
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;
	va_list args;

	if (decoder->policy->notes->len >= MAX_NOTES)
		return;
	path = field_path(field, decoder->object);
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	policy_note_add(decoder->policy->notes, fails_closed, path, field_line(field), "%s", text);
}

static void check_member(const struct field *member, const char *const *known)
{
	struct nearest nearest;

	nearest_init(&nearest, member->name);
	for (const char *const *name = known; *name; name++) {
		if (strcmp(member->name, *name) == 0)
			return;
		nearest_offer(&nearest, *name);
	}
	field_add_problem(member, "is not known%s%s%s", nearest.best ? ": did you mean " : "",
			  nearest.best ? nearest.best : "", nearest.best ? "?" : "");
}

void decode_policy_members(const struct field *mapping, const char *const *known)
{
	for (struct field member = field_first_member(mapping); member.value;
	     member = field_next(&member))
		check_member(&member, known);
}

struct field decode_policy_first(const struct field *list)
{
	struct field item = field_first(list);

	if (item.value && list->value->n > POLICY_MAX_ITEMS) {
		field_add_problem(list, "has %u items, want at most %u", list->value->n,
				  POLICY_MAX_ITEMS);
		item.value = NULL;
	}
	return item;
}

struct policy_rule *decode_policy_rule(const struct policy_decoder *decoder,
				       struct policy_spec *spec, const struct field *field,
				       enum policy_direction direction, bool deny)
{
	struct policy_rule *rule = policy_rule_new(direction, deny);

	if (!field_is_set(field))
		field_want(field, "a mapping");
	rule->path = field_path(field, decoder->object);
	rule->line = field_line(field);
	rule->number = policy_rule_number(decoder->policy->meta.key, rule->path);
	g_ptr_array_add(spec->rules, rule);
	return rule;
}

static void add_label(GArray *labels, const char *key, const char *value)
{
	struct label label = {"k8s", key, value ? value : ""};

	g_array_append_val(labels, label);
}

const struct label_set *decode_policy_labels(const struct policy_decoder *decoder, const char *name,
					     GArray *labels)
{
	const struct policy *policy = decoder->policy;

	add_label(labels, "io.cilium.k8s.policy.derived-from", policy_kind_name(policy->kind));
	add_label(labels, "io.cilium.k8s.policy.name", name);
	if (policy->meta.namespace)
		add_label(labels, "io.cilium.k8s.policy.namespace", policy->meta.namespace);
	add_label(labels, "io.cilium.k8s.policy.uid", policy->meta.uid);
	return label_set_new((const struct label *)(void *)labels->data, labels->len);
}
