/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blocking HTTP/1.1 request over a unix socket, for the command line and the CNI plugin: programs that
 * live for milliseconds, where loading libcurl and what it links costs more than the whole request.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "src/base/error.h"

struct http_reply {
	unsigned int status;
	char *body; /* NUL behind it */
	size_t n_body_bytes;
};

void http_reply_fini(struct http_reply *reply);

/*
 * Sends the request and reads the whole answer. body may be NULL. timeout_ns is for the whole exchange.
 * 0, or −errno with *error: −ECONNREFUSED or −ENOENT where nobody listens, −ETIMEDOUT.
 */
NODISCARD int http_client_request(const char *socket_path, const char *method, const char *target,
				  const char *body, int64_t timeout_ns,
				  struct http_reply *ret_reply, GError **error);
