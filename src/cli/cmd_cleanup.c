/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>
#include <unistd.h>
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/datapath/datapath.h"
#include "src/join/attachment.h"
#include "src/join/delete_queue.h"
#include "src/sys/bpffs.h"
#include "src/sys/link.h"

#define TREE_DEPTH_FDS 16

static bool arg_force, arg_all_state, arg_bpf_state;
static const char *arg_state_dir; /* NULL: where the socket is */
static const char *arg_lib_dir = "/var/lib/cilium";

/*
 * Under a running agent everything would come back within its next comparison, and running containers
 * would meanwhile be cut off: so no flag makes that possible.
 */
static int check_no_agent(void)
{
	json_auto_t *status = NULL;
	GError *error = NULL;
	int err = api_client_status_get(cli_api(), true, &status, &error);

	g_clear_error(&error);
	if (err == -ECONNREFUSED)
		return EXIT_SUCCESS;
	return cli_fail("an agent runs on %s: stop it first", cli_socket_path());
}

/*
 * The lock that a running agent holds: one whose socket is elsewhere may still have this state. Held
 * until the program ends, so that none starts meanwhile. 0 or the exit status.
 */
static int lock_state(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "state", "lock", NULL);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? EXIT_SUCCESS
				       : cli_fail("open %s: %s", path, g_strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return cli_fail("an agent has the state in %s: stop it first", dir);
	return EXIT_SUCCESS;
}

static bool confirm(const char *bpf_root)
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
	return fgets(answer, sizeof(answer), stdin) &&
	       (!g_ascii_strcasecmp(answer, "y\n") || !g_ascii_strcasecmp(answer, "yes\n"));
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	return remove(path) < 0 && errno != ENOENT ? errno : 0;
}

static int remove_tree(const char *path)
{
	int err = nftw(path, remove_one, TREE_DEPTH_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (err < 0 && errno == ENOENT)
		return EXIT_SUCCESS;
	if (err)
		return cli_fail("remove %s: %s", path, g_strerror(err < 0 ? errno : err));
	return EXIT_SUCCESS;
}

/* The directory "state" in dir: what is beside it (manifests, logs) is not ours to judge. */
static int remove_state(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "state", NULL);

	return remove_tree(path);
}

/* What an agent that was killed leaves lying, and what a CNI plugin wrote while none was there. */
static int remove_leftovers(void)
{
	g_autofree char *directory = g_path_get_dirname(cli_socket_path());
	g_autofree char *monitor = g_build_filename(directory, "monitor1_2.sock", NULL);
	g_autofree char *pid = g_build_filename(arg_state_dir, "cilium.pid", NULL);
	g_autofree char *queue = delete_queue_directory(cli_socket_path());
	const char *const paths[] = {cli_socket_path(), monitor, pid, queue};
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < G_N_ELEMENTS(paths) && !status; i++)
		status = remove_tree(paths[i]);
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
	if (!arg_force && !confirm(bpf_root))
		return EXIT_SUCCESS;
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
