/* SPDX-License-Identifier: Apache-2.0 */
/* Policies over restarts: a real directory of manifests, a real directory of state, agents that come and go. */
#include "src/agent/kept_policies.h"

#include <signal.h>
#include <sys/resource.h>
#include "src/model/policy.h"
#include "src/source/directory_test.h"

#define POLICY_FUNCTION                                                                          \
	"policy() { printf 'apiVersion: networking.k8s.io/v1\\nkind: NetworkPolicy\\n"           \
	"metadata: {name: %s}\\nspec: {podSelector: {matchLabels: {app: \"%s\"}}}\\n---\\n' $1 " \
	"$2; }\n"                                                                                \
	"bad() { policy $1 'not/a/label/'; }\n"

/* What an agent has of it. */
struct agent {
	struct fixture f;
	struct controllers *controllers;
	struct kept_policies *kept;
	GPtrArray *problems;
};

static void sh(const char *script)
{
	g_autofree char *all = g_strconcat(POLICY_FUNCTION, script, NULL);

	run(all);
}

static int set_up_base(void **state)
{
	char *base = g_dir_make_tmp("kept_policies_test_XXXXXX", NULL);

	*state = base;
	if (!base || g_chdir(base) < 0)
		return -1;
	run("mkdir m");
	return 0;
}

static int tear_down_base(void **state)
{
	if (g_chdir("/") < 0)
		return -1;
	g_setenv("BASE", *state, TRUE);
	run("rm -r $BASE");
	g_free(*state);
	return 0;
}

static struct agent *boot_from(void **state, const char *manifests)
{
	struct agent *agent = g_new0(struct agent, 1);
	g_autofree char *kept_path = g_build_filename(*state, "state", NULL);
	g_autofree char *path = g_build_filename(*state, manifests, NULL);
	g_autoptr(GPtrArray) goods = NULL;

	assert_int_equal(uv_loop_init(&agent->f.loop), 0);
	agent->f.store = tables_new(&agent->f.tables);
	agent->controllers = controllers_new();
	agent->problems = g_ptr_array_new_with_free_func(g_free);
	agent->kept = kept_policies_new(&agent->f.loop, kept_path, agent->controllers,
					agent->problems, NULL);
	assert_non_null(agent->kept);
	agent->f.directory = directory_new(&agent->f.loop, agent->f.store, &agent->f.tables, path,
					   ignore_problem, NULL, NULL);
	goods = kept_policies_take(agent->kept);
	directory_set_keeper(agent->f.directory, goods, kept_policies_note, agent->kept);
	directory_start(agent->f.directory);
	return agent;
}

static struct agent *boot(void **state)
{
	return boot_from(state, "m");
}

static void halt(struct agent *agent)
{
	directory_free(agent->f.directory);
	kept_policies_free(agent->kept);
	uv_run(&agent->f.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&agent->f.loop), 0);
	store_free(agent->f.store);
	g_ptr_array_unref(agent->problems);
	controllers_free(agent->controllers);
	g_free(agent);
}

/* "a=1 b=2": what the policies a to e select. */
static char *list_policies(const struct agent *agent)
{
	GString *found = g_string_new(NULL);

	for (int name = 'a'; name <= 'e'; name++) {
		g_autofree char *key = g_strdup_printf("NetworkPolicy/default/%c", name);
		const struct policy *policy = (const struct policy *)table_get(
			agent->f.tables.policies, key, strlen(key));
		const struct policy_spec *spec = policy ? policy->specs->pdata[0] : NULL;
		const char *app = spec ? strstr(selector_text(spec->subject), "app: ") : NULL;

		if (policy)
			g_string_append_printf(found, "%s%c=%c", found->len ? " " : "", name,
					       app ? app[5] : '?');
	}
	return g_string_free(found, FALSE);
}

static void assert_policies(const struct agent *agent, const char *expected)
{
	g_autofree char *found = list_policies(agent);

	assert_string_equal(found, expected);
}

/* The loop of the agent until its policies are these. */
static void wait_policies(struct agent *agent, const char *expected)
{
	int64_t end_ns = clock_monotonic_ns() + LATE_NS;

	for (;;) {
		g_autofree char *found = list_policies(agent);

		if (!strcmp(found, expected))
			return;
		if (clock_monotonic_ns() > end_ns)
			fail_msg("got %s, want %s", found, expected);
		uv_run(&agent->f.loop, UV_RUN_NOWAIT);
		g_usleep(200);
	}
}

/* One run of an agent: what it has of policies at its start. */
static void assert_boots(void **state, const char *expected)
{
	struct agent *agent = boot(state);

	assert_policies(agent, expected);
	halt(agent);
}

static void bad_ones_stay(void **state)
{
	sh("(policy a 1; policy b 1) > m/x.yaml; policy c 1 > m/y.yaml");
	assert_boots(state, "a=1 b=1 c=1");
	sh("(bad a; policy b 2) > m/x.yaml; (policy c 2; printf '\\t{') > m/y.yaml");
	assert_boots(state, "a=1 b=2 c=2");
	/* A syntax error before everything; the new b counts, though a was bad beside it. */
	sh("(printf '\\t{\\n'; policy a 3) > m/x.yaml");
	assert_boots(state, "a=1 b=2 c=2");
	assert_boots(state, "a=1 b=2 c=2");
	sh("(policy a 4) > m/x.yaml; policy c 4 > m/y.yaml");
	assert_boots(state, "a=4 c=4");
}

static void gone_ones_go(void **state)
{
	sh("(policy a 1; policy b 1) > m/x.yaml; policy c 1 > m/y.yaml");
	assert_boots(state, "a=1 b=1 c=1");
	sh("rm m/y.yaml; policy a 1 > m/x.yaml");
	assert_boots(state, "a=1");
	/* Not remembered either. */
	sh("printf '\\t{' > m/x.yaml; printf '\\t{' > m/y.yaml");
	assert_boots(state, "a=1");
	run("rm m/*; test $(ls state | wc -l) = 1");
	assert_boots(state, "");
	run("test $(ls state | wc -l) = 0");
}

static void changes_while_it_runs(void **state)
{
	struct agent *agent;

	sh("policy a 1 > m/x.yaml; policy b 1 > m/y.yaml");
	agent = boot(state);
	sh("policy a 2 > new; mv new m/x.yaml; rm m/y.yaml");
	wait_policies(agent, "a=2");
	sh("bad a > new; mv new m/x.yaml");
	halt(agent);
	assert_boots(state, "a=2");
}

static void directory_away(void **state)
{
	struct agent *agent;

	sh("policy a 1 > m/x.yaml; policy b 1 > m/y.yaml");
	assert_boots(state, "a=1 b=1");
	run("mv m away; rm away/y.yaml");
	assert_boots(state, "a=1 b=1");
	agent = boot(state);
	assert_policies(agent, "a=1 b=1");
	run("mv away m");
	wait_policies(agent, "a=1");
	halt(agent);
	/* Another directory is another matter. */
	run("mkdir other");
	agent = boot_from(state, "other");
	assert_policies(agent, "");
	halt(agent);
	run("test $(ls state | wc -l) = 0");
}

static void two_files_say_it(void **state)
{
	sh("policy a 1 > m/x.yaml; policy a 2 > m/y.yaml");
	assert_boots(state, "a=1");
	sh("rm m/x.yaml; bad a > m/y.yaml");
	assert_boots(state, "a=2");
}

static void equal_text_is_not_written_again(void **state)
{
	sh("policy a 1 > m/x.yaml");
	assert_boots(state, "a=1");
	run("chmod 600 state/*; touch -d '2001-01-01' state/*");
	sh("policy a 1 > m/x.yaml");
	assert_boots(state, "a=1");
	run("test -z \"$(find state -type f -newermt 2001-01-02)\"");
	run("test -z \"$(find state -type f -not -perm 600)\"");
}

static void spoilt_files(void **state)
{
	struct agent *agent;

	sh("policy a 1 > m/x.yaml; policy b 1 > m/y.yaml");
	assert_boots(state, "a=1 b=1");
	run("f=$(grep -l x.yaml state/*); echo '{' > $f; "
	    "f=$(grep -l y.yaml state/*); sed -i 's/\"text\":\"{/\"text\":\"[/' $f; ln -s "
	    "/etc/passwd "
	    "state/link.json");
	sh("bad a > m/x.yaml; bad b > m/y.yaml");
	agent = boot(state);
	assert_policies(agent, "");
	assert_int_equal(agent->problems->len, 3);
	halt(agent);
	run("test $(ls state/*.corrupt | wc -l) = 3");
	/* Once mended, they are kept again. */
	sh("policy a 2 > m/x.yaml; rm m/y.yaml");
	assert_boots(state, "a=2");
	sh("bad a > m/x.yaml");
	assert_boots(state, "a=2");
}

/* An agent that does not understand what closes must not open it. */
static void newer_version(void **state)
{
	g_autofree char *kept_path = g_build_filename(*state, "state", NULL);
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	struct controllers *controllers = controllers_new();
	uv_loop_t loop;

	sh("policy a 1 > m/x.yaml");
	assert_boots(state, "a=1");
	run("sed -i 's/\"version\":1/\"version\":2/' state/*");
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_null(kept_policies_new(&loop, kept_path, controllers, problems, &error));
	assert_non_null(strstr(error->message, "newer agent"));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	controllers_free(controllers);
	run("grep -q '\"version\":2' state/*");
}

static void count_failures(const struct controller_info *info, void *data)
{
	*(unsigned int *)data += info->n_failures;
}

/* What cannot be written is in force all the same, and is kept once it can. */
static void disk_is_full(void **state)
{
	struct rlimit before, none = {0};
	unsigned int n_failures = 0;
	struct agent *agent;

	sh("policy a 1 > m/x.yaml");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none.rlim_max = before.rlim_max;
	agent = boot(state);
	setrlimit(RLIMIT_FSIZE, &none);
	for (int64_t end_ns = clock_monotonic_ns() + LATE_NS;
	     !n_failures && clock_monotonic_ns() < end_ns;) {
		uv_run(&agent->f.loop, UV_RUN_NOWAIT);
		controllers_foreach(agent->controllers, count_failures, &n_failures);
	}
	assert_int_equal(n_failures, 1);
	assert_policies(agent, "a=1");
	kept_policies_run(agent->kept);
	setrlimit(RLIMIT_FSIZE, &before);
	run("test $(ls state | wc -l) = 0");
	kept_policies_run(agent->kept);
	run("test $(ls state | wc -l) = 1");
	halt(agent);
	sh("bad a > m/x.yaml");
	assert_boots(state, "a=1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_base, tear_down_base)
	const struct CMUnitTest tests[] = {
		TEST(bad_ones_stay),  TEST(gone_ones_go),     TEST(changes_while_it_runs),
		TEST(directory_away), TEST(two_files_say_it), TEST(equal_text_is_not_written_again),
		TEST(spoilt_files),   TEST(newer_version),    TEST(disk_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
