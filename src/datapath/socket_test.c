// SPDX-License-Identifier: Apache-2.0
/* The programs on sockets, met by real ones: the test calls, and is who is called. */
#include "src/datapath/socket_test.h"
#include "abi/ipcache.h"
#include "abi/lb.h"
#include "src/sys/netns.h"

#define VIP4      "10.96.0.10"
#define VIP6      "fd00:96::10"
#define SERVICE   7
#define NODE_PORT 30080

static int set_up_sockets(void **state)
{
	struct world *world = cgroup_world_new();

	*state = world;
	start(world);
	cgroup_attach_all(world);
	finish(world);
	return 0;
}

static void put_frontend(struct world *world, const char *addr, uint16_t port, uint8_t protocol,
			 struct lb_frontend value)
{
	struct lb_frontend_key key = {
		.addr = addr_of(addr), .port = htons(port), .protocol = protocol};

	put(world, PLAN_MAP_cilium_lb_services, &key, &value);
}

static void put_backend(struct world *world, uint32_t id, const char *addr, uint16_t port,
			uint8_t protocol)
{
	struct lb_backend value = {.addr = addr_of(addr),
				   .port = htons(port),
				   .protocol = protocol,
				   .flags = LB_BACKEND_F_IN_ALL,
				   .service = SERVICE};
	uint32_t set = LB_SET(SERVICE, 0);
	struct lb_slot_key slot_key = {.set = set, .slot = id - 1};
	struct lb_slot slot = {.backend = id};
	struct lb_set n = {.n_slots = id};

	put(world, PLAN_MAP_cilium_lb_backends, &id, &value);
	put(world, PLAN_MAP_cilium_lb_slots, &slot_key, &slot);
	put(world, PLAN_MAP_cilium_lb_sets, &set, &n);
}

static const struct lb_frontend cluster_ip = {
	.id = 3, .service = SERVICE, .type = LB_TYPE_CLUSTER_IP};
static const struct lb_frontend node_port = {
	.id = 4, .service = SERVICE, .type = LB_TYPE_NODE_PORT};

static unsigned int n_entries(struct world *world, enum plan_map map)
{
	unsigned int n = 0;

	assert_int_equal(world->dp->ops->map_foreach(world->dp, map, count_entry, &n), 0);
	return n;
}

/* ---- the tests ---- */

static const struct way {
	int family;
	const char *vip;
	const char *backend;
} ways[] = {
	{AF_INET, VIP4, "127.0.0.1"},
	{AF_INET6, VIP6, "::1"},
	{AF_INET6, VIP4, "127.0.0.1"}, /* mapped */
};

static void test_tcp(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		const struct way *way = &ways[i];
		struct addr backend = addr_of(way->backend);
		uint16_t port;
		int server = server_new(addr_is_v4(&backend) ? AF_INET : AF_INET6, SOCK_STREAM,
					way->backend, &port);
		int client = socket_new(way->family, SOCK_STREAM);
		int accepted;

		put_frontend(world, way->vip, 80, IPPROTO_TCP, cluster_ip);
		put_backend(world, 1, way->backend, port, IPPROTO_TCP);
		assert_int_equal(connect_to(client, way->family, way->vip, 80), 0);
		accepted = accept(server, NULL, NULL);
		assert_true(accepted >= 0);
		assert_peer(client, way->vip, 80);
		assert_int_equal(n_entries(world, PLAN_MAP_cilium_lb_reverse_sk), 1);
		close(client);
		assert_int_equal(n_entries(world, PLAN_MAP_cilium_lb_reverse_sk), 0);
		close(accepted);
		close(server);
	}
}

static void test_udp(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		const struct way *way = &ways[i];
		struct addr backend = addr_of(way->backend);
		uint16_t port;
		int server = server_new(addr_is_v4(&backend) ? AF_INET : AF_INET6, SOCK_DGRAM,
					way->backend, &port);
		int client = socket_new(way->family, SOCK_DGRAM);

		put_frontend(world, way->vip, 53, IPPROTO_UDP, cluster_ip);
		put_backend(world, 1, way->backend, port, IPPROTO_UDP);
		assert_int_equal(send_to(client, way->family, way->vip, 53), 0);
		echo(server);
		assert_comes_from(client, way->vip, 53);
		assert_int_equal(connect_to(client, way->family, way->vip, 53), 0);
		assert_int_equal(send(client, "x", 1, 0), 1);
		echo(server);
		assert_comes_from(client, way->vip, 53);
		assert_peer(client, way->vip, 53);
		close(client);
		assert_int_equal(n_entries(world, PLAN_MAP_cilium_lb_reverse_sk), 0);
		/* Whoever calls the back end by its own name sees that. */
		client = socket_new(way->family, SOCK_DGRAM);
		assert_int_equal(send_to(client, way->family, way->backend, port), 0);
		echo(server);
		assert_comes_from(client, way->backend, port);
		close(client);
		close(server);
	}
}

/* Before Linux 5.14 the first namespace is the host's, wherever the agent is. */
static bool host_is_known(const struct world *world)
{
	return world->config.node.host_netns_cookie || root_test_has_machine();
}

/* A service without back ends, and a port of its address that is no service's. */
static void test_nobody_there(void **state)
{
	struct world *world = *state;
	static const struct lb_frontend wildcard = {.flags = LB_FRONTEND_F_WILDCARD};

	/* Before Linux 6.1 the kernel cannot be told which error it is. */
	int want = world->config.node.has_set_retval ? -ECONNREFUSED : -EPERM;

	if (want == -EPERM && !host_is_known(world))
		skip();
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		const struct way *way = &ways[i];
		int tcp = socket_new(way->family, SOCK_STREAM);
		int udp = socket_new(way->family, SOCK_DGRAM);

		put_frontend(world, way->vip, 0, 0, wildcard);
		put_frontend(world, way->vip, 81, IPPROTO_TCP,
			     (struct lb_frontend){.id = 9, .service = 99});
		assert_int_equal(connect_to(tcp, way->family, way->vip, 81), want);
		assert_int_equal(connect_to(tcp, way->family, way->vip, 82), want);
		assert_int_equal(send_to(udp, way->family, way->vip, 82), want);
		assert_int_equal(connect_to(udp, way->family, way->vip, 82), want);
		close(tcp);
		close(udp);
	}
}

static void put_node(struct world *world, const char *addr, uint8_t flags)
{
	struct ipcache_key key = {.addr = addr_of(addr)};
	struct ipcache_info info = {.identity = flags & IPCACHE_F_LOCAL_HOST ? 1 : 6,
				    .flags = flags};

	put(world, PLAN_MAP_cilium_ipcache, &key, &info);
}

/* Who answers a datagram to the address: the back end, or none of ours. */
static void assert_reached(int server, const char *addr, uint16_t port, bool wanted)
{
	struct addr parsed = addr_of(addr);
	int family = addr_is_v4(&parsed) ? AF_INET : AF_INET6;
	int client = socket_new(family, SOCK_DGRAM);
	struct pollfd poll_fd = {.fd = server, .events = POLLIN};
	int err = connect_to(client, family, addr, port);

	/* There is no route to the others. */
	assert_true(wanted ? !err : err == 0 || err == -ENETUNREACH);
	if (!err)
		(void)!send(client, "x", 1, 0);
	assert_int_equal(poll(&poll_fd, 1, wanted ? 2000 : 20), wanted);
	if (wanted) {
		echo(server);
		assert_comes_from(client, addr, port);
	}
	close(client);
}

static void test_node_ports(void **state)
{
	static const char *const families[][4] = {
		{"127.0.0.1", "0.0.0.0", "192.0.2.12", "192.0.2.11"},
		{"::1", "::", "2001:db8::12", "2001:db8::11"},
	};
	struct world *world = *state;
	struct lb_frontend local = node_port;

	if (!host_is_known(world))
		skip();
	local.flags = LB_FRONTEND_F_EXTERNAL_LOCAL;
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		const char *const *addrs = families[i];
		struct addr backend = addr_of(addrs[0]);
		uint16_t port;
		int server = server_new(addr_is_v4(&backend) ? AF_INET : AF_INET6, SOCK_DGRAM,
					addrs[0], &port);

		put_backend(world, 1, addrs[0], port, IPPROTO_UDP);
		put_frontend(world, addrs[1], NODE_PORT, IPPROTO_UDP, node_port);
		put_frontend(world, addrs[1], NODE_PORT + 1, IPPROTO_UDP, local);
		put_node(world, addrs[2], IPCACHE_F_REMOTE_NODE);
		put_node(world, addrs[3], IPCACHE_F_LOCAL_HOST);
		assert_reached(server, addrs[0], NODE_PORT, true);
		assert_reached(server, addrs[2], NODE_PORT, true);
		assert_reached(server, addrs[3], NODE_PORT, true);
		assert_reached(server, addrs[3], NODE_PORT + 1, true);
		assert_reached(server, addrs[2], NODE_PORT + 1, false);
		assert_reached(server, addrs[0], NODE_PORT + 2, false);
		assert_reached(server, i ? "2001:db8::99" : "192.0.2.99", NODE_PORT, false);
		close(server);
	}
}

static void assert_bind(int family, int kind, const char *addr, uint16_t port, int want)
{
	int fd = socket_new(family, kind);
	int one = 1;

	/* Addresses that the namespace does not have. */
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	assert_int_equal(bind_to(fd, family, addr, port), want);
	close(fd);
}

static void test_bind_is_refused(void **state)
{
	struct world *world = *state;
	struct lb_frontend host_port = {.id = 5, .service = SERVICE, .type = LB_TYPE_HOST_PORT};

	if (!host_is_known(world))
		skip();
	put_frontend(world, "0.0.0.0", NODE_PORT, IPPROTO_TCP, node_port);
	put_frontend(world, "::", NODE_PORT + 1, IPPROTO_TCP, node_port);
	put_frontend(world, "192.0.2.11", 8080, IPPROTO_TCP, host_port);
	host_port.flags = LB_FRONTEND_F_LOOPBACK;
	put_frontend(world, "127.0.0.1", 8082, IPPROTO_TCP, host_port);
	put_frontend(world, "::1", 8083, IPPROTO_TCP, host_port);
	put_frontend(world, VIP4, 8081, IPPROTO_TCP, cluster_ip);
	put_node(world, "192.0.2.11", IPCACHE_F_LOCAL_HOST);
	assert_bind(AF_INET, SOCK_STREAM, "0.0.0.0", NODE_PORT, -EPERM);
	assert_bind(AF_INET, SOCK_STREAM, "127.0.0.1", NODE_PORT, -EPERM);
	assert_bind(AF_INET, SOCK_STREAM, "192.0.2.11", NODE_PORT, -EPERM);
	assert_bind(AF_INET6, SOCK_STREAM, "::", NODE_PORT, -EPERM);
	assert_bind(AF_INET6, SOCK_STREAM, "::", NODE_PORT + 1, -EPERM);
	assert_bind(AF_INET6, SOCK_STREAM, "::1", NODE_PORT + 1, -EPERM);
	assert_bind(AF_INET6, SOCK_STREAM, "192.0.2.11", NODE_PORT, -EPERM);
	assert_bind(AF_INET, SOCK_STREAM, "192.0.2.11", 8080, -EPERM);
	assert_bind(AF_INET, SOCK_STREAM, "0.0.0.0", 8082, -EPERM);
	assert_bind(AF_INET, SOCK_STREAM, "127.0.0.1", 8082, -EPERM);
	assert_bind(AF_INET6, SOCK_STREAM, "::", 8082, -EPERM);
	assert_bind(AF_INET6, SOCK_STREAM, "::", 8083, -EPERM);
	assert_bind(AF_INET, SOCK_STREAM, "0.0.0.0", 8083, 0);
	assert_bind(AF_INET, SOCK_STREAM, "192.0.2.99", 8082, 0);
	assert_bind(AF_INET, SOCK_STREAM, VIP4, 8081, 0);
	assert_bind(AF_INET, SOCK_STREAM, "192.0.2.99", NODE_PORT, 0);
	assert_bind(AF_INET, SOCK_STREAM, "0.0.0.0", NODE_PORT + 1, 0);
	assert_bind(AF_INET, SOCK_DGRAM, "0.0.0.0", NODE_PORT, 0);
	assert_bind(AF_INET, SOCK_STREAM, "0.0.0.0", 0, 0);
}

/* ---- other namespaces ---- */

static int run_inside(struct world *world, int (*fn)(void *data, GError **error))
{
	int fd = netns_create(NULL);
	int result;

	assert_true(fd >= 0);
	result = netns_run(fd, fn, world, NULL);
	close(fd);
	return result;
}

static int bring_up(void)
{
	struct netlink *inside = netlink_new(NULL);
	int err;

	link_append_up(inside, 1);
	err = netlink_send(inside, NULL, NULL, NULL);
	netlink_free(inside);
	return err;
}

/* 0: what the pod has bound is reached by the service's name. */
static int call_service(void *data, GError **error)
{
	struct world *world = data;
	uint16_t port;
	int server, client, err;

	assert_int_equal(bring_up(), 0);
	server = server_new(AF_INET, SOCK_STREAM, "127.0.0.1", &port);
	client = socket_new(AF_INET, SOCK_STREAM);
	put_backend(world, 1, "127.0.0.1", port, IPPROTO_TCP);
	err = connect_to(client, AF_INET, VIP4, 80);
	close(client);
	close(server);
	return err;
}

static void test_pods(void **state)
{
	struct world *world = *state;

	put_frontend(world, VIP4, 80, IPPROTO_TCP, cluster_ip);
	assert_int_equal(run_inside(world, call_service), 0);
	if (!host_is_known(world))
		skip();
	world->config.node.enable_socket_lb_pods = 0;
	restart(world);
	cgroup_attach_all(world);
	assert_int_equal(run_inside(world, call_service), -ENETUNREACH);
}

/* Its loopback address is its own, its ports too. */
static int bind_and_call_node_port(void *data, GError **error)
{
	int client = socket_new(AF_INET, SOCK_STREAM);
	int err;

	assert_int_equal(bring_up(), 0);
	assert_bind(AF_INET, SOCK_STREAM, "0.0.0.0", NODE_PORT, 0);
	err = connect_to(client, AF_INET, "127.0.0.1", NODE_PORT);
	close(client);
	return err;
}

/* Whatever it calls itself; 0.0.0.0 and :: are loopback addresses to who connects. */
static int call_own_server(void *data, GError **error)
{
	static const struct way itself[] = {{AF_INET, "127.0.0.1"},
					    {AF_INET, "0.0.0.0"},
					    {AF_INET6, "::1"},
					    {AF_INET6, "::"},
					    {AF_INET6, "0.0.0.0"}};
	int server = socket_new(AF_INET6, SOCK_STREAM);

	assert_int_equal(bring_up(), 0);
	assert_int_equal(bind_to(server, AF_INET6, "::", NODE_PORT), 0);
	assert_int_equal(listen(server, G_N_ELEMENTS(itself)), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(itself); i++) {
		int client = socket_new(itself[i].family, SOCK_STREAM);

		assert_int_equal(connect_to(client, itself[i].family, itself[i].vip, NODE_PORT), 0);
		close(client);
	}
	close(server);
	return 0;
}

static void test_pods_have_their_own_loopback(void **state)
{
	struct world *world = *state;
	uint16_t port;
	int server = server_new(AF_INET, SOCK_STREAM, "127.0.0.1", &port);

	put_frontend(world, "0.0.0.0", NODE_PORT, IPPROTO_TCP, node_port);
	put_frontend(world, "::", NODE_PORT, IPPROTO_TCP, node_port);
	put_backend(world, 1, "127.0.0.1", port, IPPROTO_TCP);
	if (!host_is_known(world))
		skip();
	assert_int_equal(run_inside(world, bind_and_call_node_port), -ECONNREFUSED);
	assert_int_equal(run_inside(world, call_own_server), 0);
	close(server);
}

/* The namespace is an endpoint's: affinity goes by its address, and what it skips is left alone. */
static int call_as_endpoint(void *data, GError **error)
{
	struct world *world = data;
	struct lb_netns_key key = {0};
	struct lb_netns netns = {.addr4 = addr_of("10.200.1.7"), .endpoint = 70};
	struct lb_affinity_key affinity_key = {.client = netns.addr4, .service = SERVICE};
	struct lb_affinity affinity;
	struct lb_skip_key skip_key = {
		.addr = addr_of(VIP4), .port = htons(80), .protocol = IPPROTO_TCP, .endpoint = 70};
	struct lb_skip skipped = {0};
	uint64_t cookie;

	assert_int_equal(netns_get_cookie(&cookie), 0);
	key.cookie = cookie;
	put(world, PLAN_MAP_cilium_lb_netns, &key, &netns);
	assert_int_equal(call_service(world, NULL), 0);
	assert_int_equal(world->dp->ops->map_get(world->dp, PLAN_MAP_cilium_lb_affinity,
						 &affinity_key, &affinity),
			 0);
	assert_int_equal(affinity.backend, 1);
	put(world, PLAN_MAP_cilium_skip_lb, &skip_key, &skipped);
	return call_service(world, NULL);
}

static void test_endpoints(void **state)
{
	struct world *world = *state;
	struct lb_frontend sticky = cluster_ip;

	sticky.affinity_timeout = 100;
	put_frontend(world, VIP4, 80, IPPROTO_TCP, sticky);
	if (!world->config.node.host_netns_cookie)
		skip();
	assert_int_equal(run_inside(world, call_as_endpoint), -ENETUNREACH);
}

#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_sockets, tear_down_sockets)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(test_tcp),
		SOCKET_TEST(test_udp),
		SOCKET_TEST(test_nobody_there),
		SOCKET_TEST(test_node_ports),
		SOCKET_TEST(test_bind_is_refused),
		SOCKET_TEST(test_pods),
		SOCKET_TEST(test_pods_have_their_own_loopback),
		SOCKET_TEST(test_endpoints),
	};

	return CGROUP_RUN(tests);
}
