/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/node_problem.h"

#include <string.h>

struct search {
	const char *const *patterns;
	bool found;
};

static bool match_device(const struct row *row, void *data)
{
	const struct device *device = (const struct device *)row;
	struct search *search = data;

	search->found =
		node_device_counts(device) && node_device_matches(search->patterns, device->name);
	return !search->found;
}

static void find_missing_devices(const struct node_view *view, GPtrArray *problems)
{
	const char *const *patterns = view->config->devices;

	for (; patterns && *patterns; patterns++) {
		const char *const alone[] = {*patterns, NULL};
		struct search search = {.patterns = alone};

		table_foreach (view->tables->devices, match_device, &search)
			;
		if (!search.found)
			g_ptr_array_add(
				problems,
				g_strdup_printf("devices: \"%s\" names no device of this node: "
						"\"ip link\" shows which there are",
						*patterns));
	}
	if (!view->devices->len)
		g_ptr_array_add(problems,
				g_strdup("No device leads out of the node: pods reach nothing but "
					 "this node. Add a default route, or name the devices with "
					 "the key devices"));
}

struct overlap {
	const struct node_view *view;
	GPtrArray *problems;
};

static void compare(struct overlap *overlap, const struct device *device, const struct addr *addr)
{
	const GArray *cidrs =
		addr_is_v4(addr) ? overlap->view->pod_cidrs4 : overlap->view->pod_cidrs6;

	for (unsigned int i = 0; i < cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(cidrs, struct cidr, i);
		char cidr_text[CIDR_TEXT_BYTES], addr_text[ADDR_TEXT_BYTES];

		if (!cidr_contains(cidr, addr))
			continue;
		g_ptr_array_add(
			overlap->problems,
			g_strdup_printf("The pod CIDR %s holds the address %s of %s: that "
					"network and the pods cannot both be reached. Choose "
					"another range (%s, or podCIDRs in the node's "
					"manifest)",
					cidr_format(cidr, cidr_text), addr_format(addr, addr_text),
					device->name,
					addr_is_v4(addr) ? "ipv4-range" : "ipv6-range"));
	}
}

static bool compare_device(const struct row *row, void *data)
{
	const struct device *device = (const struct device *)row;

	if (!node_device_counts(device) || node_device_is_ours(device))
		return true;
	for (unsigned int i = 0; i < device->addresses->len; i++)
		compare(data, device,
			&g_array_index(device->addresses, struct device_address, i).addr);
	return true;
}

GPtrArray *node_problems(const struct node_view *view)
{
	GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);
	struct overlap overlap = {view, problems};

	find_missing_devices(view, problems);
	table_foreach (view->tables->devices, compare_device, &overlap)
		;
	return problems;
}
