// SPDX-License-Identifier: Apache-2.0
/* The peers of all rules at once. */
#include "src/derive/policy_rules_private.h"

#include "src/model/identity.h"

/*
 * Identities that the same rules select are grouped: a group is the list of the rules so far, kept as the
 * group that it came of and the last rule. Each rule moves the identities that it selects on to another
 * group, so that in the end there is a group for each list that occurs.
 */
struct group {
	uint32_t parent;
	uint32_t place;      /* of the last rule; not set in the first group, which has no rule */
	uint32_t next;       /* where next_place moves identities of this group to */
	uint32_t next_place; /* UINT32_MAX: no rule yet */
	const struct rule_class *class; /* borrowed, made at the end */
	const struct rule_class *localhost_class;
};

struct grouping {
	GArray *groups;        /* struct group */
	GHashTable *of_number; /* identity to index of its group */
};

static struct group *get_group(const struct grouping *grouping, uint32_t i)
{
	return &g_array_index(grouping->groups, struct group, i);
}

static uint32_t add_group(struct grouping *grouping, uint32_t parent, uint32_t place)
{
	struct group group = {.parent = parent, .place = place, .next_place = UINT32_MAX};

	g_array_append_val(grouping->groups, group);
	return grouping->groups->len - 1;
}

static void move_identity(struct grouping *grouping, uint32_t identity, uint32_t place)
{
	void *key = GUINT_TO_POINTER(identity);
	uint32_t i = GPOINTER_TO_UINT(g_hash_table_lookup(grouping->of_number, key));

	/* Another selector of the same rule has been here. */
	if (i && get_group(grouping, i)->place == place)
		return;
	if (get_group(grouping, i)->next_place != place) {
		uint32_t next = add_group(grouping, i, place);

		get_group(grouping, i)->next = next;
		get_group(grouping, i)->next_place = place;
	}
	g_hash_table_insert(grouping->of_number, key,
			    GUINT_TO_POINTER(get_group(grouping, i)->next));
}

static void group_identities(const struct policy_rules *rules, struct grouping *grouping)
{
	add_group(grouping, 0, 0);
	if (policy_rules_is_localhost(rules, IDENTITY_HOST))
		g_hash_table_insert(grouping->of_number, GUINT_TO_POINTER(IDENTITY_HOST), NULL);
	for (uint32_t place = 0; place < rules->rules->len; place++) {
		const struct placed_rule *rule = rules->rules->pdata[place];

		for (unsigned int i = 0; i < rule->selectors->len; i++) {
			const struct policy_selector *selector = rule->selectors->pdata[i];

			for (unsigned int j = 0; j < selector->identities->len; j++)
				move_identity(grouping,
					      g_array_index(selector->identities, uint32_t, j),
					      place);
		}
	}
}

static const struct rule_class *
group_class(struct policy_rules *rules, const struct grouping *grouping, uint32_t i, bool localhost)
{
	struct group *group = get_group(grouping, i);
	const struct rule_class **class = localhost ? &group->localhost_class : &group->class;
	g_autoptr(GArray) places = NULL;

	if (*class)
		return *class;
	places = g_array_new(false, false, sizeof(uint32_t));
	for (; i; i = get_group(grouping, i)->parent)
		g_array_append_val(places, get_group(grouping, i)->place);
	*class = policy_rules_class_of(rules, places, localhost);
	return *class;
}

static int compare_peers(const void *a, const void *b)
{
	uint32_t x = ((const struct rule_set_peer *)a)->identity;
	uint32_t y = ((const struct rule_set_peer *)b)->identity;

	return (x > y) - (x < y);
}

GArray *policy_rules_find_peers(struct policy_rules *rules)
{
	GArray *peers = g_array_new(false, true, sizeof(struct rule_set_peer));
	struct grouping grouping = {
		.groups = g_array_new(false, true, sizeof(struct group)),
		.of_number = g_hash_table_new(NULL, NULL),
	};
	GHashTableIter iter;
	void *key, *value;

	group_identities(rules, &grouping);
	g_hash_table_iter_init(&iter, grouping.of_number);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		uint32_t identity = GPOINTER_TO_UINT(key);
		const struct rule_class *class =
			group_class(rules, &grouping, GPOINTER_TO_UINT(value),
				    policy_rules_is_localhost(rules, identity));
		struct rule_set_peer peer = {identity, class};

		if (class == rules->others)
			continue;
		rule_class_ref(class);
		g_array_append_val(peers, peer);
	}
	g_array_sort(peers, compare_peers);
	rules->n_classes_at_first = g_hash_table_size(rules->classes);
	g_hash_table_unref(grouping.of_number);
	g_array_unref(grouping.groups);
	return peers;
}
