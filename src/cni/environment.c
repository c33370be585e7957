// SPDX-License-Identifier: Apache-2.0
#include "src/cni/environment.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* What each command cannot do without. */
struct command {
	const char *name;
	bool needs_attachment; /* CNI_CONTAINERID and CNI_IFNAME */
	bool needs_netns;
};

static const struct command commands[CNI_COMMAND__MAX] = {
	[CNI_COMMAND_ADD] = {"ADD", true, true},
	[CNI_COMMAND_DEL] = {"DEL", true, false},
	[CNI_COMMAND_CHECK] = {"CHECK", true, true},
	[CNI_COMMAND_STATUS] = {"STATUS"},
	[CNI_COMMAND_GC] = {"GC"},
	[CNI_COMMAND_VERSION] = {"VERSION"},
};

bool environment_is_identifier(const char *text)
{
	if (!g_ascii_isalnum(*text))
		return false;
	for (; *text; text++) {
		if (!g_ascii_isalnum(*text) && !strchr("_.-", *text))
			return false;
	}
	return true;
}

bool environment_is_ifname(const char *text)
{
	size_t n_bytes = strlen(text);

	if (!n_bytes || n_bytes >= IFNAMSIZ || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (; *text; text++) {
		if (*text == '/' || *text == ':' || g_ascii_isspace(*text))
			return false;
	}
	return true;
}

static const char *get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int read_command(enum cni_command *ret_command, GError **error)
{
	const char *name = get("CNI_COMMAND");

	for (int i = 0; name && i < CNI_COMMAND__MAX; i++) {
		if (!strcmp(commands[i].name, name)) {
			*ret_command = (enum cni_command)i;
			return 0;
		}
	}
	return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
			"CNI_COMMAND: got \"%s\", want ADD, DEL, CHECK, STATUS, GC or VERSION",
			name ? name : "");
}

static int check_attachment(const struct environment *environment, GError **error)
{
	if (!environment->container_id || !environment_is_identifier(environment->container_id))
		return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
				"CNI_CONTAINERID: got \"%s\", want letters, digits, '_', '.', '-'",
				environment->container_id ? environment->container_id : "");
	if (!environment->ifname || !environment_is_ifname(environment->ifname))
		return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
				"CNI_IFNAME: got \"%s\", want the name of an interface",
				environment->ifname ? environment->ifname : "");
	return 0;
}

static int take_arg(const char *name, const char *value, struct environment *environment,
		    GError **error)
{
	if (!strcmp(name, "IP")) {
		if (addr_parse(value, &environment->addr) < 0)
			return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
					"CNI_ARGS: IP: got \"%s\", want an address", value);
	} else if (!strcmp(name, "MAC")) {
		if (mac_parse(value, &environment->mac) < 0)
			return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
					"CNI_ARGS: MAC: got \"%s\", want 02:00:00:00:00:01", value);
	} else {
		char **place = !strcmp(name, "K8S_POD_NAME")        ? &environment->pod_name
			       : !strcmp(name, "K8S_POD_NAMESPACE") ? &environment->pod_namespace
			       : !strcmp(name, "K8S_POD_UID")       ? &environment->pod_uid
								    : NULL;

		if (!place)
			return -ENOENT;
		g_free(*place);
		*place = *value ? g_strdup(value) : NULL;
	}
	return 0;
}

int environment_parse_args(const char *text, struct environment *environment, GError **error)
{
	g_auto(GStrv) pairs = g_strsplit(text, ";", 0);
	g_autoptr(GString) unknown = g_string_new(NULL);
	bool ignore_unknown = false;

	for (char **pair = pairs; *pair; pair++) {
		char *equals = strchr(*pair, '=');
		int status;

		if (!**pair)
			continue;
		if (!equals || equals == *pair)
			return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
					"CNI_ARGS: got \"%s\", want NAME=VALUE", *pair);
		*equals = '\0';
		if (!strcmp(*pair, "IgnoreUnknown")) {
			ignore_unknown =
				!strcmp(equals + 1, "1") || !g_ascii_strcasecmp(equals + 1, "true");
			continue;
		}
		status = take_arg(*pair, equals + 1, environment, error);
		/* Every pod of every runtime has it: the id that CNI_CONTAINERID has too. */
		if (status == -ENOENT && strcmp(*pair, "K8S_POD_INFRA_CONTAINER_ID"))
			g_string_append_printf(unknown, " %s", *pair);
		else if (status > 0)
			return status;
	}
	if (unknown->len && !ignore_unknown)
		return cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
				"CNI_ARGS: unknown without IgnoreUnknown=1:%s", unknown->str);
	return 0;
}

int environment_read(struct environment *ret_environment, GError **error)
{
	struct environment environment = {
		.container_id = get("CNI_CONTAINERID"),
		.netns = get("CNI_NETNS"),
		.ifname = get("CNI_IFNAME"),
	};
	const char *args = get("CNI_ARGS");
	int status = read_command(&environment.command, error);

	if (!status && commands[environment.command].needs_attachment)
		status = check_attachment(&environment, error);
	if (!status && commands[environment.command].needs_netns && !environment.netns)
		status = cni_fail(error, CNI_ERROR_INVALID_ENVIRONMENT,
				  "CNI_NETNS: got nothing, want the path of a network namespace");
	/* DEL has no use for them, and must not fail over what an ADD refused. */
	if (!status && args && environment.command == CNI_COMMAND_ADD)
		status = environment_parse_args(args, &environment, error);
	if (status)
		environment_fini(&environment);
	else
		*ret_environment = environment;
	return status;
}

void environment_fini(struct environment *environment)
{
	g_clear_pointer(&environment->pod_name, g_free);
	g_clear_pointer(&environment->pod_namespace, g_free);
	g_clear_pointer(&environment->pod_uid, g_free);
}
