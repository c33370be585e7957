// SPDX-License-Identifier: Apache-2.0
#include "src/join/join.h"

#include <string.h>
#include "src/join/interface.h"
#include "src/join/patience.h"

/* What has been made so far, in the order of its making. */
struct join {
	struct api_client *client;
	const struct join_request *request;
	struct patience patience;
	struct api_config config;
	struct interface interface;
	struct api_ipam_reply ipam;
};

static int get_config(struct join *join, GError **error)
{
	int status;

	do
		status = api_client_config_get(join->client, &join->config, error);
	while (patience_wait(&join->patience, status, error));
	return status;
}

static int allocate_one(struct join *join, const char *family, const struct addr *wanted,
			struct api_ipam_reply *ret_reply, GError **error)
{
	const struct join_request *request = join->request;
	g_autofree char *owner =
		request->pod_name
			? g_strdup_printf("%s/%s", request->namespace ? request->namespace : "",
					  request->pod_name)
			: g_strdup(request->attachment.container_id);
	g_autofree char *attachment = attachment_text(&request->attachment);
	const struct api_ipam_request ipam = {
		.addr = wanted,
		.family = family,
		.owner = owner,
		.attachment = attachment,
		.expires = true,
	};
	int status;

	do
		status = api_client_ipam_allocate(join->client, &ipam, ret_reply, error);
	while (patience_wait(&join->patience, status, error));
	return status;
}

/* The two families apart, because one or both are to be a given address. */
static int allocate_wanted(struct join *join, GError **error)
{
	const struct join_request *request = join->request;
	struct api_ipam_reply reply;
	int status = 0;

	if (!addr_is_zero(&join->config.router4)) {
		status = allocate_one(join, "ipv4",
				      addr_is_zero(&request->addr4) ? NULL : &request->addr4,
				      &join->ipam, error);
	}
	if (!status && !addr_is_zero(&join->config.router6)) {
		status = allocate_one(join, "ipv6",
				      addr_is_zero(&request->addr6) ? NULL : &request->addr6,
				      &reply, error);
		if (!status) {
			join->ipam.addr6 = reply.addr6;
			join->ipam.expiration_uuid6 = g_steal_pointer(&reply.expiration_uuid6);
			api_ipam_reply_fini(&reply);
		}
	}
	return status;
}

static int allocate(struct join *join, GError **error)
{
	const struct join_request *request = join->request;

	if (!addr_is_zero(&request->addr4) && addr_is_zero(&join->config.router4))
		return error_set(
			error, EINVAL,
			"an IPv4 address is asked for, and the agent's enable-ipv4 is false");
	if (!addr_is_zero(&request->addr6) && addr_is_zero(&join->config.router6))
		return error_set(
			error, EINVAL,
			"an IPv6 address is asked for, and the agent's enable-ipv6 is false");
	if (addr_is_zero(&request->addr4) && addr_is_zero(&request->addr6))
		return allocate_one(join, NULL, NULL, &join->ipam, error);
	return allocate_wanted(join, error);
}

static int configure(struct join *join, GError **error)
{
	const struct interface_setup setup = {
		.addr4 = join->ipam.addr4,
		.addr6 = join->ipam.addr6,
		.router4 = join->config.router4,
		.router6 = join->config.router6,
		.route_mtu = join->config.route_mtu,
	};

	return interface_configure(&join->interface, &setup, error);
}

/* The endpoint that the agent has for the attachment is the one that was asked for just now. */
static bool endpoint_is_ours(struct join *join)
{
	g_autofree char *id = attachment_endpoint_id(&join->request->attachment);
	json_auto_t *endpoint = NULL;
	const json_t *networking;
	GError *error = NULL;
	int status;

	do
		status = api_client_endpoint_get(join->client, id, &endpoint, &error);
	while (patience_wait(&join->patience, status, &error));
	g_clear_error(&error);
	if (status)
		return false;
	networking = json_object_get(json_object_get(endpoint, "status"), "networking");
	return json_integer_value(json_object_get(networking, "interface-index")) ==
	       join->interface.host_ifindex;
}

static int put_endpoint(struct join *join, GError **error)
{
	const struct join_request *request = join->request;
	/* The texts are borrowed: nothing writes to them. */
	const struct endpoint_change_request endpoint = {
		.container_id = (char *)request->attachment.container_id,
		.container_name = (char *)request->container_name,
		.container_interface_name = (char *)request->attachment.ifname,
		.container_netns_path = (char *)request->netns_path,
		.k8s_namespace = (char *)request->namespace,
		.k8s_pod_name = (char *)request->pod_name,
		.k8s_uid = (char *)request->pod_uid,
		.interface_name = join->interface.host_ifname,
		.interface_index = join->interface.host_ifindex,
		.mac = join->interface.mac,
		.host_mac = join->interface.host_mac,
		.addr4 = join->ipam.addr4,
		.addr6 = join->ipam.addr6,
		.expiration_uuid4 = join->ipam.expiration_uuid4,
		.expiration_uuid6 = join->ipam.expiration_uuid6,
		.labels = request->labels,
		.netns_cookie = interface_netns_cookie(&join->interface),
		.sync_build_endpoint = true,
	};
	int status;

	do
		status = api_client_endpoint_put(join->client, &endpoint, NULL, error);
	while (patience_wait(&join->patience, status, error));
	/* An agent that died over the first request may have kept the endpoint. */
	if (status == -EEXIST && endpoint_is_ours(join)) {
		g_clear_error(error);
		return 0;
	}
	return status;
}

static void release(struct join *join, const struct addr *addr)
{
	/* A release that fails is made good by the expiration. */
	if (!addr_is_zero(addr))
		(void)!api_client_ipam_release(join->client, addr, NULL);
}

static void undo(struct join *join)
{
	interface_remove(&join->interface);
	release(join, &join->ipam.addr6);
	release(join, &join->ipam.addr4);
}

static struct join_result result_of(const struct join *join)
{
	struct join_result result = {
		.host_mac = join->interface.host_mac,
		.mac = join->interface.mac,
		.addr4 = join->ipam.addr4,
		.addr6 = join->ipam.addr6,
		.router4 = join->config.router4,
		.router6 = join->config.router6,
		.mtu = join->config.device_mtu,
		.route_mtu = join->config.route_mtu,
	};

	g_strlcpy(result.host_ifname, join->interface.host_ifname, sizeof(result.host_ifname));
	return result;
}

int join_netns(struct api_client *client, const struct join_request *request,
	       struct join_result *ret_result, GError **error)
{
	struct join join = {
		.client = client,
		.request = request,
		.patience = patience_for(request->patience_ns),
	};
	int status = get_config(&join, error);

	if (!status && request->mtu)
		join.config.device_mtu = request->mtu;
	/* The interface first: its name refuses an attachment that is there before anything is taken. */
	if (!status)
		status = interface_create(&join.interface, request->netns_fd, &request->attachment,
					  &request->mac, join.config.device_mtu, error);
	if (!status)
		status = allocate(&join, error);
	if (!status)
		status = configure(&join, error);
	if (!status)
		status = put_endpoint(&join, error);
	/* The kernel had time for it while the agent worked. */
	if (!status)
		status = interface_wait(&join.interface, &join.ipam.addr6, error);
	if (status)
		undo(&join);
	else
		*ret_result = result_of(&join);
	interface_fini(&join.interface);
	api_ipam_reply_fini(&join.ipam);
	return patience_agent_is_away(status) ? -EAGAIN : status;
}
