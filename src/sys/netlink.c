// SPDX-License-Identifier: Apache-2.0
#include "src/sys/netlink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel fills up to 32 KB with one read of a dump. */
#define RECEIVE_BYTES (32 * 1024)

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq; /* of the last message appended */
	uint32_t n_messages;
	struct nlmsghdr *last;
	char *what[NETLINK_BATCH_MAX];
	char batch[NETLINK_BATCH_MAX * NETLINK_MESSAGE_MAX_BYTES];
	char reply[RECEIVE_BYTES];
};

/* Forgets the batch. */
static void discard(struct netlink *nl)
{
	for (uint32_t i = 0; i < nl->n_messages; i++)
		g_clear_pointer(&nl->what[i], g_free);
	nl->n_messages = 0;
	nl->last = NULL;
}

static struct netlink *open_socket(int flags, GError **error)
{
	struct netlink *nl = g_new0(struct netlink, 1);
	int on = 1;

	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error_set_errno(error, errno, "opening a netlink socket");
		netlink_free(nl);
		return NULL;
	}
	/* Without them (before Linux 4.20) texts are shorter and dumps longer, and nothing is
	 * wrong. */
	mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return nl;
}

struct netlink *netlink_new(GError **error)
{
	return open_socket(0, error);
}

struct netlink *netlink_new_listener(const unsigned int *groups, size_t n_groups, GError **error)
{
	struct netlink *nl = open_socket(SOCK_NONBLOCK, error);

	for (size_t i = 0; nl && i < n_groups; i++) {
		int group = (int)groups[i];

		if (mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0) {
			error_set_errno(error, errno, "joining netlink group %d", group);
			netlink_free(nl);
			nl = NULL;
		}
	}
	return nl;
}

void netlink_free(struct netlink *nl)
{
	if (!nl)
		return;
	discard(nl);
	if (nl->socket)
		mnl_socket_close(nl->socket);
	g_free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

/* Where the next message of the batch begins. */
static char *batch_end(struct netlink *nl)
{
	if (!nl->last)
		return nl->batch;
	return (char *)nl->last + MNL_ALIGN(nl->last->nlmsg_len);
}

struct nlmsghdr *netlink_append(struct netlink *nl, uint16_t type, uint16_t flags,
				const char *what_format, ...)
{
	char *place = batch_end(nl);
	va_list arguments;

	g_assert(nl->n_messages < NETLINK_BATCH_MAX);
	g_assert(place + NETLINK_MESSAGE_MAX_BYTES <= nl->batch + sizeof(nl->batch));
	va_start(arguments, what_format);
	nl->what[nl->n_messages++] = g_strdup_vprintf(what_format, arguments);
	va_end(arguments);

	nl->last = mnl_nlmsg_put_header(place);
	nl->last->nlmsg_type = type;
	nl->last->nlmsg_flags = NLM_F_REQUEST | flags;
	nl->last->nlmsg_seq = ++nl->seq;
	return nl->last;
}

static int send_batch(struct netlink *nl, GError **error)
{
	size_t n_bytes = (size_t)(batch_end(nl) - nl->batch);
	ssize_t sent;

	do
		sent = mnl_socket_sendto(nl->socket, nl->batch, n_bytes);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? error_set_errno(error, errno, "sending to netlink") : 0;
}

/* Bytes received, or −errno. */
static ssize_t receive(struct netlink *nl, int flags)
{
	ssize_t n_bytes;

	do
		n_bytes = recv(netlink_fd(nl), nl->reply, sizeof(nl->reply), flags | MSG_TRUNC);
	while (n_bytes < 0 && errno == EINTR);
	if (n_bytes < 0)
		return -errno;
	return (size_t)n_bytes > sizeof(nl->reply) ? -EMSGSIZE : n_bytes;
}

/* The kernel's explanation in an error message, or NULL. Its length is checked by netlink_parse. */
static const char *extended_text(const struct nlmsghdr *message)
{
	const struct nlattr *table[NLMSGERR_ATTR_MAX + 1];
	const struct nlmsgerr *failure = mnl_nlmsg_get_payload(message);
	size_t n_header_bytes = sizeof(*failure);

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		n_header_bytes += failure->msg.nlmsg_len - sizeof(struct nlmsghdr);
	netlink_parse(message, n_header_bytes, table, NLMSGERR_ATTR_MAX);
	if (!table[NLMSGERR_ATTR_MSG] ||
	    mnl_attr_validate(table[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING))
		return NULL;
	return mnl_attr_get_str(table[NLMSGERR_ATTR_MSG]);
}

/* What one exchange is about: the messages first..last, and what has become of them. */
struct exchange {
	uint32_t first_seq;
	uint32_t last_seq;
	netlink_fn fn;
	void *data;
	bool interrupted;
	bool done;
	int status; /* of the first failure */
	GError **error;
};

static void note_failure(struct netlink *nl, struct exchange *exchange,
			 const struct nlmsghdr *message, int status)
{
	const char *what = nl->what[message->nlmsg_seq - exchange->first_seq];
	const char *text = message->nlmsg_type == NLMSG_ERROR ? extended_text(message) : NULL;

	if (exchange->status)
		return;
	exchange->status = status;
	if (text)
		error_set(exchange->error, -status, "%s: %s (%s)", what, g_strerror(-status), text);
	else
		error_set_errno(exchange->error, -status, "%s", what);
}

static void take_message(struct netlink *nl, struct exchange *exchange,
			 const struct nlmsghdr *message)
{
	/* Left over from an exchange that was given up. */
	if (message->nlmsg_seq - exchange->first_seq > exchange->last_seq - exchange->first_seq)
		return;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		exchange->interrupted = true;
	if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
		int status = 0;

		/* Both begin with the status, as a negative errno. */
		if (mnl_nlmsg_get_payload_len(message) >= sizeof(status))
			memcpy(&status, mnl_nlmsg_get_payload(message), sizeof(status));
		if (status < 0)
			note_failure(nl, exchange, message, status);
		exchange->done |= message->nlmsg_seq == exchange->last_seq;
	} else if (message->nlmsg_type >= NLMSG_MIN_TYPE && exchange->fn) {
		if (!exchange->fn(message, exchange->data))
			exchange->fn = NULL;
	}
}

static int run_exchange(struct netlink *nl, struct exchange *exchange)
{
	int error = send_batch(nl, exchange->error);

	while (!error && !exchange->done) {
		ssize_t received = receive(nl, 0);
		int n_bytes = (int)received;

		if (received < 0) {
			error = error_set_errno(exchange->error, (int)-received, "reading netlink");
			break;
		}
		for (const struct nlmsghdr *message = (const void *)nl->reply;
		     mnl_nlmsg_ok(message, n_bytes); message = mnl_nlmsg_next(message, &n_bytes))
			take_message(nl, exchange, message);
	}
	discard(nl);
	return error ? error : exchange->status;
}

static struct exchange exchange_begin(struct netlink *nl, netlink_fn fn, void *data, GError **error)
{
	return (struct exchange){
		.first_seq = nl->seq - nl->n_messages + 1,
		.last_seq = nl->seq,
		.fn = fn,
		.data = data,
		.error = error,
	};
}

int netlink_send(struct netlink *nl, netlink_fn fn, void *data, GError **error)
{
	struct exchange exchange = exchange_begin(nl, fn, data, error);

	if (!nl->last)
		return 0;
	/* A failure is always answered: one acknowledgement, of the last, is enough for the rest.
	 */
	nl->last->nlmsg_flags |= NLM_F_ACK;
	return run_exchange(nl, &exchange);
}

int netlink_dump(struct netlink *nl, netlink_fn fn, void *data, GError **error)
{
	struct exchange exchange = exchange_begin(nl, fn, data, error);
	int status = 0;

	g_assert(nl->n_messages == 1);
	status = run_exchange(nl, &exchange);
	if (!status && exchange.interrupted)
		return error_set(error, EAGAIN, "the kernel's table changed while it was read");
	return status;
}

int netlink_receive(struct netlink *nl, netlink_fn fn, void *data)
{
	bool lost = false;
	bool wanted = true;

	for (;;) {
		ssize_t received = receive(nl, MSG_DONTWAIT);
		int n_bytes = (int)received;

		/* The events behind the gap are read too, so that the socket does not wake again.
		 */
		if (received == -ENOBUFS) {
			lost = true;
			continue;
		}
		if (received == -EAGAIN)
			return lost ? -ENOBUFS : 0;
		if (received < 0)
			return (int)received;
		for (const struct nlmsghdr *message = (const void *)nl->reply;
		     mnl_nlmsg_ok(message, n_bytes); message = mnl_nlmsg_next(message, &n_bytes)) {
			if (wanted && message->nlmsg_type >= NLMSG_MIN_TYPE)
				wanted = fn(message, data);
		}
	}
}

static bool is_v4(const struct addr *addr)
{
	return addr->halves[0] == 0 && addr->words[2] == htobe32(0xffff);
}

int netlink_addr_family(const struct addr *addr)
{
	return is_v4(addr) ? AF_INET : AF_INET6;
}

void netlink_put_addr(struct nlmsghdr *message, uint16_t type, const struct addr *addr)
{
	if (is_v4(addr))
		mnl_attr_put(message, type, 4, &addr->words[3]);
	else
		mnl_attr_put(message, type, 16, addr->bytes);
}

struct addr netlink_get_addr(const struct nlattr *attr)
{
	struct addr addr = {};

	if (attr && mnl_attr_get_payload_len(attr) == 16) {
		memcpy(addr.bytes, mnl_attr_get_payload(attr), 16);
	} else if (attr && mnl_attr_get_payload_len(attr) == 4) {
		addr.words[2] = htobe32(0xffff);
		memcpy(&addr.words[3], mnl_attr_get_payload(attr), 4);
	}
	return addr;
}

void netlink_parse(const struct nlmsghdr *message, size_t n_header_bytes,
		   const struct nlattr **table, uint16_t max)
{
	const char *end = (const char *)message + message->nlmsg_len;
	const struct nlattr *attr = mnl_nlmsg_get_payload_offset(message, n_header_bytes);

	memset(table, 0, (max + 1u) * sizeof(*table));
	while ((const char *)attr < end && mnl_attr_ok(attr, (int)(end - (const char *)attr))) {
		if (mnl_attr_get_type(attr) <= max)
			table[mnl_attr_get_type(attr)] = attr;
		attr = mnl_attr_next(attr);
	}
}
