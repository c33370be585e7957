/* SPDX-License-Identifier: Apache-2.0 */
#include "src/rpc/http_decoder.h"

#include <string.h>

void http_decoder_init(struct http_decoder *decoder)
{
	*decoder = (struct http_decoder){
		.line = g_string_new(NULL),
		.body = g_string_new(NULL),
	};
}

void http_decoder_fini(struct http_decoder *decoder)
{
	if (decoder->line)
		g_string_free(decoder->line, TRUE);
	if (decoder->body)
		g_string_free(decoder->body, TRUE);
	decoder->line = NULL;
	decoder->body = NULL;
}

static int status_line(struct http_decoder *decoder, const char *line, GError **error)
{
	const char *code = line + strlen("HTTP/1.x ");

	if (!g_str_has_prefix(line, "HTTP/1.") || strlen(line) < strlen("HTTP/1.x NNN") ||
	    line[8] != ' ' || !g_ascii_isdigit(code[0]) || !g_ascii_isdigit(code[1]) ||
	    !g_ascii_isdigit(code[2]) || (code[3] && code[3] != ' '))
		return error_set(error, EPROTO, "the answer is not HTTP/1.1");
	decoder->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
	if (decoder->status < 100)
		return error_set(error, EPROTO, "HTTP status %u is out of range", decoder->status);
	decoder->state = HTTP_DECODER_HEADER;
	return 0;
}

/* A number of digits only; strtoull would take signs and blanks. */
static int parse_number(const char *text, unsigned int base, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		int digit = g_ascii_xdigit_value(*text);

		if (digit < 0 || (unsigned int)digit >= base)
			return -EINVAL;
		if (number > HTTP_REPLY_MAX_BYTES) {
			*ret_number = UINT64_MAX; /* too large, however many digits follow */
			continue;
		}
		number = number * base + digit;
	}
	*ret_number = number;
	return 0;
}

static int check_length(uint64_t n_bytes, GError **error)
{
	if (n_bytes > HTTP_REPLY_MAX_BYTES)
		return error_set(error, EMSGSIZE, "the answer is larger than %d bytes",
				 HTTP_REPLY_MAX_BYTES);
	return 0;
}

static int header(struct http_decoder *decoder, char *line, GError **error)
{
	char *colon = strchr(line, ':');
	uint64_t length;
	int err;

	if (!colon || colon == line)
		return error_set(error, EPROTO, "a header line of the answer has no name");
	*colon = '\0';
	g_strstrip(colon + 1);
	if (!g_ascii_strcasecmp(line, "Content-Length")) {
		if (parse_number(colon + 1, 10, &length) < 0)
			return error_set(error, EPROTO, "Content-Length is not a number");
		err = check_length(length, error);
		if (err < 0)
			return err;
		if (decoder->has_length && decoder->n_left_bytes != length)
			return error_set(error, EPROTO, "two different Content-Length headers");
		decoder->has_length = true;
		decoder->n_left_bytes = length;
	} else if (!g_ascii_strcasecmp(line, "Transfer-Encoding")) {
		if (g_ascii_strcasecmp(colon + 1, "chunked"))
			return error_set(error, EPROTO, "unknown Transfer-Encoding");
		decoder->chunked = true;
	}
	return 0;
}

/* The empty line after the headers: which kind of body follows. */
static int header_end(struct http_decoder *decoder, GError **error)
{
	if (decoder->status < 200) { /* "100 Continue": the real answer follows */
		decoder->state = HTTP_DECODER_STATUS_LINE;
		decoder->chunked = decoder->has_length = false;
		return 0;
	}
	if (decoder->chunked && decoder->has_length)
		return error_set(error, EPROTO, "both Content-Length and chunks");
	if (decoder->status == 204 || decoder->status == 304)
		decoder->state = HTTP_DECODER_DONE;
	else if (decoder->chunked)
		decoder->state = HTTP_DECODER_CHUNK_SIZE;
	else if (!decoder->has_length)
		decoder->state = HTTP_DECODER_BODY_TO_END;
	else
		decoder->state = decoder->n_left_bytes ? HTTP_DECODER_BODY : HTTP_DECODER_DONE;
	return 0;
}

static int chunk_size(struct http_decoder *decoder, char *line, GError **error)
{
	char *extension = strchr(line, ';');
	uint64_t n_bytes;

	if (extension)
		*extension = '\0';
	if (parse_number(g_strchomp(line), 16, &n_bytes) < 0)
		return error_set(error, EPROTO, "the size of a chunk is not a number");
	decoder->n_left_bytes = n_bytes;
	decoder->state = n_bytes ? HTTP_DECODER_CHUNK : HTTP_DECODER_TRAILER;
	return n_bytes ? check_length(decoder->body->len + n_bytes, error) : 0;
}

static int take_line(struct http_decoder *decoder, char *line, GError **error)
{
	switch (decoder->state) {
	case HTTP_DECODER_STATUS_LINE:
		return status_line(decoder, line, error);
	case HTTP_DECODER_HEADER:
		return *line ? header(decoder, line, error) : header_end(decoder, error);
	case HTTP_DECODER_CHUNK_SIZE:
		return chunk_size(decoder, line, error);
	case HTTP_DECODER_CHUNK_END:
		if (*line)
			return error_set(error, EPROTO, "a chunk is longer than its size");
		decoder->n_head_bytes = 0; /* the limit is for each chunk's frame, not for all */
		decoder->state = HTTP_DECODER_CHUNK_SIZE;
		return 0;
	case HTTP_DECODER_TRAILER:
		if (!*line)
			decoder->state = HTTP_DECODER_DONE;
		return 0;
	default:
		g_assert_not_reached();
	}
}

/* Appends up to the end of the line; takes the line when it is whole. Returns the bytes used. */
static int feed_line(struct http_decoder *decoder, const char *data, size_t n_bytes,
		     size_t *ret_n_used, GError **error)
{
	const char *newline = memchr(data, '\n', n_bytes);
	size_t n_used = newline ? (size_t)(newline - data) + 1 : n_bytes;
	GString *line = decoder->line;
	int err;

	decoder->n_head_bytes += n_used;
	if (decoder->n_head_bytes > HTTP_HEAD_MAX_BYTES)
		return error_set(error, EMSGSIZE, "the head of the answer is larger than %d bytes",
				 HTTP_HEAD_MAX_BYTES);
	g_string_append_len(line, data, n_used);
	*ret_n_used = n_used;
	if (!newline)
		return 0;
	g_string_truncate(line, line->len - 1);
	if (line->len && line->str[line->len - 1] == '\r')
		g_string_truncate(line, line->len - 1);
	if (strlen(line->str) != line->len)
		return error_set(error, EPROTO, "a NUL byte in the head of the answer");
	err = take_line(decoder, line->str, error);
	g_string_truncate(line, 0);
	return err;
}

static int feed_body(struct http_decoder *decoder, const char *data, size_t n_bytes,
		     size_t *ret_n_used, GError **error)
{
	size_t n_used = n_bytes;
	int err;

	if (decoder->state != HTTP_DECODER_BODY_TO_END) {
		n_used = MIN(n_bytes, decoder->n_left_bytes);
		decoder->n_left_bytes -= n_used;
	}
	err = check_length(decoder->body->len + n_used, error);
	if (err < 0)
		return err;
	g_string_append_len(decoder->body, data, n_used);
	*ret_n_used = n_used;
	if (decoder->state == HTTP_DECODER_BODY && !decoder->n_left_bytes)
		decoder->state = HTTP_DECODER_DONE;
	else if (decoder->state == HTTP_DECODER_CHUNK && !decoder->n_left_bytes)
		decoder->state = HTTP_DECODER_CHUNK_END;
	return 0;
}

int http_decoder_feed(struct http_decoder *decoder, const char *data, size_t n_bytes,
		      GError **error)
{
	while (n_bytes && decoder->state != HTTP_DECODER_DONE) {
		bool in_body = decoder->state == HTTP_DECODER_BODY ||
			       decoder->state == HTTP_DECODER_BODY_TO_END ||
			       decoder->state == HTTP_DECODER_CHUNK;
		size_t n_used = 0;
		int err;

		if (in_body)
			err = feed_body(decoder, data, n_bytes, &n_used, error);
		else
			err = feed_line(decoder, data, n_bytes, &n_used, error);
		if (err < 0)
			return err;
		data += n_used;
		n_bytes -= n_used;
	}
	return decoder->state == HTTP_DECODER_DONE;
}

int http_decoder_end(struct http_decoder *decoder, GError **error)
{
	if (decoder->state == HTTP_DECODER_BODY_TO_END)
		decoder->state = HTTP_DECODER_DONE;
	if (decoder->state != HTTP_DECODER_DONE)
		return error_set(error, ECONNRESET, "the answer ended early");
	return 0;
}
