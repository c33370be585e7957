/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/label_filter.h"

#include <string.h>

/* Steps of the matcher for one label: a pattern that needs more does not match. */
#define MATCH_LIMIT "(*LIMIT_MATCH=100000)"

struct pattern {
	GRegex *regex;
	char *source; /* NULL: any */
	bool exclude;
};

struct label_filter {
	const char *config_key; /* for errors */
	GArray *patterns;       /* struct pattern */
	bool user_includes;
};

static const char *const builtin_patterns[] = {
	"reserved:.*",
	"io\\.kubernetes\\.pod\\.namespace",
	"io\\.cilium\\.k8s\\.namespace\\.labels",
	"app\\.kubernetes\\.io",
	"io\\.cilium\\.k8s\\.policy\\.cluster",
	"io\\.cilium\\.k8s\\.policy\\.serviceaccount",
	"!io\\.kubernetes",
	"!kubernetes\\.io",
	"!statefulset\\.kubernetes\\.io/pod-name",
	"!apps\\.kubernetes\\.io/pod-index",
	"!batch\\.kubernetes\\.io/job-completion-index",
	"!batch\\.kubernetes\\.io/controller-uid",
	"!.*beta\\.kubernetes\\.io",
	"!k8s\\.io",
	"!pod-template-generation",
	"!pod-template-hash",
	"!controller-revision-hash",
	"!controller-uid",
	"!annotation.*",
	"!etcd_node",
};

static void pattern_fini(void *data)
{
	struct pattern *pattern = data;

	g_clear_pointer(&pattern->regex, g_regex_unref);
	g_free(pattern->source);
}

/* Splits "[source:][!]regex". */
static int pattern_parse(const char *key, const char *text, struct pattern *ret_pattern,
			 GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autofree char *anchored = NULL;
	struct pattern pattern = {0};
	const char *expression = text;
	const char *colon = strchr(text, ':');

	if (colon) {
		pattern.source = g_strndup(text, colon - text);
		expression = colon + 1;
	}
	if (*expression == '!') {
		pattern.exclude = true;
		expression++;
	}
	anchored = g_strconcat(MATCH_LIMIT, "^(?:", expression, ")", NULL);
	if (*expression)
		pattern.regex = g_regex_new(anchored, 0, 0, &cause);
	if (!pattern.regex) {
		pattern_fini(&pattern);
		return error_set(error, EINVAL, "%s: \"%s\" is no regular expression: %s", key,
				 text, cause ? cause->message : "it is empty");
	}
	*ret_pattern = pattern;
	return 0;
}

static int filter_add(struct label_filter *filter, const char *text, GError **error)
{
	struct pattern pattern;
	int err = pattern_parse(filter->config_key, text, &pattern, error);

	if (!err)
		g_array_append_val(filter->patterns, pattern);
	return err;
}

static struct label_filter *filter_new(const char *config_key)
{
	struct label_filter *filter = g_new0(struct label_filter, 1);

	filter->config_key = config_key;
	filter->patterns = g_array_new(false, false, sizeof(struct pattern));
	g_array_set_clear_func(filter->patterns, pattern_fini);
	return filter;
}

/* NULL, and the filter is freed, for a pattern that is none. */
static struct label_filter *add_user_patterns(struct label_filter *filter,
					      const char *const *patterns, GError **error)
{
	for (; patterns && *patterns; patterns++) {
		const struct pattern *added;

		if (filter_add(filter, *patterns, error)) {
			label_filter_free(filter);
			return NULL;
		}
		added = &g_array_index(filter->patterns, struct pattern, filter->patterns->len - 1);
		if (!added->exclude)
			filter->user_includes = true;
	}
	return filter;
}

struct label_filter *label_filter_new(const char *const *patterns, GError **error)
{
	struct label_filter *filter = filter_new("labels");

	for (size_t i = 0; i < G_N_ELEMENTS(builtin_patterns); i++) {
		int err = filter_add(filter, builtin_patterns[i], NULL);

		g_assert(err == 0);
	}
	return add_user_patterns(filter, patterns, error);
}

struct label_filter *label_filter_new_nodes(const char *const *patterns, GError **error)
{
	return add_user_patterns(filter_new("node-labels"), patterns, error);
}

void label_filter_free(struct label_filter *filter)
{
	if (!filter)
		return;
	g_array_unref(filter->patterns);
	g_free(filter);
}

/* How many bytes of the key the pattern matches; −1: it does not match. */
static int pattern_match(const struct pattern *pattern, const struct label *label)
{
	g_autoptr(GMatchInfo) info = NULL;
	int n_bytes = -1;

	if (pattern->source && strcmp(pattern->source, label->source) != 0)
		return -1;
	if (g_regex_match(pattern->regex, label->key, 0, &info))
		g_match_info_fetch_pos(info, 0, NULL, &n_bytes);
	return n_bytes;
}

bool label_filter_accepts(const struct label_filter *filter, const struct label *label)
{
	int included = 0; /* the longest; 0: none */
	int excluded = 0; /* the shortest; 0: none */

	for (unsigned int i = 0; i < filter->patterns->len; i++) {
		const struct pattern *pattern = &g_array_index(filter->patterns, struct pattern, i);
		int n_bytes = pattern_match(pattern, label);

		if (n_bytes < 0)
			continue;
		if (!pattern->exclude)
			included = MAX(included, n_bytes);
		else if (!excluded || n_bytes < excluded)
			excluded = n_bytes;
	}
	return included > excluded || (!filter->user_includes && !excluded);
}

const struct label_set *label_filter_apply(const struct label_filter *filter,
					   const struct label_set *set)
{
	g_autoptr(GArray) kept = g_array_new(false, false, sizeof(struct label));

	for (size_t i = 0; i < label_set_n(set); i++) {
		const struct label *label = label_set_get(set, i);

		if (label_filter_accepts(filter, label))
			g_array_append_val(kept, *label);
	}
	return label_set_new((const struct label *)(void *)kept->data, kept->len);
}
