/* SPDX-License-Identifier: Apache-2.0 */
/* The text that is kept of a policy says what the manifest says, on the same lines. */
#include "src/source/last_good.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NET_POLICY "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"

/* Keeps all of text, and reads it again. Each object equals what it was, or the test fails. */
static void assert_same(const char *text, unsigned int n_kept)
{
	struct manifest *first = manifest_parse("m.yaml", text, strlen(text));
	g_autoptr(GPtrArray) goods = g_ptr_array_new_with_free_func((GDestroyNotify)last_good_free);
	struct manifest *again;

	assert_int_equal(first->problems->len, 0);
	for (unsigned int i = 0; i < first->objects->len; i++) {
		const struct manifest_object *object =
			&g_array_index(first->objects, struct manifest_object, i);

		assert_int_equal(object->text != NULL, last_good_is_kept(object->kind));
		if (object->text)
			g_ptr_array_add(goods, last_good_new("m.yaml", object->line, object->text));
	}
	assert_int_equal(goods->len, n_kept);
	again = last_good_parse((struct last_good *const *)goods->pdata, goods->len);
	assert_int_equal(again->problems->len, 0);
	assert_int_equal(again->objects->len, n_kept);
	for (unsigned int i = 0, j = 0; i < first->objects->len; i++) {
		const struct manifest_object *object =
			&g_array_index(first->objects, struct manifest_object, i);

		if (!object->text)
			continue;
		assert_true(row_equal(
			&object->object->row,
			&g_array_index(again->objects, struct manifest_object, j).object->row));
		assert_int_equal(object->line,
				 g_array_index(again->objects, struct manifest_object, j).line);
		assert_string_equal(object->text,
				    g_array_index(again->objects, struct manifest_object, j).text);
		j++;
	}
	manifest_free(again);
	manifest_free(first);
}

static void same_lines(void **state)
{
	assert_same("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n\n\n" NET_POLICY
		    "metadata:\n  name: one\nspec:\n  podSelector: {}\n\n  ingress:\n"
		    "  - from:\n    - podSelector:\n        matchLabels: {app: 'x'}\n"
		    "    ports:\n    - protocol: TCP\n      port: 0x50\n---\n" NET_POLICY
		    "metadata: {name: two}\nspec: {podSelector: {}, policyTypes: [Egress]}\n"
		    "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: g}\n"
		    "spec:\n  externalCIDRs:\n  - 10.0.0.0/8\n  - fd00::/8\n",
		    3);
}

/* Quotes, control characters, other alphabets; aliases, whose lines go back; what is a list of its own. */
static void odd_texts(void **state)
{
	assert_same("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: odd}\n"
		    "spec:\n  description: \"a \\\"b\\\" \\\\ \\t \\x01 é 中 \\n end\"\n"
		    "  endpointSelector: &all {}\n  ingress:\n  - fromEndpoints:\n    - *all\n"
		    "    - matchLabels: {app: \"1\"}\n  enableDefaultDeny: {ingress: true}\n",
		    1);
	assert_same("kind: List\napiVersion: v1\nitems: [{apiVersion: networking.k8s.io/v1, kind: "
		    "NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}}}, {apiVersion: "
		    "networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: b}, spec: "
		    "{podSelector: {}}}]\n",
		    2);
}

/* More than one chunk of text. */
static void many(void **state)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < 10000; i++)
		g_string_append_printf(text,
				       "---\n" NET_POLICY "metadata: {name: p%u}\nspec:\n"
				       "  podSelector: {matchLabels: {app: a%u}}\n",
				       i, i);
	assert_same(text->str, 10000);
}

static void too_long(void **state)
{
	g_autofree char *description = g_strnfill(LAST_GOOD_MAX_BYTES, 'x');
	g_autofree char *text = g_strdup_printf(
		"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\n"
		"spec: {endpointSelector: {}, ingress: [{}], description: %s}\n",
		description);
	struct manifest *manifest = manifest_parse("m.yaml", text, strlen(text));

	assert_int_equal(manifest->objects->len, 1);
	assert_non_null(g_array_index(manifest->objects, struct manifest_object, 0).object);
	assert_null(g_array_index(manifest->objects, struct manifest_object, 0).text);
	manifest_free(manifest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_lines),
		cmocka_unit_test(odd_texts),
		cmocka_unit_test(many),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
