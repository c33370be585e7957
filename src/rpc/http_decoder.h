/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a stream to an HTTP/1.1 reply: Content-Length, chunked, or until the stream ends. Pure
 * and bounded: whatever the other side sends, memory stays below the two limits here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

#define HTTP_HEAD_MAX_BYTES  (16 * 1024) /* status line, headers and trailers together */
#define HTTP_REPLY_MAX_BYTES (64 * 1024 * 1024)

enum http_decoder_state {
	HTTP_DECODER_STATUS_LINE,
	HTTP_DECODER_HEADER,
	HTTP_DECODER_BODY, /* of a known length */
	HTTP_DECODER_BODY_TO_END,
	HTTP_DECODER_CHUNK_SIZE,
	HTTP_DECODER_CHUNK,
	HTTP_DECODER_CHUNK_END,
	HTTP_DECODER_TRAILER,
	HTTP_DECODER_DONE,
};

struct http_decoder {
	enum http_decoder_state state;
	unsigned int status;
	bool chunked;
	bool has_length;
	uint64_t n_left_bytes; /* of the body, or of the chunk */
	size_t n_head_bytes;
	GString *line; /* the unfinished one */
	GString *body;
};

void http_decoder_init(struct http_decoder *decoder);
void http_decoder_fini(struct http_decoder *decoder);

/*
 * Takes the next bytes. 1: the reply is whole (what follows it is ignored); 0: more is wanted;
 * −EPROTO or −EMSGSIZE with *error, after which the decoder must not be fed again.
 */
NODISCARD int http_decoder_feed(struct http_decoder *decoder, const char *data, size_t n_bytes,
				GError **error);
/* The stream has ended: 0 when the reply is whole, else −ECONNRESET with *error. */
NODISCARD int http_decoder_end(struct http_decoder *decoder, GError **error);
