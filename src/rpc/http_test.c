/* SPDX-License-Identifier: Apache-2.0 */
/* Client and server against each other; the server against raw bytes; the client against bad
 * servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/rpc/http_client.h"
#include "src/rpc/http_server.h"
#include "src/rpc/unix_listen.h"

struct fixture {
	char *directory;
	char *path;
	uv_loop_t loop;
	struct http_server *server;
	unsigned int n_handled;
	unsigned int n_pieces, n_ended;
};

#define N_PIECES      100
#define N_PIECE_BYTES 50000

static void append_piece(GString *piece, void *data)
{
	struct fixture *fixture = data;
	size_t n_before = piece->len;

	if (fixture->n_pieces++ >= N_PIECES)
		return;
	g_string_set_size(piece, n_before + N_PIECE_BYTES);
	memset(piece->str + n_before, 'x', N_PIECE_BYTES);
}

static void end_pieces(void *data)
{
	((struct fixture *)data)->n_ended++;
}

/* Answers with what it understood of the request. */
static void echo(const struct http_request *request, struct http_response *response, void *data)
{
	struct fixture *fixture = data;
	const char *query = http_request_query(request, "q");
	const char *header = http_request_header(request, "X-Test");

	fixture->n_handled++;
	if (!strcmp(request->path, "/no"))
		response->status = 404;
	if (!strcmp(request->path, "/large")) {
		g_string_set_size(response->body, 4 * 1024 * 1024);
		memset(response->body->str, 'x', response->body->len);
		return;
	}
	if (!strcmp(request->path, "/pieces")) {
		fixture->n_pieces = 0;
		g_string_append(response->body, "first ");
		response->next = append_piece;
		response->free = end_pieces;
		response->data = fixture;
		return;
	}
	g_string_printf(response->body, "%s %s q=%s h=%s %zu:%s", request->method, request->path,
			query ? query : "-", header ? header : "-", request->n_body_bytes,
			request->n_body_bytes < 100 ? request->body : "…");
}

static int set_up(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);
	int fd;

	fixture->directory = g_dir_make_tmp("http_XXXXXX", NULL);
	fixture->path = g_build_filename(fixture->directory, "sock", NULL);
	uv_loop_init(&fixture->loop);
	fd = unix_listen(fixture->path, SOCK_STREAM, UNIX_LISTEN_NO_GROUP, NULL);
	fixture->server = http_server_new(&fixture->loop, fd, echo, fixture, NULL);
	*state = fixture;
	return fixture->server ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	int err;

	http_server_free(fixture->server);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	err = uv_loop_close(&fixture->loop);
	unlink(fixture->path);
	rmdir(fixture->directory);
	g_free(fixture->path);
	g_free(fixture->directory);
	g_free(fixture);
	return err;
}

/* ---- a client in a thread of its own, while the loop runs here ---- */

struct job {
	struct fixture *fixture;
	gpointer (*run)(struct job *job);
	uv_async_t done;
	const struct http_call *call;
	struct http_reply reply;
	const char *raw; /* request bytes */
	size_t n_raw_bytes;
	int64_t interval_ns; /* between bytes of raw; 0: all at once */
	GString *raw_reply;
	int64_t took_ns;
	GError *error;
	int result;
};

static void on_done(uv_async_t *async)
{
	uv_stop(async->loop);
}

static gpointer job_thread(gpointer data)
{
	struct job *job = data;
	int64_t start_ns = clock_monotonic_ns();

	job->run(job);
	job->took_ns = clock_monotonic_ns() - start_ns;
	uv_async_send(&job->done);
	return NULL;
}

static void job_run(struct fixture *fixture, struct job *job)
{
	GThread *thread;

	job->fixture = fixture;
	uv_async_init(&fixture->loop, &job->done, on_done);
	thread = g_thread_new("client", job_thread, job);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	g_thread_join(thread);
	uv_close((uv_handle_t *)&job->done, NULL);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static gpointer run_call(struct job *job)
{
	job->result = http_client_request(job->call, &job->reply, &job->error);
	return NULL;
}

static void check_call(struct fixture *fixture, struct http_call call, unsigned int status,
		       const char *body)
{
	struct job job = {.run = run_call, .call = &call};

	call.socket_path = fixture->path;
	call.timeout_ns = 5 * NSEC_PER_SEC;
	job_run(fixture, &job);
	assert_null(job.error);
	assert_int_equal(job.result, 0);
	assert_int_equal(job.reply.status, status);
	if (body)
		assert_string_equal(job.reply.body, body);
	else
		assert_int_equal(job.reply.n_body_bytes, 4 * 1024 * 1024);
	http_reply_fini(&job.reply);
}

static void test_requests(void **state)
{
	struct fixture *fixture = *state;

	check_call(fixture, (struct http_call){.method = "GET", .target = "/a%2Fb?q=x%20y"}, 200,
		   "GET /a/b q=x y h=- 0:");
	check_call(fixture,
		   (struct http_call){
			   .method = "PUT",
			   .target = "/p",
			   .headers = "X-Test: yes\r\n",
			   .body = "{}",
		   },
		   200, "PUT /p q=- h=yes 2:{}");
	check_call(fixture, (struct http_call){.method = "DELETE", .target = "/no"}, 404,
		   "DELETE /no q=- h=- 0:");
	check_call(fixture, (struct http_call){.method = "GET", .target = "/large"}, 200, NULL);
	check_call(fixture, (struct http_call){.method = "GET", .target = "/a%00b"}, 400,
		   "\"path and query are not UTF-8 text\"");
}

/* The answer is made as it is read, and what makes it is freed once. */
static void test_pieces(void **state)
{
	struct fixture *fixture = *state;
	struct http_call call = {.method = "GET", .target = "/pieces"};
	struct job job = {.run = run_call, .call = &call};
	const size_t n_bytes = strlen("first ") + (size_t)N_PIECES * N_PIECE_BYTES;

	call.socket_path = fixture->path;
	call.timeout_ns = 5 * NSEC_PER_SEC;
	job_run(fixture, &job);
	assert_int_equal(job.result, 0);
	assert_int_equal(job.reply.status, 200);
	assert_int_equal(job.reply.n_body_bytes, n_bytes);
	assert_true(g_str_has_prefix(job.reply.body, "first xxx"));
	assert_true(g_str_has_suffix(job.reply.body, "xxx"));
	assert_int_equal(fixture->n_ended, 1);
	http_reply_fini(&job.reply);
}

static void test_body_limit(void **state)
{
	g_autofree char *fits = g_strnfill(HTTP_BODY_MAX_BYTES, 'x');
	g_autofree char *too_large = g_strnfill(HTTP_BODY_MAX_BYTES + 1, 'x');
	struct fixture *fixture = *state;

	check_call(fixture, (struct http_call){.method = "PUT", .target = "/", .body = fits}, 200,
		   "PUT / q=- h=- 1048576:…");
	check_call(fixture, (struct http_call){.method = "PUT", .target = "/", .body = too_large},
		   413, "\"the request's body is too large\"");
	assert_int_equal(fixture->n_handled, 1);
}

/* ---- raw bytes to the server ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	return connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 ? fd : -1;
}

static gpointer run_raw(struct job *job)
{
	int fd = connect_to(job->fixture->path);
	size_t n_sent = 0;
	char buffer[4096];
	ssize_t n;

	job->raw_reply = g_string_new(NULL);
	while (n_sent < job->n_raw_bytes) {
		size_t n_piece = job->interval_ns ? 1 : job->n_raw_bytes - n_sent;

		n = send(fd, job->raw + n_sent, n_piece, MSG_NOSIGNAL);
		if (n < 0)
			break;
		n_sent += n;
		g_usleep(job->interval_ns / NSEC_PER_USEC);
	}
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		g_string_append_len(job->raw_reply, buffer, n);
	close(fd);
	return NULL;
}

static void test_chunked_body_limit(void **state)
{
	GString *raw = g_string_new("PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
				    "Transfer-Encoding: chunked\r\n\r\n");
	struct fixture *fixture = *state;
	struct job job = {.run = run_raw};

	for (int i = 0; i < 17; i++) {
		size_t n_bytes = raw->len + 7 + 65536;

		g_string_append(raw, "10000\r\n");
		g_string_set_size(raw, n_bytes);
		memset(raw->str + n_bytes - 65536, 'x', 65536);
		g_string_append(raw, "\r\n");
	}
	g_string_append(raw, "0\r\n\r\n");
	job.raw = raw->str;
	job.n_raw_bytes = raw->len;
	job_run(fixture, &job);
	assert_true(g_str_has_prefix(job.raw_reply->str, "HTTP/1.1 413 "));
	assert_int_equal(fixture->n_handled, 0);
	g_string_free(job.raw_reply, TRUE);
	g_string_free(raw, TRUE);
}

static void test_not_http(void **state)
{
	static const char raw[] = "\x16\x03\x01 this is not HTTP\r\n\r\n";
	struct job job = {.run = run_raw, .raw = raw, .n_raw_bytes = sizeof(raw) - 1};
	struct fixture *fixture = *state;

	job_run(fixture, &job);
	assert_false(g_str_has_prefix(job.raw_reply->str, "HTTP/1.1 200 "));
	assert_int_equal(fixture->n_handled, 0);
	g_string_free(job.raw_reply, TRUE);
}

static void test_silent_client_is_cut_off(void **state)
{
	static const char raw[] = "GET / HTT";
	struct job job = {.run = run_raw, .raw = raw, .n_raw_bytes = strlen(raw)};

	job_run(*state, &job);
	assert_in_range(job.took_ns, (HTTP_IDLE_TIMEOUT_S - 1) * NSEC_PER_SEC,
			(HTTP_IDLE_TIMEOUT_S + 3) * NSEC_PER_SEC);
	g_string_free(job.raw_reply, TRUE);
}

static void test_slow_client_is_cut_off(void **state)
{
	g_autofree char *name = g_strnfill(200, 'x');
	g_autofree char *raw = g_strconcat("GET /", name, NULL);
	struct job job = {
		.run = run_raw,
		.raw = raw,
		.n_raw_bytes = strlen(raw),
		.interval_ns = 200 * NSEC_PER_MSEC,
	};

	job_run(*state, &job);
	assert_in_range(job.took_ns, (HTTP_CONNECTION_MAX_S - 1) * NSEC_PER_SEC,
			(HTTP_CONNECTION_MAX_S + 4) * NSEC_PER_SEC);
	g_string_free(job.raw_reply, TRUE);
}

/* ---- bad servers ---- */

struct bad_server {
	int listen_fd;
	const char *bytes; /* NULL: accepts, then says nothing until the client gives up */
};

static gpointer bad_server_thread(gpointer data)
{
	const struct bad_server *server = data;
	struct pollfd pollfd = {.fd = server->listen_fd, .events = POLLIN};
	char buffer[4096];
	int fd;

	poll(&pollfd, 1, -1);
	fd = accept(server->listen_fd, NULL, NULL);
	if (server->bytes) {
		recv(fd, buffer, sizeof(buffer), 0);
		send(fd, server->bytes, strlen(server->bytes), MSG_NOSIGNAL);
	} else {
		while (recv(fd, buffer, sizeof(buffer), 0) > 0)
			;
	}
	close(fd);
	return NULL;
}

static int ask_bad_server(const char *bytes, int64_t timeout_ns)
{
	g_autofree char *directory = g_dir_make_tmp("http_XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "sock", NULL);
	struct bad_server server = {
		.listen_fd = unix_listen(path, SOCK_STREAM, UNIX_LISTEN_NO_GROUP, NULL),
		.bytes = bytes,
	};
	GThread *thread = g_thread_new("server", bad_server_thread, &server);
	struct http_call call = {
		.socket_path = path,
		.method = "GET",
		.target = "/",
		.timeout_ns = timeout_ns,
	};
	g_autoptr(GError) error = NULL;
	struct http_reply reply = {0};
	int err = http_client_request(&call, &reply, &error);

	assert_int_equal(error != NULL, err < 0);
	g_thread_join(thread);
	http_reply_fini(&reply);
	close(server.listen_fd);
	unlink(path);
	rmdir(directory);
	return err;
}

static void test_bad_servers(void **state)
{
	int64_t start_ns = clock_monotonic_ns();

	assert_int_equal(ask_bad_server("", NSEC_PER_SEC), -ECONNRESET);
	assert_int_equal(ask_bad_server("220 smtp\r\n", NSEC_PER_SEC), -EPROTO);
	assert_int_equal(
		ask_bad_server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", NSEC_PER_SEC),
		-ECONNRESET);
	assert_int_equal(ask_bad_server("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nx",
					NSEC_PER_SEC),
			 -EMSGSIZE);
	assert_int_equal(ask_bad_server(NULL, 200 * NSEC_PER_MSEC), -ETIMEDOUT);
	assert_true(clock_monotonic_ns() - start_ns < 5 * NSEC_PER_SEC);
}

static void test_nobody_listens(void **state)
{
	struct http_call call = {
		.socket_path = "/nonexistent/cilium.sock",
		.method = "GET",
		.target = "/",
		.timeout_ns = NSEC_PER_SEC,
	};
	g_autoptr(GError) error = NULL;
	struct http_reply reply;

	assert_int_equal(http_client_request(&call, &reply, &error), -ECONNREFUSED);
	assert_string_equal(
		error->message,
		"nobody listens on /nonexistent/cilium.sock: No such file or directory; "
		"is the agent running (\"systemctl status cilium-agent\"), and is this "
		"its socket-path?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_body_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_chunked_body_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent_client_is_cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_client_is_cut_off, set_up, tear_down),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
