/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of this node and of its configuration does not fit together, though each is valid alone. Such a node
 * works in part, and nothing fails: somebody has to be told.
 */
#pragma once

#include "src/derive/node.h"

/* char *, each a sentence that names the object, the cause and what to do; empty: none. g_ptr_array_unref. */
GPtrArray *node_problems(const struct node_view *view);
