/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void check(const char *title, const char *body, enum report_format format, const char *want)
{
	g_autoptr(GPtrArray) sections =
		g_ptr_array_new_with_free_func((GDestroyNotify)report_section_free);
	g_autoptr(GString) out = g_string_new(NULL);

	g_ptr_array_add(sections,
			report_section_new(g_strdup("name"), g_strdup(title), g_string_new(body)));
	report_append(out, sections, format);
	assert_string_equal(out->str, want);
}

static void test_markdown(void **state)
{
	check("Cilium status", "KVStore:  Disabled\n", REPORT_MARKDOWN,
	      "# Cilium debug information\n\n#### Cilium status\n\n```\nKVStore:  "
	      "Disabled\n```\n\n");
	check("No end of line", "x", REPORT_MARKDOWN,
	      "# Cilium debug information\n\n#### No end of line\n\n```\nx\n```\n\n");
	check("Empty", "", REPORT_MARKDOWN,
	      "# Cilium debug information\n\n#### Empty\n\n```\n```\n\n");
	/* A block that the body would end. */
	check("Fences", "a\n````\n# not a heading\n", REPORT_MARKDOWN,
	      "# Cilium debug information\n\n#### Fences\n\n`````\na\n````\n# not a heading\n"
	      "`````\n\n");
}

static void test_html(void **state)
{
	check("A & B", "<script>alert('x')</script>\t\"\x1b[0m\xff\n", REPORT_HTML,
	      "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n"
	      "<title>Cilium debug information</title>\n</head>\n<body>\n"
	      "<h1>Cilium debug information</h1>\n<h4>A &amp; B</h4>\n<pre>\n"
	      "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\t&quot;\xef\xbf\xbd[0m\xef\xbf\xbd\n"
	      "</pre>\n</body>\n</html>\n");
}

static void test_file_names(void **state)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("UTC");
	g_autoptr(GDateTime) time = g_date_time_new(zone, 2026, 1, 2, 3, 4, 5.678);
	g_autofree char *whole = report_file_name(time, NULL, "md");
	g_autofree char *part = report_file_name(time, "cilium-status", "html");

	assert_string_equal(whole, "cilium-debuginfo-20260102-030405.678-+0000-UTC.md");
	assert_string_equal(part,
			    "cilium-debuginfo-20260102-030405.678-+0000-UTC-cilium-status.html");
}

static void test_secrets(void **state)
{
	g_autoptr(GString) body = g_string_new("enable-ipv4 : true\nkvstore-password : hunter2\n"
					       "kvstore-opt : {\"etcd.Password\": \"x\"}\n"
					       "API_TOKEN=abc\nsecret names without a value\n");

	report_hide_secrets(body);
	assert_string_equal(body->str, "enable-ipv4 : true\nkvstore-password : (hidden)\n"
				       "kvstore-opt : (hidden)\nAPI_TOKEN= (hidden)\n"
				       "secret names without a value\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
