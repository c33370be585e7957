/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/agent/config_private.h"
#include "src/agent/option.h"
#include "src/agent/service_settings.h"
#include "src/agent/socket_group.h"

#define VALUE_BYTES_MAX (1024 * 1024) /* a whole ConfigMap is no larger */

void config_add_problem(GString *problems, const char *format, ...)
{
	va_list arguments;

	if (problems->len)
		g_string_append_c(problems, '\n');
	va_start(arguments, format);
	g_string_append_vprintf(problems, format, arguments);
	va_end(arguments);
}

/* Text and place move in. A weaker origin does not displace a stronger one. */
static void take_entry(struct config *config, size_t i, enum option_origin origin, char *text,
		       char *place)
{
	struct config_entry *entry = &config->entries[i];

	if (entry->origin > origin) {
		g_free(text);
		g_free(place);
		return;
	}
	g_free(entry->text);
	g_free(entry->place);
	entry->text = text;
	entry->place = place;
	entry->origin = origin;
}

/* --devices a --devices b is one list. */
static void take_flag(struct config *config, size_t i, const char *text)
{
	enum option_type type = option_get(i)->type;
	struct config_entry *entry = &config->entries[i];

	if (entry->origin == OPTION_ORIGIN_FLAG &&
	    (type == OPTION_TYPE_LIST || type == OPTION_TYPE_MAP))
		take_entry(config, i, OPTION_ORIGIN_FLAG, g_strconcat(entry->text, ",", text, NULL),
			   NULL);
	else
		take_entry(config, i, OPTION_ORIGIN_FLAG, g_strdup(text), NULL);
}

/* One argument, and the next where it is the value. Returns how many were used. */
static int read_argument(struct config *config, const char *argument, const char *next)
{
	const char *equals = strchr(argument, '=');
	g_autofree char *key = NULL;
	int i;

	if (!strcmp(argument, "-h") || !strcmp(argument, "--help")) {
		config->action = CONFIG_ACTION_HELP;
		return 1;
	}
	if (!strcmp(argument, "-v") || !strcmp(argument, "--version")) {
		config->action = CONFIG_ACTION_VERSION;
		return 1;
	}
	if (!g_str_has_prefix(argument, "--")) {
		config_add_problem(
			config->problems,
			"%s: unexpected argument; the value of a switch stands behind =, as "
			"--enable-ipv6=false",
			argument);
		return 1;
	}
	key = equals ? g_strndup(argument + 2, equals - argument - 2) : g_strdup(argument + 2);
	i = option_find(key);
	if (i < 0) {
		config_add_problem(config->problems, "--%s: unknown flag", key);
		/* Its value is not one more problem. */
		return !equals && next && *next != '-' ? 2 : 1;
	}
	if (equals) {
		take_flag(config, i, equals + 1);
		return 1;
	}
	if (option_get(i)->type == OPTION_TYPE_BOOL) {
		take_flag(config, i, "true");
		return 1;
	}
	if (!next) {
		config_add_problem(config->problems, "--%s: the value is missing", key);
		return 1;
	}
	take_flag(config, i, next);
	return 2;
}

static void read_arguments(struct config *config, int argc, char *const argv[])
{
	for (int i = 1; i < argc;)
		i += read_argument(config, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
}

/* An empty variable is one that is not set: manifests cannot leave one out. */
static const char *find_variable(char *const envp[], const char *name)
{
	size_t n = strlen(name);

	for (; *envp; envp++)
		if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
			return (*envp)[n + 1] ? *envp + n + 1 : NULL;
	return NULL;
}

static void read_environment(struct config *config, char *const envp[])
{
	for (size_t i = 0; i < option_n(); i++) {
		g_autofree char *name = option_format_variable(option_get(i));
		const char *text = find_variable(envp, name);

		if (text)
			take_entry(config, i, OPTION_ORIGIN_ENVIRONMENT, g_strdup(text),
				   g_steal_pointer(&name));
	}
}

static int read_value_file(const char *path, char **ret_text, GError **error)
{
	g_autofree char *text = g_malloc(VALUE_BYTES_MAX + 1);
	FILE *file = fopen(path, "re");
	size_t n_bytes;
	bool failed;

	if (!file)
		return error_set_errno(error, errno, "%s", path);
	n_bytes = fread(text, 1, VALUE_BYTES_MAX, file);
	failed = ferror(file) || (!feof(file) && fgetc(file) != EOF);
	fclose(file);
	if (failed)
		return error_set(error, EFBIG, "%s: not readable as a value of at most %d bytes",
				 path, VALUE_BYTES_MAX);
	if (memchr(text, '\0', n_bytes))
		return error_set(error, EINVAL, "%s: a zero byte inside", path);
	text[n_bytes] = '\0';
	g_strchomp(text);
	*ret_text = g_strdup(text);
	return 0;
}

static void read_directory_entry(struct config *config, const char *directory, const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autoptr(GError) error = NULL;
	char *text = NULL;
	int i;

	/* "..data" and its like hold the files that a ConfigMap's links lead to. */
	if (*name == '.' || g_file_test(path, G_FILE_TEST_IS_DIR))
		return;
	i = option_find(name);
	if (i < 0) {
		g_ptr_array_add(config->unknown, g_strdup(name));
		return;
	}
	if (config->sources.key && !strcmp(name, config->sources.key))
		return;
	if (read_value_file(path, &text, &error))
		config_add_problem(config->problems, "%s: %s", name, error->message);
	else
		take_entry(config, i, OPTION_ORIGIN_DIRECTORY, text, g_steal_pointer(&path));
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_directory(struct config *config)
{
	const char *path = config->entries[option_find("config-dir")].text;
	g_autoptr(GError) error = NULL;
	GDir *directory;
	const char *name;

	if (!path || !*path)
		return;
	directory = g_dir_open(path, 0, &error);
	if (!directory) {
		config_add_problem(config->problems, "config-dir: %s", error->message);
		return;
	}
	while ((name = g_dir_read_name(directory)))
		read_directory_entry(config, path, name);
	g_dir_close(directory);
	g_ptr_array_sort(config->unknown, compare_names);
}

static void add_bad_value(struct config *config, const struct option *option,
			  const struct config_entry *entry)
{
	g_autofree char *allowed = option_format_allowed(option);
	g_autofree char *shown = g_strescape(entry->text, NULL);
	const char *place = entry->place ? entry->place : "command line";

	config_add_problem(config->problems, "%s: got \"%.200s\" (%s), want %s", option->key, shown,
			   place, allowed);
}

/* Fields of settings whose text is bad get the default, so that every field is always valid. */
static void parse_entry(struct config *config, size_t i)
{
	const struct option *option = option_get(i);
	struct config_entry *entry = &config->entries[i];
	union option_value by_default, value;
	int err = option_parse_value(option, option->default_text, &by_default);

	g_assert(!err); /* a row of ours */
	if (option_parse_value(option, entry->text, &value)) {
		add_bad_value(config, option, entry);
		err = option_parse_value(option, option->default_text, &value);
		g_assert(!err);
	}
	entry->differs = !option_equal_values(option, &by_default, &value);
	option_fini_value(option, &by_default);
	if (option->state == OPTION_STATE_ACTS)
		option_take_value(option, &value, &config->settings);
	else
		option_fini_value(option, &value);
}

static void read_node_name(struct config *config, char *const envp[])
{
	const char *name = find_variable(envp, "K8S_NODE_NAME");
	char host[256] = "";

	if (!name && (gethostname(host, sizeof(host) - 1) || !*host))
		config_add_problem(config->problems,
				   "The node has no name: want K8S_NODE_NAME or a host name");
	config->settings.node_name = g_strdup(name ? name : host);
}

static struct config_entry copy_entry(const struct config_entry *entry)
{
	return (struct config_entry){
		.text = g_strdup(entry->text),
		.place = g_strdup(entry->place),
		.origin = entry->origin,
		.differs = entry->differs,
	};
}

static void replace_file(struct config *config, const struct config_sources *sources)
{
	int i = option_find(sources->key);
	const char *directory = config->entries[option_find("config-dir")].text;

	take_entry(config, i, OPTION_ORIGIN_DIRECTORY, g_strdup(sources->text),
		   g_build_filename(directory, sources->key, NULL));
}

/* Here, so that a group that is not there is told when it is configured, not when the agent is restarted. */
static void check_socket_group(struct config *config)
{
	g_autoptr(GError) error = NULL;
	gid_t group;

	if (socket_group_find(config, &group, &error))
		config_add_problem(config->problems, "%s", error->message);
}

/* routing-mode has no field: with one node there is no difference. */
static void check_routing_mode(struct config *config)
{
	const char *mode = config->entries[option_find("routing-mode")].text;
	struct service_settings services;

	if (strcmp(mode, "tunnel") != 0)
		return;
	service_settings_get(&config->settings, &services);
	if (services.mode != FORWARDING_SNAT)
		config_add_problem(config->problems,
				   "bpf-lb-mode: want snat where routing-mode is tunnel: a node "
				   "behind a tunnel cannot answer clients itself");
}

int config_load_sources(const struct config_sources *sources, struct config **ret_config,
			GError **error)
{
	struct config *config = g_new0(struct config, 1);
	int err;

	config->sources = *sources;
	config->entries = g_new0(struct config_entry, option_n());
	config->configured = g_new0(struct config_entry, option_n());
	config->unknown = g_ptr_array_new_with_free_func(g_free);
	config->problems = g_string_new("");
	for (size_t i = 0; i < option_n(); i++)
		config->entries[i].text = g_strdup(option_get(i)->default_text);

	read_environment(config, sources->envp);
	read_arguments(config, sources->argc, sources->argv);
	read_directory(config);
	if (sources->key)
		replace_file(config, sources);
	g_ptr_array_add(config->unknown, NULL);
	for (size_t i = 0; i < option_n(); i++) {
		parse_entry(config, i);
		config->configured[i] = copy_entry(&config->entries[i]);
	}
	read_node_name(config, sources->envp);
	settings_check(&config->settings, config->problems);
	if (!config->problems->len)
		check_routing_mode(config);
	check_socket_group(config);

	/* Somebody who asks for help gets it, whatever else is wrong. */
	if (config->problems->len && config->action == CONFIG_ACTION_RUN) {
		err = error_set(error, EINVAL, "%s", config->problems->str);
		config_free(config);
		return err;
	}
	*ret_config = config;
	return 0;
}

int config_load(int argc, char *const argv[], char *const envp[], struct config **ret_config,
		GError **error)
{
	const struct config_sources sources = {.argc = argc, .argv = argv, .envp = envp};

	return config_load_sources(&sources, ret_config, error);
}

void config_fini_entry(struct config_entry *entry)
{
	g_clear_pointer(&entry->text, g_free);
	g_clear_pointer(&entry->place, g_free);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < option_n(); i++) {
		const struct option *option = option_get(i);

		config_fini_entry(&config->entries[i]);
		config_fini_entry(&config->configured[i]);
		if (option->state == OPTION_STATE_ACTS)
			option_fini_field(option, &config->settings);
	}
	g_free(config->settings.node_name);
	g_free(config->entries);
	g_free(config->configured);
	g_ptr_array_unref(config->unknown);
	g_string_free(config->problems, true);
	g_free(config);
}

enum config_action config_get_action(const struct config *config)
{
	return config->action;
}

const struct settings *config_get_settings(const struct config *config)
{
	return &config->settings;
}

static struct config_value describe(const struct config_entry *entries, size_t i)
{
	const struct option *option = option_get(i);
	const struct config_entry *entry = &entries[i];

	return (struct config_value){
		.key = option->key,
		.text = entry->text,
		.origin = entry->origin,
		.place = entry->place,
		.has_effect = option->state == OPTION_STATE_ACTS,
		.is_live = option->live != OPTION_LIVE_NONE,
		.differs = entry->differs,
	};
}

enum option_origin config_get_origin(const struct config *config, const char *key)
{
	int i = option_find(key);

	g_assert(i >= 0);
	return config->entries[i].origin;
}

void config_foreach(const struct config *config,
		    void (*fn)(const struct config_value *value, void *data), void *data)
{
	for (size_t i = 0; i < option_n(); i++) {
		struct config_value value = describe(config->entries, i);

		fn(&value, data);
	}
}

void config_foreach_without_effect(const struct config *config,
				   void (*fn)(const struct config_value *value, void *data),
				   void *data)
{
	for (size_t i = 0; i < option_n(); i++) {
		struct config_value value = describe(config->entries, i);
		const struct option *option = option_get(i);

		if (value.differs &&
		    (option->state == OPTION_STATE_LATER ||
		     service_settings_is_overridden(&config->settings, option->key)))
			fn(&value, data);
	}
}

int config_find_configured(const struct config *config, const char *key,
			   struct config_value *ret_value)
{
	int i = option_find(key);

	if (i < 0)
		return -ENOENT;
	*ret_value = describe(config->configured, i);
	return 0;
}

const char *const *config_get_unknown_keys(const struct config *config)
{
	return (const char *const *)config->unknown->pdata;
}

const char *option_origin_text(enum option_origin origin)
{
	static const char *const texts[OPTION_ORIGIN__MAX] = {
		[OPTION_ORIGIN_DEFAULT] = "default",
		[OPTION_ORIGIN_DIRECTORY] = "config-dir",
		[OPTION_ORIGIN_ENVIRONMENT] = "environment",
		[OPTION_ORIGIN_FLAG] = "flag",
		[OPTION_ORIGIN_RUNTIME] = "runtime",
	};

	return texts[origin];
}
