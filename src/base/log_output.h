/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where lines of the log go. Writing never waits: whoever reads the log may be stuck, and the network
 * of a node must not be. What cannot be written yet is kept, up to 64 KiB; then lines are lost and
 * counted. O_NONBLOCK is never set on the descriptor: it would change it for the terminal or the
 * service manager that shares it. A pipe or terminal is opened a second time instead, a socket is
 * asked not to wait call by call. A file cannot make wait; a full disk loses lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Standard error when left alone. fd stays the caller's. What is kept is written or lost before. */
void log_output_set_fd(int fd);
/* A line with its end. Lines are written whole or, the sum of kept ones beyond 64 KiB, not at all. */
void log_output_write(const char *line, size_t n_bytes);
/* Tries again to write what is kept. */
void log_output_flush(void);
/* Lines that were lost since the program started. */
uint64_t log_output_n_lost(void);
/* The last line is not out yet, or lost. */
bool log_output_is_stuck(void);
