/* SPDX-License-Identifier: Apache-2.0 */
/* A real directory, a real loop: what the tests of the source of manifests have in common. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/model/pod.h"
#include "src/source/directory.h"

struct fixture {
	uv_loop_t loop;
	struct tables tables;
	struct store *store;
	struct directory *directory;
	char *base; /* base/m is the directory of manifests */
};

static void ignore_problem(const struct source_problem *problem, void *data)
{
}

/* "pod a 1" writes the manifest of the pod a whose app is 1. */
#define POD_FUNCTION                                                                               \
	"pod() { printf 'apiVersion: v1\\nkind: Pod\\nmetadata: {name: %s, labels: {app: \"%s\"}}" \
	"\\n---\\n' $1 $2; }\n"

/* A shell script; the tests are about files, and a shell says it shortest. */
G_GNUC_UNUSED static void run(const char *script)
{
	g_autofree char *command = g_strconcat(POD_FUNCTION, script, NULL);

	assert_int_equal(system(command), 0);
}

G_GNUC_UNUSED static int set_up(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->base = g_dir_make_tmp("directory_test_XXXXXX", NULL);
	if (!f->base || g_chdir(f->base) < 0 || uv_loop_init(&f->loop))
		return -1;
	f->store = tables_new(&f->tables);
	*state = f;
	return 0;
}

G_GNUC_UNUSED static int tear_down(void **state)
{
	struct fixture *f = *state;

	directory_free(f->directory);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&f->loop))
		return -1;
	store_free(f->store);
	if (g_chdir("/") < 0)
		return -1;
	g_setenv("BASE", f->base, TRUE);
	run("rm -r $BASE");
	g_free(f->base);
	g_free(f);
	return 0;
}

G_GNUC_UNUSED static void start(struct fixture *f)
{
	g_autofree char *path = g_build_filename(f->base, "m", NULL);

	f->directory =
		directory_new(&f->loop, f->store, &f->tables, path, ignore_problem, NULL, NULL);
	assert_non_null(f->directory);
	directory_start(f->directory);
	assert_true(table_synced(f->tables.pods));
}

G_GNUC_UNUSED static char *list_pods(const struct fixture *f)
{
	GString *found = g_string_new(NULL);

	for (int name = 'a'; name <= 'e'; name++) {
		g_autofree char *key = g_strdup_printf("default/%c", name);
		const struct pod *pod =
			(const struct pod *)table_get(f->tables.pods, key, strlen(key));

		if (pod)
			g_string_append_printf(found, "%s%c=%s", found->len ? " " : "", name,
					       label_set_find(pod->meta.labels, "k8s", "app"));
	}
	return g_string_free(found, FALSE);
}

/* Runs the loop until the pods are as expected, for at most max_ns. */
G_GNUC_UNUSED static void wait_for(struct fixture *f, const char *expected, int64_t max_ns)
{
	int64_t end_ns = clock_monotonic_ns() + max_ns;

	for (;;) {
		g_autofree char *found = list_pods(f);

		if (strcmp(found, expected) == 0)
			return;
		if (clock_monotonic_ns() > end_ns)
			fail_msg("got %s, want %s", found, expected);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		g_usleep(200);
	}
}

/* What inotify tells has to be there soon; the checks of the timer come far later. */
#define SOON_NS (500 * NSEC_PER_MSEC)
#define LATE_NS (10 * NSEC_PER_SEC)

/* Nothing more is to come of what was done. */
G_GNUC_UNUSED static void assert_stays(struct fixture *f, const char *expected)
{
	for (int i = 0; i < 20; i++) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		g_usleep(1000);
	}
	wait_for(f, expected, 0);
}
