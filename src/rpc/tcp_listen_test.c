/* SPDX-License-Identifier: Apache-2.0 */
#include "src/rpc/tcp_listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static in_port_t port_of(int fd)
{
	struct sockaddr_in6 address;
	socklen_t n_bytes = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n_bytes), 0);
	/* The port is in the same place in both families. */
	return address.sin6_port;
}

/* 0 where somebody listens at the address, else −errno. */
static int try_v4(in_port_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;

	err = connect(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	close(fd);
	return err;
}

static int try_v6(in_port_t port)
{
	const struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = port,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int fd = socket(AF_INET6, SOCK_STREAM, 0), err;

	err = connect(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	close(fd);
	return err;
}

static int listen_at(const char *address)
{
	g_autoptr(GError) error = NULL;
	int fd = tcp_listen(address, &error);

	if (fd < 0)
		fail_msg("%s", error->message);
	return fd;
}

static void no_host_is_both_families(void **state)
{
	int fd = listen_at(":0");

	assert_int_equal(try_v4(port_of(fd)), 0);
	assert_int_equal(try_v6(port_of(fd)), 0);
	close(fd);
}

static void a_host_is_one_family(void **state)
{
	static const char *const of_v4[] = {"127.0.0.1:0", "localhost:0", "0.0.0.0:0"};
	static const char *const of_v6[] = {"[::1]:0", "[::]:0"};

	for (size_t i = 0; i < G_N_ELEMENTS(of_v4); i++) {
		int fd = listen_at(of_v4[i]);

		assert_int_equal(try_v4(port_of(fd)), 0);
		assert_int_equal(try_v6(port_of(fd)), -ECONNREFUSED);
		close(fd);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(of_v6); i++) {
		int fd = listen_at(of_v6[i]);

		assert_int_equal(try_v6(port_of(fd)), 0);
		assert_int_equal(try_v4(port_of(fd)), -ECONNREFUSED);
		close(fd);
	}
}

static void says_what_is_wrong(void **state)
{
	static const char *const bad[] = {"",        "9962", "::1:80", "[::1]", "[::1:80", "host:1",
					  "1.2.3:1", ":",    ":65536", "[]:1",  ":x"};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		assert_int_equal(tcp_listen(bad[i], &error), -EINVAL);
		assert_non_null(strstr(error->message, bad[i]));
	}
}

static void a_port_is_taken_once(void **state)
{
	int fd = listen_at("127.0.0.1:0");
	g_autofree char *address = g_strdup_printf("127.0.0.1:%u", ntohs(port_of(fd)));
	g_autoptr(GError) error = NULL;

	assert_int_equal(tcp_listen(address, &error), -EADDRINUSE);
	assert_non_null(strstr(error->message, address));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_host_is_both_families),
		cmocka_unit_test(a_host_is_one_family),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(a_port_is_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
