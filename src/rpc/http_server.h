/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server (libmicrohttpd) driven by a loop: the REST API on a unix socket; health, metrics and what load
 * balancers ask on TCP. Handlers run on the loop's thread and answer at once.
 *
 * A client that is silent for HTTP_IDLE_TIMEOUT_S, or whose connection is older than
 * HTTP_CONNECTION_MAX_S, is cut off, so that slow ones cannot use up the connections.
 */
#pragma once

#include <stddef.h>
#include <uv.h>
#include "src/base/error.h"

struct http_request {
	const char *method;  /* "GET" */
	const char *path;    /* decoded, without the query */
	const char *body;    /* NUL behind it */
	size_t n_body_bytes; /* at most HTTP_BODY_MAX_BYTES; a longer one is refused with 413 */
	void *internal;
};

#define HTTP_BODY_MAX_BYTES   (1024 * 1024)
#define HTTP_IDLE_TIMEOUT_S   5
#define HTTP_CONNECTION_MAX_S 10
#define HTTP_CONNECTIONS_MAX  1024

/* Borrowed; NULL where there is none. */
const char *http_request_query(const struct http_request *request, const char *name);
const char *http_request_header(const struct http_request *request, const char *name);

struct http_response {
	unsigned int status;      /* 200 when left alone */
	const char *content_type; /* static; "application/json" when left alone */
	char *allow;            /* header of a 405: "GET, PUT"; NULL: none. The server g_frees it */
	const char *extra_name; /* one more header, static; NULL: none */
	char *extra_value;      /* the server g_frees it */
	GString *body;
	/*
	 * NULL: body is all. Else it goes on with what next appends, piece by piece as the client reads, until that is
	 * nothing; free is called at the end, whatever it was. The status is not to be taken back by then.
	 */
	void (*next)(GString *piece, void *data);
	void (*free)(void *data);
	void *data;
};

typedef void (*http_handler)(const struct http_request *request, struct http_response *response,
			     void *data);

struct http_server;

/* Takes listen_fd, a listening stream socket, also on failure: then NULL and *error. */
struct http_server *http_server_new(uv_loop_t *loop, int listen_fd, http_handler handler,
				    void *data, GError **error);
/* Cuts all connections off. Takes NULL. The memory is freed when the loop has run once more. */
void http_server_free(struct http_server *server);
