/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/state_mend.h"

#include <unistd.h>
#include "src/agent/agent.h"
#include "src/agent/persist.h"
#include "src/agent/pid_file.h"
#include "src/agent/upkeep.h"
#include "src/base/log.h"

struct state_mend {
	struct agent *agent;
	struct controller *controller;
};

struct mending {
	struct state_dir *dir;
	int n; /* files; −errno: it failed */
	GError **error;
};

struct state_mend *state_mend_new(struct agent *agent)
{
	struct state_mend *mend = g_new0(struct state_mend, 1);

	mend->agent = agent;
	mend->controller = controller_new(agent->controllers, "state-mend", "state",
					  UPKEEP_RESYNC_INTERVAL_NS);
	return mend;
}

void state_mend_free(struct state_mend *mend)
{
	g_free(mend);
}

/* False: enough. */
static bool add(struct mending *mending, int result)
{
	mending->n = result < 0 ? result : mending->n + result;
	return result >= 0;
}

static bool mend_endpoint(const struct row *row, void *data)
{
	struct mending *mending = data;

	return add(mending, persist_mend_endpoint(mending->dir, (const struct endpoint *)row,
						  mending->error));
}

static bool mend_ip(const struct row *row, void *data)
{
	struct mending *mending = data;

	return add(mending, persist_mend_ip(mending->dir, (const struct ip_allocation *)row,
					    mending->error));
}

/* The numbers first: what names them comes behind. How many files; or −errno. */
static int mend_files(struct agent *agent, GError **error)
{
	struct mending mending = {.dir = agent->run_state, .error = error};
	int err = state_dir_ensure(agent->lib_state, error);

	if (!err)
		err = state_dir_ensure(agent->run_state, error);
	if (err)
		return err;
	if (add(&mending, generation_mend(agent->generation, error)) &&
	    add(&mending, identity_file_mend(agent->identity_file, error)) &&
	    add(&mending, persist_mend_boot(agent->run_state, agent->boot_id, error))) {
		table_foreach (agent->tables.ip_allocations, mend_ip, &mending)
			;
	}
	if (mending.n >= 0)
		table_foreach (agent->tables.endpoints, mend_endpoint, &mending)
			;
	if (mending.n >= 0 && access(agent->pid_path, F_OK)) {
		err = pid_file_write(agent->settings->state_dir, error);
		add(&mending, err ? err : 1);
	}
	return mending.n;
}

void state_mend_run(struct state_mend *mend)
{
	g_autoptr(GError) error = NULL;
	int n;

	controller_begin(mend->controller);
	n = mend_files(mend->agent, &error);
	if (n > 0)
		log_warning(
			"agent", "Files of state were deleted from outside: written again",
			"files=%d state-dir=%s lib-dir=%s hint=%s", n,
			mend->agent->settings->state_dir, mend->agent->settings->lib_dir,
			"find out who cleans there, and leave both out of it; until this line a "
			"restart would have forgotten containers");
	else if (n < 0 && !controller_is_failing(mend->controller))
		log_error("agent",
			  "Files of state are missing and cannot be written, will try again",
			  "error=%s hint=%s", error->message,
			  "do not restart the agent before it is cured: it would not know its "
			  "containers any more");
	controller_end(mend->controller, error);
}
