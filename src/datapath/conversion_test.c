/* SPDX-License-Identifier: Apache-2.0 */
#include "src/datapath/conversion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* A layout: members one after the other, as the tests describe them. */
struct member {
	const char *name;
	uint32_t n_bytes;
	uint32_t n_elements; /* 0: no array */
};

struct layout {
	struct btf *btf;
	int u8, u16, u32, u64;
	struct map_types types;
};

static int int_of(const struct layout *layout, uint32_t n_bytes)
{
	return n_bytes == 1   ? layout->u8
	       : n_bytes == 2 ? layout->u16
	       : n_bytes == 4 ? layout->u32
			      : layout->u64;
}

static int add_struct(struct layout *layout, const char *name, const struct member *members)
{
	uint32_t n_bytes = 0, offset = 0;
	int types[16], id;
	unsigned int n = 0;

	for (const struct member *m = members; m->name; m++, n++) {
		types[n] = int_of(layout, m->n_bytes);
		if (m->n_elements)
			types[n] =
				btf__add_array(layout->btf, layout->u32, types[n], m->n_elements);
		n_bytes += m->n_bytes * MAX(m->n_elements, 1);
	}
	id = btf__add_struct(layout->btf, name, n_bytes);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(
			btf__add_field(layout->btf, members[i].name, types[i], offset * 8, 0), 0);
		offset += members[i].n_bytes * MAX(members[i].n_elements, 1);
	}
	return id;
}

static void init(struct layout *layout, const struct member *key, const struct member *value)
{
	layout->btf = btf__new_empty();
	layout->u8 = btf__add_int(layout->btf, "u8", 1, 0);
	layout->u16 = btf__add_int(layout->btf, "u16", 2, 0);
	layout->u32 = btf__add_int(layout->btf, "u32", 4, 0);
	layout->u64 = btf__add_int(layout->btf, "u64", 8, 0);
	layout->types = (struct map_types){layout->btf, add_struct(layout, "key", key),
					   add_struct(layout, "value", value)};
}

static const struct member key[] = {{"addr", 1, 4}, {"port", 2}, {"pad", 2}, {NULL}};
static const struct member value[] = {{"expires", 4}, {"flags", 2}, {"pad", 2}, {"n", 8}, {NULL}};

static void same_layout_is_the_identity(void **state)
{
	static const struct member swapped[] = {
		{"flags", 2}, {"pad", 2}, {"expires", 4}, {"n", 8}, {NULL}};
	static const struct member renamed[] = {
		{"expires", 4}, {"mode", 2}, {"pad", 2}, {"n", 8}, {NULL}};
	struct layout a, b, c, d;

	init(&a, key, value);
	init(&b, key, value);
	init(&c, key, swapped);
	init(&d, key, renamed);
	assert_true(conversion_is_identity(&a.types, &b.types));
	/* As large, and yet another layout. */
	assert_false(conversion_is_identity(&a.types, &c.types));
	assert_false(conversion_is_identity(&a.types, &d.types));
	btf__free(a.btf);
	btf__free(b.btf);
	btf__free(c.btf);
	btf__free(d.btf);
}

static void values_go_by_name(void **state)
{
	static const struct member newer[] = {{"flags", 2}, {"pad", 1, 6},  {"n", 8},
					      {"added", 4}, {"expires", 4}, {NULL}};
	const struct __attribute__((packed)) {
		uint32_t expires;
		uint16_t flags, pad;
		uint64_t n;
	} old_value = {0x11223344, 0x5566, 0xffff, 0x8877665544332211},
	  back_want = {0x11223344, 0x5566, 0, 0x8877665544332211};
	const struct __attribute__((packed)) {
		uint16_t flags;
		uint8_t pad[6];
		uint64_t n;
		uint32_t added, expires;
	} want = {.flags = 0x5566, .n = 0x8877665544332211, .expires = 0x11223344};
	uint8_t got[sizeof(want)], back[sizeof(old_value)];
	struct conversion *conversion;
	struct layout old, new;

	init(&old, key, value);
	init(&new, key, newer);
	memset(got, 0xaa, sizeof(got));
	conversion = conversion_new(&old.types, &new.types);
	assert_non_null(conversion);
	conversion_run_value(conversion, &old_value, got);
	assert_memory_equal(got, &want, sizeof(want));
	conversion_free(conversion);
	/* And a rollback. */
	conversion = conversion_new(&new.types, &old.types);
	assert_non_null(conversion);
	conversion_run_value(conversion, got, back);
	assert_memory_equal(back, &back_want, sizeof(back));
	conversion_free(conversion);
	btf__free(old.btf);
	btf__free(new.btf);
}

static void other_size_is_another_member(void **state)
{
	static const struct member wider[] = {{"expires", 8}, {"flags", 2}, {NULL}};
	const uint8_t old_value[16] = {1, 2, 3, 4, 5, 6};
	static const uint8_t want[10] = {[8] = 5, [9] = 6};
	struct conversion *conversion;
	struct layout old, new;
	uint8_t got[10];

	init(&old, key, value);
	init(&new, key, wider);
	conversion = conversion_new(&old.types, &new.types);
	conversion_run_value(conversion, old_value, got);
	assert_memory_equal(got, want, sizeof(want));
	conversion_free(conversion);
	btf__free(old.btf);
	btf__free(new.btf);
}

static void keys_are_all_or_nothing(void **state)
{
	static const struct member moved[] = {{"port", 2}, {"pad", 2}, {"addr", 1, 4}, {NULL}};
	static const struct member more[] = {{"addr", 1, 4}, {"port", 2}, {"zone", 2}, {NULL}};
	static const struct member less[] = {{"addr", 1, 4}, {NULL}};
	const uint8_t old_key[8] = {1, 2, 3, 4, 5, 6, 9, 9};
	static const uint8_t want[8] = {5, 6, 0, 0, 1, 2, 3, 4};
	struct layout old, new_moved, new_more, new_less;
	struct conversion *conversion;
	uint8_t got[8];

	init(&old, key, value);
	init(&new_moved, moved, value);
	init(&new_more, more, value);
	init(&new_less, less, value);
	conversion = conversion_new(&old.types, &new_moved.types);
	assert_non_null(conversion);
	conversion_run_key(conversion, old_key, got);
	assert_memory_equal(got, want, sizeof(want));
	conversion_free(conversion);
	assert_null(conversion_new(&old.types, &new_more.types));
	/* Two entries would become one. */
	assert_null(conversion_new(&old.types, &new_less.types));
	btf__free(old.btf);
	btf__free(new_moved.btf);
	btf__free(new_more.btf);
	btf__free(new_less.btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_layout_is_the_identity),
		cmocka_unit_test(values_go_by_name),
		cmocka_unit_test(other_size_is_another_member),
		cmocka_unit_test(keys_are_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
