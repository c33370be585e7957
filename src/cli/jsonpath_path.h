/* SPDX-License-Identifier: Apache-2.0 */
/* The paths in templates: what jsonpath.h says of them. */
#pragma once

#include <jansson.h>
#include "src/base/error.h"

/*
 * The values of a path that begins at root ($) or at current; they are borrowed from these. 0, or −errno as
 * jsonpath_format().
 */
NODISCARD int jsonpath_path_evaluate(const json_t *root, const json_t *current, const char *text,
				     GPtrArray **ret_values, GError **error);
