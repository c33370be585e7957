/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSONPath templates as kubectl has them, the common part: text outside braces as it is; in braces a path
 * from the root or the current element ({.a.b}, {$.a}, {@}, {['a']}, {.a[0]}, {.a[-1]}, {.a[1:3]}, {.a[*]},
 * {.a.*}), a text ({"\n"}), or {range PATH}…{end}. Several results of a path have a blank between.
 */
#pragma once

#include <jansson.h>
#include "src/base/error.h"

/* −EINVAL: the pattern is wrong, or holds what is not supported; −ENOENT: no such member. */
NODISCARD int jsonpath_format(GString *out, const json_t *root, const char *pattern,
			      GError **error);
