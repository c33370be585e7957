// SPDX-License-Identifier: Apache-2.0
#include "src/join/join.h"

#include "src/base/atomic_file.h"
#include "src/join/delete_queue.h"
#include "src/join/patience.h"
#include "src/sys/link.h"

/* 0 where the agent has no such endpoint any more. */
static int delete_endpoint(struct api_client *client, const struct attachment *attachment,
			   GError **error)
{
	g_autofree char *id = attachment_endpoint_id(attachment);
	int status = api_client_endpoint_delete(client, id, error);

	if (status == -ENOENT)
		g_clear_error(error);
	return status == -ENOENT ? 0 : status;
}

static int delete_or_queue(struct api_client *client, const char *queue_directory,
			   const struct attachment *attachment, GError **error)
{
	int status = delete_endpoint(client, attachment, error);

	if (!patience_agent_is_away(status))
		return status;
	g_clear_error(error);
	status = delete_queue_put(queue_directory, attachment, error);
	/* Without the file the next agent finds out by itself: the endpoint's interface is gone. */
	if (atomic_file_is_disk_error(status)) {
		g_clear_error(error);
		return 0;
	}
	if (status)
		return status;
	/* It may have started, and read the queue, between the first try and the file. */
	if (!delete_endpoint(client, attachment, NULL))
		delete_queue_remove(queue_directory, attachment);
	return 0;
}

static int delete_interface(const struct attachment *attachment, GError **error)
{
	struct netlink *nl = netlink_new(error);
	char name[IFNAMSIZ];
	int status;

	if (!nl)
		return -EIO;
	attachment_host_ifname(attachment, name);
	link_append_delete_by_name(nl, name);
	status = netlink_send(nl, NULL, NULL, error);
	netlink_free(nl);
	if (status != -ENODEV)
		return status;
	g_clear_error(error);
	return 0;
}

int join_leave(struct api_client *client, const char *queue_directory,
	       const struct attachment *attachment, GError **error)
{
	int endpoint_status = delete_or_queue(client, queue_directory, attachment, error);
	/* The interface goes in any case: a half that stays behind would be nobody's. */
	int status = delete_interface(attachment, endpoint_status ? NULL : error);

	return endpoint_status ? endpoint_status : status;
}
