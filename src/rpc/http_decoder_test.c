/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/rpc/http_decoder.h"

struct reply_case {
	const char *name;
	const char *bytes;
	int result; /* of all feeds and the end: 0 or −errno */
	unsigned int status;
	const char *body;
};

#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct reply_case cases[] = {
	{"length", HEAD "Content-Length: 5\r\n\r\nhello", 0, 200, "hello"},
	{"what follows is ignored", HEAD "Content-Length: 2\r\n\r\nhello", 0, 200, "he"},
	{"no body", "HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 0, 404, ""},
	{"204 has no body", "HTTP/1.1 204\r\n\r\n", 0, 204, ""},
	{"bare newlines", "HTTP/1.0 200 OK\nContent-Length: 1\n\nx", 0, 200, "x"},
	{"to the end", HEAD "X: y\r\n\r\nto the end", 0, 200, "to the end"},
	{"chunks",
	 HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 0,
	 200, "abc0123456789"},
	{"trailer", HEAD "transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", 0, 200,
	 "a"},
	{"continue first", "HTTP/1.1 100 Continue\r\n\r\n" HEAD "Content-Length: 1\r\n\r\nx", 0,
	 200, "x"},
	{"length twice, equal", HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 0, 200,
	 "x"},

	{"nothing", "", -ECONNRESET},
	{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO},
	{"status too short", "HTTP/1.1 20\r\n\r\n", -EPROTO},
	{"status too long", "HTTP/1.1 2000 OK\r\n\r\n", -EPROTO},
	{"status below 100", "HTTP/1.1 099 No\r\n\r\n", -EPROTO},
	{"head ends early", HEAD "Content-Le", -ECONNRESET},
	{"body ends early", HEAD "Content-Length: 5\r\n\r\nhell", -ECONNRESET},
	{"chunk ends early", HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhell", -ECONNRESET},
	{"last chunk missing", HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", -ECONNRESET},
	{"chunk longer than said", HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
	 -EPROTO},
	{"chunk size not a number", HEAD "Transfer-Encoding: chunked\r\n\r\n-1\r\n", -EPROTO},
	{"chunk size empty", HEAD "Transfer-Encoding: chunked\r\n\r\n\r\n", -EPROTO},
	{"chunk size beyond 64 bits",
	 HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffffffff\r\n", -EMSGSIZE},
	{"chunks beyond the limit together",
	 HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n4000000\r\n", -EMSGSIZE},
	{"length negative", HEAD "Content-Length: -5\r\n\r\n", -EPROTO},
	{"length with sign", HEAD "Content-Length: +5\r\n\r\nhello", -EPROTO},
	{"length empty", HEAD "Content-Length:\r\n\r\n", -EPROTO},
	{"length too large", HEAD "Content-Length: 99999999\r\n\r\n", -EMSGSIZE},
	{"length beyond 64 bits", HEAD "Content-Length: 99999999999999999999999\r\n\r\n",
	 -EMSGSIZE},
	{"two lengths", HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", -EPROTO},
	{"length and chunks",
	 HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	 -EPROTO},
	{"unknown encoding", HEAD "Transfer-Encoding: gzip\r\n\r\n", -EPROTO},
	{"header without name", HEAD ": x\r\n\r\n", -EPROTO},
	{"header without colon", HEAD "nonsense\r\n\r\n", -EPROTO},
};

/* Feeds the bytes in pieces of n; 0 or −errno of the whole. */
static int decode(struct http_decoder *decoder, const char *bytes, size_t n_bytes, size_t n_piece,
		  GError **error)
{
	for (size_t i = 0; i < n_bytes; i += n_piece) {
		int err = http_decoder_feed(decoder, bytes + i, MIN(n_piece, n_bytes - i), error);

		if (err)
			return MIN(err, 0);
	}
	return http_decoder_end(decoder, error);
}

static void check_case(const struct reply_case *test, size_t n_piece)
{
	g_autoptr(GError) error = NULL;
	struct http_decoder decoder;
	int result;

	http_decoder_init(&decoder);
	result = decode(&decoder, test->bytes, strlen(test->bytes), n_piece, &error);
	if (result != test->result)
		fail_msg("%s, pieces of %zu: got %d, want %d", test->name, n_piece, result,
			 test->result);
	assert_int_equal(error != NULL, result < 0);
	if (!result) {
		assert_int_equal(decoder.status, test->status);
		assert_string_equal(decoder.body->str, test->body);
	}
	http_decoder_fini(&decoder);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t n_piece = 1; n_piece <= 64; n_piece *= 4)
			check_case(&cases[i], n_piece);
}

static void test_endless_head(void **state)
{
	g_autoptr(GError) error = NULL;
	struct http_decoder decoder;
	char line[1024];
	int err = 0;

	memset(line, 'a', sizeof(line));
	http_decoder_init(&decoder);
	for (int i = 0; i < 17 && !err; i++)
		err = http_decoder_feed(&decoder, line, sizeof(line), &error);
	assert_int_equal(err, -EMSGSIZE);
	http_decoder_fini(&decoder);
}

static void test_endless_trailers(void **state)
{
	static const char trailer[] = "X: y\r\n";
	static const char head[] = HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n";
	g_autoptr(GError) error = NULL;
	struct http_decoder decoder;
	int err;

	http_decoder_init(&decoder);
	err = http_decoder_feed(&decoder, head, strlen(head), &error);
	for (int i = 0; i < HTTP_HEAD_MAX_BYTES && !err; i++)
		err = http_decoder_feed(&decoder, trailer, strlen(trailer), &error);
	assert_int_equal(err, -EMSGSIZE);
	http_decoder_fini(&decoder);
}

static void test_nul_in_head(void **state)
{
	static const char bytes[] = HEAD "X: a\0b\r\n\r\n";
	g_autoptr(GError) error = NULL;
	struct http_decoder decoder;

	http_decoder_init(&decoder);
	assert_int_equal(decode(&decoder, bytes, sizeof(bytes) - 1, 7, &error), -EPROTO);
	http_decoder_fini(&decoder);
}

/* Many small chunks are not an endless head. */
static void test_many_chunks(void **state)
{
	GString *bytes = g_string_new(HEAD "Transfer-Encoding: chunked\r\n\r\n");
	g_autoptr(GError) error = NULL;
	struct http_decoder decoder;

	for (int i = 0; i < 10000; i++)
		g_string_append(bytes, "2\r\nab\r\n");
	g_string_append(bytes, "0\r\n\r\n");
	http_decoder_init(&decoder);
	assert_int_equal(decode(&decoder, bytes->str, bytes->len, 1000, &error), 0);
	assert_int_equal(decoder.body->len, 20000);
	http_decoder_fini(&decoder);
	g_string_free(bytes, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),       cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_nul_in_head), cmocka_unit_test(test_endless_trailers),
		cmocka_unit_test(test_many_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
