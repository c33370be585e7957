/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls CNI plugins as a runtime does and prints how long each whole call took:
 *
 *	cni_time NODE_PID
 *
 * enters the network and mount namespaces of NODE_PID, then reads lines of six words,
 *
 *	COMMAND PLUGIN CONTAINER_ID NETNS CONFIG_FILE MODE
 *
 * and prints "EXIT_STATUS NANOSECONDS" for each; what the plugins print goes to standard error. MODE
 * "wait" calls one after the other; with MODE "together" a plugin is started at once, and the lines of
 * all come in the order in which they end, after the end of input.
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS_MAX 4096

struct call {
	pid_t pid;
	int64_t start_ns;
};

static struct call calls[CALLS_MAX];
static size_t n_calls;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void enter(const char *pid, const char *kind, int type)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, type))
		err(1, "%s", path);
	close(fd);
}

static pid_t start(char **word)
{
	posix_spawn_file_actions_t actions;
	char args[256];
	char *argv[] = {word[1], NULL};
	extern char **environ;
	pid_t pid;
	int error;

	snprintf(args, sizeof(args), "IgnoreUnknown=1;K8S_POD_NAME=%s;K8S_POD_NAMESPACE=default",
		 word[2]);
	setenv("CNI_COMMAND", word[0], 1);
	setenv("CNI_CONTAINERID", word[2], 1);
	setenv("CNI_NETNS", word[3], 1);
	setenv("CNI_IFNAME", "eth0", 1);
	setenv("CNI_PATH", "/usr/lib/cni", 1);
	setenv("CNI_ARGS", args, 1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, word[4], O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	error = posix_spawn(&pid, word[1], &actions, NULL, argv, environ);
	if (error)
		errx(1, "%s: %s", word[1], strerror(error));
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void report(int status, int64_t start_ns)
{
	printf("%d %lld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255,
	       (long long)(now_ns() - start_ns));
}

static void finish_all(void)
{
	for (size_t n_left = n_calls; n_left > 0; n_left--) {
		int status;
		pid_t pid = wait(&status);

		for (size_t i = 0; i < n_calls; i++)
			if (calls[i].pid == pid)
				report(status, calls[i].start_ns);
	}
}

int main(int argc, char **argv)
{
	char line[1024];

	if (argc != 2)
		errx(2, "usage: cni_time NODE_PID");
	enter(argv[1], "net", CLONE_NEWNET);
	enter(argv[1], "mnt", CLONE_NEWNS);
	while (fgets(line, sizeof(line), stdin)) {
		char *word[6], *rest = line;
		struct call call = {.start_ns = 0};
		int status;

		for (int i = 0; i < 6; i++)
			if (!(word[i] = strtok_r(rest, " \n", &rest)))
				errx(2, "want six words");
		call.start_ns = now_ns();
		call.pid = start(word);
		if (!strcmp(word[5], "together") && n_calls < CALLS_MAX) {
			calls[n_calls++] = call;
			continue;
		}
		waitpid(call.pid, &status, 0);
		report(status, call.start_ns);
	}
	finish_all();
	return 0;
}
