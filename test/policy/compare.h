/* SPDX-License-Identifier: Apache-2.0 */
/* The plan against the reference, over random worlds and their changes. */
#pragma once

#include <jansson.h>
#include "test/policy/question.h"

/* A world, its changes, and questions after each. Prints what differs, made small. Returns their number. */
unsigned int compare_case(uint64_t seed, uint64_t *ret_n_questions);
/*
 * Whether the agent, led through the worlds, contradicts the reference on the question about the last. A
 * world that it would not accept contradicts nothing. ret_text: what both said; may be NULL.
 */
bool compare_contradicts(const json_t *worlds, const struct question *question, char **ret_text);
/* Takes out of the worlds whatever is not needed for the contradiction. */
void shrink(json_t *worlds, const struct question *question);
