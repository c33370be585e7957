// SPDX-License-Identifier: Apache-2.0
/* Sockets of the test, and of a namespace beside it, whose back ends go. */
#include "src/datapath/socket_killer.h"
#include "src/datapath/socket_test.h"

#include "abi/lb.h"
#include <sys/resource.h>
#include "src/base/clock.h"
#include "src/sys/netns.h"

#define VIP       "10.96.0.10"
#define SERVICE   7
#define N_SOCKETS 10000

static int set_up_sockets(void **state)
{
	struct world *world = cgroup_world_new();

	world->config.max_entries[PLAN_MAP_cilium_lb_reverse_sk] = 2 * N_SOCKETS;
	*state = world;
	start(world);
	cgroup_attach_all(world);
	finish(world);
	return 0;
}

/* A service of the front end's port, with one back end whose id is the port too. */
static void put_service(struct world *world, const char *vip, uint16_t port, uint8_t protocol,
			const char *backend_addr, uint16_t backend_port)
{
	struct lb_frontend_key key = {
		.addr = addr_of(vip), .port = htons(port), .protocol = protocol};
	struct lb_frontend frontend = {.id = port, .service = port, .type = LB_TYPE_CLUSTER_IP};
	struct lb_backend backend = {.addr = addr_of(backend_addr),
				     .port = htons(backend_port),
				     .protocol = protocol,
				     .service = port};
	uint32_t id = port, set = LB_SET(port, 0);
	struct lb_slot_key slot_key = {.set = set};
	struct lb_slot slot = {.backend = id};
	struct lb_set n = {.n_slots = 1};

	put(world, PLAN_MAP_cilium_lb_backends, &id, &backend);
	put(world, PLAN_MAP_cilium_lb_slots, &slot_key, &slot);
	put(world, PLAN_MAP_cilium_lb_sets, &set, &n);
	put(world, PLAN_MAP_cilium_lb_services, &key, &frontend);
}

static struct socket_kill_result run_kill(uint32_t backend, GPtrArray *namespaces)
{
	g_autoptr(GHashTable) backends = g_hash_table_new(NULL, NULL);
	struct bpf_map_ref map;
	struct socket_kill kill = {&map, backends, namespaces};
	struct socket_kill_result result;

	assert_int_equal(bpf_map_open(bpf_root, "cilium_lb_reverse_sk", &map, NULL), 0);
	g_hash_table_add(backends, GUINT_TO_POINTER(backend));
	socket_kill_run(&kill, &result);
	bpf_map_close(&map);
	return result;
}

static bool is_alive(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return !poll(&poll_fd, 1, 0);
}

/* Its connections, and no others: not those of another service with the same back end. */
static void test_ends_what_it_should(void **state)
{
	static const struct {
		int family;
		const char *vip;
		const char *backend;
	} ways[] = {
		{AF_INET, VIP, "127.0.0.1"},
		{AF_INET6, "fd00:96::10", "::1"},
		{AF_INET6, VIP, "127.0.0.1"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < 2 * G_N_ELEMENTS(ways); i++) {
		int family = ways[i / 2].family;
		const char *backend = ways[i / 2].backend, *vip = ways[i / 2].vip;
		struct addr backend_addr = addr_of(backend);
		int kind = i % 2 ? SOCK_DGRAM : SOCK_STREAM;
		uint8_t protocol = i % 2 ? IPPROTO_UDP : IPPROTO_TCP;
		struct socket_kill_result result;
		uint16_t port;
		int server = server_new(addr_is_v4(&backend_addr) ? AF_INET : AF_INET6, kind,
					backend, &port);
		int client = socket_new(family, kind), other = socket_new(family, kind);
		int direct = socket_new(family, kind);

		put_service(world, vip, 80, protocol, backend, port);
		put_service(world, vip, 81, protocol, backend, port);
		assert_int_equal(connect_to(client, family, vip, 80), 0);
		assert_int_equal(connect_to(other, family, vip, 81), 0);
		assert_int_equal(connect_to(direct, family, backend, port), 0);
		result = run_kill(80, NULL);
		assert_null(result.problem);
		assert_int_equal(result.n_failed, 0);
		assert_int_equal(result.n_tcp, !(i % 2));
		assert_int_equal(result.n_udp, i % 2);
		assert_false(is_alive(client));
		assert_true(is_alive(other));
		assert_true(is_alive(direct));
		result = run_kill(80, NULL);
		assert_int_equal(result.n_tcp + result.n_udp, 0);
		close(client);
		close(other);
		close(direct);
		close(server);
	}
}

struct inside {
	struct world *world;
	uint64_t cookie;
	int client;
};

static int connect_inside(void *data, GError **error)
{
	struct inside *inside = data;
	struct netlink *netlink = netlink_new(NULL);
	struct lb_netns_key key = {0};
	struct lb_netns netns = {.endpoint = 70};

	link_append_up(netlink, 1);
	assert_int_equal(netlink_send(netlink, NULL, NULL, NULL), 0);
	netlink_free(netlink);
	if (netns_get_cookie(&inside->cookie))
		return -ENOPROTOOPT;
	key.cookie = inside->cookie;
	put(inside->world, PLAN_MAP_cilium_lb_netns, &key, &netns);
	put_service(inside->world, VIP, 80, IPPROTO_UDP, "127.0.0.1", 9);
	inside->client = socket_new(AF_INET, SOCK_DGRAM);
	return connect_to(inside->client, AF_INET, VIP, 80);
}

static void test_goes_into_namespaces(void **state)
{
	g_autoptr(GPtrArray) namespaces = g_ptr_array_new_with_free_func(socket_namespace_free);
	struct inside inside = {.world = *state};
	int fd = netns_create(NULL);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	struct socket_kill_result result;

	assert_true(fd >= 0);
	if (netns_run(fd, connect_inside, &inside, NULL) == -ENOPROTOOPT)
		skip();
	/* What the path leads to is another namespace now. */
	g_ptr_array_add(namespaces, socket_namespace_new(70, inside.cookie + 1, path));
	result = run_kill(80, namespaces);
	assert_int_equal(result.n_udp, 0);
	assert_true(is_alive(inside.client));
	assert_int_equal(netns_run(fd, connect_inside, &inside, NULL), 0);
	/* Those of endpoints are to go on. */
	result = run_kill(80, NULL);
	assert_int_equal(result.n_udp, 0);
	assert_true(is_alive(inside.client));
	g_ptr_array_set_size(namespaces, 0);
	g_ptr_array_add(namespaces, socket_namespace_new(71, 1, "/nonsense"));
	g_ptr_array_add(namespaces, socket_namespace_new(70, inside.cookie, path));
	result = run_kill(80, namespaces);
	assert_null(result.problem);
	assert_int_equal(result.n_udp, 1);
	assert_false(is_alive(inside.client));
	close(fd);
}

/* One that cannot be entered is told of, and keeps nobody from the others. */
static void test_tells_what_it_cannot(void **state)
{
	g_autoptr(GPtrArray) namespaces = g_ptr_array_new_with_free_func(socket_namespace_free);
	struct world *world = *state;
	struct socket_kill_result result;
	int client = socket_new(AF_INET, SOCK_DGRAM);

	put_service(world, VIP, 80, IPPROTO_UDP, "127.0.0.1", 9);
	assert_int_equal(connect_to(client, AF_INET, VIP, 80), 0);
	g_ptr_array_add(namespaces, socket_namespace_new(70, 0, "/dev/null"));
	result = run_kill(80, namespaces);
	assert_string_equal(result.problem, "endpoint 70: /dev/null is not a network namespace");
	assert_int_equal(result.n_udp, 1);
	assert_false(is_alive(client));
	g_free(result.problem);
	close(client);
}

static void test_many(void **state)
{
	struct world *world = *state;
	int *clients = g_new(int, N_SOCKETS);
	struct rlimit limit = {N_SOCKETS + 1000, N_SOCKETS + 1000};
	struct socket_kill_result result;
	int64_t started_ns;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	put_service(world, VIP, 80, IPPROTO_UDP, "127.0.0.1", 9);
	for (int i = 0; i < N_SOCKETS; i++) {
		clients[i] = socket_new(AF_INET, SOCK_DGRAM);
		assert_int_equal(connect_to(clients[i], AF_INET, VIP, 80), 0);
	}
	started_ns = clock_monotonic_ns();
	result = run_kill(80, NULL);
	print_message("%d sockets: %lld ms\n", N_SOCKETS,
		      (long long)((clock_monotonic_ns() - started_ns) / NSEC_PER_MSEC));
	assert_int_equal(result.n_udp, N_SOCKETS);
	assert_int_equal(result.n_failed, 0);
	for (int i = 0; i < N_SOCKETS; i++) {
		assert_false(is_alive(clients[i]));
		close(clients[i]);
	}
	g_free(clients);
}

#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_sockets, tear_down_sockets)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(test_ends_what_it_should),
		SOCKET_TEST(test_goes_into_namespaces),
		SOCKET_TEST(test_tells_what_it_cannot),
		SOCKET_TEST(test_many),
	};

	return CGROUP_RUN(tests);
}
