/* SPDX-License-Identifier: Apache-2.0 */
/* Echo requests and what becomes of them: the replies, the errors, and the drops that the datapath tells of. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "src/base/error.h"

#define PING_COUNT_MAX 65535 /* the sequence number has 16 bits */
#define PING_SIZE_MAX  65000

struct ping_request {
	struct sockaddr_storage dst; /* AF_INET or AF_INET6 */
	const char *dst_text;
	int socket_fd;      /* of ping_socket_new() */
	int monitor_fd;     /* subscribed to drops; −1: there is nobody to ask */
	unsigned int count; /* 1..PING_COUNT_MAX */
	unsigned int n_payload_bytes;
	int64_t interval_ns;
	int64_t timeout_ns; /* for the replies after the last request */
};

struct ping_result {
	unsigned int n_sent, n_received, n_duplicates, n_errors, n_dropped;
	unsigned int n_unsent; /* the kernel refused them */
	bool monitor_lost;     /* drops may have been missed */
	int64_t elapsed_ns;
	double min_ms, max_ms, sum_ms, sum_squares_ms; /* of the round trips */
};

/* A raw socket in the calling thread's network namespace. Owned, or −errno. */
NODISCARD int ping_socket_new(int family, GError **error);
/* Sends, receives and prints, until all are answered, the time is over, or SIGINT came. */
void ping_run(const struct ping_request *request, struct ping_result *ret_result);
