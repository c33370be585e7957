/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses the node may hand out, and which is next. Pools are the node's pod CIDRs; the first
 * and the last address of a pool (network and broadcast) belong to nobody, except in pools of one or two
 * addresses. Allocation goes round the pools, so that a released address comes back as late as possible;
 * while it rests (IPAM_REST_NS) it is taken only when there is no other: refusing a container would be
 * worse, as connections of the one before are dead by generation.
 */
#pragma once

#include "src/derive/config.h"
#include "src/model/ip_allocation.h"
#include "src/store/tables.h"

#define IPAM_REST_NS (30 * G_GINT64_CONSTANT(1000000000))

/*
 * The pools of one family: pod CIDRs of this node in order, from the strongest source that has any. GArray
 * of struct cidr; unref it.
 */
GArray *ipam_get_pools(const struct tables *tables, const struct derive_config *config, bool v4);

/* "10.0.0.0/24, 10.1.0.0/24". Free with g_free. */
char *ipam_format_pools(const GArray *pools);
/* How many addresses the pools have to hand out; UINT64_MAX where they are more than that. */
uint64_t ipam_n_addresses(const GArray *pools);
/* True when the address may be handed out from one of the pools. */
bool ipam_pools_contain(const GArray *pools, const struct addr *addr);
/* The first address of the first pool: the router's. False where there is none. */
bool ipam_first_addr(const GArray *pools, struct addr *ret_addr);

/*
 * The next address after cursor (zero: from the start) that nobody has: neither in ip_allocations nor an
 * address of a node in ipcache. 0, or −EADDRNOTAVAIL when every one is taken.
 */
NODISCARD int ipam_pick(const GArray *pools, const struct tables *tables, const struct addr *cursor,
			struct addr *ret_addr);
/* An address of this node or of another, and so of no endpoint. */
bool ipam_is_node_addr(const struct tables *tables, const struct addr *addr);
