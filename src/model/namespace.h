/* SPDX-License-Identifier: Apache-2.0 */
/* A Kubernetes Namespace, for its labels. */
#pragma once

#include "src/model/object.h"

struct namespace
{
	struct row row;
	struct object_meta meta;
};

extern const struct row_class namespace_class;
