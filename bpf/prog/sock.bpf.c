/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sockets of the node and of endpoints, in the cgroup hierarchy: where a program connects or sends to a
 * service its socket gets the address of a back end, so that no packet needs translation; what comes
 * back, and getpeername(), shows the service. And bind() keeps its hands off the services' ports.
 */
#include "bpf/lib/socket.h"

#include <linux/errno.h>

char _license[] SEC("license") __weak = "Dual BSD/GPL";

/* Each word by itself: the kernel refuses other widths at some of these members. */
#define READ(member)         (*(const volatile __u32 *)&(member))
#define WRITE(member, value) (*(volatile __u32 *)&(member) = (value))

static __always_inline void read_addr(const struct bpf_sock_addr *ctx, bool v6, struct addr *addr)
{
	if (!v6) {
		*addr = addr_of_v4(READ(ctx->user_ip4));
		return;
	}
	addr->words[0] = READ(ctx->user_ip6[0]);
	addr->words[1] = READ(ctx->user_ip6[1]);
	addr->words[2] = READ(ctx->user_ip6[2]);
	addr->words[3] = READ(ctx->user_ip6[3]);
}

static __always_inline void write_addr(struct bpf_sock_addr *ctx, bool v6, const struct addr *addr,
				       __be16 port)
{
	if (v6) {
		WRITE(ctx->user_ip6[0], addr->words[0]);
		WRITE(ctx->user_ip6[1], addr->words[1]);
		WRITE(ctx->user_ip6[2], addr->words[2]);
		WRITE(ctx->user_ip6[3], addr->words[3]);
	} else {
		WRITE(ctx->user_ip4, addr->words[3]);
	}
	WRITE(ctx->user_port, port);
}

/*
 * Where the kernel cannot be told the error, an endpoint's packet meets it on its way. The host's would
 * meet the network, which knows nothing of the address: refused with EPERM.
 */
static __always_inline int refuse(const struct socket_caller *caller)
{
	if (!node_config.has_set_retval || !node_config.reject_without_backend)
		return caller->is_host ? SOCKET_REFUSE : SOCKET_GO_ON;
	bpf_set_retval(-ECONNREFUSED);
	return SOCKET_REFUSE;
}

/* Most datagrams of a socket go where the one before went. */
static __always_inline bool remember(const struct lb_socket_key *key, const struct lb_socket *now)
{
	const struct lb_socket *before = bpf_map_lookup_elem(&cilium_lb_reverse_sk, key);

	if (before && before->backend == now->backend && before->frontend == now->frontend &&
	    addr_equal(&before->addr, &now->addr))
		return true;
	return !bpf_map_update_elem(&cilium_lb_reverse_sk, key, now, BPF_ANY);
}

/* A socket that is connected anew, to what had been the back end of a service for it, means that by itself. */
static __always_inline void forget(struct bpf_sock_addr *ctx, const struct lb_socket *direct)
{
	struct lb_socket_key key = {.addr = direct->addr, .port = direct->port};

	key.cookie = bpf_get_socket_cookie(ctx);
	bpf_map_delete_elem(&cilium_lb_reverse_sk, &key);
}

/* connect(), or sendto() of a datagram, which connects nothing. */
static __always_inline int translate(struct bpf_sock_addr *ctx, bool v6, bool connects)
{
	__u8 protocol = socket_protocol(READ(ctx->protocol));
	struct lb_socket_key key = {};
	struct lb_socket seen = {};
	const struct lb_frontend *frontend;
	const struct lb_backend *backend;
	struct socket_caller caller;

	if (!protocol || !node_config.enable_socket_lb)
		return SOCKET_GO_ON;
	read_addr(ctx, v6, &seen.addr);
	seen.port = READ(ctx->user_port);
	if (!socket_find_caller(bpf_get_netns_cookie(ctx), v6 && !addr_is_mapped(&seen.addr),
				&caller))
		return SOCKET_GO_ON;
	frontend = socket_frontend_get(&seen.addr, seen.port, protocol, caller.is_host);
	if (!frontend || socket_skips(&caller, &seen.addr, seen.port, protocol)) {
		if (connects)
			forget(ctx, &seen);
		return SOCKET_GO_ON;
	}
	if (!frontend->service)
		return refuse(&caller);
	seen.backend = service_choose(frontend, LB_SCOPE_INTERNAL, NULL, &caller.client, false);
	backend = service_backend_get(seen.backend);
	if (!backend)
		return refuse(&caller);
	seen.frontend = frontend->id;
	seen.endpoint = caller.endpoint;
	key.cookie = bpf_get_socket_cookie(ctx);
	key.addr = backend->addr;
	key.port = backend->port;
	if (remember(&key, &seen))
		write_addr(ctx, v6, &key.addr, key.port);
	return SOCKET_GO_ON;
}

/* What is a back end's address to the kernel is the service's to the program. */
static __always_inline int translate_back(struct bpf_sock_addr *ctx, bool v6)
{
	struct lb_socket_key key = {};
	const struct lb_socket *seen;

	key.cookie = bpf_get_socket_cookie(ctx);
	read_addr(ctx, v6, &key.addr);
	key.port = READ(ctx->user_port);
	seen = bpf_map_lookup_elem(&cilium_lb_reverse_sk, &key);
	if (seen)
		write_addr(ctx, v6, &seen->addr, seen->port);
	return SOCKET_GO_ON;
}

static __always_inline int protect(struct bpf_sock *ctx, const struct addr *addr)
{
	__u8 protocol = socket_protocol(READ(ctx->protocol));
	__be16 port = bpf_htons(READ(ctx->src_port));

	if (!protocol || !port || !node_config.protect_node_ports ||
	    !socket_netns_is_host(bpf_get_netns_cookie(ctx)))
		return SOCKET_GO_ON;
	return socket_takes_front_end(addr, port, protocol) ? SOCKET_REFUSE : SOCKET_GO_ON;
}

SEC("cgroup/connect4") int cil_sock4_connect(struct bpf_sock_addr *ctx)
{
	return translate(ctx, false, true);
}

SEC("cgroup/connect6") int cil_sock6_connect(struct bpf_sock_addr *ctx)
{
	return translate(ctx, true, true);
}

SEC("cgroup/sendmsg4") int cil_sock4_sendmsg(struct bpf_sock_addr *ctx)
{
	return translate(ctx, false, false);
}

SEC("cgroup/sendmsg6") int cil_sock6_sendmsg(struct bpf_sock_addr *ctx)
{
	return translate(ctx, true, false);
}

SEC("cgroup/recvmsg4") int cil_sock4_recvmsg(struct bpf_sock_addr *ctx)
{
	return translate_back(ctx, false);
}

SEC("cgroup/recvmsg6") int cil_sock6_recvmsg(struct bpf_sock_addr *ctx)
{
	return translate_back(ctx, true);
}

SEC("cgroup/getpeername4") int cil_sock4_getpeername(struct bpf_sock_addr *ctx)
{
	return translate_back(ctx, false);
}

SEC("cgroup/getpeername6") int cil_sock6_getpeername(struct bpf_sock_addr *ctx)
{
	return translate_back(ctx, true);
}

SEC("cgroup/post_bind4") int cil_sock4_post_bind(struct bpf_sock *ctx)
{
	struct addr addr = addr_of_v4(READ(ctx->src_ip4));

	return protect(ctx, &addr);
}

SEC("cgroup/post_bind6") int cil_sock6_post_bind(struct bpf_sock *ctx)
{
	struct addr addr;

	addr.words[0] = READ(ctx->src_ip6[0]);
	addr.words[1] = READ(ctx->src_ip6[1]);
	addr.words[2] = READ(ctx->src_ip6[2]);
	addr.words[3] = READ(ctx->src_ip6[3]);
	return protect(ctx, &addr);
}

/* Of a socket that sent to many, the others stay until their room is needed. */
SEC("cgroup/sock_release") int cil_sock_release(struct bpf_sock *ctx)
{
	struct lb_socket_key key = {};
	__be32 last;

	if (READ(ctx->family) == AF_INET) {
		last = READ(ctx->dst_ip4);
		branch_mark(last, 4);
		key.addr = addr_of_v4(last);
	} else {
		key.addr.words[0] = READ(ctx->dst_ip6[0]);
		key.addr.words[1] = READ(ctx->dst_ip6[1]);
		key.addr.words[2] = READ(ctx->dst_ip6[2]);
		last = READ(ctx->dst_ip6[3]);
		branch_mark(last, 6);
		key.addr.words[3] = last;
	}
	if (addr_is_any(&key.addr))
		return SOCKET_GO_ON;
	key.port = READ(ctx->dst_port);
	key.cookie = bpf_get_socket_cookie(ctx);
	bpf_map_delete_elem(&cilium_lb_reverse_sk, &key);
	return SOCKET_GO_ON;
}
