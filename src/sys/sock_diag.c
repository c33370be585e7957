// SPDX-License-Identifier: Apache-2.0
#include "src/sys/sock_diag.h"

#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* Requests that are sent together: as many answers as a socket has room for. */
#define BATCH        128
#define ANSWER_BYTES (32 * 1024)

struct sock_diag {
	struct mnl_socket *socket;
	uint32_t sequence;
};

struct sock_diag *sock_diag_new(GError **error)
{
	struct sock_diag *diag = g_new0(struct sock_diag, 1);

	diag->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (diag->socket && mnl_socket_bind(diag->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return diag;
	error_set_errno(error, errno, "opening a socket of sock_diag");
	sock_diag_free(diag);
	return NULL;
}

void sock_diag_free(struct sock_diag *diag)
{
	if (!diag)
		return;
	if (diag->socket)
		mnl_socket_close(diag->socket);
	g_free(diag);
}

/* States in which a socket has a peer; a UDP socket is "established" with one. */
static uint32_t connected_states(void)
{
	return 1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 |
	       1 << TCP_CLOSE_WAIT | 1 << TCP_LAST_ACK | 1 << TCP_CLOSING;
}

static struct nlmsghdr *put_request(struct sock_diag *diag, char *buffer, uint16_t type,
				    uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++diag->sequence;
	return message;
}

static struct addr addr_of(int family, const __be32 words[4])
{
	struct addr addr = {.words = {0, 0, htonl(0xffff), words[0]}};

	if (family == AF_INET6)
		memcpy(&addr, words, sizeof(addr));
	return addr;
}

struct dump {
	int protocol;
	void (*fn)(const struct sock_diag_socket *socket, void *data);
	void *data;
};

static int on_socket(const struct nlmsghdr *message, void *data)
{
	const struct dump *dump = data;
	const struct inet_diag_msg *found = mnl_nlmsg_get_payload(message);
	struct sock_diag_socket socket;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*found))
		return MNL_CB_ERROR;
	socket = (struct sock_diag_socket){
		.cookie = (uint64_t)found->id.idiag_cookie[1] << 32 | found->id.idiag_cookie[0],
		.peer = addr_of(found->idiag_family, found->id.idiag_dst),
		.peer_port = ntohs(found->id.idiag_dport),
		.protocol = dump->protocol,
		.family = found->idiag_family,
		.id = found->id,
	};
	dump->fn(&socket, dump->data);
	return MNL_CB_OK;
}

int sock_diag_foreach(struct sock_diag *diag, int family, int protocol,
		      void (*fn)(const struct sock_diag_socket *socket, void *data), void *data)
{
	struct dump dump = {protocol, fn, data};
	unsigned int port = mnl_socket_get_portid(diag->socket);
	g_autofree char *buffer = g_malloc(ANSWER_BYTES);
	struct nlmsghdr *message = put_request(diag, buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	ssize_t n;

	request->sdiag_family = family;
	request->sdiag_protocol = protocol;
	request->idiag_states = connected_states();
	if (mnl_socket_sendto(diag->socket, message, message->nlmsg_len) < 0)
		return -errno;
	while ((n = mnl_socket_recvfrom(diag->socket, buffer, ANSWER_BYTES)) > 0) {
		int next = mnl_cb_run(buffer, n, diag->sequence, port, on_socket, &dump);

		if (next <= MNL_CB_STOP)
			return next < 0 ? -errno : 0;
	}
	return n < 0 ? -errno : -EIO;
}

/* An answer to one of the requests. */
static int count_failure(int error, size_t *n_failed, int first)
{
	/* It has ended by itself, or has another peer by now. */
	if (!error || error == -ENOENT || error == -ESTALE)
		return first;
	(*n_failed)++;
	return first ? first : error;
}

/* Until that to the last request, which is answered whatever comes of it; of the others only failures are. */
static int read_answers(struct sock_diag *diag, char *buffer, size_t *n_failed)
{
	int first = 0;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(diag->socket, buffer, ANSWER_BYTES);
		struct nlmsghdr *message = (struct nlmsghdr *)buffer;
		int n_left = n;

		if (n < 0)
			return -errno;
		for (; mnl_nlmsg_ok(message, n_left); message = mnl_nlmsg_next(message, &n_left)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

			if (message->nlmsg_type != NLMSG_ERROR)
				continue;
			first = count_failure(answer->error, n_failed, first);
			if (message->nlmsg_seq == diag->sequence)
				return first;
		}
	}
}

static void put_end(struct sock_diag *diag, const struct sock_diag_socket *socket, char *buffer,
		    bool is_last)
{
	struct nlmsghdr *message = put_request(diag, buffer, SOCK_DESTROY, is_last ? NLM_F_ACK : 0);
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(message, sizeof(*request));

	request->sdiag_family = socket->family;
	request->sdiag_protocol = socket->protocol;
	request->id = socket->id;
}

int sock_diag_end(struct sock_diag *diag, const struct sock_diag_socket *sockets, size_t n_sockets,
		  size_t *ret_n_failed)
{
	g_autofree char *buffer = g_malloc(ANSWER_BYTES);
	size_t n_message_bytes = MNL_ALIGN(mnl_nlmsg_size(sizeof(struct inet_diag_req_v2)));
	size_t n_failed = 0;
	int first = 0;

	for (size_t done = 0; done < n_sockets; done += BATCH) {
		size_t n = MIN(n_sockets - done, BATCH);
		int err;

		for (size_t i = 0; i < n; i++)
			put_end(diag, &sockets[done + i], buffer + i * n_message_bytes, i == n - 1);
		if (mnl_socket_sendto(diag->socket, buffer, n * n_message_bytes) < 0)
			err = -errno;
		else
			err = read_answers(diag, buffer, &n_failed);
		first = first ? first : err;
	}
	*ret_n_failed = n_failed;
	return first;
}
