/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/user_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void accepts(void **state)
{
	static const struct {
		const char *text, *host;
		bool debug;
	} cases[] = {
		{"", NULL, false},
		{"# nothing\n", NULL, false},
		{"host: unix:///a/b.sock\n", "unix:///a/b.sock", false},
		{"debug: true\nhost: /x\n", "/x", true},
		{"{\"debug\": false, \"host\": \"/y\"}", "/y", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct user_config config = {0};

		assert_int_equal(
			user_config_parse("f", cases[i].text, strlen(cases[i].text), &config, NULL),
			0);
		assert_int_equal(g_strcmp0(config.host, cases[i].host), 0);
		assert_int_equal(config.debug, cases[i].debug);
		user_config_fini(&config);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *word; /* that the message holds */
	} cases[] = {
		{"hots: /x\n", "f:1: hots"},
		{"host: 5\n", "expected text"},
		{"debug: yes\n", "true or false"},
		{"\n- a\n", "f:2"},
		{"host: [\n", "f:"},
		{"host: /a\nhost: /b\n", "f:2"},
		{"host: /a\ndebug: 1\n", "f:2: debug"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct user_config config = {0};
		g_autoptr(GError) error = NULL;

		assert_int_equal(user_config_parse("f", cases[i].text, strlen(cases[i].text),
						   &config, &error),
				 -EINVAL);
		assert_non_null(strstr(error->message, cases[i].word));
		assert_null(config.host);
	}
}

static void finds_files(void **state)
{
	g_autofree char *directory = g_dir_make_tmp("user-config-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, ".cilium.yaml", NULL);
	struct user_config config = {0};
	g_autoptr(GError) error = NULL;

	assert_non_null(directory);
	g_setenv("HOME", directory, TRUE);
	assert_int_equal(user_config_load(NULL, &config, &error), 0);
	assert_null(config.host);
	assert_int_equal(user_config_load(path, &config, &error), -ENOENT);
	assert_non_null(strstr(error->message, path));
	g_clear_error(&error);
	assert_true(g_file_set_contents(path, "host: /z\n", -1, NULL));
	assert_int_equal(user_config_load(NULL, &config, &error), 0);
	assert_string_equal(config.host, "/z");
	user_config_fini(&config);
	assert_int_equal(user_config_load(directory, &config, &error), -EISDIR);
	g_clear_error(&error);
	assert_int_equal(user_config_load("/dev/zero", &config, &error), -EINVAL);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(finds_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
