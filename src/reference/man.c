/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages: cilium(1), one for each group of its commands, cilium-agent(8), cilium-cni(8). */
#include <string.h>
#include <sys/stat.h>
#include "src/agent/option.h"
#include "src/base/error.h"
#include "src/cli/flag.h"
#include "src/cli/help.h"
#include "src/reference/page.h"

/* Of the last change of their form; a page of today is not another page tomorrow. */
#define MAN_DATE "2026-11-21"

/* Text as roff reads it: no backslash of ours is a command, no line of ours a request. */
static void append_text(GString *page, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\\')
			g_string_append(page, "\\e");
		else if (*c == '-')
			g_string_append(page, "\\-");
		else if ((*c == '.' || *c == '\'') && (c == text || c[-1] == '\n'))
			g_string_append_printf(page, "\\&%c", *c);
		else
			g_string_append_c(page, *c);
	}
	g_string_append_c(page, '\n');
}

static void append_title(GString *page, const char *name, unsigned int section, const char *what)
{
	g_autofree char *upper = g_ascii_strup(name, -1);

	g_string_append_printf(page, ".TH \"%s\" %u %s \"axoneme " AXONEME_VERSION "\"\n.SH NAME\n",
			       upper, section, MAN_DATE);
	g_string_append_printf(page, "%s \\- ", name);
	append_text(page, what);
}

/* A term in bold with its text below. */
static void append_item(GString *page, const char *term, const char *text)
{
	g_string_append(page, ".TP\n.B ");
	append_text(page, term);
	append_text(page, text);
}

static void append_flags(GString *page, const struct cli_flag *flags)
{
	for (; flags && flags->name; flags++) {
		g_autoptr(GString) term = g_string_new(NULL);

		if (flags->short_name)
			g_string_append_printf(term, "-%c, ", flags->short_name);
		g_string_append_printf(term, "--%s%s", flags->name, flag_argument(flags));
		append_item(page, term->str, flags->help);
	}
}

static int save(const char *directory, const char *name, unsigned int section, const GString *page,
		GError **error)
{
	g_autofree char *path =
		g_strdup_printf("%s/man%u/%s.%u", directory, section, name, section);

	if (!g_file_set_contents(path, page->str, (gssize)page->len, error))
		return -EIO;
	return chmod(path, 0644) ? -errno : 0; /* NOLINT: a page of the build directory */
}

/* ---- the command line ---- */

/* "bpf" of "bpf ct list"; g_free. */
static char *group_of(const struct cli_command *command)
{
	return g_strndup(command->path, strcspn(command->path, " "));
}

static int write_group(const char *directory, const char *group, GError **error)
{
	g_autofree char *name = g_strdup_printf(CLI_PROGRAM "-%s", group);
	g_autofree char *what = g_strdup_printf("the command %s of the node's command line", group);
	g_autoptr(GString) page = g_string_new(NULL);

	append_title(page, name, 1, what);
	g_string_append(page, ".SH SYNOPSIS\n");
	for (const struct cli_command *const *command = cli_commands; *command; command++) {
		g_autofree char *usage = help_format_usage(*command);

		if (strcmp((*command)->path, group) && !help_is_below((*command)->path, group))
			continue;
		if (!g_str_has_suffix(page->str, "SYNOPSIS\n"))
			g_string_append(page, ".br\n");
		append_text(page, usage);
	}
	g_string_append(page, ".SH DESCRIPTION\n");
	for (const struct cli_command *const *command = cli_commands; *command; command++) {
		if (strcmp((*command)->path, group) && !help_is_below((*command)->path, group))
			continue;
		if (!*(*command)->help)
			return error_set(error, EINVAL, "the command %s has no help",
					 (*command)->path);
		g_string_append(page, ".SS \"");
		g_string_append_printf(page, CLI_PROGRAM " %s\"\n", (*command)->path);
		append_text(page, (*command)->help);
		append_flags(page, (*command)->flags);
	}
	g_string_append(page, ".SH SEE ALSO\n.BR " CLI_PROGRAM " (1)\n");
	return save(directory, name, 1, page, error);
}

static int write_cilium(const char *directory, GError **error)
{
	g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GString) page = g_string_new(NULL);
	int err = 0;

	append_title(page, CLI_PROGRAM, 1, "the command line of a node's network");
	g_string_append(page,
			".SH SYNOPSIS\n.B " CLI_PROGRAM "\nCOMMAND [ARGUMENT...] [FLAG...]\n"
			".SH DESCRIPTION\nAsks the agent of this node, and changes what it does. "
			"Commands below\n.B bpf\nread the maps in the kernel and need no agent.\n"
			".SS Commands\n");
	for (const struct cli_command *const *command = cli_commands; *command && !err; command++) {
		g_autofree char *group = group_of(*command);
		g_autofree char *term = g_strdup_printf("%s", (*command)->path);

		append_item(page, term, (*command)->help);
		if (g_hash_table_add(groups, g_strdup(group)))
			err = write_group(directory, group, error);
	}
	if (err)
		return err;
	g_string_append(page, ".SH OPTIONS\nEach command has these, and those of its own page.\n");
	append_flags(page, cli_global_flags);
	g_string_append(page, ".SH ENVIRONMENT\n");
	append_item(page, "CILIUM_SOCK", "Socket of the agent, where --host says none.");
	append_item(page, "CILIUM_BPF_ROOT",
		    "Where the maps are pinned, where --bpf-root says nothing.");
	g_string_append(page, ".SH FILES\n");
	append_item(page, "~/.cilium.yaml", "The flags host and debug, as \"host: unix:///path\".");
	g_string_append(page,
			".SH EXIT STATUS\n0, or 1 after a line \"Error: ...\" on standard error.\n"
			".SH SEE ALSO\n.BR cilium\\-agent (8),\n.BR cilium\\-cni (8);\n"
			"each command COMMAND ... has a page cilium\\-COMMAND.\n");
	return save(directory, CLI_PROGRAM, 1, page, error);
}

/* ---- the agent ---- */

static void append_options(GString *page, enum option_state state)
{
	for (size_t i = 0; i < option_n(); i++) {
		const struct option *option = option_get(i);
		g_autofree char *allowed = option_format_allowed(option);
		g_autofree char *term = g_strdup_printf("--%s", option->key);
		g_autofree char *text =
			g_strdup_printf("%s.\n.br\nValue: %s. Default: %s", option->help, allowed,
					*option->default_text ? option->default_text : "none");

		if (option->state != state)
			continue;
		append_item(page, term, option->help);
		g_string_append(page, ".br\n");
		g_free(text);
		text = g_strdup_printf("Value: %s. Default: %s.", allowed,
				       *option->default_text ? option->default_text : "empty");
		append_text(page, text);
	}
}

static int write_agent(const char *directory, GError **error)
{
	g_autoptr(GString) page = g_string_new(NULL);

	append_title(page, "cilium-agent", 8, "the network of a node");
	g_string_append(
		page,
		".SH SYNOPSIS\n.B cilium\\-agent\n[--config-dir DIRECTORY] [--KEY=VALUE...]\n"
		".SH DESCRIPTION\nLoads the programs that forward packets into the kernel, fills "
		"their maps from manifests, containers and devices, and answers on its socket. "
		"It stays in the foreground. When it ends, traffic goes on.\n.P\n"
		"A key is a file of the configuration directory, a flag, or a variable of the "
		"environment such as CILIUM_ENABLE_IPV4. A flag is stronger than a variable, a "
		"variable stronger than a file.\n.SH OPTIONS\n");
	append_options(page, OPTION_STATE_ACTS);
	g_string_append(page,
			".SH KEYS WITHOUT EFFECT YET\nA value is checked; one that is not the "
			"default is named in the log and in cilium status.\n");
	append_options(page, OPTION_STATE_LATER);
	g_string_append(page, ".SH KEYS OF THE OPERATOR\nA value is checked, nothing more.\n");
	append_options(page, OPTION_STATE_OPERATOR);
	g_string_append(page, ".SH SIGNALS\n");
	append_item(page, "SIGTERM, SIGINT", "End. What is in the kernel stays, and works.");
	g_string_append(page, ".SH SEE ALSO\n.BR cilium (1),\n.BR cilium\\-cni (8)\n");
	return save(directory, "cilium-agent", 8, page, error);
}

/* ---- the plugin ---- */

/* tools/reference.py looks whether a member that src/cni/netconf.c reads is missing here. */
static const struct {
	const char *term, *text;
} members[] = {
	{"cniVersion", "0.3.0, 0.3.1, 0.4.0, 1.0.0 or 1.1.0."},
	{"name", "Of the network."},
	{"socket-path", "Socket of the agent."},
	{"log-file", "Where to log; standard error if it is not given."},
	{"log-format", "text, text-ts, json or json-ts."},
	{"enable-debug", "true: log more."},
	{"mtu", "Of the interface; else the agent says."},
	{"ipam.type", "Refused unless it is empty: the addresses come from the agent."},
	{"chaining-mode", "none or portmap: plugins behind this one in the list."},
	{"prevResult", "What ADD answered: CHECK compares with it."},
	{"cni.dev/valid-attachments", "The attachments that GC keeps."},
	{"args.cni.labels", "Labels of the container, a list of objects with key and value."},
	{"args.cni.ips, runtimeConfig.ips", "Addresses that the container is to get."},
	{"runtimeConfig.mac", "The MAC address that its interface is to get."},
};

static int write_cni(const char *directory, GError **error)
{
	g_autoptr(GString) page = g_string_new(NULL);

	append_title(page, "cilium-cni", 8, "the CNI plugin of a node's network");
	g_string_append(page,
			".SH SYNOPSIS\n.B cilium\\-cni\n< CONFIGURATION\n.SH DESCRIPTION\n"
			"A container runtime starts it for each container, as the Container "
			"Network Interface has it, with ADD, DEL, CHECK, STATUS, GC or VERSION in "
			"CNI_COMMAND. DEL works while the agent is down.\n"
			".SH CONFIGURATION\nMembers of the JSON on standard input:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
		append_item(page, members[i].term, members[i].text);
	g_string_append(page, ".SH ENVIRONMENT\n");
	append_item(page, "CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH",
		    "What to do, and for which container.");
	append_item(
		page, "CNI_ARGS",
		"K8S_POD_NAME, K8S_POD_NAMESPACE and K8S_POD_UID name the pod whose manifest has "
		"the labels; IP and MAC are addresses to give it.");
	g_string_append(page, ".SH SEE ALSO\n.BR cilium (1),\n.BR cilium\\-agent (8)\n");
	return save(directory, "cilium-cni", 8, page, error);
}

int man_write(const char *directory, GError **error)
{
	static const char *const sections[] = {"man1", "man8"};
	int err = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
		g_autofree char *path = g_build_filename(directory, sections[i], NULL);

		if (g_mkdir_with_parents(path, 0755))
			return error_set_errno(error, errno, "%s", path);
	}
	err = write_cilium(directory, error);
	if (!err)
		err = write_agent(directory, error);
	if (!err)
		err = write_cni(directory, error);
	return err;
}
