// SPDX-License-Identifier: Apache-2.0
#include "src/agent/status_private.h"

#include <inttypes.h>
#include "src/derive/ipam.h"

struct ipam_count {
	json_t *list4, *list6, *owners;
};

static bool count_allocation(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct ipam_count *count = data;
	char text[ADDR_TEXT_BYTES];

	if (allocation->released_ns)
		return true; /* resting */
	addr_format(&allocation->addr, text);
	json_array_append_new(addr_is_v4(&allocation->addr) ? count->list4 : count->list6,
			      json_string(text));
	json_object_set_new(count->owners, text, json_string(allocation->owner));
	return true;
}

static void append_family(const struct agent *agent, bool v4, size_t n, GString *status)
{
	GArray *pools = ipam_get_pools(&agent->tables, &agent->derive_config, v4);
	uint64_t n_addresses = ipam_n_addresses(pools);
	g_autofree char *ranges = ipam_format_pools(pools);

	g_string_append_printf(status, "%sIPv%d: %zu/%" PRIu64 " allocated from %s",
			       status->len ? ", " : "", v4 ? 4 : 6, n, n_addresses, ranges);
	g_array_unref(pools);
}

json_t *status_ipam_to_json(const struct agent *agent)
{
	struct ipam_count count = {json_array(), json_array(), json_object()};
	g_autoptr(GString) status = g_string_new(NULL);

	table_foreach (agent->tables.ip_allocations, count_allocation, &count)
		;
	if (agent->settings->enable_ipv4)
		append_family(agent, true, json_array_size(count.list4), status);
	if (agent->settings->enable_ipv6)
		append_family(agent, false, json_array_size(count.list6), status);
	return json_pack("{s:s, s:o, s:o, s:o}", "status", status->str, "ipv4", count.list4, "ipv6",
			 count.list6, "allocations", count.owners);
}
