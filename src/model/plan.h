/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: every object that should be in the kernel, one table a kind. Derived, compared with what is
 * there, and applied by the reconcilers of src/datapath.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/row.h"
#include "src/model/addr.h"

enum plan_map {
#define MAP(name, key, value) PLAN_MAP_##name,
#include "abi/map.def"
#undef MAP
	PLAN_MAP__MAX,
};

/* An entry of a BPF map. Key: map and key bytes, as they stand at the front of data. */
struct plan_map_entry {
	struct row row;
	uint16_t n_key_bytes; /* without the byte of the map */
	uint16_t n_value_bytes;
	uint16_t endpoint_id; /* whose object it is; 0: the node's */
	uint8_t data[];       /* enum plan_map (1 byte), key, value */
};

extern const struct row_class plan_map_entry_class;

struct plan_map_entry *plan_map_entry_new(enum plan_map map, const void *key, size_t n_key_bytes,
					  const void *value, size_t n_value_bytes,
					  uint16_t endpoint_id);

enum plan_hook {
	PLAN_HOOK_INGRESS,
	PLAN_HOOK_EGRESS,
	PLAN_HOOK_XDP,
	/* Of the root of the cgroup hierarchy; ifindex is 0. */
	PLAN_HOOK_SOCK4_CONNECT,
	PLAN_HOOK_SOCK__FIRST = PLAN_HOOK_SOCK4_CONNECT,
	PLAN_HOOK_SOCK6_CONNECT,
	PLAN_HOOK_SOCK4_SENDMSG,
	PLAN_HOOK_SOCK6_SENDMSG,
	PLAN_HOOK_SOCK4_RECVMSG,
	PLAN_HOOK_SOCK6_RECVMSG,
	PLAN_HOOK_SOCK4_GETPEERNAME,
	PLAN_HOOK_SOCK6_GETPEERNAME,
	PLAN_HOOK_SOCK_RELEASE,
	PLAN_HOOK_SOCK4_POST_BIND,
	PLAN_HOOK_SOCK6_POST_BIND,
	PLAN_HOOK__MAX,
};

static inline bool plan_hook_is_socket(uint32_t hook)
{
	return hook >= PLAN_HOOK_SOCK__FIRST && hook < PLAN_HOOK__MAX;
}

enum plan_program {
	PLAN_PROGRAM_FROM_CONTAINER,
	PLAN_PROGRAM_TO_CONTAINER,
	PLAN_PROGRAM_FROM_HOST, /* egress of cilium_host */
	PLAN_PROGRAM_FROM_NETDEV,
	PLAN_PROGRAM_TO_NETDEV,
	PLAN_PROGRAM_XDP_ENTRY,
	/* In the order of their hooks. */
	PLAN_PROGRAM_SOCK4_CONNECT,
	PLAN_PROGRAM_SOCK__FIRST = PLAN_PROGRAM_SOCK4_CONNECT,
	PLAN_PROGRAM_SOCK6_CONNECT,
	PLAN_PROGRAM_SOCK4_SENDMSG,
	PLAN_PROGRAM_SOCK6_SENDMSG,
	PLAN_PROGRAM_SOCK4_RECVMSG,
	PLAN_PROGRAM_SOCK6_RECVMSG,
	PLAN_PROGRAM_SOCK4_GETPEERNAME,
	PLAN_PROGRAM_SOCK6_GETPEERNAME,
	PLAN_PROGRAM_SOCK_RELEASE,
	PLAN_PROGRAM_SOCK4_POST_BIND,
	PLAN_PROGRAM_SOCK6_POST_BIND,
	PLAN_PROGRAM__MAX,
};

/* A program on a hook of a device, or of the cgroup hierarchy. Key: struct plan_attachment_key. */
struct plan_attachment_key {
	uint32_t ifindex;
	uint32_t hook; /* enum plan_hook */
};

struct plan_attachment {
	struct row row;
	struct plan_attachment_key key;
	enum plan_program program;
	uint16_t endpoint_id; /* 0: a device of the node */
	char *ifname;
};

extern const struct row_class plan_attachment_class;

/* A route of the main table. Key: struct cidr of the destination, 17 bytes. */
struct plan_route {
	struct row row;
	struct cidr destination;
	struct addr gateway; /* zero: on the link */
	struct addr source;  /* preferred source; zero: none */
	uint32_t mtu;        /* 0: the device's */
	uint16_t endpoint_id;
	char *ifname;
};

extern const struct row_class plan_route_class;
