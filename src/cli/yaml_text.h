/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <glib.h>
#include <jansson.h>

/* Appends the YAML of json as Go's encoder writes it: members in the order of their names. */
void yaml_text_append(GString *out, const json_t *json);
