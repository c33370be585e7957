/* SPDX-License-Identifier: Apache-2.0 */
/* /ipam: addresses of this node. */
#include "src/agent/rest_private.h"

#include <string.h>

/* False after the refusal. */
static bool check_pool(struct rest_call *call)
{
	const char *pool = http_request_query(call->request, "pool");

	if (!pool || !*pool || g_str_equal(pool, "default"))
		return true;
	rest_refuse(call, 400, "pool \"%s\": this node has one pool, \"default\"", pool);
	return false;
}

static const char *get_owner(struct rest_call *call)
{
	const char *owner = http_request_query(call->request, "owner");

	if (owner && *owner)
		return owner;
	rest_refuse(call, 400, "owner is missing");
	return NULL;
}

static bool get_families(struct rest_call *call, struct ipam_request *request)
{
	const struct settings *settings = call->agent->settings;
	const char *family = http_request_query(call->request, "family");

	if (!family || !*family) {
		request->want_v4 = settings->enable_ipv4;
		request->want_v6 = settings->enable_ipv6;
		return true;
	}
	request->want_v4 = g_str_equal(family, "ipv4");
	request->want_v6 = g_str_equal(family, "ipv6");
	if (!request->want_v4 && !request->want_v6) {
		rest_refuse(call, 400, "family \"%s\": expected ipv4 or ipv6", family);
		return false;
	}
	if ((request->want_v4 && !settings->enable_ipv4) ||
	    (request->want_v6 && !settings->enable_ipv6)) {
		rest_refuse(call, 400, "family %s is not enabled", family);
		return false;
	}
	return true;
}

static json_t *address_to_json(const struct agent *agent, const struct ip_allocation *allocation,
			       bool v4)
{
	const struct datapath_config *config = &agent->datapath_config;
	GArray *pools = ipam_get_pools(&agent->tables, &agent->derive_config, v4);
	char ip[ADDR_TEXT_BYTES], gateway[ADDR_TEXT_BYTES];
	json_t *cidrs = json_array();

	for (size_t i = 0; i < pools->len; i++) {
		char text[CIDR_TEXT_BYTES];

		json_array_append_new(cidrs, json_string(cidr_format(
						     &g_array_index(pools, struct cidr, i), text)));
	}
	g_array_unref(pools);
	return json_pack("{s:s, s:s, s:o, s:s*}", "ip", addr_format(&allocation->addr, ip),
			 "gateway", addr_format(v4 ? &config->router4 : &config->router6, gateway),
			 "cidrs", cidrs, "expiration-uuid", allocation->expiration_uuid);
}

/* IPAMResponse. */
static json_t *answer_to_json(const struct agent *agent, const struct ipam_answer *answer)
{
	json_t *root = json_pack("{s:{}, s:o}", "address", "host-addressing",
				 node_addressing_to_json(agent));
	json_t *address = json_object_get(root, "address");
	const struct {
		const struct ip_allocation *allocation;
		const char *name, *uuid_name;
	} families[] = {
		{answer->v4, "ipv4", "ipv4-expiration-uuid"},
		{answer->v6, "ipv6", "ipv6-expiration-uuid"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		const struct ip_allocation *allocation = families[i].allocation;
		char text[ADDR_TEXT_BYTES];

		if (!allocation)
			continue;
		json_object_set_new(address, families[i].name,
				    json_string(addr_format(&allocation->addr, text)));
		if (allocation->expiration_uuid)
			json_object_set_new(address, families[i].uuid_name,
					    json_string(allocation->expiration_uuid));
		json_object_set_new(root, families[i].name,
				    address_to_json(agent, allocation, i == 0));
	}
	return root;
}

void rest_ipam_allocate(struct rest_call *call)
{
	struct ipam_request request = {0};
	struct ipam_answer answer = {0};
	g_autoptr(GError) error = NULL;
	int err;

	if (!rest_has_endpoints(call))
		return;
	request.owner = get_owner(call);
	request.attachment = http_request_query(call->request, "attachment");
	if (!request.owner || !check_pool(call) ||
	    !rest_get_flag(call, "Expiration", &request.expires) || !get_families(call, &request))
		return;
	err = ipam_allocate(call->agent->ipam, &request, &answer, &error);
	if (err == -EADDRNOTAVAIL) /* what Cilium says when the pool is exhausted */
		rest_refuse(call, 502, "%s", error->message);
	else if (err < 0)
		rest_refuse_error(call, err, error);
	else
		rest_reply(call, 201, answer_to_json(call->agent, &answer));
}

static bool parse_ip(struct rest_call *call, struct addr *ret_addr)
{
	if (addr_parse(call->arg, ret_addr) == 0)
		return true;
	rest_refuse(call, 400, "\"%s\" is not an address", call->arg);
	return false;
}

void rest_ipam_allocate_ip(struct rest_call *call)
{
	struct ipam_request request = {0};
	struct ipam_answer answer = {0};
	g_autoptr(GError) error = NULL;
	struct addr addr;
	int err;

	if (!rest_has_endpoints(call))
		return;
	request.owner = get_owner(call);
	request.attachment = http_request_query(call->request, "attachment");
	if (!request.owner || !check_pool(call) ||
	    !rest_get_flag(call, "Expiration", &request.expires) || !parse_ip(call, &addr))
		return;
	request.addr = &addr;
	err = ipam_allocate(call->agent->ipam, &request, &answer, &error);
	if (err < 0)
		rest_refuse_error(call, err, error);
	else
		rest_reply(call, 200, answer_to_json(call->agent, &answer));
}

void rest_ipam_release(struct rest_call *call)
{
	g_autoptr(GError) error = NULL;
	struct addr addr;
	int err;

	if (!check_pool(call) || !parse_ip(call, &addr))
		return;
	err = ipam_release(call->agent->ipam, &addr, &error);
	if (err == -EBUSY) /* not "try again": an endpoint has it */
		rest_refuse(call, 403, "%s", error->message);
	else if (err < 0)
		rest_refuse_error(call, err, error);
}
