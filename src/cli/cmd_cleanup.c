/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/base/remove_tree.h"
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/datapath/datapath.h"
#include "src/join/attachment.h"
#include "src/join/delete_queue.h"
#include "src/observe/monitor_message.h"
#include "src/sys/bpffs.h"
#include "src/sys/link.h"

static bool arg_force, arg_all_state, arg_bpf_state;
static const char *arg_state_dir; /* NULL: where the socket is */
static const char *arg_lib_dir = "/var/lib/cilium";

/* The process that listens on the API's socket; 0: none. */
static pid_t find_listener(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct ucred peer = {0};
	socklen_t n_bytes = sizeof(peer);
	int fd;

	if (g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_bytes);
	if (fd >= 0)
		close(fd);
	return peer.pid;
}

/* The process that has a file locked, as /proc/locks says; 0: not to be found. */
static pid_t find_lock_holder(ino_t inode)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents("/proc/locks", &text, NULL, NULL))
		return 0;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		unsigned long long found;
		int pid;

		if (sscanf(*line, "%*d: FLOCK %*s %*s %d %*x:%*x:%llu", &pid, &found) == 2 &&
		    found == inode && pid > 0)
			return pid;
	}
	return 0;
}

static int refuse_running(pid_t pid, const char *what)
{
	g_autofree char *who =
		pid ? g_strdup_printf("an agent (pid %d)", pid) : g_strdup("an agent");

	return cli_fail("%s %s: stop it first, or what is removed would come back", who, what);
}

/*
 * Under a running agent everything would come back within its next comparison, and running containers
 * would meanwhile be cut off: so no flag makes that possible.
 */
static int check_no_agent(void)
{
	g_autofree char *what = g_strconcat("runs on ", cli_socket_path(), NULL);
	json_auto_t *status = NULL;
	GError *error = NULL;
	int err = api_client_status_get(cli_api(), true, &status, &error);

	g_clear_error(&error);
	if (err == -ECONNREFUSED)
		return EXIT_SUCCESS;
	return refuse_running(find_listener(cli_socket_path()), what);
}

/*
 * The lock that a running agent holds: one whose socket is elsewhere may still have this state. Held
 * until the program ends, so that none starts meanwhile. 0 or the exit status.
 */
static int lock_state(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "state", "lock", NULL);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat info = {0};

	if (fd < 0)
		return errno == ENOENT ? EXIT_SUCCESS
				       : cli_fail("open %s: %s", path, g_strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		g_autofree char *what = g_strconcat("has the state in ", dir, NULL);

		fstat(fd, &info);
		close(fd);
		return refuse_running(find_lock_holder(info.st_ino), what);
	}
	return EXIT_SUCCESS;
}

/* 0, or the exit status of whoever does not want to. */
static int confirm(const char *bpf_root)
{
	char answer[16] = "";

	puts("Warning: Destructive operation. You are about to remove:");
	printf("- programs, maps and links of the agent in the kernel and in %s\n"
	       "- routes and interfaces of the agent\n",
	       bpf_root);
	if (!arg_bpf_state)
		printf("- the state in %s and %s\n", arg_state_dir, arg_lib_dir);
	puts("Running containers lose their network.");
	printf("Do you want to continue? (y/N) ");
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin)) {
		putchar('\n');
		return cli_fail("no answer, nothing was removed: give --force where nobody can be "
				"asked");
	}
	if (!g_ascii_strcasecmp(answer, "y\n") || !g_ascii_strcasecmp(answer, "yes\n"))
		return EXIT_SUCCESS;
	puts("Nothing was removed.");
	return EXIT_FAILURE;
}

static int remove_path(const char *path)
{
	GError *error = NULL;

	return remove_tree(path, &error) < 0 ? cli_fail_error(error) : EXIT_SUCCESS;
}

/* The directory "state" in dir: what is beside it (manifests, logs) is not ours to judge. */
static int remove_state(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "state", NULL);

	return remove_path(path);
}

/* What an agent that was killed leaves lying, and what a CNI plugin wrote while none was there. */
static int remove_leftovers(void)
{
	g_autofree char *directory = g_path_get_dirname(cli_socket_path());
	g_autofree char *monitor = g_build_filename(directory, MONITOR_SOCKET_NAME, NULL);
	g_autofree char *pid = g_build_filename(arg_state_dir, "cilium.pid", NULL);
	g_autofree char *queue = delete_queue_directory(cli_socket_path());
	const char *const paths[] = {cli_socket_path(), monitor, pid, queue};
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < G_N_ELEMENTS(paths) && !status; i++)
		status = remove_path(paths[i]);
	return status;
}

static int purge(const char *bpf_root)
{
	struct datapath *datapath = datapath_real_new(bpf_root, arg_state_dir);
	GError *error = NULL;
	int err = datapath->ops->purge(datapath, &error);

	datapath->ops->free(datapath);
	return err < 0 ? cli_fail_error(error) : EXIT_SUCCESS;
}

static bool is_of_endpoint(const struct link_info *link)
{
	char alias[ATTACHMENT_ALIAS_BYTES];
	struct attachment attachment;

	g_strlcpy(alias, link->alias, sizeof(alias));
	return !strcmp(link->kind, "veth") && attachment_parse_alias(alias, &attachment);
}

static int remove_endpoint_links(struct netlink *nl, GError **error)
{
	g_autoptr(GArray) links = NULL;
	int err = link_dump(nl, &links, error);

	for (guint i = 0; !err && i < links->len; i++) {
		const struct link_info *link = &g_array_index(links, struct link_info, i);
		g_autoptr(GError) failure = NULL;

		if (!is_of_endpoint(link))
			continue;
		link_append_delete(nl, link->ifindex);
		err = netlink_send(nl, NULL, NULL, &failure);
		/* Its container ended meanwhile. */
		if (err == -ENODEV)
			err = 0;
		else if (err)
			g_propagate_error(error, g_steal_pointer(&failure));
	}
	return err;
}

/* The interfaces of containers that are still there: without programs they are of no use. */
static int remove_interfaces(void)
{
	GError *error = NULL;
	struct netlink *nl = netlink_new(&error);
	int err = nl ? remove_endpoint_links(nl, &error) : -1;

	netlink_free(nl);
	return err < 0 ? cli_fail_error(error) : EXIT_SUCCESS;
}

static int run_cleanup(int argc, char *const argv[])
{
	const char *env = g_getenv("CILIUM_BPF_ROOT");
	const char *bpf_root = bpffs_find(map_dump_bpf_root ? map_dump_bpf_root
					  : env             ? env
							    : BPFFS_DEFAULT_ROOT);
	int status;

	if (arg_all_state && arg_bpf_state)
		return cli_fail_usage("--all-state and --bpf-state exclude each other");
	if (!arg_state_dir)
		arg_state_dir = g_path_get_dirname(cli_socket_path());
	status = check_no_agent();
	if (!status)
		status = lock_state(arg_state_dir);
	if (!status && !arg_bpf_state)
		status = lock_state(arg_lib_dir);
	if (status)
		return status;
	if (!arg_force)
		status = confirm(bpf_root);
	if (!status)
		status = purge(bpf_root);
	if (!status && !arg_bpf_state)
		status = remove_interfaces();
	if (!status && !arg_bpf_state)
		status = remove_state(arg_state_dir);
	if (!status && !arg_bpf_state)
		status = remove_state(arg_lib_dir);
	if (!status && !arg_bpf_state)
		status = remove_leftovers();
	return status;
}

static const struct cli_flag flags[] = {
	{"all-state", 0, CLI_FLAG_BOOL, "Remove all cilium state (the default)", &arg_all_state},
	{"bpf-state", 0, CLI_FLAG_BOOL, "Remove BPF state only", &arg_bpf_state},
	BPF_ROOT_FLAG,
	{"force", 'f', CLI_FLAG_BOOL, "Skip confirmation", &arg_force},
	{"lib-dir", 0, CLI_FLAG_TEXT, "As the agent's key (default /var/lib/cilium)", &arg_lib_dir},
	{"state-dir", 0, CLI_FLAG_TEXT, "As the agent's key (default: where the socket is)",
	 &arg_state_dir},
	{NULL},
};

const struct cli_command cmd_cleanup = {
	.path = "cleanup",
	.help = "Remove system state installed by Cilium at runtime",
	.flags = flags,
	.needs_root = true,
	.run = run_cleanup,
};
