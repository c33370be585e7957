/* SPDX-License-Identifier: Apache-2.0 */
#include "src/api/call.h"

#include <string.h>
#include "src/rpc/http_client.h"

static const struct api_call_info calls[API_CALL__MAX] = {
#define API_CALL(name, handler, method, path, what) [API_##name] = {#name, method, path, what},
#include "src/api/call.def"
#undef API_CALL
};

const struct api_call_info *api_call_info(enum api_call call)
{
	g_assert(call < API_CALL__MAX);
	return &calls[call];
}

/* Whether path fits the pattern; *ret_arg and *ret_n_arg_bytes: what stands for {…}. */
static bool pattern_fits(const char *pattern, const char *path, const char **ret_arg,
			 size_t *ret_n_arg_bytes)
{
	while (*pattern) {
		if (*pattern == '{') {
			size_t n_bytes = strcspn(path, "/");

			if (!n_bytes || n_bytes > API_ARG_MAX_BYTES)
				return false;
			*ret_arg = path;
			*ret_n_arg_bytes = n_bytes;
			path += n_bytes;
			pattern = strchr(pattern, '}') + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*path;
}

/*
 * An id may hold slashes ("cep-name:ns/name"): then all that stands between what the pattern has before
 * and behind its {…} is the argument.
 */
static bool pattern_fits_slashes(const char *pattern, const char *path, const char **ret_arg,
				 size_t *ret_n_arg_bytes)
{
	size_t n_prefix = strcspn(pattern, "{"), n_bytes = strlen(path);
	const char *brace = strchr(pattern, '}'), *suffix = brace ? brace + 1 : NULL;
	const char *colon, *slash;

	if (!suffix || strncmp(pattern, path, n_prefix) || !g_str_has_suffix(path, suffix) ||
	    n_bytes <= n_prefix + strlen(suffix))
		return false;
	*ret_arg = path + n_prefix;
	*ret_n_arg_bytes = n_bytes - n_prefix - strlen(suffix);
	colon = memchr(*ret_arg, ':', *ret_n_arg_bytes);
	slash = memchr(*ret_arg, '/', *ret_n_arg_bytes);
	return colon && slash && *ret_n_arg_bytes <= API_ARG_MAX_BYTES;
}

/* "/endpoint/cep-name:ns/name/log" is the log of one, and no endpoint of the name "name/log". */
static bool pattern_fits_inner(const char *pattern, const char *path, const char **ret_arg,
			       size_t *ret_n_arg_bytes)
{
	return !g_str_has_suffix(pattern, "}") &&
	       pattern_fits_slashes(pattern, path, ret_arg, ret_n_arg_bytes);
}

static bool pattern_fits_rest(const char *pattern, const char *path, const char **ret_arg,
			      size_t *ret_n_arg_bytes)
{
	return g_str_has_suffix(pattern, "}") &&
	       pattern_fits_slashes(pattern, path, ret_arg, ret_n_arg_bytes);
}

typedef bool (*pattern_test)(const char *pattern, const char *path, const char **ret_arg,
			     size_t *ret_n_arg_bytes);

/* "/identity/endpoints" is itself, and no identity of that name. */
static bool is_plain_path(const char *path)
{
	for (int call = 0; call < API_CALL__MAX; call++)
		if (!strcmp(calls[call].path, path))
			return true;
	return false;
}

static int find(pattern_test fits, const char *method, const char *path,
		struct api_match *ret_match, GString *allow)
{
	bool is_plain = is_plain_path(path);

	for (int call = 0; call < API_CALL__MAX; call++) {
		const char *arg = NULL;
		size_t n_arg_bytes = 0;

		if (!fits(calls[call].path, path, &arg, &n_arg_bytes) || (is_plain && arg))
			continue;
		if (!strcmp(calls[call].method, method)) {
			ret_match->call = call;
			ret_match->arg = arg ? g_strndup(arg, n_arg_bytes) : NULL;
			return 0;
		}
		if (!strstr(allow->str, calls[call].method))
			g_string_append_printf(allow, "%s%s", allow->len ? ", " : "",
					       calls[call].method);
	}
	return allow->len ? -EOPNOTSUPP : -ENOENT;
}

int api_call_find(const char *method, const char *path, struct api_match *ret_match,
		  char **ret_allow)
{
	GString *allow;
	int err;

	if (!g_str_has_prefix(path, API_BASE_PATH "/"))
		return -ENOENT;
	path += strlen(API_BASE_PATH);
	allow = g_string_new(NULL);
	err = find(pattern_fits, method, path, ret_match, allow);
	if (err == -ENOENT)
		err = find(pattern_fits_inner, method, path, ret_match, allow);
	if (err == -ENOENT)
		err = find(pattern_fits_rest, method, path, ret_match, allow);
	if (err == -EOPNOTSUPP)
		*ret_allow = g_string_free(g_steal_pointer(&allow), FALSE);
	else
		g_string_free(allow, TRUE);
	return err;
}

char *api_call_path(enum api_call call, const char *arg)
{
	const char *pattern = api_call_info(call)->path;
	const char *brace = strchr(pattern, '{');
	GString *path = g_string_new(API_BASE_PATH);

	if (!brace) {
		g_string_append(path, pattern);
	} else {
		g_string_append_len(path, pattern, brace - pattern);
		http_target_append(path, arg);
		g_string_append(path, strchr(brace, '}') + 1);
	}
	return g_string_free(path, FALSE);
}
