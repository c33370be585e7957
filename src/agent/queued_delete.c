// SPDX-License-Identifier: Apache-2.0
#include "src/agent/queued_delete.h"

#include "src/base/log.h"
#include "src/join/delete_queue.h"

struct run {
	struct endpoint_manager *manager;
	GError *error; /* the first */
};

/* True when the endpoint is gone; a file that stays is read again. */
static bool delete_queued(const char *endpoint_id, void *data)
{
	struct run *run = data;
	g_autoptr(GError) error = NULL;
	int err = endpoint_manager_delete_named(run->manager, endpoint_id, &error);

	/* Its interface was gone, and so the endpoint went before anyone looked here. */
	if (err == -ENOENT)
		return true;
	if (err && !run->error) {
		error_prefix(&error, "endpoint %s", endpoint_id);
		run->error = g_steal_pointer(&error);
	}
	return !err;
}

void queued_delete_run(struct endpoint_manager *manager, const char *socket_path,
		       struct controller *controller)
{
	g_autofree char *directory = delete_queue_directory(socket_path);
	struct run run = {.manager = manager};
	g_autoptr(GError) error = NULL;
	int n_removed;

	controller_begin(controller);
	n_removed = delete_queue_process(directory, delete_queued, &run, &error);
	if (!error)
		error = g_steal_pointer(&run.error);
	g_clear_error(&run.error);
	if (error && !controller_is_failing(controller))
		log_warning("endpoint", "An endpoint queued for removal stays, will try again",
			    "error=%s", error->message);
	if (n_removed > 0)
		log_info("endpoint", "Endpoints queued for removal are gone", "count=%d",
			 n_removed);
	controller_end(controller, error);
}
