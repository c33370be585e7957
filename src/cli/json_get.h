/* SPDX-License-Identifier: Apache-2.0 */
/* Members of nested JSON objects, for what the agent answered. */
#pragma once

#include <stdbool.h>
#include <jansson.h>

/* The member at the path of names (NULL at the end); borrowed, NULL where a part is missing. */
json_t *json_get(const json_t *object, ...) __attribute__((sentinel));
/* As text: "" where it is missing or no text. */
const char *json_get_text(const json_t *object, ...) __attribute__((sentinel));
/* As a number: 0 where it is missing or no number. */
long long json_get_number(const json_t *object, ...) __attribute__((sentinel));
