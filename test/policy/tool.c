/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy before an independent judge (reference.h):
 *
 *	policy compare       random worlds: the agent's plan against the reference
 *	policy metamorphic   random worlds: the plan against itself
 *	policy example FILE  the documentation's examples, whose answers are written down by hand
 *	policy generate SEED prints a world for real packets
 *	policy judge         reads {"world": …, "questions": [[from, to, protocol, port], …]}, and prints
 *	                     for each whether the packet may pass
 *
 * compare and metamorphic try the same seeds each time, and then others that they print. POLICY_CASES says
 * how many of each; POLICY_SEED tries that one alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "test/policy/compare.h"
#include "test/policy/example.h"
#include "test/policy/generate.h"
#include "test/policy/metamorphic.h"

#define FAILURES_SHOWN 3

static unsigned long number_from(const char *name, unsigned long fallback)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : fallback;
}

static int try_cases(unsigned int (*try)(uint64_t seed, uint64_t *ret_n_questions), unsigned long n)
{
	uint64_t n_questions = 0, random_seed;
	unsigned int n_wrong = 0;

	if (getrandom(&random_seed, sizeof(random_seed), 0) != sizeof(random_seed))
		return EXIT_FAILURE;
	setlinebuf(stdout);
	if (getenv("POLICY_SEED"))
		return try(number_from("POLICY_SEED", 0), &n_questions) ? EXIT_FAILURE : 0;
	random_seed >>= 16;
	printf("seeds 1 to %lu, and as many from %" G_GUINT64_FORMAT "\n", n, random_seed);
	for (unsigned long i = 0; i < 2 * n && n_wrong < FAILURES_SHOWN; i++)
		n_wrong += try(i < n ? i + 1 : random_seed + i - n, &n_questions);
	printf("%" G_GUINT64_FORMAT " questions, %u wrong\n", n_questions, n_wrong);
	return n_wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_json(const json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_ENCODE_ANY);

	puts(text);
	free(text);
}

static int print_world(uint64_t seed)
{
	struct generate generate = {.random = {seed}, .is_live = true};
	json_t *world = generate_world(&generate);

	print_json(world);
	json_decref(world);
	return EXIT_SUCCESS;
}

static int judge(void)
{
	json_t *input = json_loadf(stdin, 0, NULL), *answers = json_array(), *question;
	struct world *world;
	size_t i;

	if (!input)
		return EXIT_FAILURE;
	world = world_new(json_object_get(input, "world"));
	json_array_foreach(json_object_get(input, "questions"), i, question)
	{
		const char *from = json_string_value(json_array_get(question, 0));
		const char *to = json_string_value(json_array_get(question, 1));

		json_array_append_new(
			answers,
			json_boolean(example_passes(
				world, from, to, json_integer_value(json_array_get(question, 2)),
				json_integer_value(json_array_get(question, 3)))));
	}
	print_json(answers);
	world_free(world);
	json_decref(answers);
	json_decref(input);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "compare"))
		return try_cases(compare_case, number_from("POLICY_CASES", 300));
	if (!strcmp(what, "metamorphic"))
		return try_cases(metamorphic_case, number_from("POLICY_CASES", 300) / 4);
	if (!strcmp(what, "example") && argc == 3)
		return example_check(argv[2]) ? EXIT_FAILURE : EXIT_SUCCESS;
	if (!strcmp(what, "generate") && argc == 3)
		return print_world(strtoull(argv[2], NULL, 0));
	if (!strcmp(what, "judge"))
		return judge();
	fprintf(stderr, "usage: %s compare | metamorphic | example FILE | generate SEED | judge\n",
		argv[0]);
	return EXIT_FAILURE;
}
