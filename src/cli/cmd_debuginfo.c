/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/cli/commands.h"
#include "src/cli/debuginfo.h"
#include "src/cli/json_get.h"
#include "src/cli/jsonpath.h"

#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

static bool arg_file, arg_file_per_command;
static const char *arg_directory;
static const char *arg_state_dir; /* NULL: where the socket is */
static const char *arg_lib_dir = "/var/lib/cilium";
static GPtrArray *arg_outputs;

/* One --output: a format, and for jsonpath its pattern. */
struct output {
	enum {
		OUTPUT_MARKDOWN,
		OUTPUT_HTML,
		OUTPUT_JSON,
		OUTPUT_JSONPATH
	} kind;
	const char *pattern;
};

static const char *const extensions[] = {
	[OUTPUT_MARKDOWN] = "md",
	[OUTPUT_HTML] = "html",
	[OUTPUT_JSON] = "json",
	[OUTPUT_JSONPATH] = "jsonpath",
};

/* ---- which outputs ---- */

/* Commas separate outputs; behind "jsonpath=" they belong to the pattern. The strings live for good. */
static GPtrArray *join_patterns(void)
{
	GPtrArray *texts = g_ptr_array_new();

	for (size_t i = 0; arg_outputs && i < arg_outputs->len; i++) {
		char *text = g_ptr_array_index(arg_outputs, i);
		char *last = texts->len ? g_ptr_array_index(texts, texts->len - 1) : NULL;

		if (last && g_str_has_prefix(last, "jsonpath=") && strcmp(text, "json") &&
		    strcmp(text, "html") && strcmp(text, "markdown") &&
		    !g_str_has_prefix(text, "jsonpath=")) {
			g_autofree char *joined = g_strconcat(last, ",", text, NULL);

			g_ptr_array_index(texts, texts->len - 1) = (char *)g_intern_string(joined);
		} else {
			g_ptr_array_add(texts, text);
		}
	}
	if (!texts->len)
		g_ptr_array_add(texts, (char *)g_intern_static_string("markdown"));
	return texts;
}

static int parse_output(const char *text, struct output *ret_output)
{
	static const char prefix[] = "jsonpath=";

	*ret_output = (struct output){.kind = OUTPUT_MARKDOWN};
	if (!strcmp(text, "html"))
		ret_output->kind = OUTPUT_HTML;
	else if (!strcmp(text, "json"))
		ret_output->kind = OUTPUT_JSON;
	else if (g_str_has_prefix(text, prefix))
		*ret_output = (struct output){OUTPUT_JSONPATH, text + strlen(prefix)};
	else if (strcmp(text, "markdown") != 0)
		return cli_fail_usage("--output \"%s\": expected markdown, html, json or "
				      "jsonpath='{}'",
				      text);
	if (ret_output->kind == OUTPUT_HTML && !arg_file)
		return cli_fail_usage("--output html needs --file");
	if (ret_output->kind >= OUTPUT_JSON && arg_file_per_command)
		return cli_fail_usage("--output %s cannot be divided: leave --file-per-command out",
				      text);
	return EXIT_SUCCESS;
}

/* 0 or the exit status. */
static int parse_outputs(GArray **ret_outputs)
{
	g_autoptr(GPtrArray) texts = join_patterns();
	int status = EXIT_SUCCESS;

	*ret_outputs = g_array_new(FALSE, FALSE, sizeof(struct output));
	for (size_t i = 0; i < texts->len && !status; i++) {
		struct output output;

		status = parse_output(g_ptr_array_index(texts, i), &output);
		g_array_append_val(*ret_outputs, output);
	}
	return status;
}

/* ---- where to ---- */

/* A file that is there, or a link of somebody else's, is never written to. 0 or the exit status. */
static int write_file(int directory_fd, const char *name, const GString *text)
{
	int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			FILE_MODE);
	size_t n_done = 0;
	int err = fd < 0 ? errno : 0;

	while (!err && n_done < text->len) {
		ssize_t n = write(fd, text->str + n_done, text->len - n_done);

		if (n < 0 && errno != EINTR)
			err = errno;
		else if (n > 0)
			n_done += n;
	}
	if (fd >= 0 && close(fd) < 0 && !err)
		err = errno;
	if (err && fd >= 0)
		unlinkat(directory_fd, name, 0);
	if (err)
		return cli_fail("write %s/%s: %s", arg_directory, name, g_strerror(err));
	printf("%s/%s\n", arg_directory, name);
	return EXIT_SUCCESS;
}

/* Owned, or −errno. */
static int open_directory(void)
{
	int fd;

	if (mkdir(arg_directory, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return -errno;
	fd = open(arg_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- text ---- */

struct report {
	const json_t *info;
	const GPtrArray *sections; /* NULL where no output needs them */
	GDateTime *time;
	int directory_fd; /* −1: standard output */
};

/* 0 or the exit status. */
static int format_output(const struct report *report, const struct output *output, GString *text)
{
	GError *error = NULL;
	char *json;

	switch (output->kind) {
	case OUTPUT_MARKDOWN:
		report_append(text, report->sections, REPORT_MARKDOWN);
		return EXIT_SUCCESS;
	case OUTPUT_HTML:
		report_append(text, report->sections, REPORT_HTML);
		return EXIT_SUCCESS;
	case OUTPUT_JSON:
		json = json_dumps(report->info, JSON_INDENT(2) | JSON_SORT_KEYS);
		g_string_append(text, json);
		g_string_append_c(text, '\n');
		free(json);
		return EXIT_SUCCESS;
	case OUTPUT_JSONPATH:
		if (jsonpath_format(text, report->info, output->pattern, &error) < 0)
			return cli_fail_error(error);
		g_string_append_c(text, '\n');
		return EXIT_SUCCESS;
	}
	g_assert_not_reached();
}

static int write_whole(const struct report *report, const struct output *output)
{
	g_autofree char *name = report_file_name(report->time, NULL, extensions[output->kind]);
	g_autoptr(GString) text = g_string_new(NULL);
	int status = format_output(report, output, text);

	if (status)
		return status;
	if (report->directory_fd >= 0)
		return write_file(report->directory_fd, name, text);
	fputs(text->str, stdout);
	return fflush(stdout) ? cli_fail("writing the report: %s", g_strerror(errno))
			      : EXIT_SUCCESS;
}

static int write_per_command(const struct report *report, const struct output *output)
{
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < report->sections->len && !status; i++) {
		struct report_section *section = g_ptr_array_index(report->sections, i);
		g_autofree char *name =
			report_file_name(report->time, section->name, extensions[output->kind]);
		g_autoptr(GPtrArray) one = g_ptr_array_new();
		const struct report part = {.sections = one};
		g_autoptr(GString) text = g_string_new(NULL);

		g_ptr_array_add(one, section);
		status = format_output(&part, output, text);
		if (!status)
			status = write_file(report->directory_fd, name, text);
	}
	return status;
}

static bool needs_sections(const GArray *outputs)
{
	for (size_t i = 0; i < outputs->len; i++)
		if (g_array_index(outputs, struct output, i).kind <= OUTPUT_HTML)
			return true;
	return false;
}

static int write_report(const GArray *outputs, int directory_fd)
{
	g_autoptr(GDateTime) time = g_date_time_new_now_local();
	json_auto_t *info = debuginfo_get_json();
	g_autoptr(GPtrArray) sections =
		needs_sections(outputs) ? debuginfo_get_sections(info, arg_state_dir, arg_lib_dir)
					: NULL;
	const struct report report = {
		.info = info,
		.sections = sections,
		.time = time,
		.directory_fd = directory_fd,
	};
	const char *unavailable = json_get_text(info, "unavailable", NULL);
	int status = EXIT_SUCCESS;

	if (*unavailable)
		fprintf(stderr, "What only the agent knows is missing: %s\n", unavailable);
	for (size_t i = 0; i < outputs->len && !status; i++) {
		const struct output *output = &g_array_index(outputs, struct output, i);

		status = arg_file_per_command ? write_per_command(&report, output)
					      : write_whole(&report, output);
	}
	return status;
}

static int run_debuginfo(int argc, char *const argv[])
{
	g_autoptr(GArray) outputs = NULL;
	int directory_fd = -1;
	int status;

	arg_file = arg_file || arg_file_per_command;
	status = parse_outputs(&outputs);
	if (status)
		return status;
	if (arg_directory && !arg_file)
		return cli_fail_usage("--output-directory needs --file");
	if (!arg_directory)
		arg_directory = ".";
	if (!arg_state_dir)
		arg_state_dir = g_path_get_dirname(cli_socket_path());
	if (arg_file) {
		directory_fd = open_directory();
		if (directory_fd < 0)
			return cli_fail("open the directory %s: %s", arg_directory,
					g_strerror(-directory_fd));
	}
	status = write_report(outputs, directory_fd);
	if (directory_fd >= 0)
		close(directory_fd);
	return status;
}

static const struct cli_flag flags[] = {
	{"file", 'f', CLI_FLAG_BOOL, "Write to files and print their names", &arg_file},
	{"file-per-command", 0, CLI_FLAG_BOOL, "Write a file for each section",
	 &arg_file_per_command},
	{"lib-dir", 0, CLI_FLAG_TEXT, "As the agent's key (default /var/lib/cilium)", &arg_lib_dir},
	{"output", 'o', CLI_FLAG_LIST, "markdown | html | json | jsonpath='{}' (repeatable)",
	 &arg_outputs, "markdown html json jsonpath="},
	{"output-directory", 0, CLI_FLAG_TEXT,
	 "Where files are written (default: the current directory)", &arg_directory},
	{"state-dir", 0, CLI_FLAG_TEXT, "As the agent's key (default: where the socket is)",
	 &arg_state_dir},
	{NULL},
};

const struct cli_command cmd_debuginfo = {
	.path = "debuginfo",
	.help = "Request available debugging information from agent",
	.flags = flags,
	.run = run_debuginfo,
};
