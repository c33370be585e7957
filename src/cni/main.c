// SPDX-License-Identifier: Apache-2.0
/*
 * cilium-cni: the CNI plugin. A runtime starts it for each container, so it is made to be quick: few
 * libraries, three requests to the agent, three messages to the kernel.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/cni/command.h"

static int read_input(GString *input, GError **error)
{
	char buffer[16 * 1024];

	for (;;) {
		ssize_t n_bytes = read(STDIN_FILENO, buffer, sizeof(buffer));

		if (n_bytes < 0 && errno == EINTR)
			continue;
		if (n_bytes < 0)
			return cni_fail(error, CNI_ERROR_IO, "reading standard input: %s",
					g_strerror(errno));
		if (!n_bytes)
			return 0;
		g_string_append_len(input, buffer, n_bytes);
		if (input->len > NETCONF_MAX_BYTES)
			return cni_fail(error, CNI_ERROR_IO, "standard input: more than %d bytes",
					NETCONF_MAX_BYTES);
	}
}

static int print_answer(const json_t *answer)
{
	bool written = !json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER) &&
		       fputc('\n', stdout) != EOF && !fflush(stdout);

	return written ? 0 : CNI_ERROR_IO;
}

static void print_error(enum cni_version version, int code, const GError *error)
{
	json_t *answer = json_pack("{s:s, s:i, s:s+}", "cniVersion", cni_version_text(version),
				   "code", code, "msg", "cilium-cni: ", error->message);

	/* A text that is not UTF-8 came from outside; the code counts. */
	if (!answer)
		answer = json_pack("{s:s, s:i, s:s}", "cniVersion", cni_version_text(version),
				   "code", code, "msg", "cilium-cni failed");
	print_answer(answer);
	json_decref(answer);
}

/* A log that cannot be written must not keep a container from its network. */
static void set_log(const struct netconf *netconf)
{
	enum log_format format;

	log_set_level(netconf->enable_debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (netconf->log_file) {
		int fd = open(netconf->log_file,
			      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			      0640);

		if (fd >= 0)
			log_set_fd(fd);
		else
			log_warning("cilium-cni", "The log file cannot be opened",
				    "path=%s error=%s", netconf->log_file, g_strerror(errno));
	}
	if (netconf->log_format) {
		if (log_format_parse(netconf->log_format, &format))
			log_warning("cilium-cni", "Unknown log format", "format=%s",
				    netconf->log_format);
		else
			log_set_format(format);
	}
}

static void log_outcome(const struct environment *environment, int64_t started_ns, int status,
			const GError *error)
{
	int64_t duration_us = (clock_monotonic_ns() - started_ns) / NSEC_PER_USEC;

	if (status)
		log_error("cilium-cni", "The command failed",
			  "command=%s containerID=%s interface=%s code=%d error=%s",
			  getenv("CNI_COMMAND"), environment->container_id, environment->ifname,
			  status, error->message);
	else
		log_debug("cilium-cni", "Done",
			  "command=%s containerID=%s interface=%s netns=%s microseconds=%" PRId64,
			  getenv("CNI_COMMAND"), environment->container_id, environment->ifname,
			  environment->netns, duration_us);
}

static int run(const struct environment *environment, enum cni_version *ret_version,
	       json_t **ret_answer, GError **error)
{
	g_autoptr(GString) input = g_string_new(NULL);
	int64_t started_ns = clock_monotonic_ns();
	struct netconf netconf;
	int status = read_input(input, error);

	if (!status)
		status = netconf_decode(input->str, input->len, &netconf, ret_version, error);
	/* A runtime asks for the versions before it knows in which to ask. */
	if (environment->command == CNI_COMMAND_VERSION) {
		*ret_answer = command_version(*ret_version);
		g_clear_error(error);
		if (!status)
			netconf_fini(&netconf);
		return 0;
	}
	if (status)
		return status;
	set_log(&netconf);
	status = command_run(environment, &netconf, ret_answer, error);
	log_outcome(environment, started_ns, status, *error);
	netconf_fini(&netconf);
	return status;
}

int main(void)
{
	enum cni_version version = CNI_VERSION__MAX - 1;
	g_autoptr(GError) error = NULL;
	struct environment environment;
	json_t *answer = NULL;
	int status;

	/* A runtime that has closed our standard error gets its container all the same. */
	signal(SIGPIPE, SIG_IGN);
	if (!getenv("CNI_COMMAND")) {
		fputs("cilium-cni " AXONEME_VERSION ", a CNI plugin for versions 0.3.0 to 1.1.0: "
		      "a container runtime calls it\n",
		      stderr);
		return 1;
	}
	status = environment_read(&environment, &error);
	if (!status) {
		status = run(&environment, &version, &answer, &error);
		environment_fini(&environment);
	}
	if (status)
		print_error(version, status, error);
	else if (answer)
		status = print_answer(answer);
	json_decref(answer);
	return status ? 1 : 0;
}
