// SPDX-License-Identifier: Apache-2.0
/* Addresses and routes. Runs as root, in network namespaces of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_addr.h>
#include "src/sys/address.h"
#include "src/sys/link.h"
#include "src/sys/route.h"

#define PROTOCOL 201

static struct addr v4(const char *text)
{
	struct addr addr = {};

	addr.words[2] = htobe32(0xffff);
	assert_int_equal(inet_pton(AF_INET, text, &addr.words[3]), 1);
	return addr;
}

static struct addr v6(const char *text)
{
	struct addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, addr.bytes), 1);
	return addr;
}

static uint32_t ifindex;

static int setup(void **state)
{
	struct link_veth veth = {
		.name = "one",
		.peer_name = "two",
		.mac = {{2, 0, 0, 0, 0, 1}},
		.peer_mac = {{2, 0, 0, 0, 0, 2}},
		.mtu = 1500,
		.peer_netns_fd = -1,
		.up = true,
	};
	struct netlink *nl;
	struct link_info link;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	nl = netlink_new(NULL);
	link_append_veth(nl, &veth);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	assert_int_equal(link_get_by_name(nl, "one", &link, NULL), 0);
	ifindex = link.ifindex;
	link_append_up(nl, link.peer_ifindex);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	*state = nl;
	return 0;
}

static int teardown(void **state)
{
	netlink_free(*state);
	return 0;
}

static struct address *find_address(GArray *addresses, struct addr addr)
{
	for (unsigned int i = 0; i < addresses->len; i++) {
		struct address *address = &g_array_index(addresses, struct address, i);

		if (!memcmp(&address->addr, &addr, sizeof(addr)))
			return address;
	}
	return NULL;
}

static void add_both(struct netlink *nl)
{
	struct address address = {.ifindex = ifindex, .addr = v4("10.1.2.3"), .prefix_len = 32};

	address_append_add(nl, &address);
	address.addr = v6("fd00::3");
	address.prefix_len = 128;
	address.flags = IFA_F_NODAD;
	address_append_add(nl, &address);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
}

static void test_addresses_are_ready_at_once(void **state)
{
	struct netlink *nl = *state;
	g_autoptr(GArray) addresses = NULL;
	struct address *four, *six;

	add_both(nl);
	assert_int_equal(address_dump(nl, ifindex, &addresses, NULL), 0);
	four = find_address(addresses, v4("10.1.2.3"));
	six = find_address(addresses, v6("fd00::3"));
	assert_non_null(four);
	assert_non_null(six);
	assert_int_equal(four->prefix_len, 32);
	assert_int_equal(six->prefix_len, 128);
	assert_false(six->flags & IFA_F_TENTATIVE);
}

/* IPv6 addresses a moment after they were added: see interface_wait(). */
static void test_own_addresses_are_local(void **state)
{
	struct netlink *nl = *state;
	const struct addr own[] = {v4("10.1.2.3"), v6("fd00::3")};
	const struct addr others[] = {v4("10.1.2.4"), v6("fd00::4")};

	assert_false(route_is_local(nl, &own[0]));
	add_both(nl);
	for (int i = 0; i < 2; i++) {
		while (!route_is_local(nl, &own[i]))
			usleep(1000);
		assert_false(route_is_local(nl, &others[i]));
	}
}

static void test_dump_is_of_one_device_and_delete_deletes(void **state)
{
	struct netlink *nl = *state;
	struct address address = {.ifindex = ifindex, .addr = v4("10.1.2.3"), .prefix_len = 32};
	g_autoptr(GArray) of_lo = NULL;
	g_autoptr(GArray) all = NULL;

	add_both(nl);
	assert_int_equal(address_dump(nl, 1, &of_lo, NULL), 0);
	assert_null(find_address(of_lo, v4("10.1.2.3")));
	address_append_delete(nl, &address);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	assert_int_equal(address_dump(nl, 0, &all, NULL), 0);
	assert_null(find_address(all, v4("10.1.2.3")));
	assert_non_null(find_address(all, v6("fd00::3")));
	address_append_delete(nl, &address);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), -EADDRNOTAVAIL);
}

/* A default route by an on-link gateway and a prefix, in one family; what comes back is what went
 * in. */
static void check_routes(struct netlink *nl, struct addr zero, struct addr prefix,
			 unsigned int prefix_len, struct addr gateway, struct addr source)
{
	struct route through = {.destination = zero,
				.protocol = PROTOCOL,
				.onlink = true,
				.gateway = gateway,
				.ifindex = ifindex,
				.mtu = 1400};
	struct route on_link = {.destination = prefix,
				.prefix_len = (uint8_t)prefix_len,
				.protocol = PROTOCOL,
				.source = source,
				.ifindex = ifindex};
	g_autoptr(GArray) routes = NULL;
	g_autoptr(GArray) rest = NULL;
	const struct route *first, *second;

	route_append_replace(nl, &through);
	route_append_replace(nl, &on_link);
	on_link.mtu = 1300;
	route_append_replace(nl, &on_link);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	assert_int_equal(route_dump(nl, 0, PROTOCOL, &routes, NULL), 0);
	assert_int_equal(routes->len, 2);
	first = &g_array_index(routes, struct route, 0);
	second = &g_array_index(routes, struct route, 1);
	if (first->prefix_len) {
		second = first;
		first = &g_array_index(routes, struct route, 1);
	}
	assert_memory_equal(&first->destination, &zero, sizeof(zero));
	assert_memory_equal(&first->gateway, &gateway, sizeof(gateway));
	assert_true(first->onlink);
	assert_int_equal(first->mtu, 1400);
	assert_memory_equal(&second->destination, &prefix, sizeof(prefix));
	assert_memory_equal(&second->source, &source, sizeof(source));
	assert_int_equal(second->prefix_len, prefix_len);
	assert_int_equal(second->mtu, 1300);
	assert_int_equal(second->ifindex, ifindex);

	route_append_delete(nl, &through);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	assert_int_equal(route_dump(nl, 0, PROTOCOL, &rest, NULL), 0);
	assert_int_equal(rest->len, 1);
	route_append_delete(nl, &on_link);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	route_append_delete(nl, &on_link);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), -ESRCH);
}

static void test_routes_v4(void **state)
{
	add_both(*state);
	check_routes(*state, v4("0.0.0.0"), v4("10.9.0.0"), 16, v4("10.0.0.1"), v4("10.1.2.3"));
}

static void test_routes_v6(void **state)
{
	add_both(*state);
	check_routes(*state, (struct addr){}, v6("fd09::"), 64, v6("fd00::1"), v6("fd00::3"));
}

static void test_routes_of_a_table(void **state)
{
	struct netlink *nl = *state;
	struct route route = {.destination = v4("10.9.0.0"),
			      .prefix_len = 16,
			      .protocol = PROTOCOL,
			      .ifindex = ifindex,
			      .table = 777};
	g_autoptr(GArray) main = NULL;
	g_autoptr(GArray) own = NULL;
	g_autoptr(GArray) none = NULL;

	assert_int_equal(route_dump(nl, 777, 0, &none, NULL), 0);
	assert_int_equal(none->len, 0);
	route_append_replace(nl, &route);
	assert_int_equal(netlink_send(nl, NULL, NULL, NULL), 0);
	assert_int_equal(route_dump(nl, 0, PROTOCOL, &main, NULL), 0);
	assert_int_equal(main->len, 0);
	assert_int_equal(route_dump(nl, 777, 0, &own, NULL), 0);
	assert_int_equal(own->len, 1);
	assert_int_equal(g_array_index(own, struct route, 0).protocol, PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses_are_ready_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_addresses_are_local, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_is_of_one_device_and_delete_deletes,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes_v4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes_v6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes_of_a_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
