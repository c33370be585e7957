// SPDX-License-Identifier: Apache-2.0
#include "src/agent/queued_delete.h"

#include "src/base/log.h"
#include "src/join/delete_queue.h"

/* True when the endpoint is gone; a file that stays is read again at the next start. */
static bool delete_queued(const char *endpoint_id, void *data)
{
	struct endpoint_manager *manager = data;
	g_autoptr(GError) error = NULL;
	int err = endpoint_manager_delete_named(manager, endpoint_id, &error);

	/* Its interface was gone, and so the endpoint went before anyone looked here. */
	if (err == -ENOENT)
		return true;
	if (err)
		log_warning("endpoint", "An endpoint queued for removal stays",
			    "endpoint=%s error=%s", endpoint_id, error->message);
	return !err;
}

void queued_delete_run(struct endpoint_manager *manager, const char *socket_path)
{
	g_autofree char *directory = delete_queue_directory(socket_path);
	g_autoptr(GError) error = NULL;
	int n_removed = delete_queue_process(directory, delete_queued, manager, &error);

	if (n_removed < 0)
		log_warning("endpoint", "The delete queue cannot be read", "error=%s",
			    error->message);
	else if (n_removed)
		log_info("endpoint", "Endpoints queued for removal are gone", "count=%d",
			 n_removed);
}
