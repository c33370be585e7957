/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/policy_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);

	assert_non_null(json);
	return json;
}

static void selectors(void **state)
{
	json_auto_t *json = parse(
		"[{\"selector\": \"S1\", \"users\": 2, \"identities\": [1, 256],"
		"  \"labels\": [{\"key\": \"io.cilium.k8s.policy.name\", \"value\": \"web\","
		"                \"source\": \"k8s\"},"
		"               {\"key\": \"io.cilium.k8s.policy.namespace\", \"value\": \"shop\","
		"                \"source\": \"k8s\"}]},"
		" {\"selector\": \"S2\", \"users\": 1, \"identities\": [],"
		"  \"labels\": [{\"key\": \"io.cilium.k8s.policy.name\", \"value\": \"all\","
		"                \"source\": \"k8s\"}]}]");
	g_autoptr(GString) text = g_string_new(NULL);

	policy_append_selectors(text, json, false);
	assert_string_equal(text->str, "SELECTOR\tLABELS\tUSERS\tIDENTITIES\n"
				       "S1\tshop/web\t2\t1\t\n"
				       "\t\t\t256\t\n"
				       "S2\tall\t1\t\n");
	g_string_truncate(text, 0);
	policy_append_selectors(text, json, true);
	assert_string_equal(text->str, "SELECTOR\tLABELS\tUSERS\tIDENTITIES\n"
				       "S1\t[k8s:io.cilium.k8s.policy.name=web "
				       "k8s:io.cilium.k8s.policy.namespace=shop]\t2\t1\t\n"
				       "\t\t\t256\t\n"
				       "S2\t[k8s:io.cilium.k8s.policy.name=all]\t1\t\n");
}

static const char status[] =
	"{\"policies\": ["
	" {\"policy\": \"CiliumNetworkPolicy/shop/web\", \"valid\": true, \"active\": true,"
	"  \"rules\": 2, \"endpoints\": 3, \"file\": \"web.yaml\", \"problems\": [], \"notes\": ["
	"   {\"fails-closed\": true, \"path\": \"spec.ingress[0]\", \"line\": 9,"
	"    \"text\": \"has L7 rules\"},"
	"   {\"fails-closed\": false, \"path\": \"spec\", \"text\": \"matches nobody\"}]},"
	" {\"policy\": \"NetworkPolicy/shop/bad\", \"valid\": false, \"active\": false,"
	"  \"rules\": 0, \"endpoints\": 0, \"notes\": [], \"problems\": ["
	"   {\"file\": \"bad.yaml\", \"line\": 4, \"field\": \"spec.ingress\","
	"    \"reason\": \"got 5\"}]},"
	" {\"policy\": \"NetworkPolicy/shop/old\", \"valid\": false, \"active\": true,"
	"  \"rules\": 1, \"endpoints\": 1, \"notes\": [], \"problems\": ["
	"   {\"file\": \"bad.yaml\", \"reason\": \"cut off\"}]},"
	" {\"policy\": \"NetworkPolicy/shop/new\", \"valid\": true, \"active\": false,"
	"  \"rules\": 1, \"endpoints\": 0, \"notes\": [], \"problems\": []}]}";

static void list(void **state)
{
	json_auto_t *json = parse(status);
	g_autoptr(GString) text = g_string_new(NULL);

	policy_append_list(text, json);
	assert_string_equal(
		text->str,
		"POLICY\tVALID\tIN FORCE\tRULES\tENDPOINTS\tNOTES\n"
		"CiliumNetworkPolicy/shop/web\tTrue\tyes\t2\t3\t1 part fails closed, 1 warning\n"
		"NetworkPolicy/shop/bad\tFalse\tno\t0\t0\t1 problem\n"
		"NetworkPolicy/shop/old\tFalse\tthe last good version\t1\t1\t1 problem\n"
		"NetworkPolicy/shop/new\tTrue\tsoon\t1\t0\t\n");
	g_string_truncate(text, 0);
	policy_append_notes(text, json);
	assert_string_equal(
		text->str,
		"CiliumNetworkPolicy/shop/web: fails closed: spec.ingress[0]: has L7 rules "
		"(web.yaml:9)\n"
		"CiliumNetworkPolicy/shop/web: warning: spec: matches nobody (web.yaml)\n"
		"NetworkPolicy/shop/bad: refused: spec.ingress: got 5 (bad.yaml:4)\n"
		"NetworkPolicy/shop/old: refused: cut off (bad.yaml)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors),
		cmocka_unit_test(list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
