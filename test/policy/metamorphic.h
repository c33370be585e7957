/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold between the answers of two worlds, whatever they are. No reference has a say here, so a
 * mistake that it shares with the agent is found too.
 */
#pragma once

#include <stdint.h>

/* A random world under all properties. Prints what does not hold. Returns the number of those. */
unsigned int metamorphic_case(uint64_t seed, uint64_t *ret_n_questions);
