// SPDX-License-Identifier: Apache-2.0
#include "src/source/file_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/model/pod.h"
#include "src/model/policy.h"

#define POD(name, app) \
	"apiVersion: v1\nkind: Pod\nmetadata: {name: " name ", labels: {app: '" app "'}}\n---\n"
#define BAD_POD(name) "apiVersion: v1\nkind: Pod\nmetadata: {name: " name ", labels: 5}\n---\n"

struct fixture {
	struct tables tables;
	struct store *store;
	struct file_set *set;
	GString *logged;
};

static void on_problem(const struct source_problem *problem, void *data)
{
	g_string_append_printf(((struct fixture *)data)->logged, "%s:%u %s\n", problem->file,
			       problem->line, problem->reason);
}

static int set_up(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->store = tables_new(&f->tables);
	f->logged = g_string_new(NULL);
	f->set = file_set_new(f->store, &f->tables, on_problem, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	file_set_free(f->set);
	store_free(f->store);
	g_string_free(f->logged, TRUE);
	g_free(f);
	return 0;
}

/* text NULL: the file is gone. */
static void put(struct fixture *f, const char *file, const char *text)
{
	file_set_begin(f->set);
	if (text)
		file_set_put(f->set, file, text, strlen(text));
	else
		file_set_remove(f->set, file);
	file_set_commit(f->set);
}

/* "a=1 b=2": the pods of the default namespace and their app, those of a to e. */
static void assert_pods(struct fixture *f, const char *expected)
{
	g_autoptr(GString) found = g_string_new(NULL);

	for (int name = 'a'; name <= 'e'; name++) {
		g_autofree char *key = g_strdup_printf("default/%c", name);
		const struct pod *pod =
			(const struct pod *)table_get(f->tables.pods, key, strlen(key));

		if (pod)
			g_string_append_printf(found, "%s%c=%s", found->len ? " " : "", name,
					       label_set_find(pod->meta.labels, "k8s", "app"));
	}
	assert_string_equal(found->str, expected);
}

static void assert_logged(struct fixture *f, const char *expected)
{
	assert_string_equal(f->logged->str, expected);
	g_string_truncate(f->logged, 0);
}

static void changes_of_a_file(void **state)
{
	struct fixture *f = *state;
	uint64_t revision;

	put(f, "x.yaml", POD("a", "1") POD("b", "1"));
	assert_pods(f, "a=1 b=1");
	assert_int_equal(store_revision(f->store), 1);
	put(f, "x.yaml", "# a comment\n" POD("a", "1") POD("b", "1"));
	assert_int_equal(store_revision(f->store), 1);
	put(f, "x.yaml", POD("b", "2") POD("c", "1"));
	assert_pods(f, "b=2 c=1");
	revision = store_revision(f->store);
	put(f, "y.yaml", NULL);
	assert_int_equal(store_revision(f->store), revision);
	put(f, "x.yaml", NULL);
	assert_pods(f, "");
	assert_logged(f, "");
}

static void the_last_good_one_stays(void **state)
{
	struct fixture *f = *state;

	put(f, "x.yaml", POD("a", "1") POD("b", "1") POD("c", "1"));
	/* a is bad, b is changed, c is gone. */
	put(f, "x.yaml", BAD_POD("a") POD("b", "2"));
	assert_pods(f, "a=1 b=2");
	assert_int_equal(table_n_rows(f->tables.source_problems), 1);
	assert_logged(f, "x.yaml:3 got the number 5, want a mapping\n");
	/* Half-written: nothing that is not in it is gone. */
	put(f, "x.yaml", POD("b", "3") "kind: {");
	assert_pods(f, "a=1 b=3");
	/* Nor where an object does not tell which it is. */
	put(f, "x.yaml", POD("b", "4") "kind: Pod\n");
	assert_pods(f, "a=1 b=4");
	put(f, "x.yaml", POD("b", "5") "kind: Secret\napiVersion: v1\n");
	assert_pods(f, "b=5");
	put(f, "x.yaml", POD("b", "5"));
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

#define POLICY(entity)                                                               \
	"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n" \
	"spec:\n  endpointSelector: {}\n  ingress:\n  - fromEntities: [" entity "]\n"

static const struct policy *policy_of(struct fixture *f)
{
	static const char key[] = "CiliumNetworkPolicy/default/p";

	return (const struct policy *)table_get(f->tables.policies, key, strlen(key));
}

static unsigned int rule_line(const struct policy *policy)
{
	const struct policy_spec *spec = g_ptr_array_index(policy->specs, 0);

	return ((const struct policy_rule *)g_ptr_array_index(spec->rules, 0))->line;
}

/* Who explains a rule points to where it is now, also where nothing else has changed. */
static void policies_move(void **state)
{
	struct fixture *f = *state;
	const struct policy *first;

	put(f, "x.yaml", POLICY("world"));
	first = (const struct policy *)row_ref(&policy_of(f)->row);
	assert_int_equal(rule_line(first), 7);
	put(f, "x.yaml", POLICY("world") "# behind it\n");
	assert_ptr_equal(policy_of(f), first);
	put(f, "x.yaml", "# before it\n" POLICY("world"));
	assert_int_equal(rule_line(policy_of(f)), 8);
	assert_int_equal(policy_of(f)->meta.line, 2);
	assert_true(policy_is_same(policy_of(f), first));
	put(f, "y.yaml", POLICY("world"));
	put(f, "x.yaml", NULL);
	assert_string_equal(policy_of(f)->meta.file, "y.yaml");
	put(f, "y.yaml", POLICY("universe"));
	assert_true(policy_is_same(policy_of(f), first));
	put(f, "y.yaml", POLICY("host"));
	assert_false(policy_is_same(policy_of(f), first));
	row_unref(&first->row);
}

static void problems_are_logged_once(void **state)
{
	struct fixture *f = *state;

	put(f, "x.yaml", BAD_POD("a"));
	assert_logged(f, "x.yaml:3 got the number 5, want a mapping\n");
	put(f, "x.yaml", BAD_POD("a") POD("b", "1"));
	assert_logged(f, "");
	put(f, "x.yaml", POD("a", "1"));
	put(f, "x.yaml", BAD_POD("a"));
	assert_logged(f, "x.yaml:3 got the number 5, want a mapping\n");
	put(f, "x.yaml", NULL);
	assert_pods(f, "");
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

static void the_first_file_owns_an_object(void **state)
{
	struct fixture *f = *state;

	put(f, "x.yaml", POD("a", "1"));
	put(f, "y.yaml", POD("b", "1") POD("a", "2"));
	put(f, "z.yaml", POD("a", "3"));
	assert_pods(f, "a=1 b=1");
	assert_logged(f, "y.yaml:5 is already defined in x.yaml:1\n"
			 "z.yaml:1 is already defined in x.yaml:1\n");
	put(f, "y.yaml", POD("b", "1") POD("a", "4"));
	assert_pods(f, "a=1 b=1");
	/* The next in line takes over, with what it says now. */
	put(f, "x.yaml", POD("c", "1"));
	assert_pods(f, "a=4 b=1 c=1");
	assert_int_equal(table_n_rows(f->tables.source_problems), 1);
	put(f, "z.yaml", NULL);
	put(f, "y.yaml", NULL);
	assert_pods(f, "c=1");
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

static void objects_move_between_files(void **state)
{
	struct fixture *f = *state;
	const char *text = POD("a", "1");

	put(f, "x.yaml", POD("a", "1"));
	/* In either order within one commit, the object never leaves its table. */
	file_set_begin(f->set);
	file_set_remove(f->set, "x.yaml");
	file_set_put(f->set, "y.yaml", text, strlen(text));
	file_set_commit(f->set);
	assert_pods(f, "a=1");
	file_set_begin(f->set);
	file_set_put(f->set, "z.yaml", text, strlen(text));
	file_set_remove(f->set, "y.yaml");
	file_set_commit(f->set);
	assert_pods(f, "a=1");
	assert_int_equal(store_revision(f->store), 2);
	assert_logged(f, "");
}

static void twice_in_one_file(void **state)
{
	struct fixture *f = *state;

	put(f, "x.yaml", POD("a", "1") POD("a", "2"));
	assert_pods(f, "a=1");
	assert_logged(f, "x.yaml:5 is already defined on line 1 of this file\n");
}

static void unreadable_files_keep_their_objects(void **state)
{
	struct fixture *f = *state;

	put(f, "x.yaml", POD("a", "1"));
	file_set_begin(f->set);
	file_set_put_unreadable(f->set, "x.yaml", "Permission denied");
	file_set_commit(f->set);
	assert_pods(f, "a=1");
	assert_logged(f, "x.yaml:0 Permission denied\n");
	put(f, "x.yaml", POD("a", "2"));
	assert_pods(f, "a=2");
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

/* A copy beside a long file, which then goes: work in proportion to the file, not to its square. */
static void a_long_file_is_moved_by_copying(void **state)
{
	struct fixture *f = *state;
	g_autoptr(GString) text = g_string_new(NULL);
	int64_t begin_ns;

	for (unsigned int i = 0; i < 50000; i++)
		g_string_append_printf(
			text, "kind: Pod\napiVersion: v1\nmetadata: {name: p%u}\n---\n", i);
	put(f, "x.yaml", text->str);
	put(f, "y.yaml", text->str);
	begin_ns = clock_monotonic_ns();
	put(f, "x.yaml", NULL);
	assert_true(clock_monotonic_ns() - begin_ns < 2 * NSEC_PER_SEC);
	assert_int_equal(table_n_rows(f->tables.pods), 50000);
	put(f, "x.yaml", text->str);
	put(f, "x.yaml", NULL);
	put(f, "y.yaml", NULL);
	assert_int_equal(table_n_rows(f->tables.pods), 0);
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_of_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_good_one_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(policies_move, set_up, tear_down),
		cmocka_unit_test_setup_teardown(problems_are_logged_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_file_owns_an_object, set_up, tear_down),
		cmocka_unit_test_setup_teardown(objects_move_between_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(twice_in_one_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(unreadable_files_keep_their_objects, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_long_file_is_moved_by_copying, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
