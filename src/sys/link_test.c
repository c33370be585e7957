// SPDX-License-Identifier: Apache-2.0
/* Runs as root, in network namespaces of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include "src/sys/link.h"
#include "src/sys/netns.h"

#define MAC_A ((struct mac){{0x02, 0, 0, 0, 0, 0xa}})
#define MAC_B ((struct mac){{0x02, 0, 0, 0, 0, 0xb}})

struct fixture {
	int other_fd;
	struct netlink *nl;
	struct netlink *other;
};

static int setup(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fixture->other_fd = netns_create(NULL);
	assert_true(fixture->other_fd >= 0);
	fixture->nl = netlink_new(NULL);
	fixture->other = netns_netlink_new(fixture->other_fd, NULL);
	assert_non_null(fixture->nl);
	assert_non_null(fixture->other);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	netlink_free(fixture->nl);
	netlink_free(fixture->other);
	close(fixture->other_fd);
	g_free(fixture);
	return 0;
}

static struct link_veth veth_of(const struct fixture *fixture)
{
	return (struct link_veth){
		.name = "lxctest",
		.peer_name = "eth0",
		.mac = MAC_A,
		.peer_mac = MAC_B,
		.mtu = 1450,
		.peer_netns_fd = fixture->other_fd,
		.up = true,
	};
}

static void make_veth(struct fixture *fixture)
{
	struct link_veth veth = veth_of(fixture);

	link_append_veth(fixture->nl, &veth);
	assert_int_equal(netlink_send(fixture->nl, NULL, NULL, NULL), 0);
}

static void test_veth_has_its_peer_in_the_other_namespace(void **state)
{
	struct fixture *fixture = *state;
	struct link_info here, there;

	make_veth(fixture);
	assert_int_equal(link_get_by_name(fixture->nl, "lxctest", &here, NULL), 0);
	assert_int_equal(link_get_by_index(fixture->other, here.peer_ifindex, &there, NULL), 0);
	assert_string_equal(there.name, "eth0");
	assert_string_equal(here.kind, "veth");
	assert_int_equal(there.peer_ifindex, here.ifindex);
	assert_int_equal(here.mtu, 1450);
	assert_int_equal(there.mtu, 1450);
	assert_memory_equal(&here.mac, &MAC_A, sizeof(struct mac));
	assert_memory_equal(&there.mac, &MAC_B, sizeof(struct mac));
	assert_true(here.flags & IFF_UP);
	assert_false(there.flags & IFF_UP);
	assert_int_equal(link_get_by_name(fixture->nl, "eth0", &there, NULL), -ENODEV);
}

static void test_a_taken_peer_name_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct link_veth veth = veth_of(fixture);
	struct link_info link;
	GError *error = NULL;

	make_veth(fixture);
	veth.name = "lxcsecond";
	link_append_veth(fixture->nl, &veth);
	assert_int_equal(netlink_send(fixture->nl, NULL, NULL, &error), -EEXIST);
	assert_non_null(strstr(error->message, "lxcsecond and eth0"));
	assert_int_equal(error->code, EEXIST);
	g_error_free(error);
	assert_int_equal(link_get_by_name(fixture->nl, "lxcsecond", &link, NULL), -ENODEV);
}

static void test_batch_reports_the_first_failure_and_does_the_rest(void **state)
{
	struct fixture *fixture = *state;
	struct link_info link;
	GError *error = NULL;

	make_veth(fixture);
	assert_int_equal(link_get_by_name(fixture->other, "eth0", &link, NULL), 0);
	link_append_up(fixture->other, 4711);
	link_append_mtu(fixture->other, link.ifindex, 10);
	link_append_up(fixture->other, link.ifindex);
	assert_int_equal(netlink_send(fixture->other, NULL, NULL, &error), -ENODEV);
	assert_non_null(strstr(error->message, "setting device 4711 up"));
	g_clear_error(&error);
	assert_int_equal(link_get_by_name(fixture->other, "eth0", &link, NULL), 0);
	assert_true(link.flags & IFF_UP);

	/* The kernel's own explanation is part of the text. */
	link_append_mtu(fixture->other, link.ifindex, 10);
	assert_int_equal(netlink_send(fixture->other, NULL, NULL, &error), -EINVAL);
	assert_non_null(strstr(error->message, "mtu less than device minimum"));
	g_error_free(error);
}

static void test_changes_of_a_link(void **state)
{
	struct fixture *fixture = *state;
	struct link_info link;

	make_veth(fixture);
	assert_int_equal(link_get_by_name(fixture->other, "eth0", &link, NULL), 0);
	link_append_alias(fixture->other, "eth0", "default/web");
	link_append_mtu(fixture->other, link.ifindex, 9000);
	link_append_up(fixture->other, link.ifindex);
	assert_int_equal(netlink_send(fixture->other, NULL, NULL, NULL), 0);
	assert_int_equal(link_get_by_index(fixture->other, link.ifindex, &link, NULL), 0);
	assert_string_equal(link.alias, "default/web");
	assert_int_equal(link.mtu, 9000);
	assert_true(link.flags & IFF_UP);
}

static void test_dump_and_delete(void **state)
{
	struct fixture *fixture = *state;
	g_autoptr(GArray) before = NULL;
	g_autoptr(GArray) after = NULL;
	struct link_info link;

	make_veth(fixture);
	assert_int_equal(link_dump(fixture->nl, &before, NULL), 0);
	assert_int_equal(before->len, 2); /* lo and this */
	link_append_delete_by_name(fixture->nl, "lxctest");
	assert_int_equal(netlink_send(fixture->nl, NULL, NULL, NULL), 0);
	assert_int_equal(link_dump(fixture->nl, &after, NULL), 0);
	assert_int_equal(after->len, 1);
	assert_int_equal(link_get_by_name(fixture->other, "eth0", &link, NULL), -ENODEV);
	link_append_delete_by_name(fixture->nl, "lxctest");
	assert_int_equal(netlink_send(fixture->nl, NULL, NULL, NULL), -ENODEV);
}

static bool count_link(const struct nlmsghdr *message, void *data)
{
	struct link_info link;

	if (message->nlmsg_type == RTM_NEWLINK && !link_decode(message, &link) &&
	    !strcmp(link.name, "lxctest"))
		++*(int *)data;
	return true;
}

static void test_listener_hears_of_new_links(void **state)
{
	struct fixture *fixture = *state;
	struct netlink *listener =
		netlink_new_listener((const unsigned int[]){RTNLGRP_LINK}, 1, NULL);
	int n_links = 0;

	assert_int_equal(netlink_receive(listener, count_link, &n_links), 0);
	assert_int_equal(n_links, 0);
	make_veth(fixture);
	assert_int_equal(netlink_receive(listener, count_link, &n_links), 0);
	assert_true(n_links > 0);
	netlink_free(listener);
}

static void test_listener_says_when_events_were_lost(void **state)
{
	struct fixture *fixture = *state;
	struct netlink *listener =
		netlink_new_listener((const unsigned int[]){RTNLGRP_LINK}, 1, NULL);
	int size = 1;
	int n_links = 0;

	/* The kernel makes it 2 KB or so: room for very few events. */
	assert_int_equal(
		setsockopt(netlink_fd(listener), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	make_veth(fixture);
	for (int i = 0; i < 20; i++) {
		link_append_delete_by_name(fixture->nl, "lxctest");
		assert_int_equal(netlink_send(fixture->nl, NULL, NULL, NULL), 0);
		make_veth(fixture);
	}
	assert_int_equal(netlink_receive(listener, count_link, &n_links), -ENOBUFS);
	assert_int_equal(netlink_receive(listener, count_link, &n_links), 0);
	netlink_free(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_veth_has_its_peer_in_the_other_namespace,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_taken_peer_name_leaves_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_batch_reports_the_first_failure_and_does_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_of_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_and_delete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listener_hears_of_new_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listener_says_when_events_were_lost, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
