/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/cli/command.h"

#define TIMEOUT_NS (30 * NSEC_PER_SEC)
#define WORDS_MAX  16

static void G_GNUC_NORETURN run_child(int out_fd, const char *const words[])
{
	const char *argv[WORDS_MAX + 4] = {"cilium", "--host", cli_socket_path()};
	size_t n = 3;
	int null_fd = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (*words && n < WORDS_MAX + 3)
		argv[n++] = *words++;
	if (dup2(null_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0 &&
	    dup2(out_fd, STDERR_FILENO) >= 0)
		execv("/proc/self/exe", (char *const *)argv);
	_exit(127);
}

/* Reads until the end, the bound or the timeout. NULL, or why it stopped before the end. */
static const char *read_all(GString *out, int fd, size_t n_bytes_max)
{
	int64_t deadline_ns = clock_monotonic_ns() + TIMEOUT_NS;
	size_t n_begin = out->len;

	for (;;) {
		struct pollfd polled = {.fd = fd, .events = POLLIN};
		int64_t left_ns = deadline_ns - clock_monotonic_ns();
		char bytes[16384];
		ssize_t n;

		if (left_ns <= 0 || !poll(&polled, 1, (int)(left_ns / NSEC_PER_MSEC) + 1))
			return "it took more than 30 s";
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		g_string_append_len(out, bytes, MIN((size_t)n, n_bytes_max - (out->len - n_begin)));
		if (out->len - n_begin >= n_bytes_max)
			return "there is more than is shown here";
	}
}

static void append_end(GString *out, const char *cut, int status)
{
	if (out->len && out->str[out->len - 1] != '\n')
		g_string_append_c(out, '\n');
	if (cut)
		g_string_append_printf(out, "(cut: %s)\n", cut);
	else if (WIFSIGNALED(status))
		g_string_append_printf(out, "(ended by signal %d)\n", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		g_string_append_printf(out, "(exit status %d)\n", WEXITSTATUS(status));
}

void capture_append(GString *out, const char *const words[], size_t n_bytes_max)
{
	int pipe_fds[2], status = 0;
	const char *cut;
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		g_string_append_printf(out, "(not run: %s)\n", g_strerror(errno));
		return;
	}
	child = fork();
	if (child == 0)
		run_child(pipe_fds[1], words);
	close(pipe_fds[1]);
	if (child < 0) {
		g_string_append_printf(out, "(not run: %s)\n", g_strerror(errno));
		close(pipe_fds[0]);
		return;
	}
	cut = read_all(out, pipe_fds[0], n_bytes_max);
	close(pipe_fds[0]);
	if (cut)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	append_end(out, cut, status);
}
