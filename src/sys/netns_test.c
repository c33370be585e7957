// SPDX-License-Identifier: Apache-2.0
/* Runs as root, in network namespaces of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <unistd.h>
#include "src/sys/link.h"
#include "src/sys/netns.h"

static int setup(void **state)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	return 0;
}

static int compare_with_own(void *data, GError **error)
{
	int own_fd = netns_open_own(error);
	bool equal = own_fd >= 0 && netns_equal(own_fd, *(int *)data);

	close(own_fd);
	return equal ? 0 : -EXDEV;
}

static void test_run_goes_in_and_comes_back(void **state)
{
	int before_fd = netns_open_own(NULL);
	int fd = netns_create(NULL);

	assert_true(fd >= 0);
	assert_false(netns_equal(fd, before_fd));
	assert_int_equal(compare_with_own(&before_fd, NULL), 0);
	assert_int_equal(netns_run(fd, compare_with_own, &fd, NULL), 0);
	assert_int_equal(compare_with_own(&before_fd, NULL), 0);
	/* A failure of the function is handed on, and the way back is the same. */
	assert_int_equal(netns_run(fd, compare_with_own, &before_fd, NULL), -EXDEV);
	assert_int_equal(compare_with_own(&before_fd, NULL), 0);
	close(fd);
	close(before_fd);
}

static void test_netlink_stays_in_its_namespace(void **state)
{
	int fd = netns_create(NULL);
	struct netlink *inside = netns_netlink_new(fd, NULL);
	struct netlink *here = netlink_new(NULL);
	struct link_veth veth = {
		.name = "in1",
		.peer_name = "in2",
		.mac = {{2, 0, 0, 0, 0, 1}},
		.peer_mac = {{2, 0, 0, 0, 0, 2}},
		.mtu = 1500,
		.peer_netns_fd = -1,
		.up = true,
	};
	struct link_info link;

	link_append_veth(inside, &veth);
	assert_int_equal(netlink_send(inside, NULL, NULL, NULL), 0);
	assert_int_equal(link_get_by_name(inside, "in1", &link, NULL), 0);
	assert_int_equal(link_get_by_name(here, "in1", &link, NULL), -ENODEV);
	netlink_free(inside);
	netlink_free(here);
	close(fd);
}

static void test_what_is_no_namespace_is_refused(void **state)
{
	assert_int_equal(netns_open_path("/etc/hostname", NULL), -EINVAL);
	assert_int_equal(netns_open_path("/proc/self/ns/mnt", NULL), -EINVAL);
	assert_int_equal(netns_open_path("/nowhere", NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_goes_in_and_comes_back),
		cmocka_unit_test(test_netlink_stays_in_its_namespace),
		cmocka_unit_test(test_what_is_no_namespace_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
