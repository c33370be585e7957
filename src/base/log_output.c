// SPDX-License-Identifier: Apache-2.0
#include "src/base/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_BYTES_MAX (64 * 1024)

enum output_kind {
	OUTPUT_UNKNOWN, /* not looked at yet */
	OUTPUT_FILE,
	OUTPUT_SOCKET,
	OUTPUT_OWN,    /* a pipe or terminal, opened again: own_fd */
	OUTPUT_SHARED, /* a pipe or terminal that could not be */
};

static int output_fd = STDERR_FILENO;
static enum output_kind kind;
static int own_fd = -1;
static GString *kept;   /* whole lines, but for the first, of which a part may be out */
static bool is_torn;    /* the last line is out without its end, and the rest is lost */
static bool is_failing; /* the last line could not be written at all */
static uint64_t n_lost;

static enum output_kind find_kind(void)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", output_fd);
	struct stat status;

	if (fstat(output_fd, &status) < 0 || S_ISREG(status.st_mode))
		return OUTPUT_FILE;
	if (S_ISSOCK(status.st_mode))
		return OUTPUT_SOCKET;
	own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_APPEND | O_CLOEXEC);
	return own_fd >= 0 ? OUTPUT_OWN : OUTPUT_SHARED;
}

/* As write(2), without waiting. */
static ssize_t write_some(const char *data, size_t n_bytes)
{
	struct pollfd ready = {.fd = output_fd, .events = POLLOUT};

	if (kind == OUTPUT_UNKNOWN)
		kind = find_kind();
	switch (kind) {
	case OUTPUT_SOCKET:
		return send(output_fd, data, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTPUT_OWN:
		return write(own_fd, data, n_bytes);
	case OUTPUT_SHARED:
		if (poll(&ready, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		/* A pipe that is ready takes this much at once. */
		return write(output_fd, data, MIN(n_bytes, 4096));
	default:
		return write(output_fd, data, n_bytes);
	}
}

/* How much of it is out. *ret_later: the rest may go later; else it cannot be written at all. */
static size_t write_ready(const char *data, size_t n_bytes, bool *ret_later)
{
	size_t n_written = 0;

	*ret_later = true;
	if (is_torn && write_some("\n", 1) == 1)
		is_torn = false;
	while (n_written < n_bytes) {
		ssize_t n = write_some(data + n_written, n_bytes - n_written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*ret_later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
			break;
		}
		n_written += n;
	}
	is_torn = is_torn || (!*ret_later && n_written && data[n_written - 1] != '\n');
	is_failing = !*ret_later;
	return n_written;
}

static unsigned int count_lines(const char *data, size_t n_bytes)
{
	unsigned int n = 0;

	for (size_t i = 0; i < n_bytes; i++)
		n += data[i] == '\n';
	return n;
}

void log_output_flush(void)
{
	bool later;
	size_t n;

	if (!kept || !kept->len)
		return;
	n = write_ready(kept->str, kept->len, &later);
	g_string_erase(kept, 0, (gssize)n);
	if (later)
		return;
	n_lost += count_lines(kept->str, kept->len);
	g_string_truncate(kept, 0);
}

static void keep(const char *data, size_t n_bytes)
{
	if (!kept)
		kept = g_string_new(NULL);
	if (kept->len + n_bytes > KEPT_BYTES_MAX)
		n_lost++;
	else
		g_string_append_len(kept, data, (gssize)n_bytes);
}

void log_output_write(const char *line, size_t n_bytes)
{
	size_t n = 0;
	bool later = true;

	log_output_flush();
	if (!kept || !kept->len)
		n = write_ready(line, n_bytes, &later);
	if (n == n_bytes)
		return;
	if (later)
		keep(line + n, n_bytes - n);
	else
		n_lost++;
}

void log_output_set_fd(int fd)
{
	log_output_flush();
	if (kept) {
		n_lost += count_lines(kept->str, kept->len);
		g_string_truncate(kept, 0);
	}
	if (own_fd >= 0)
		close(own_fd);
	own_fd = -1;
	output_fd = fd;
	kind = OUTPUT_UNKNOWN;
	is_torn = is_failing = false;
}

uint64_t log_output_n_lost(void)
{
	return n_lost;
}

bool log_output_is_stuck(void)
{
	return is_failing || (kept && kept->len);
}
