/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/user_config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/wire/value.h"

#define FILE_MAX_BYTES (64 * 1024)

struct parse {
	const char *name;
	struct user_config *config;
	GError **error;
	int err;
};

static int parse_member(const struct parse *parse, const struct value *member)
{
	g_autofree char *got = value_describe(member);

	if (!strcmp(member->key, "host") && member->type == VALUE_STRING) {
		g_free(parse->config->host);
		parse->config->host = g_strdup(member->text);
		return 0;
	}
	if (!strcmp(member->key, "debug") && member->type == VALUE_BOOL) {
		parse->config->debug = member->boolean;
		return 0;
	}
	if (!strcmp(member->key, "host") || !strcmp(member->key, "debug"))
		return error_set(parse->error, EINVAL, "%s:%u: %s: expected %s, got %s",
				 parse->name, member->line, member->key,
				 *member->key == 'h' ? "text" : "true or false", got);
	return error_set(parse->error, EINVAL,
			 "%s:%u: %s: unknown key; the file may hold host and debug", parse->name,
			 member->line, member->key);
}

static bool parse_document(const struct value *root, void *data)
{
	struct parse *parse = data;
	g_autofree char *got = value_describe(root);

	if (root->type == VALUE_NULL)
		return true;
	if (root->type != VALUE_MAPPING) {
		parse->err = error_set(parse->error, EINVAL,
				       "%s:%u: expected lines such as \"host: unix:///…\", got %s",
				       parse->name, root->line, got);
		return false;
	}
	for (const struct value *member = root->first; member && !parse->err; member = member->next)
		parse->err = parse_member(parse, member);
	return !parse->err;
}

int user_config_parse(const char *name, const char *text, size_t n_bytes,
		      struct user_config *ret_config, GError **error)
{
	struct user_config config = {0};
	struct parse parse = {.name = name, .config = &config, .error = error};
	struct value_error value_error = {0};

	if (value_parse_yaml(text, n_bytes, parse_document, &parse, &value_error) < 0 && !parse.err)
		parse.err = error_set(error, EINVAL, "%s:%u: %s", name, value_error.line,
				      value_error.reason);
	g_free(value_error.reason);
	if (parse.err < 0)
		user_config_fini(&config);
	else
		*ret_config = config;
	return parse.err;
}

/* NULL with errno; a device or a pipe would be read for ever. */
static char *read_file(const char *path, size_t *ret_n_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	struct stat state;
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &state) == 0) {
		if (!S_ISREG(state.st_mode)) {
			errno = S_ISDIR(state.st_mode) ? EISDIR : EINVAL;
		} else if (state.st_size > FILE_MAX_BYTES) {
			errno = EFBIG;
		} else {
			text = g_malloc0(FILE_MAX_BYTES + 1);
			n = read(fd, text, FILE_MAX_BYTES);
		}
	}
	close(fd);
	if (n < 0) {
		int err = errno;

		g_free(text);
		errno = err;
		return NULL;
	}
	*ret_n_bytes = (size_t)n;
	return text;
}

int user_config_load(const char *path, struct user_config *ret_config, GError **error)
{
	g_autofree char *home_path = NULL;
	g_autofree char *text = NULL;
	size_t n_bytes = 0;

	if (!path) {
		const char *home = g_getenv("HOME");

		if (!home || !*home)
			return 0;
		home_path = g_build_filename(home, ".cilium.yaml", NULL);
	}
	text = read_file(path ? path : home_path, &n_bytes);
	/* Whoever may not look into the home has no file there. */
	if (!text && !path && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
		return 0;
	if (!text)
		return error_set_errno(error, errno, "%s", path ? path : home_path);
	return user_config_parse(path ? path : home_path, text, n_bytes, ret_config, error);
}

void user_config_fini(struct user_config *config)
{
	g_free(config->host);
	*config = (struct user_config){0};
}
