/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy validate: manifests through the agent's own decoders, without an agent. What it finds is what
 * the agent would say of the same file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/api/policy_json.h"
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/source/directory.h"
#include "src/source/manifest.h"
#include "src/store/tables.h"

#define DEFAULT_MANIFEST_DIR "/etc/cilium/manifests"
#define FILES_MAX            100000

static bool arg_print;
static bool arg_verbose = true;

struct validation {
	json_t *policies;   /* [{policy, file, line, rules, notes}] */
	json_t *problems;   /* [{file, line, object, field, reason}] */
	json_t *ignored;    /* the same, of objects that this version does not act on */
	json_t *rules;      /* of all that are good, in Cilium's form */
	GHashTable *places; /* key of a policy to "web.yaml:12": where it was first */
	unsigned int n_files;
};

/* ---- what a file says ---- */

static json_t *problem_to_json(const struct source_problem *problem)
{
	json_t *json =
		json_pack("{s:s, s:s*, s:s*, s:s}", "file", problem->file, "object",
			  problem->object, "field", problem->field, "reason", problem->reason);

	if (problem->line)
		json_object_set_new(json, "line", json_integer(problem->line));
	return json;
}

static json_t *notes_to_json(const struct policy *policy)
{
	json_t *list = json_array();

	for (guint i = 0; i < policy->notes->len; i++) {
		const struct policy_note *note = policy->notes->pdata[i];

		json_array_append_new(list, json_pack("{s:b, s:s, s:i, s:s}", "fails-closed",
						      note->fails_closed, "path", note->path,
						      "line", note->line, "text", note->text));
	}
	return list;
}

/* The agent takes the first, and refuses what has the same name. */
static void add_duplicate(struct validation *validation, const char *file,
			  const struct policy *policy, const char *place)
{
	g_autofree char *object =
		g_strdup_printf("%s %s", policy_kind_name(policy->kind), policy->meta.name);
	g_autofree char *reason = g_strdup_printf("is already defined in %s", place);
	struct source_problem *problem =
		manifest_problem_new(file, policy->meta.line, object, "metadata.name", reason);

	json_array_append_new(validation->problems, problem_to_json(problem));
	row_unref(&problem->row);
}

static void add_policy(struct validation *validation, const char *file, const struct policy *policy)
{
	const char *first = g_hash_table_lookup(validation->places, policy->meta.key);
	g_autofree char *place = g_strdup_printf("%s:%u", file, policy->meta.line);
	json_t *rules;

	if (first) {
		if (strcmp(first, place) != 0) /* else a file was named twice */
			add_duplicate(validation, file, policy, first);
		return;
	}
	g_hash_table_insert(validation->places, g_strdup(policy->meta.key),
			    g_steal_pointer(&place));
	rules = json_array();
	for (guint i = 0; i < policy->specs->len; i++)
		json_array_append_new(rules, policy_spec_to_json(policy->specs->pdata[i]));
	json_array_extend(validation->rules, rules);
	json_array_append_new(validation->policies,
			      json_pack("{s:s, s:s, s:i, s:i, s:o}", "policy", policy->meta.key,
					"file", file, "line", policy->meta.line, "specs",
					(int)json_array_size(rules), "notes",
					notes_to_json(policy)));
	json_decref(rules);
}

static void add_manifest(struct validation *validation, const char *file,
			 const struct manifest *manifest)
{
	g_autofree char *name = g_utf8_make_valid(file, -1);

	for (guint i = 0; i < manifest->problems->len; i++) {
		const struct source_problem *problem = manifest->problems->pdata[i];

		json_array_append_new(problem->is_ignored ? validation->ignored
							  : validation->problems,
				      problem_to_json(problem));
	}
	for (guint i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *object =
			&g_array_index(manifest->objects, struct manifest_object, i);

		if (object->object && object->kind->table == offsetof(struct tables, policies))
			add_policy(validation, name, (const struct policy *)object->object);
	}
}

/* ---- reading ---- */

/* 0 or −errno; *ret_text is to be freed. */
static int read_all(int fd, GString **ret_text)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char buffer[65536];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		if (text->len + n > VALUE_MAX_BYTES)
			return -EFBIG;
		g_string_append_len(text, buffer, n);
	}
	if (n < 0)
		return -errno;
	*ret_text = g_steal_pointer(&text);
	return 0;
}

/* "-" is standard input. 0 or the exit status. */
static int add_file(struct validation *validation, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	g_autoptr(GString) text = NULL;
	struct manifest *manifest;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : read_all(fd, &text);

	if (fd >= 0 && !is_stdin)
		close(fd);
	if (err)
		return cli_fail("read %s: %s", path, g_strerror(-err));
	if (++validation->n_files > FILES_MAX)
		return cli_fail("more than %u files: validate them in parts", FILES_MAX);
	manifest = manifest_parse(is_stdin ? "<stdin>" : path, text->str, text->len);
	add_manifest(validation, is_stdin ? "<stdin>" : path, manifest);
	manifest_free(manifest);
	return EXIT_SUCCESS;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The manifests of a directory, and of those below it as the agent reads them: one level. */
static int add_directory(struct validation *validation, const char *path, bool with_subdirs)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	DIR *stream = opendir(path);
	int status = EXIT_SUCCESS;

	if (!stream)
		return cli_fail("read the directory %s: %s", path, g_strerror(errno));
	for (struct dirent *entry; (entry = readdir(stream));)
		if (entry->d_name[0] != '.')
			g_ptr_array_add(names, g_strdup(entry->d_name));
	closedir(stream);
	g_ptr_array_sort(names, compare_names);
	for (guint i = 0; i < names->len && !status; i++) {
		g_autofree char *full = g_build_filename(path, names->pdata[i], NULL);
		bool is_directory = g_file_test(full, G_FILE_TEST_IS_DIR);

		if (is_directory && with_subdirs)
			status = add_directory(validation, full, false);
		else if (!is_directory && directory_is_manifest(names->pdata[i]))
			status = add_file(validation, full);
	}
	return status;
}

static int add_path(struct validation *validation, const char *path)
{
	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return add_directory(validation, path, true);
	return add_file(validation, path);
}

/* Where the agent reads its manifests, or would. g_free. */
static char *find_manifest_dir(void)
{
	const struct api_client_request request = {.call = API_CONFIG_GET};
	json_auto_t *config = NULL;
	const char *path = "";

	if (api_client_call(cli_api(), &request, &config, NULL) == 0)
		path = json_get_text(config, "status", "daemonConfigurationMap", "manifest-dir",
				     NULL);
	return g_strdup(*path ? path : DEFAULT_MANIFEST_DIR);
}

/* ---- output ---- */

static void print_place(const char *file, long long line)
{
	if (line)
		fprintf(stderr, "%s:%lld: ", file, line);
	else
		fprintf(stderr, "%s: ", file);
}

static void print_problems(const json_t *list, const char *lead)
{
	json_t *problem;
	size_t i;

	json_array_foreach(list, i, problem)
	{
		const char *object = json_get_text(problem, "object", NULL);
		const char *field = json_get_text(problem, "field", NULL);

		print_place(json_get_text(problem, "file", NULL),
			    json_get_number(problem, "line", NULL));
		fprintf(stderr, "%s%s%s%s%s%s\n", lead, object, *object ? ": " : "", field,
			*field ? ": " : "", json_get_text(problem, "reason", NULL));
	}
}

static void print_notes(const json_t *policies)
{
	json_t *policy, *note;
	size_t i, j;

	json_array_foreach(policies, i, policy)
	{
		json_array_foreach(json_get(policy, "notes", NULL), j, note)
		{
			print_place(json_get_text(policy, "file", NULL),
				    json_get_number(note, "line", NULL));
			fprintf(stderr, "%s: %s: %s: %s\n",
				json_is_true(json_get(note, "fails-closed", NULL)) ? "fails closed"
										   : "warning",
				json_get_text(policy, "policy", NULL),
				json_get_text(note, "path", NULL),
				json_get_text(note, "text", NULL));
		}
	}
}

static int conclude(const struct validation *validation, bool is_asked)
{
	size_t n = json_array_size(validation->policies);

	if (json_array_size(validation->problems))
		return cli_fail(
			"validation failed: %zu problem%s; a policy with one is refused as a "
			"whole",
			json_array_size(validation->problems),
			json_array_size(validation->problems) == 1 ? "" : "s");
	if (!n && is_asked)
		return cli_fail("no policy was found: expected a NetworkPolicy, a "
				"CiliumNetworkPolicy or a CiliumClusterwideNetworkPolicy");
	if (arg_verbose)
		printf("%zu polic%s in %u file%s: all valid\n", n, n == 1 ? "y" : "ies",
		       validation->n_files, validation->n_files == 1 ? "" : "s");
	return EXIT_SUCCESS;
}

static int print_json(const struct validation *validation)
{
	bool is_valid = !json_array_size(validation->problems);
	json_auto_t *json = json_pack("{s:b, s:O, s:O, s:O}", "valid", is_valid, "policies",
				      validation->policies, "problems", validation->problems,
				      "ignored", validation->ignored);
	int status;

	if (arg_print)
		json_object_set(json, "rules", validation->rules);
	status = output_print(json);
	return status || is_valid ? status : EXIT_FAILURE;
}

static int print_text(const struct validation *validation, bool is_asked)
{
	if (arg_print) {
		char *text = json_dumps(validation->rules, JSON_INDENT(2));

		puts(text);
		free(text);
	}
	fflush(stdout);
	print_problems(validation->problems, "");
	print_notes(validation->policies);
	if (arg_verbose)
		print_problems(validation->ignored, "ignored: ");
	return conclude(validation, is_asked);
}

static int run_validate(int argc, char *const argv[])
{
	struct validation validation = {
		.policies = json_array(),
		.problems = json_array(),
		.ignored = json_array(),
		.rules = json_array(),
		.places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	};
	int status = EXIT_SUCCESS;

	for (int i = 0; i < argc && !status; i++)
		status = add_path(&validation, argv[i]);
	if (!argc) {
		g_autofree char *path = find_manifest_dir();

		fprintf(stderr, "No file is named: these are the agent's manifests, in %s\n", path);
		status = add_directory(&validation, path, true);
	}
	if (!status)
		status = output_format ? print_json(&validation) : print_text(&validation, argc);
	json_decref(validation.policies);
	json_decref(validation.problems);
	json_decref(validation.ignored);
	json_decref(validation.rules);
	g_hash_table_unref(validation.places);
	return status;
}

static const struct cli_flag flags[] = {
	{"print", 0, CLI_FLAG_BOOL, "Print the rules, in the form of \"policy get\"", &arg_print},
	{"verbose", 'v', CLI_FLAG_BOOL, "Say that all is valid, and what is ignored (default true)",
	 &arg_verbose},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_policy_validate = {
	.path = "policy validate",
	.args = "[FILE | DIRECTORY | -]…",
	.n_args_max = 1024,
	.help = "Validate manifests as the agent would, which need not run; its own where no file "
		"is named",
	.flags = flags,
	.words = CLI_WORDS_FILES,
	.run = run_validate,
};
