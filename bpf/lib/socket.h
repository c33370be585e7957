/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Services at the sockets of this node: who calls, which front end the address is, and what a translated
 * socket is remembered by. IPv4 is ::ffff:a.b.c.d here as everywhere, as an IPv6 socket writes it too.
 */
#pragma once

#include "bpf/lib/ipcache.h"
#include "bpf/lib/service.h"

#define IPPROTO_MPTCP_NUMBER 262 /* beyond a byte; its connections are TCP's */

/* What a program of a cgroup answers. */
enum socket_verdict {
	SOCKET_REFUSE = 0,
	SOCKET_GO_ON = 1,
};

/* Where the socket is. */
struct socket_caller {
	struct addr client; /* as in struct lb_affinity_key */
	__u16 endpoint;     /* 0: of no endpoint */
	bool is_host;
};

static __always_inline struct addr addr_of_v4(__be32 word)
{
	struct addr addr = {.words = {0, 0, bpf_htonl(0xffff), word}};

	return addr;
}

/* TCP or UDP; 0: no service has such ports. */
static __always_inline __u8 socket_protocol(__u32 protocol)
{
	if (protocol == IPPROTO_MPTCP_NUMBER)
		return IPPROTO_TCP;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ? protocol : 0;
}

/* 0, from a loader that could not ask the kernel for its own: the first namespace of the machine. */
static __always_inline bool socket_netns_is_host(__u64 cookie)
{
	__u64 host = node_config.host_netns_cookie;

	return cookie == (host ? host : bpf_get_netns_cookie(NULL));
}

/* False: sockets of that namespace are left alone. */
static __always_inline bool socket_find_caller(__u64 cookie, bool v6, struct socket_caller *caller)
{
	struct lb_netns_key key = {.cookie = cookie};
	const struct lb_netns *netns;

	caller->client = (struct addr){.halves = {0, cookie}};
	caller->endpoint = 0;
	caller->is_host = socket_netns_is_host(cookie);
	if (caller->is_host)
		return true;
	if (!node_config.enable_socket_lb_pods)
		return false;
	netns = bpf_map_lookup_elem(&cilium_lb_netns, &key);
	if (!netns)
		return true;
	caller->endpoint = netns->endpoint;
	/* As the programs on devices see it, who would choose the same back end. */
	if (v6 ? netns->addr6.halves[0] || netns->addr6.halves[1] : netns->addr4.words[3] != 0)
		caller->client = v6 ? netns->addr6 : netns->addr4;
	return true;
}

static __always_inline bool socket_skips(const struct socket_caller *caller,
					 const struct addr *addr, __be16 port, __u8 protocol)
{
	struct lb_skip_key key = {
		.addr = *addr, .port = port, .protocol = protocol, .endpoint = caller->endpoint};

	return caller->endpoint && bpf_map_lookup_elem(&cilium_skip_lb, &key);
}

/* The NodePort on any address of any node. */
static __always_inline const struct lb_frontend *socket_surrogate_get(bool v6, __be16 port,
								      __u8 protocol)
{
	struct addr any = {};

	if (!v6)
		any = addr_of_v4(0);
	return service_frontend_get(&any, port, protocol);
}

/* A NodePort on an address that has no entry of its own: of another node, or the host's loopback. */
static __always_inline const struct lb_frontend *
socket_node_port_get(const struct addr *addr, __be16 port, __u8 protocol, bool is_host)
{
	const struct lb_frontend *frontend;
	const struct ipcache_info *info;

	if (!service_is_node_port(port))
		return NULL;
	frontend = socket_surrogate_get(!addr_is_mapped(addr), port, protocol);
	if (!frontend || (is_host && addr_is_loopback(addr)))
		return frontend;
	info = ipcache_get(addr);
	if (!info)
		return NULL;
	if (info->flags & IPCACHE_F_LOCAL_HOST)
		return frontend;
	/* With its own back ends only the other node knows where the packet is to go. */
	if (info->flags & IPCACHE_F_REMOTE_NODE &&
	    !(frontend->flags & LB_FRONTEND_F_EXTERNAL_LOCAL))
		return frontend;
	return NULL;
}

/* NULL: the address is no service's. */
static __always_inline const struct lb_frontend *
socket_frontend_get(const struct addr *addr, __be16 port, __u8 protocol, bool is_host)
{
	const struct lb_frontend *frontend;

	/* Who connects there means itself; the entry is that of socket_surrogate_get(). */
	if (addr_is_any(addr) && !is_host)
		return NULL;
	frontend = service_frontend_get(addr, port, protocol);
	/* The loopback addresses of an endpoint are its own. */
	if (frontend)
		return frontend->flags & LB_FRONTEND_F_LOOPBACK && !is_host ? NULL : frontend;
	frontend = socket_node_port_get(addr, port, protocol, is_host);
	return frontend ? frontend : service_wildcard_get(addr);
}

static __always_inline bool socket_is_protected(const struct lb_frontend *frontend)
{
	return frontend && frontend->type >= LB_TYPE_NODE_PORT &&
	       frontend->type <= LB_TYPE_HOST_PORT;
}

/* A host port on all addresses of the node is on the loopback address, too. */
static __always_inline bool socket_takes_host_port(bool v6, __be16 port, __u8 protocol)
{
	struct addr loopback = {.words = {0, 0, 0, bpf_htonl(1)}};

	if (!v6)
		loopback = addr_of_v4(bpf_htonl(0x7f000001));
	return socket_is_protected(service_frontend_get(&loopback, port, protocol));
}

/* Whether a socket of the host that is bound there would take what is the services'. */
static __always_inline bool socket_takes_front_end(const struct addr *addr, __be16 port,
						   __u8 protocol)
{
	if (socket_is_protected(service_frontend_get(addr, port, protocol)) ||
	    socket_is_protected(socket_node_port_get(addr, port, protocol, true)))
		return true;
	if (!addr_is_any(addr))
		return false;
	if (socket_takes_host_port(false, port, protocol))
		return true;
	if (addr_is_mapped(addr))
		return false;
	/* :: is where IPv4 comes in, too. */
	return socket_is_protected(socket_surrogate_get(false, port, protocol)) ||
	       socket_takes_host_port(true, port, protocol);
}
