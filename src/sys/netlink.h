/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NETLINK_ROUTE socket. Requests are gathered in the socket and sent together: the kernel works
 *through a batch within one system call, which is what makes adding a pod cheap.
 *
 *	link_append_up(nl, ifindex);
 *	address_append_add(nl, &address);
 *	error = netlink_send(nl, NULL, NULL, &text);
 *
 * The socket belongs to the network namespace of the thread that opened it, for good (see netns.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include "abi/types.h"
#include "src/base/error.h"

/* What one batch holds at most; more is a bug of the caller. */
#define NETLINK_BATCH_MAX         32
#define NETLINK_MESSAGE_MAX_BYTES 512

struct netlink;

/* NULL and *error where the kernel refuses. */
struct netlink *netlink_new(GError **error);
/* Joins multicast groups (RTNLGRP_*), to be read with netlink_receive. */
struct netlink *netlink_new_listener(const unsigned int *groups, size_t n_groups, GError **error);
void netlink_free(struct netlink *nl); /* takes NULL */
int netlink_fd(const struct netlink *nl);

/*
 * Begins a message of the batch, to be filled with mnl_nlmsg_put_extra_header and mnl_attr_put*; it
 * is complete when the next one begins or the batch is sent. flags: NLM_F_REQUEST and NLM_F_ACK go
 * without saying. The text says what the message does, for errors: "adding 10.0.0.5/32".
 */
struct nlmsghdr *netlink_append(struct netlink *nl, uint16_t type, uint16_t flags,
				const char *what_format, ...) G_GNUC_PRINTF(4, 5);

/* Answers and events. Returning false stops the calls, not the reading. */
typedef bool (*netlink_fn)(const struct nlmsghdr *message, void *data);

/*
 * Sends the batch and waits until the kernel has done all of it. A message that fails does not keep
 * the kernel from those behind it: whoever needs all or nothing undoes what the batch has made. fn
 * (may be NULL) gets what comes back besides acknowledgements. 0, or −errno of the first failure,
 * whose text has the kernel's own explanation where it gives one.
 */
NODISCARD int netlink_send(struct netlink *nl, netlink_fn fn, void *data, GError **error);

/*
 * Sends the batch, which is one message with NLM_F_DUMP, and hands every row to fn. −EAGAIN: the
 * table changed meanwhile, so that rows may be missing or double; read again.
 */
NODISCARD int netlink_dump(struct netlink *nl, netlink_fn fn, void *data, GError **error);

/*
 * Reads the events that are there, without waiting. 0, or −ENOBUFS when the kernel had to drop
 * some: whoever keeps a copy of its tables reads them anew.
 */
NODISCARD int netlink_receive(struct netlink *nl, netlink_fn fn, void *data);

/* AF_INET or AF_INET6. */
int netlink_addr_family(const struct addr *addr);
/* Puts an address in the length of its family. */
void netlink_put_addr(struct nlmsghdr *message, uint16_t type, const struct addr *addr);
/* The attribute's address, zero where the attribute is NULL or of another length. */
struct addr netlink_get_addr(const struct nlattr *attr);

/*
 * The attributes behind a header of n_header_bytes, by type: table[0..max]. Types above max are
 * left out; a malformed message gives what precedes the fault.
 */
void netlink_parse(const struct nlmsghdr *message, size_t n_header_bytes,
		   const struct nlattr **table, uint16_t max);
