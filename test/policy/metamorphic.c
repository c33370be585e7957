/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/metamorphic.h"

#include <stdio.h>
#include <string.h>
#include "test/policy/generate.h"
#include "test/policy/question.h"

static bool allows(const struct policy_leaf *leaf)
{
	return leaf->verdict == POLICY_VERDICT_ALLOW;
}

/* The plan's answers to all questions about a world, in one order: struct policy_leaf. */
static GArray *ask(const struct plan *plan, const json_t *world)
{
	g_autoptr(GPtrArray) subjects = question_subjects(world);
	g_autoptr(GPtrArray) peers = question_peers(world);
	GArray *leaves = g_array_new(false, false, sizeof(struct policy_leaf));

	for (unsigned int p = 0; p < peers->len; p++) {
		uint32_t identity = plan_get_identity(plan, peers->pdata[p]);

		for (unsigned int s = 0; s < subjects->len; s++)
			for (unsigned int k = 0; k < 2 * N_PACKET_KINDS; k++) {
				const struct packet_kind *kind = &packet_kinds[k / 2];
				struct policy_leaf leaf =
					plan_judge(plan, subject_endpoint(subjects->pdata[s]),
						   k % 2 ? POLICY_EGRESS : POLICY_INGRESS, identity,
						   kind->protocol, kind->port);

				g_array_append_val(leaves, leaf);
			}
	}
	return leaves;
}

/* The generated worlds are valid, and stay so however they are turned. asked: whose parties. */
static GArray *ask_anew(const json_t *world, const json_t *asked)
{
	struct plan *plan = plan_new(world);
	GArray *leaves = ask(plan, asked);
	g_autofree char *problem = plan_get_problem(plan);

	if (problem)
		g_error("a valid object is refused: %s", problem);
	plan_free(plan);
	return leaves;
}

/* Which pairs of answers may be. */
enum relation {
	SAME,
	SAME_VERDICTS,
	NOT_MORE_ALLOWED,
	NOT_MORE_DENIED
};

static bool relation_holds(enum relation relation, const struct policy_leaf *before,
			   const struct policy_leaf *after)
{
	switch (relation) {
	case SAME:
		return before->verdict == after->verdict && before->rule == after->rule;
	case SAME_VERDICTS:
		return before->verdict == after->verdict;
	case NOT_MORE_ALLOWED:
		return allows(before) || !allows(after);
	case NOT_MORE_DENIED:
		return !allows(before) || allows(after);
	}
	return false;
}

static unsigned int check(enum relation relation, const char *what, const json_t *world,
			  const GArray *before, const GArray *after)
{
	g_autoptr(GPtrArray) subjects = question_subjects(world);
	g_autoptr(GPtrArray) peers = question_peers(world);

	g_assert(before->len == after->len);
	for (unsigned int i = 0; i < before->len; i++) {
		const struct policy_leaf *old = &g_array_index(before, struct policy_leaf, i);
		const struct policy_leaf *new = &g_array_index(after, struct policy_leaf, i);
		unsigned int k = i % (2 * N_PACKET_KINDS), s = i / (2 * N_PACKET_KINDS);
		struct question question = {
			.subject = subjects->pdata[s % subjects->len],
			.peer = peers->pdata[s / subjects->len],
			.is_ingress = !(k % 2),
			.kind = packet_kinds[k / 2],
		};
		g_autofree char *text = NULL;

		if (relation_holds(relation, old, new))
			continue;
		text = question_text(&question);
		printf("%s: %s: verdict %u of rule %u, then %u of %u\n", what, text, old->verdict,
		       old->rule, new->verdict, new->rule);
		return 1;
	}
	return 0;
}

static bool is_policy(const json_t *object)
{
	return g_str_has_suffix(object_text(object, "kind", NULL), "NetworkPolicy");
}

static json_t *objects_of(const json_t *world)
{
	return json_object_get(world, "objects");
}

static unsigned int check_order(const json_t *world, const GArray *before)
{
	json_t *other = json_deep_copy(world), *objects = json_array();
	g_autoptr(GArray) after = NULL;
	unsigned int n_wrong;

	for (size_t i = json_array_size(objects_of(world)); i-- > 0;)
		json_array_append(objects, json_array_get(objects_of(other), i));
	json_object_set_new(other, "objects", objects);
	after = ask_anew(other, world);
	n_wrong = check(SAME, "in another order", world, before, after);
	json_decref(other);
	return n_wrong;
}

/* "specs" of one policy as policies of their own. */
static json_t *split(const json_t *world)
{
	json_t *other = json_deep_copy(world), *objects = json_array(), *object, *spec;
	size_t i, k;

	json_array_foreach(objects_of(other), i, object)
	{
		json_t *specs = json_incref(json_object_get(object, "specs"));

		json_object_del(object, "specs");
		if (!specs || json_object_get(object, "spec"))
			json_array_append(objects, object);
		json_array_foreach(specs, k, spec)
		{
			json_t *alone = json_deep_copy(object);
			g_autofree char *name = g_strdup_printf(
				"%s-%zu", object_text(object, "metadata", "name"), k);

			json_object_set(alone, "spec", spec);
			json_object_set_new(json_object_get(alone, "metadata"), "name",
					    json_string(name));
			json_array_append_new(objects, alone);
		}
		json_decref(specs);
	}
	json_object_set_new(other, "objects", objects);
	return other;
}

static unsigned int check_split(const json_t *world, const GArray *before)
{
	json_t *other = split(world);
	g_autoptr(GArray) after = ask_anew(other, world);
	unsigned int n_wrong =
		check(SAME_VERDICTS, "with specs as policies of their own", world, before, after);

	json_decref(other);
	return n_wrong;
}

/* A policy of denials alone, or of allowances that ask for nothing more. */
static json_t *pure_policy(struct generate *generate, bool is_deny)
{
	static const char *const lists[2][2] = {{"ingressDeny", "egressDeny"},
						{"ingress", "egress"}};
	json_t *policy, *spec, *rule;
	size_t i;

	do {
		json_t *old;

		policy = generate_policy(generate);
		old = policy;
		spec = json_object_get(policy, "spec");
		if (!is_policy(policy) || !json_object_get(spec, "endpointSelector") ||
		    json_object_get(policy, "specs"))
			policy = NULL;
		if (!policy)
			json_decref(old);
	} while (!policy);
	for (i = 0; i < 2; i++) {
		size_t k;

		json_object_del(spec, lists[is_deny][i]);
		json_array_foreach(json_object_get(spec, lists[!is_deny][i]), k, rule)
		{
			json_t *element;
			size_t l;

			/* Requirements of one rule narrow others: they would not only add. */
			json_object_del(rule, "fromRequires");
			json_object_del(rule, "toRequires");
			json_object_del(rule, "authentication");
			json_array_foreach(json_object_get(rule, "toPorts"), l, element)
			{
				json_object_del(element, "rules");
				json_object_del(element, "serverNames");
			}
		}
	}
	if (!is_deny)
		json_object_set_new(spec, "enableDefaultDeny",
				    json_pack("{s:b, s:b}", "ingress", 0, "egress", 0));
	if (!json_object_get(spec, lists[!is_deny][0]) &&
	    !json_object_get(spec, lists[!is_deny][1]))
		json_object_set_new(spec, lists[!is_deny][0],
				    is_deny ? json_pack("[{s:[s]}]", "fromEntities", "world")
					    : json_pack("[{s:[s]}]", "fromEntities", "cluster"));
	return policy;
}

/* One more policy, and without it again. */
static unsigned int check_more(struct generate *generate, const json_t *world, const GArray *before,
			       bool is_deny)
{
	json_t *other = json_deep_copy(world);
	json_t *policy = pure_policy(generate, is_deny);
	struct plan *plan = plan_new(world);
	g_autoptr(GArray) with = NULL;
	g_autoptr(GArray) without = NULL;
	unsigned int n_wrong;

	json_array_append(objects_of(other), policy);
	plan_update(plan, other);
	with = ask(plan, world);
	plan_update(plan, world);
	without = ask(plan, world);
	n_wrong = check(is_deny ? NOT_MORE_ALLOWED : NOT_MORE_DENIED,
			is_deny ? "with one more deny policy" : "with one more allow policy", world,
			before, with);
	if (n_wrong) {
		char *text = json_dumps(policy, JSON_INDENT(1));

		printf("%s\n", text);
		g_free(text);
	}
	n_wrong +=
		check(SAME, "with one more policy, and without it again", world, before, without);
	plan_free(plan);
	json_decref(policy);
	json_decref(other);
	return n_wrong;
}

unsigned int metamorphic_case(uint64_t seed, uint64_t *ret_n_questions)
{
	struct generate generate = {.random = {seed}};
	json_t *world = generate_world(&generate);
	g_autoptr(GArray) before = ask_anew(world, world);
	unsigned int n_wrong = check_order(world, before);

	n_wrong += check_split(world, before);
	n_wrong += check_more(&generate, world, before, true);
	/* Where every policy denies by default, one more allows less. */
	if (!object_text(world, "config", "enable-non-default-deny-policies"))
		n_wrong += check_more(&generate, world, before, false);
	*ret_n_questions += 6 * (uint64_t)before->len;
	if (n_wrong) {
		char *text = json_dumps(world, JSON_INDENT(1));

		printf("seed %" G_GUINT64_FORMAT ":\n%s\n", seed, text);
		g_free(text);
	}
	json_decref(world);
	return n_wrong;
}
