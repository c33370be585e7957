// SPDX-License-Identifier: Apache-2.0
#include "src/model/namespace.h"
#include "src/source/decode_private.h"

struct object *decode_namespace(const struct field *object, struct object_meta *take_meta)
{
	return decode_new(&namespace_class, take_meta);
}
