/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF programs on a device: cls_bpf filters of a clsact qdisc, and tcx links (Linux 6.6). Filters are
 * in direct-action mode, for every protocol, always under the same priority and handle: so putting one
 * where there is one replaces its program without a gap.
 */
#pragma once

#include <net/if.h>
#include "src/sys/netlink.h"

enum tc_hook {
	TC_HOOK_INGRESS,
	TC_HOOK_EGRESS,
	TC_HOOK__MAX,
};

/* tc filter show prints: pref 1 … handle 0x1 cil_from_container */
#define TC_FILTER_PRIORITY 1
#define TC_FILTER_HANDLE   1

#define TC_NAME_BYTES 64

struct tc_filter {
	uint32_t ifindex;
	enum tc_hook hook;
	uint32_t program_id;
	char name[TC_NAME_BYTES]; /* as given when it was put */
};

/* Makes the device's clsact qdisc where it has none. */
void tc_append_clsact(struct netlink *nl, uint32_t ifindex);
/* And its filters. −EINVAL or −ENOENT where there is none. */
void tc_append_clsact_delete(struct netlink *nl, uint32_t ifindex);

/* Of others too. */
struct tc_qdisc {
	uint32_t ifindex;
	bool is_root;
	bool is_ingress; /* "ingress" or "clsact": a device has one of the two */
	char kind[IFNAMSIZ];
};

/* Decodes RTM_NEWQDISC or RTM_DELQDISC. 0 or −EBADMSG. */
NODISCARD int tc_qdisc_decode(const struct nlmsghdr *message, struct tc_qdisc *ret_qdisc);
/* Of a root qdisc: packets wait in it. "" is no qdisc. */
bool tc_qdisc_is_queue(const char *kind);
/* −ENOENT where the device has neither ingress nor clsact; −ENODEV. */
NODISCARD int tc_ingress_get(struct netlink *nl, uint32_t ifindex, struct tc_qdisc *ret_qdisc,
			     GError **error);
/* Indexes of the devices that have a qdisc of the kind: uint32_t, owned by the caller. */
NODISCARD int tc_qdisc_dump(struct netlink *nl, const char *kind, GArray **ret_ifindexes,
			    GError **error);

/* Puts the program there, instead of the one that is there. */
void tc_append_filter(struct netlink *nl, uint32_t ifindex, enum tc_hook hook, int program_fd,
		      const char *name);
void tc_append_filter_delete(struct netlink *nl, uint32_t ifindex, enum tc_hook hook);
/* Our filter. 0; −ENOENT where there is none or it is not cls_bpf; −ENODEV. */
NODISCARD int tc_filter_get(struct netlink *nl, uint32_t ifindex, enum tc_hook hook,
			    struct tc_filter *ret_filter, GError **error);
/* Filters of whatever kind on both hooks, or −errno. */
NODISCARD int tc_filter_count(struct netlink *nl, uint32_t ifindex, GError **error);

/* Whether this kernel has tcx. */
bool tcx_is_supported(void);
/* A new link, behind those that are there. Owned descriptor, or −errno. */
NODISCARD int tcx_link_new(uint32_t ifindex, enum tc_hook hook, int program_fd);

struct tcx_link_info {
	uint32_t ifindex; /* 0: the device is gone */
	enum tc_hook hook;
	uint32_t program_id;
};

/* 0; −EINVAL where the descriptor is not that of a tcx link. */
NODISCARD int tcx_link_get(int link_fd, struct tcx_link_info *ret_info);
