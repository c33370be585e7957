/* SPDX-License-Identifier: Apache-2.0 */
/* A reply of an HTTP server, whole and in pieces: both must be taken for the same. */
#include "src/rpc/http_decoder.h"
#include "test/fuzz/fuzz.h"

static int decode(struct http_decoder *decoder, const uint8_t *data, size_t n_bytes, size_t piece)
{
	g_autoptr(GError) error = NULL;

	for (size_t at = 0; at < n_bytes; at += piece) {
		size_t n = MIN(piece, n_bytes - at);
		int err = http_decoder_feed(decoder, (const char *)data + at, n, &error);

		if (err)
			return err;
	}
	return decoder->state == HTTP_DECODER_DONE ? 0 : http_decoder_end(decoder, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct http_decoder whole;
	struct http_decoder pieces;
	int err;

	http_decoder_init(&whole);
	http_decoder_init(&pieces);
	err = decode(&whole, data, n_bytes, MAX(n_bytes, 1));
	g_assert(decode(&pieces, data, n_bytes, 1) == err);
	if (!err) {
		g_assert(whole.status == pieces.status);
		g_assert(g_string_equal(whole.body, pieces.body));
	}
	http_decoder_fini(&whole);
	http_decoder_fini(&pieces);
	return 0;
}
