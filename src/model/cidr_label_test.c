/* SPDX-License-Identifier: Apache-2.0 */
/* The keys are Cilium's, and what is written is read again. */
#include "src/model/cidr_label.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <glib.h>
#include "src/model/identity.h"

static void keys_are_those_of_cilium(void **state)
{
	static const struct {
		const char *prefix;
		const char *key;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"192.0.2.1/32", "192.0.2.1/32"},
		{"2001:db8::/32", "2001-db8--0/32"},
		{"::/1", "0--0/1"},
		{"::1/128", "0--1/128"},
		{"fd00::1/128", "fd00--1/128"},
		{"1:2:3:4:5:6:7:8/128", "1-2-3-4-5-6-7-8/128"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char key[CIDR_LABEL_KEY_BYTES];
		struct cidr cidr, read;
		struct label label = {.source = "cidr", .key = key, .value = ""};

		assert_int_equal(cidr_parse(cases[i].prefix, &cidr), 0);
		assert_string_equal(cidr_label_format(&cidr, key), cases[i].key);
		assert_true(cidr_label_get(&label, &read));
		assert_true(cidr_equal(&cidr, &read));
	}
}

/* Of every length, with zeros in any place. */
static void what_is_written_is_read(void **state)
{
	srand(1);
	for (int i = 0; i < 20000; i++) {
		char key[CIDR_LABEL_KEY_BYTES], text[CIDR_TEXT_BYTES];
		struct label label = {.source = "cidr", .key = key, .value = ""};
		struct in6_addr v6;
		struct addr addr;
		struct cidr cidr, read;

		for (size_t j = 0; j < sizeof(v6); j += 2) {
			bool zero = rand() % 2;

			v6.s6_addr[j] = zero ? 0 : rand();
			v6.s6_addr[j + 1] = zero ? 0 : rand();
		}
		addr = addr_from_v6(&v6);
		if (addr_is_v4(&addr))
			continue;
		cidr = (struct cidr){.addr = addr, .prefix_len = 128};
		cidr_format(&cidr, text);
		g_strlcpy(strchr(text, '/'), i % 3 ? "/64" : "/128", 5);
		assert_true(cidr_parse(text, &cidr) != -EINVAL);
		cidr_label_format(&cidr, key);
		assert_true(cidr_label_get(&label, &read));
		assert_true(cidr_equal(&cidr, &read));
	}
}

static void other_labels_name_no_prefix(void **state)
{
	static const struct label labels[] = {
		{"k8s", "10.0.0.0/8", ""}, {"cidr", "10.0.0.0", ""},    {"cidr", "10.0.0.1/8", ""},
		{"cidr", "web/8", ""},     {"cidr", "10.0.0.0/33", ""}, {"cidr", "", ""},
	};
	struct cidr cidr;

	for (size_t i = 0; i < G_N_ELEMENTS(labels); i++)
		assert_false(cidr_label_get(&labels[i], &cidr));
}

static void numbers_have_a_scope(void **state)
{
	enum identity_scope scope = IDENTITY_SCOPE__MAX;

	assert_false(identity_find_scope(IDENTITY_HOST, &scope));
	assert_false(identity_find_scope(IDENTITY_PREFIX_MIN - 1, &scope));
	assert_false(identity_find_scope(IDENTITY_PREFIX_MAX + 1, &scope));
	assert_true(identity_find_scope(IDENTITY_ALLOCATED_MIN, &scope));
	assert_int_equal(scope, IDENTITY_SCOPE_LABELS);
	assert_true(identity_find_scope(IDENTITY_PREFIX_MAX, &scope));
	assert_int_equal(scope, IDENTITY_SCOPE_PREFIX);
	assert_true(identity_find_scope(IDENTITY_NODE_MIN, &scope));
	assert_int_equal(scope, IDENTITY_SCOPE_NODE);
}

static void reserved_numbers_have_labels(void **state)
{
	const struct label_set *api = identity_reserved_labels(IDENTITY_KUBE_APISERVER);
	const struct label_set *host = identity_reserved_labels(IDENTITY_HOST);

	assert_string_equal(label_set_text(api), "reserved:kube-apiserver=;reserved:remote-node=;");
	assert_string_equal(label_set_text(host), "reserved:host=;");
	assert_null(identity_reserved_labels(IDENTITY_ALLOCATED_MIN));
	label_set_unref(api);
	label_set_unref(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_cilium),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(other_labels_name_no_prefix),
		cmocka_unit_test(numbers_have_a_scope),
		cmocka_unit_test(reserved_numbers_have_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
