/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the layout that another version gave a map to ours. Both are read from BTF, which the kernel keeps
 * with each map: nothing has to be written down anywhere, and nothing can be out of step with the map.
 * Members are told by their names, so one whose meaning changes gets another name.
 */
#pragma once

#include <bpf/btf.h>
#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

/* The types of a map's keys and values. */
struct map_types {
	const struct btf *btf;
	uint32_t key_id;
	uint32_t value_id;
};

struct conversion;

/* Whether both give every byte of keys and values the same name. */
bool conversion_is_identity(const struct map_types *from, const struct map_types *to);
/*
 * NULL where a key of one has no counterpart in the other. Of a value, members of the same name and size are
 * taken over; members that are new are zero, members that are no more are dropped. Members called pad… are
 * nobody's.
 */
struct conversion *conversion_new(const struct map_types *from, const struct map_types *to);
void conversion_free(struct conversion *conversion); /* takes NULL */
/* Write all bytes of ret_…, as many as the type has. */
void conversion_run_key(const struct conversion *conversion, const void *key, void *ret_key);
void conversion_run_value(const struct conversion *conversion, const void *value, void *ret_value);
