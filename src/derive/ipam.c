/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/ipam.h"

#include <string.h>
#include "abi/ipcache.h"
#include "src/derive/node.h"
#include "src/model/ipcache_entry.h"

/*
 * A pool as numbers: usable addresses are first..last, both included, counted in the low 64 bits. What
 * a pool larger than that has beyond is not used.
 */
struct range {
	struct cidr cidr;
	uint64_t first;
	uint64_t last;
};

static uint64_t low_half(const struct addr *addr)
{
	uint64_t half;

	memcpy(&half, addr->bytes + 8, sizeof(half));
	return GUINT64_FROM_BE(half);
}

static struct addr with_low_half(const struct addr *addr, uint64_t half)
{
	struct addr result = *addr;

	half = GUINT64_TO_BE(half);
	memcpy(result.bytes + 8, &half, sizeof(half));
	return result;
}

static struct range range_of(const struct cidr *cidr)
{
	unsigned int n_host_bits = MIN(128u - cidr->prefix_len, 64u);
	uint64_t span = n_host_bits == 64 ? UINT64_MAX : (UINT64_C(1) << n_host_bits) - 1;
	uint64_t base = low_half(&cidr->addr);
	struct range range = {.cidr = *cidr, .first = base, .last = base + span};

	if (n_host_bits > 1) {
		range.first++;
		range.last--;
	}
	return range;
}

static struct range range_at(const GArray *pools, unsigned int i)
{
	return range_of(&g_array_index(pools, struct cidr, i));
}

static void append_cidrs(GArray *cidrs, const struct node *node, bool v4)
{
	for (unsigned int i = 0; node && i < node->pod_cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(node->pod_cidrs, struct cidr, i);

		if (cidr_is_v4(cidr) == v4)
			g_array_append_val(cidrs, *cidr);
	}
}

GArray *ipam_get_pools(const struct tables *tables, const struct derive_config *config, bool v4)
{
	const char *const kinds[] = {"CiliumNode", "Node"};
	GArray *cidrs = g_array_new(false, false, sizeof(struct cidr));

	if (!(v4 ? config->enable_ipv4 : config->enable_ipv6))
		return cidrs;
	for (unsigned int i = 0; i < G_N_ELEMENTS(kinds) && !cidrs->len; i++) {
		const char *kind = kinds[config->prefer_node_cidrs ? 1 - i : i];

		append_cidrs(cidrs, node_find(tables, kind, config->node_name), v4);
	}
	if (!cidrs->len)
		g_array_append_val(cidrs, *(v4 ? &config->ipv4_range : &config->ipv6_range));
	return cidrs;
}

char *ipam_format_pools(const GArray *pools)
{
	GString *text = g_string_new(NULL);
	char buffer[CIDR_TEXT_BYTES];

	for (unsigned int i = 0; i < pools->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "",
				       cidr_format(&g_array_index(pools, struct cidr, i), buffer));
	return g_string_free(text, false);
}

uint64_t ipam_n_addresses(const GArray *pools)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < pools->len; i++) {
		struct range range = range_at(pools, i);
		uint64_t n = range.last - range.first;

		if (n >= UINT64_MAX - 1 - sum)
			return UINT64_MAX;
		sum += n + 1;
	}
	return sum;
}

static bool range_contains(const struct range *range, const struct addr *addr)
{
	return cidr_contains(&range->cidr, addr) && low_half(addr) >= range->first &&
	       low_half(addr) <= range->last;
}

/* Index of the pool that has the address; pools->len where none has. */
static unsigned int find_pool(const GArray *pools, const struct addr *addr)
{
	unsigned int i;

	for (i = 0; i < pools->len; i++) {
		struct range range = range_at(pools, i);

		if (range_contains(&range, addr))
			break;
	}
	return i;
}

bool ipam_pools_contain(const GArray *pools, const struct addr *addr)
{
	return find_pool(pools, addr) < pools->len;
}

bool ipam_first_addr(const GArray *pools, struct addr *ret_addr)
{
	struct range range;

	if (!pools->len)
		return false;
	range = range_at(pools, 0);
	*ret_addr = with_low_half(&range.cidr.addr, range.first);
	return true;
}

bool ipam_is_node_addr(const struct tables *tables, const struct addr *addr)
{
	struct cidr cidr = cidr_from_addr(addr);
	const struct ipcache_entry *entry =
		(const struct ipcache_entry *)table_get(tables->ipcache, &cidr, CIDR_KEY_BYTES);

	return entry && (entry->flags & (IPCACHE_F_LOCAL_HOST | IPCACHE_F_REMOTE_NODE));
}

static bool is_free(const struct tables *tables, const struct addr *addr)
{
	return !table_get(tables->ip_allocations, addr, sizeof(*addr)) &&
	       !ipam_is_node_addr(tables, addr);
}

/*
 * The first free address in first..last of the range. As many steps as there are allocations and node
 * addresses suffice to find one, however large the pool is.
 */
static bool pick_between(const struct range *range, uint64_t first, uint64_t last,
			 const struct tables *tables, struct addr *ret_addr)
{
	for (uint64_t low = first; low >= first && low <= last; low++) {
		struct addr addr = with_low_half(&range->cidr.addr, low);

		if (is_free(tables, &addr)) {
			*ret_addr = addr;
			return true;
		}
		if (low == UINT64_MAX)
			break;
	}
	return false;
}

struct rest {
	const GArray *pools;
	const struct tables *tables;
	const struct ip_allocation *longest;
};

static bool take_longest_rested(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct rest *rest = data;

	if (allocation->released_ns && ipam_pools_contain(rest->pools, &allocation->addr) &&
	    !ipam_is_node_addr(rest->tables, &allocation->addr) &&
	    (!rest->longest || allocation->released_ns < rest->longest->released_ns))
		rest->longest = allocation;
	return true;
}

static int pick_rested(const GArray *pools, const struct tables *tables, struct addr *ret_addr)
{
	struct rest rest = {.pools = pools, .tables = tables};

	table_foreach (tables->ip_allocations, take_longest_rested, &rest)
		;
	if (!rest.longest)
		return -EADDRNOTAVAIL;
	*ret_addr = rest.longest->addr;
	return 0;
}

int ipam_pick(const GArray *pools, const struct tables *tables, const struct addr *cursor,
	      struct addr *ret_addr)
{
	unsigned int start = find_pool(pools, cursor);
	struct range range;

	if (start < pools->len) {
		range = range_at(pools, start);
		if (low_half(cursor) < range.last &&
		    pick_between(&range, low_half(cursor) + 1, range.last, tables, ret_addr))
			return 0;
	}
	for (unsigned int i = 1; i <= pools->len; i++) {
		unsigned int at = start < pools->len ? (start + i) % pools->len : i - 1;

		range = range_at(pools, at);
		if (pick_between(&range, range.first, range.last, tables, ret_addr))
			return 0;
	}
	return pick_rested(pools, tables, ret_addr);
}
