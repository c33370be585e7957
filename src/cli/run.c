// SPDX-License-Identifier: Apache-2.0
#include "src/cli/run.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "src/base/clock.h"
#include "src/join/delete_queue.h"
#include "src/join/join.h"
#include "src/sys/netns.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)

/* What is passed on to the command; other signals keep their meaning. */
static const int forwarded_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

struct run {
	const struct run_request *request;
	int netns_fd;
	pid_t parent;
	pid_t child;
	/* One end here, one there. To the child: go. Back: the errno of execvp, or the end when it works. */
	int channel[2];
	sigset_t mask;     /* of the signals that are waited for */
	sigset_t old_mask; /* the command's */
};

static void G_GNUC_NORETURN run_child(struct run *run)
{
	int channel_fd = run->channel[1];
	char go;
	int err;

	close(run->channel[0]);
	/* Without its supervisor the endpoint has no end: the command ends with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != run->parent || setns(run->netns_fd, CLONE_NEWNET) ||
	    recv(channel_fd, &go, sizeof(go), 0) != sizeof(go))
		_exit(1);
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	execvp(run->request->argv[0], run->request->argv);
	err = errno;
	(void)!send(channel_fd, &err, sizeof(err), MSG_NOSIGNAL);
	_exit(127);
}

static int start_child(struct run *run, GError **error)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, run->channel))
		return error_set_errno(error, errno, "socketpair");
	run->parent = getpid();
	run->child = fork();
	if (!run->child)
		run_child(run);
	close(run->channel[1]);
	if (run->child > 0)
		return 0;
	close(run->channel[0]);
	return error_set_errno(error, errno, "fork");
}

/* Waits for the end of a child that does not run the command. */
static void abandon_child(struct run *run)
{
	close(run->channel[0]);
	while (waitpid(run->child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Lets the child run the command. 0, or −errno of execvp. */
static int let_child_go(struct run *run, GError **error)
{
	char go = 1;
	int err = 0;

	/* A child that was killed meanwhile is not there to take it: its status says so later. */
	(void)!send(run->channel[0], &go, sizeof(go), MSG_NOSIGNAL);
	if (recv(run->channel[0], &err, sizeof(err), 0) != sizeof(err))
		return 0;
	return error_set_errno(error, err, "%s", run->request->argv[0]);
}

static void block_signals(struct run *run)
{
	sigemptyset(&run->mask);
	sigaddset(&run->mask, SIGCHLD);
	for (size_t i = 0; i < G_N_ELEMENTS(forwarded_signals); i++)
		sigaddset(&run->mask, forwarded_signals[i]);
	sigprocmask(SIG_BLOCK, &run->mask, &run->old_mask);
}

/* Passes signals on until the child has ended. Returns its exit status, or 128 + its signal. */
static int supervise(struct run *run)
{
	siginfo_t info;
	int status;

	for (;;) {
		int number = sigwaitinfo(&run->mask, &info);

		if (number == SIGCHLD) {
			if (waitpid(run->child, &status, WNOHANG) == run->child)
				break;
		} else if (number > 0 && info.si_code != SI_KERNEL) {
			/* What the terminal sends has reached the command already. */
			kill(run->child, number);
		}
	}
	close(run->channel[0]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Runs the command of a child whose namespace is an endpoint. */
static int run_child_to_its_end(struct run *run, int *ret_status, GError **error)
{
	int status = let_child_go(run, error);

	if (status)
		abandon_child(run);
	else
		*ret_status = supervise(run);
	return status;
}

static int join(struct run *run, struct api_client *client, const struct attachment *attachment,
		GError **error)
{
	g_autofree char *netns_path = g_strdup_printf("/proc/%d/ns/net", run->child);
	const struct join_request request = {
		.netns_fd = run->netns_fd,
		.netns_path = netns_path,
		.attachment = *attachment,
		.container_name = run->request->name,
		.namespace = run->request->namespace,
		.pod_name = run->request->name,
		.labels = run->request->labels,
		.patience_ns = PATIENCE_NS,
	};
	struct join_result result;

	return join_netns(client, &request, &result, error);
}

static void leave(struct run *run, struct api_client *client, const struct attachment *attachment)
{
	g_autofree char *queue = delete_queue_directory(run->request->socket_path);
	g_autoptr(GError) error = NULL;

	/* The command's status counts; what cannot be removed now the agent finds without interface. */
	if (join_leave(client, queue, attachment, &error))
		g_printerr("cilium run: removing the endpoint: %s\n", error->message);
}

static int join_and_run(struct run *run, int *ret_status, GError **error)
{
	g_autofree char *id = g_strdup_printf("run-%08x%08x", g_random_int(), g_random_int());
	const struct attachment attachment = {"run", id, "eth0"};
	struct api_client *client;
	int status = start_child(run, error);

	if (status)
		return status;
	client = api_client_new(run->request->socket_path);
	status = join(run, client, &attachment, error);
	if (status) {
		abandon_child(run);
	} else {
		status = run_child_to_its_end(run, ret_status, error);
		leave(run, client, &attachment);
	}
	api_client_free(client);
	return status;
}

int run_in_endpoint(const struct run_request *request, int *ret_status, GError **error)
{
	struct run run = {.request = request, .netns_fd = netns_create(error)};
	int status;

	if (run.netns_fd < 0)
		return run.netns_fd;
	block_signals(&run);
	status = join_and_run(&run, ret_status, error);
	close(run.netns_fd);
	return status;
}
