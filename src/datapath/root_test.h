/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests against a real kernel share: namespaces of their own, and devices in them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/pkt_sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "src/sys/address.h"
#include "src/sys/link.h"

/*
 * The machine is the test's alone: it stays in the first network namespace, which programs on sockets take
 * for the host's where the kernel tells no cookies (Linux before 5.14).
 */
static inline bool root_test_has_machine(void)
{
	return getenv("AXONEME_TEST_MACHINE") != NULL;
}

/* Moves the process into new network and mount namespaces, which end with it. */
static inline void root_test_unshare(void)
{
	if (unshare(CLONE_NEWNS | (root_test_has_machine() ? 0 : CLONE_NEWNET)) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("a network and a mount namespace are needed");
		exit(77); /* skipped */
	}
}

static inline void root_test_send(struct netlink *nl)
{
	g_autoptr(GError) error = NULL;

	if (netlink_send(nl, NULL, NULL, &error))
		fail_msg("%s", error->message);
}

/* A veth pair, both ends up. Returns the ifindex of the first. */
static inline uint32_t root_test_add_pair(struct netlink *nl, const char *name, const char *peer)
{
	struct link_veth veth = {
		.name = name, .peer_name = peer, .mtu = 1500, .peer_netns_fd = -1, .up = true};
	struct link_info link;

	for (size_t i = 0; i < sizeof(veth.mac); i++) {
		veth.mac.bytes[i] = i ? rand() : 2;
		veth.peer_mac.bytes[i] = i ? rand() : 2;
	}
	link_append_veth(nl, &veth);
	root_test_send(nl);
	assert_int_equal(link_get_by_name(nl, peer, &link, NULL), 0);
	link_append_up(nl, link.ifindex);
	root_test_send(nl);
	assert_int_equal(link_get_by_name(nl, name, &link, NULL), 0);
	return link.ifindex;
}

/* What somebody else does to a device. type: RTM_NEWQDISC or RTM_DELQDISC. */
static inline void root_test_qdisc(struct netlink *nl, uint16_t type, uint32_t ifindex,
				   const char *kind)
{
	bool ingress = strcmp(kind, "ingress") == 0;
	struct nlmsghdr *message =
		netlink_append(nl, type, type == RTM_NEWQDISC ? NLM_F_CREATE | NLM_F_EXCL : 0,
			       "changing the qdisc %s of device %u", kind, ifindex);
	struct tcmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->tcm_ifindex = (int)ifindex;
	header->tcm_parent = ingress ? TC_H_INGRESS : TC_H_ROOT;
	header->tcm_handle = TC_H_MAKE(ingress ? TC_H_INGRESS : 0x10000U, 0);
	mnl_attr_put_strz(message, TCA_KIND, kind);
	root_test_send(nl);
}

static inline void root_test_delete(struct netlink *nl, const char *name)
{
	link_append_delete_by_name(nl, name);
	root_test_send(nl);
}

/* What the program itself never does to a device. NULL: the name stays. */
static inline void root_test_take_down(struct netlink *nl, uint32_t ifindex, const char *new_name)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_NEWLINK, 0, "taking %u down", ifindex);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifi_index = (int)ifindex;
	header->ifi_change = IFF_UP;
	if (new_name)
		mnl_attr_put_strz(message, IFLA_IFNAME, new_name);
	root_test_send(nl);
}
