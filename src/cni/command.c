// SPDX-License-Identifier: Apache-2.0
#include "src/cni/command.h"

#include <string.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/cni/check.h"
#include "src/cni/result.h"
#include "src/join/delete_queue.h"
#include "src/sys/link.h"
#include "src/sys/netns.h"

/* An agent is back in a third of a second; a runtime gives a plugin a minute or more. */
#define PATIENCE_NS (10 * NSEC_PER_SEC)
/* For one answer of an agent that lives. */
#define CALL_TIMEOUT_NS (10 * NSEC_PER_SEC)

/* What every command works on. */
struct call {
	const struct environment *environment;
	struct netconf *netconf;
	struct attachment attachment;
	struct api_client *client;
	char *queue_directory;
};

static int code_of_join(int status)
{
	switch (status) {
	case 0:
		return 0;
	case -EAGAIN:
		return CNI_ERROR_TRY_AGAIN_LATER;
	case -EEXIST:
		return CNI_ERROR_EXISTS;
	case -ENOSPC:
		return CNI_ERROR_EXHAUSTED;
	default:
		return CNI_ERROR_FAILED;
	}
}

static int open_netns(const struct environment *environment, int *ret_fd, GError **error)
{
	int fd = netns_open_path(environment->netns, error);

	if (fd < 0)
		return fd == -ENOENT ? CNI_ERROR_UNKNOWN_CONTAINER : CNI_ERROR_INVALID_ENVIRONMENT;
	*ret_fd = fd;
	return 0;
}

static void want_addr(struct join_request *request, const struct addr *addr)
{
	if (addr_is_zero(addr))
		return;
	if (addr_is_v4(addr))
		request->addr4 = *addr;
	else
		request->addr6 = *addr;
}

static struct join_request request_of(const struct call *call)
{
	const struct environment *environment = call->environment;
	const struct netconf *netconf = call->netconf;
	struct join_request request = {
		.netns_path = environment->netns,
		.attachment = call->attachment,
		.namespace = environment->pod_namespace,
		.pod_name = environment->pod_name,
		.pod_uid = environment->pod_uid,
		.labels = netconf->labels,
		.addr4 = netconf->addr4,
		.addr6 = netconf->addr6,
		.mac = mac_is_zero(&netconf->mac) ? environment->mac : netconf->mac,
		.mtu = netconf->mtu,
		.patience_ns = PATIENCE_NS,
	};

	want_addr(&request, &environment->addr);
	return request;
}

static int add(const struct call *call, json_t **ret_answer, GError **error)
{
	const struct environment *environment = call->environment;
	struct join_request request;
	struct join_result result;
	int status = netconf_decode_wishes(call->netconf, error);

	if (status)
		return status;
	if (call->netconf->prev_result)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG,
				"prevResult: cilium-cni makes the interface, and comes first");
	request = request_of(call);
	status = open_netns(environment, &request.netns_fd, error);
	if (status)
		return status;
	status = code_of_join(join_netns(call->client, &request, &result, error));
	close(request.netns_fd);
	if (status)
		return status;
	/* A DEL that the agent did not answer in time may have left it: it meant what was before. */
	delete_queue_remove(call->queue_directory, &call->attachment);
	*ret_answer = result_encode(call->netconf->version, &result, environment->ifname,
				    environment->netns);
	return 0;
}

static int del(const struct call *call, GError **error)
{
	return join_leave(call->client, call->queue_directory, &call->attachment, error)
		       ? CNI_ERROR_FAILED
		       : 0;
}

static int check(const struct call *call, GError **error)
{
	struct result_expectation expectation;
	int netns_fd;
	int status;

	if (!call->netconf->prev_result)
		return cni_fail(error, CNI_ERROR_INVALID_CONFIG, "prevResult: missing for CHECK");
	status = result_decode(call->netconf->prev_result, call->attachment.ifname, &expectation,
			       error);
	if (status)
		return status;
	status = open_netns(call->environment, &netns_fd, error);
	if (!status) {
		status = check_attachment(call->client, &call->attachment, netns_fd, &expectation,
					  error);
		close(netns_fd);
	}
	result_expectation_fini(&expectation);
	return status;
}

static int status(const struct call *call, GError **error)
{
	if (!api_client_status_get(call->client, true, NULL, error))
		return 0;
	error_prefix(error, "the agent is not ready");
	return CNI_ERROR_NOT_AVAILABLE;
}

static bool is_valid(const GArray *valid, const struct attachment *attachment)
{
	for (unsigned int i = 0; i < valid->len; i++) {
		const struct netconf_attachment *each =
			&g_array_index(valid, struct netconf_attachment, i);

		if (!strcmp(each->container_id, attachment->container_id) &&
		    !strcmp(each->ifname, attachment->ifname))
			return true;
	}
	return false;
}

/* Every attachment of this network has its name on its interface; those of others are not ours. */
static int collect_garbage(const struct call *call, GArray *links, GError **error)
{
	const struct netconf *netconf = call->netconf;
	int first_status = 0;

	for (unsigned int i = 0; i < links->len; i++) {
		struct link_info *link = &g_array_index(links, struct link_info, i);
		struct attachment attachment;
		int leave_status;

		if (strcmp(link->kind, "veth") ||
		    !attachment_parse_alias(link->alias, &attachment) ||
		    !attachment_is_of_network(&attachment, netconf->name) ||
		    is_valid(netconf->valid_attachments, &attachment))
			continue;
		leave_status = join_leave(call->client, call->queue_directory, &attachment,
					  first_status ? NULL : error);
		if (leave_status && !first_status)
			first_status = CNI_ERROR_FAILED;
	}
	return first_status;
}

static int gc(const struct call *call, GError **error)
{
	struct netlink *nl;
	GArray *links;
	int gc_status;

	/* cnitool gives no list: then nothing is known to be invalid. */
	if (!call->netconf->valid_attachments)
		return 0;
	nl = netlink_new(error);
	if (!nl)
		return CNI_ERROR_FAILED;
	gc_status = link_dump(nl, &links, error) ? CNI_ERROR_FAILED : 0;
	netlink_free(nl);
	if (gc_status)
		return gc_status;
	gc_status = collect_garbage(call, links, error);
	g_array_unref(links);
	return gc_status;
}

json_t *command_version(enum cni_version version)
{
	json_t *answer = json_pack("{s:s, s:[]}", "cniVersion", cni_version_text(version),
				   "supportedVersions");
	json_t *list = json_object_get(answer, "supportedVersions");

	for (int i = 0; i < CNI_VERSION__MAX; i++)
		json_array_append_new(list, json_string(cni_version_text((enum cni_version)i)));
	return answer;
}

/* The version of the protocol that a command came with. */
static int check_version(enum cni_command command, enum cni_version version, GError **error)
{
	enum cni_version needed = CNI_VERSION_0_3_0;

	if (command == CNI_COMMAND_CHECK)
		needed = CNI_VERSION_0_4_0;
	else if (command == CNI_COMMAND_GC || command == CNI_COMMAND_STATUS)
		needed = CNI_VERSION_1_1_0;
	if (version < needed)
		return cni_fail(error, CNI_ERROR_INCOMPATIBLE_VERSION,
				"cniVersion: got %s, and the command came with %s",
				cni_version_text(version), cni_version_text(needed));
	return 0;
}

static int dispatch(const struct call *call, json_t **ret_answer, GError **error)
{
	switch (call->environment->command) {
	case CNI_COMMAND_ADD:
		return add(call, ret_answer, error);
	case CNI_COMMAND_DEL:
		return del(call, error);
	case CNI_COMMAND_CHECK:
		return check(call, error);
	case CNI_COMMAND_STATUS:
		return status(call, error);
	case CNI_COMMAND_GC:
		return gc(call, error);
	case CNI_COMMAND_VERSION:
	case CNI_COMMAND__MAX:
		break;
	}
	g_assert_not_reached();
}

int command_run(const struct environment *environment, struct netconf *netconf, json_t **ret_answer,
		GError **error)
{
	const char *socket_path =
		netconf->socket_path ? netconf->socket_path : api_client_default_socket();
	struct call call = {
		.environment = environment,
		.netconf = netconf,
		.attachment = {netconf->name, environment->container_id, environment->ifname},
	};
	int result = check_version(environment->command, netconf->version, error);

	if (!result && !netconf->name)
		result = cni_fail(error, CNI_ERROR_INVALID_CONFIG, "name: missing");
	if (result)
		return result;
	call.client = api_client_new(socket_path);
	api_client_set_timeout(call.client, CALL_TIMEOUT_NS);
	call.queue_directory = delete_queue_directory(socket_path);
	*ret_answer = NULL;
	result = dispatch(&call, ret_answer, error);
	g_free(call.queue_directory);
	api_client_free(call.client);
	return result;
}
