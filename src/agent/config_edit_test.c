/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include "src/agent/config_edit.h"
#include "src/agent/config_file.h"
#include "src/base/log.h"

/* A directory of keys, and the configuration that was read from it. */
struct world {
	char *directory;
	char *argv[3];
	struct config *config;
	GString *told; /* "key=value state\n" for each change */
};

static char *no_variables[] = {NULL};

static char *path_of(const struct world *world, const char *key)
{
	return g_build_filename(world->directory, key, NULL);
}

static void write_key(const struct world *world, const char *key, const char *text)
{
	g_autofree char *path = path_of(world, key);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->directory = g_dir_make_tmp("config_edit_XXXXXX", NULL);
	world->argv[0] = (char *)"cilium-agent";
	world->argv[1] = g_strconcat("--config-dir=", world->directory, NULL);
	world->told = g_string_new(NULL);
	write_key(world, "mtu", "1300");
	if (config_load(2, world->argv, no_variables, &world->config, NULL))
		return -1;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	GDir *directory = g_dir_open(world->directory, 0, NULL);
	const char *name;

	while (directory && (name = g_dir_read_name(directory))) {
		g_autofree char *path = path_of(world, name);

		g_remove(path);
	}
	if (directory)
		g_dir_close(directory);
	g_rmdir(world->directory);
	config_free(world->config);
	g_string_free(world->told, true);
	g_free(world->directory);
	g_free(world->argv[1]);
	g_free(world);
	return 0;
}

static void tell(const struct config_change *change, void *data)
{
	static const char *const states[] = {"in force", "waits", "no effect"};

	g_string_append_printf(data, "%s=%s %s\n", change->key, change->text,
			       states[change->state]);
}

/* Reads again and commits. What was told of. */
static const char *reread(struct world *world, const char *key, const char *text)
{
	struct config_edit *edit = config_edit_new(world->config);

	assert_int_equal(config_edit_reread(edit, key, text, NULL), 0);
	g_string_truncate(world->told, 0);
	config_edit_foreach(edit, tell, world->told);
	config_edit_commit(edit);
	config_edit_free(edit);
	return world->told->str;
}

static void override(struct world *world, const char *key, const char *text)
{
	struct config_edit *edit = config_edit_new(world->config);

	assert_int_equal(config_edit_override(edit, key, text, NULL), 0);
	config_edit_commit(edit);
	config_edit_free(edit);
}

static void live_keys_change_others_wait(void **state)
{
	struct world *world = *state;
	const struct settings *settings = config_get_settings(world->config);
	const char *manifest_dir = settings->manifest_dir;

	assert_string_equal(reread(world, NULL, NULL), "");
	write_key(world, "debug", "true");
	write_key(world, "mtu", "1400");
	write_key(world, "log-opt", "level=error");
	write_key(world, "enable-hubble", "true");
	write_key(world, "manifest-dir", "/etc//cilium/manifests/");
	assert_string_equal(reread(world, NULL, NULL), "mtu=1400 waits\ndebug=true in force\n"
						       "log-opt=level=error in force\n"
						       "enable-hubble=true no effect\n");
	assert_true(settings->debug);
	assert_string_equal(settings->log_opt[0], "level=error");
	assert_int_equal(settings->mtu, 1300);
	/* Others borrow the texts of keys that need a restart. */
	assert_ptr_equal(settings->manifest_dir, manifest_dir);
	assert_string_equal(reread(world, NULL, NULL), "mtu=1400 waits\n");
	/* Another way of writing it is not another value. */
	write_key(world, "debug", "T\n");
	write_key(world, "mtu", "1300");
	assert_string_equal(reread(world, NULL, NULL), "");
}

static void errors_change_nothing(void **state)
{
	struct world *world = *state;
	struct config_edit *edit = config_edit_new(world->config);
	g_autoptr(GError) error = NULL;

	write_key(world, "debug", "true");
	write_key(world, "mtu", "x");
	write_key(world, "log-opt", "level.endpoint=loud");
	assert_int_equal(config_edit_reread(edit, NULL, NULL, &error), -EINVAL);
	assert_non_null(strstr(error->message, "mtu: got \"x\""));
	assert_non_null(strstr(error->message, "log-opt: got \"level.endpoint=loud\""));
	config_edit_free(edit);
	assert_false(config_get_settings(world->config)->debug);
	/* Thrown away without a commit. */
	write_key(world, "mtu", "1300");
	write_key(world, "log-opt", "level=debug");
	edit = config_edit_new(world->config);
	assert_int_equal(config_edit_reread(edit, NULL, NULL, NULL), 0);
	assert_true(config_edit_concerns(edit, OPTION_LIVE_LOG));
	assert_false(config_edit_concerns(edit, OPTION_LIVE_EVENTS));
	assert_true(config_edit_get_settings(edit)->debug);
	config_edit_free(edit);
	assert_false(config_get_settings(world->config)->debug);
	assert_null(config_get_settings(world->config)->log_opt[0]);
}

static void overrides_last_until_a_later_wish(void **state)
{
	struct world *world = *state;
	const struct settings *settings = config_get_settings(world->config);

	override(world, "debug", "true");
	override(world, "log-opt", "level=error");
	assert_string_equal(reread(world, NULL, NULL), "");
	assert_true(settings->debug);
	/* Another key is set: this one stays. */
	assert_string_equal(reread(world, "bpf-events-drop-enabled", "false"),
			    "bpf-events-drop-enabled=false in force\n");
	assert_true(settings->debug && !settings->bpf_events_drop_enabled);
	assert_string_equal(reread(world, "debug", "false"),
			    "bpf-events-drop-enabled=true in force\ndebug=false in force\n");
	assert_false(settings->debug);
	override(world, "log-opt", NULL);
	assert_null(settings->log_opt[0]);
	override(world, "log-opt", "level=error");
	write_key(world, "log-opt", "level=warn");
	assert_string_equal(reread(world, NULL, NULL), "log-opt=level=warn in force\n");
}

static void overrides_are_refused(void **state)
{
	struct world *world = *state;
	struct config_edit *edit = config_edit_new(world->config);
	g_autoptr(GError) error = NULL;

	assert_int_equal(config_edit_override(edit, "nothing", "1", &error), -ENOENT);
	assert_int_equal(config_edit_override(edit, "debug", "perhaps", &error), -EINVAL);
	assert_non_null(strstr(error->message, "want true or false"));
	assert_int_equal(config_edit_override(edit, "mtu", "1400", &error), -EINVAL);
	assert_non_null(strstr(error->message, "cilium config set mtu"));
	assert_int_equal(config_edit_override(edit, "enable-hubble", "true", &error), -EINVAL);
	assert_non_null(strstr(error->message, "does not act on"));
	/* One key twice: the last is what counts, and nothing leaks. */
	assert_int_equal(config_edit_override(edit, "log-opt", "level=error", NULL), 0);
	assert_int_equal(config_edit_override(edit, "log-opt", "color=red", NULL), 0);
	assert_int_equal(config_edit_check(edit, &error), -EINVAL);
	assert_non_null(strstr(error->message, "color=red"));
	assert_int_equal(config_edit_override(edit, "log-opt", NULL, NULL), 0);
	assert_int_equal(config_edit_check(edit, NULL), 0);
	assert_false(config_edit_concerns(edit, OPTION_LIVE_LOG));
	config_edit_free(edit);
}

static enum log_level level_after(struct world *world, const char *log_opt, bool debug,
				  enum log_subsys subsys)
{
	override(world, "log-opt", log_opt);
	override(world, "debug", debug ? "true" : "false");
	settings_apply_log(config_get_settings(world->config));
	return log_get_subsys_level(subsys);
}

static void levels_of_modules(void **state)
{
	struct world *world = *state;

	assert_int_equal(level_after(world, "level.ipam=error", false, LOG_SUBSYS_IPAM),
			 LOG_LEVEL_ERROR);
	assert_int_equal(level_after(world, "level.ipam=error", false, LOG_SUBSYS_AGENT),
			 LOG_LEVEL_INFO);
	assert_int_equal(level_after(world, "level.ipam=debug,level=error", false, LOG_SUBSYS_IPAM),
			 LOG_LEVEL_DEBUG);
	assert_int_equal(level_after(world, "level=error,level.ipam=warn", true, LOG_SUBSYS_IPAM),
			 LOG_LEVEL_WARNING);
	assert_int_equal(level_after(world, "level=error,level.ipam=warn", true, LOG_SUBSYS_AGENT),
			 LOG_LEVEL_DEBUG);
	assert_int_equal(
		level_after(world, "{\"level.agent\": \"debug\"}", false, LOG_SUBSYS_AGENT),
		LOG_LEVEL_DEBUG);
	assert_int_equal(level_after(world, NULL, false, LOG_SUBSYS_AGENT), LOG_LEVEL_INFO);
}

static void check_not_written(struct world *world, const char *directory, int want_err)
{
	g_autoptr(GError) error = NULL;

	assert_int_equal(config_file_write(directory, "debug", "true", &error), want_err);
	assert_true(strlen(error->message) > 20);
}

static void files_are_written_whole_or_not(void **state)
{
	struct world *world = *state;
	g_autofree char *path = path_of(world, "debug");
	g_autofree char *link = path_of(world, "link");
	g_autofree char *data = path_of(world, "..data");
	g_autofree char *text = NULL;
	struct stat status;

	assert_int_equal(config_file_write(world->directory, "debug", "true", NULL), 0);
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "true\n");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	/* A file that not all may read stays so. */
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(config_file_write(world->directory, "debug", "false", NULL), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);

	check_not_written(world, "", -EINVAL);
	check_not_written(world, "/nowhere/at/all", -ENOENT);
	check_not_written(world, path, -EPERM);
	assert_int_equal(symlink(world->directory, link), 0);
	check_not_written(world, link, -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("mtu", path), 0);
	check_not_written(world, world->directory, -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nowhere", data), 0);
	check_not_written(world, world->directory, -EPERM);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(live_keys_change_others_wait),
		TEST(errors_change_nothing),
		TEST(overrides_last_until_a_later_wish),
		TEST(overrides_are_refused),
		TEST(levels_of_modules),
		TEST(files_are_written_whole_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
