/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends the connected sockets that were translated to back ends which are gone. For a thread of its own: it
 * reads a map, goes into network namespaces, and knows nothing of the agent.
 */
#pragma once

#include "src/base/error.h"
#include "src/sys/bpf_map.h"

struct socket_namespace {
	uint16_t endpoint;
	uint64_t cookie; /* 0: not known */
	char *path;
};

struct socket_kill {
	/* cilium_lb_reverse_sk; entries of what has ended are removed. */
	const struct bpf_map_ref *map;
	GHashTable *backends; /* ids, GUINT_TO_POINTER: of those that are gone */
	/* struct socket_namespace, of endpoints; NULL: theirs go on. The thread's own is the host's. */
	GPtrArray *namespaces;
};

struct socket_kill_result {
	uint64_t n_tcp;
	uint64_t n_udp;
	uint64_t n_failed;
	char *problem; /* the first; NULL: none. g_free */
};

struct socket_namespace *socket_namespace_new(uint16_t endpoint, uint64_t cookie, const char *path);
/* For arrays. */
void socket_namespace_free(void *namespace);

/* Does what can be done, and tells what could not. */
void socket_kill_run(const struct socket_kill *kill, struct socket_kill_result *ret_result);
