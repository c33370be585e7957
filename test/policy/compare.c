/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/compare.h"

#include <stdio.h>
#include <string.h>
#include "test/policy/generate.h"

#define STEPS_MAX 5
/* Of a hundred: which peers and kinds of packets are asked about. Each case asks about others. */
#define PERCENT_OF_PEERS 50
#define PERCENT_OF_KINDS 40

struct compare {
	struct random random;
	struct plan *plan;
	struct world *world;
	struct question wrong; /* the first that differs; subject NULL: none */
	uint64_t n_questions;
};

static void judge_all(struct compare *compare, const struct party *subject,
		      const struct party *peer, uint32_t identity, struct question *question)
{
	struct reference_view *view =
		reference_view_new(compare->world, subject, question->is_ingress, peer);
	enum policy_direction direction = question->is_ingress ? POLICY_INGRESS : POLICY_EGRESS;

	for (unsigned int i = 0; i < N_PACKET_KINDS; i++) {
		struct reference_answer expected;
		struct policy_leaf got;

		question->kind = packet_kinds[i];
		if (!random_chance(&compare->random, PERCENT_OF_KINDS))
			continue;
		compare->n_questions++;
		expected = reference_judge(view, question->kind.protocol, question->kind.port);
		got = plan_judge(compare->plan, subject_endpoint(question->subject), direction,
				 identity, question->kind.protocol, question->kind.port);
		if (answers_agree(compare->plan, &expected, &got))
			continue;
		if (!compare->wrong.subject)
			compare->wrong = (struct question){g_strdup(question->subject),
							   g_strdup(question->peer),
							   question->is_ingress, question->kind};
		break;
	}
	reference_view_free(view);
}

static void ask_about_peer(struct compare *compare, const char *peer, const GPtrArray *subjects)
{
	const struct party *party = world_get_party(compare->world, peer);
	uint32_t identity = plan_get_identity(compare->plan, peer);

	for (unsigned int i = 0; i < subjects->len; i++) {
		struct question question = {.subject = subjects->pdata[i], .peer = (char *)peer};
		const struct party *subject = subject_party(compare->world, question.subject);

		if (!question_is_fair(compare->world->json, subject, party))
			continue;
		for (int is_ingress = 0; is_ingress < 2; is_ingress++) {
			question.is_ingress = is_ingress;
			judge_all(compare, subject, party, identity, &question);
		}
	}
}

static void ask_all(struct compare *compare, const json_t *json)
{
	g_autoptr(GPtrArray) subjects = question_subjects(json);
	g_autoptr(GPtrArray) peers = question_peers(json);

	compare->world = world_new(json);
	for (unsigned int i = 0; i < peers->len && !compare->wrong.subject; i++)
		if (random_chance(&compare->random, PERCENT_OF_PEERS))
			ask_about_peer(compare, peers->pdata[i], subjects);
	world_free(compare->world);
}

bool compare_contradicts(const json_t *worlds, const struct question *question, char **ret_text)
{
	const json_t *last = json_array_get(worlds, json_array_size(worlds) - 1);
	struct world *world = world_new(last);
	const struct party *subject = subject_party(world, question->subject);
	const struct party *peer = world_get_party(world, question->peer);
	struct plan *plan = NULL;
	struct reference_view *view;
	struct reference_answer expected;
	struct policy_leaf got;
	g_autofree char *problem = NULL;
	bool result = false;
	size_t i;

	if (!subject || !peer || !question_is_fair(last, subject, peer)) {
		world_free(world);
		return false;
	}
	for (i = 0; i < json_array_size(worlds); i++)
		if (!plan)
			plan = plan_new(json_array_get(worlds, i));
		else
			plan_update(plan, json_array_get(worlds, i));
	view = reference_view_new(world, subject, question->is_ingress, peer);
	expected = reference_judge(view, question->kind.protocol, question->kind.port);
	got = plan_judge(plan, subject_endpoint(question->subject),
			 question->is_ingress ? POLICY_INGRESS : POLICY_EGRESS,
			 plan_get_identity(plan, question->peer), question->kind.protocol,
			 question->kind.port);
	problem = plan_get_problem(plan);
	if (!problem)
		result = !answers_agree(plan, &expected, &got);
	if (ret_text)
		*ret_text = answers_text(plan, &expected, &got);
	reference_view_free(view);
	plan_free(plan);
	world_free(world);
	return result;
}

static void report(json_t *worlds, const struct question *question, uint64_t seed)
{
	g_autofree char *asked = question_text(question);
	g_autofree char *answers = NULL;
	char *text;

	/* Where the last world alone does it, the way to it does not matter. */
	if (json_array_size(worlds) > 1) {
		json_t *alone =
			json_pack("[O]", json_array_get(worlds, json_array_size(worlds) - 1));

		if (compare_contradicts(alone, question, NULL)) {
			json_array_clear(worlds);
			json_array_extend(worlds, alone);
		}
		json_decref(alone);
	}
	shrink(worlds, question);
	compare_contradicts(worlds, question, &answers);
	text = json_dumps(worlds, JSON_INDENT(1));
	printf("seed %" G_GUINT64_FORMAT ": %s: %s\n%s\n", seed, asked, answers, text);
	g_free(text);
}

static bool is_refused(const struct plan *plan, uint64_t seed)
{
	g_autofree char *problem = plan_get_problem(plan);

	if (problem)
		printf("seed %" G_GUINT64_FORMAT ": a valid object is refused: %s\n", seed,
		       problem);
	return problem;
}

unsigned int compare_case(uint64_t seed, uint64_t *ret_n_questions)
{
	struct generate generate = {.random = {seed}};
	struct compare compare = {.random = {~seed}};
	json_t *worlds = json_array(), *world = generate_world(&generate);
	unsigned int n_wrong = 0, n_steps = 1 + random_below(&compare.random, STEPS_MAX);

	compare.plan = plan_new(world);
	json_array_append(worlds, world);
	for (unsigned int i = 0; i < n_steps && !n_wrong; i++) {
		if (i) {
			json_decref(world);
			world = json_deep_copy(json_array_get(worlds, i - 1));
			generate_change(&generate, world);
			json_array_append(worlds, world);
			plan_update(compare.plan, world);
		}
		n_wrong = is_refused(compare.plan, seed);
		if (!n_wrong)
			ask_all(&compare, world);
		n_wrong += compare.wrong.subject ? 1 : 0;
	}
	plan_free(compare.plan);
	if (compare.wrong.subject)
		report(worlds, &compare.wrong, seed);
	question_fini(&compare.wrong);
	json_decref(world);
	json_decref(worlds);
	*ret_n_questions += compare.n_questions;
	return n_wrong;
}
