/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connected TCP and UDP sockets of a network namespace, and their end (Linux 4.9 with
 * CONFIG_INET_DIAG_DESTROY): whoever waits in one gets ECONNABORTED, and the other side of TCP a reset.
 */
#pragma once

#include <linux/inet_diag.h>
#include <stddef.h>
#include <stdint.h>
#include "abi/types.h"
#include "src/base/error.h"

struct sock_diag;

/* Of the namespace of the calling thread, for good. NULL and *error where the kernel refuses. */
struct sock_diag *sock_diag_new(GError **error);
void sock_diag_free(struct sock_diag *diag); /* takes NULL */

struct sock_diag_socket {
	uint64_t cookie; /* as BPF programs see it */
	struct addr peer;
	uint16_t peer_port; /* host byte order */
	uint8_t protocol;   /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t family;     /* an IPv6 socket may have an IPv4 peer */
	struct inet_diag_sockid id;
};

/* Calls fn with each connected socket of family and protocol. 0 or −errno. */
NODISCARD int sock_diag_foreach(struct sock_diag *diag, int family, int protocol,
				void (*fn)(const struct sock_diag_socket *socket, void *data),
				void *data);
/*
 * Ends sockets. One that has gone meanwhile counts as ended. *ret_n_failed: how many are there still; 0, or
 * −errno of the first of these: −EOPNOTSUPP where the kernel was built without it.
 */
NODISCARD int sock_diag_end(struct sock_diag *diag, const struct sock_diag_socket *sockets,
			    size_t n_sockets, size_t *ret_n_failed);
