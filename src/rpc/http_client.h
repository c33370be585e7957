/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blocking HTTP/1.1 request over a unix socket, for the command line and the CNI plugin: programs
 * that live for milliseconds, where loading libcurl and what it links costs more than the whole
 * request.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "src/base/error.h"

struct http_call {
	const char *socket_path;
	const char *method;  /* "GET" */
	const char *target;  /* path and query, encoded */
	const char *headers; /* further lines, each ending in "\r\n"; may be NULL */
	const char *body;    /* JSON; may be NULL */
	int64_t timeout_ns;  /* for the whole exchange */
};

struct http_reply {
	unsigned int status;
	char *body; /* NUL behind it */
	size_t n_body_bytes;
};

void http_reply_fini(struct http_reply *reply);

/*
 * Sends the request and reads the whole answer, whatever its status. 0, or −errno with *error:
 * −ECONNREFUSED where nobody listens (also when there is no such socket), −ECONNRESET where the
 * answer ends early, −ETIMEDOUT, −EPROTO for an answer that is not HTTP, −EMSGSIZE for one that is
 * too large.
 */
NODISCARD int http_client_request(const struct http_call *call, struct http_reply *ret_reply,
				  GError **error);

/* Appends text to target with everything but letters, digits and "-._~" as %XX. */
void http_target_append(GString *target, const char *text);
