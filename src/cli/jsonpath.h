/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSONPath templates as kubectl has them: text outside braces as it is; in braces a path from the root or the
 * current element ({.a.b}, {.a\.b}, {$.a}, {@}, {['a']}, {.a[0]}, {.a[-1]}, {.a[1:3]}, {.a[0:9:2]}, {.a[0,2]},
 * {['a','b']}, {.a[*]}, {.a.*}, {..a}, {.a[?(@.b=="x")]}), a text ({"\n"}), or {range PATH}…{end}. Several
 * results of a path have a blank between. A filter compares (== != < <= > >=) paths, texts, numbers, true and
 * false, or asks whether a path is there; what it compares and is not there makes it false.
 */
#pragma once

#include <jansson.h>
#include "src/base/error.h"

/* −EINVAL: the pattern is wrong; −ENOENT: no such member. */
NODISCARD int jsonpath_format(GString *out, const json_t *root, const char *pattern,
			      GError **error);
