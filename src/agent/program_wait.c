// SPDX-License-Identifier: Apache-2.0
#include "src/agent/program_wait.h"

struct program_wait {
	uv_work_t work;
	struct agent *agent;
	struct datapath *datapath;
	int (*wait)(struct datapath *dp);
	int err;
};

/* In the other thread. */
static void run(uv_work_t *work)
{
	struct program_wait *program_wait = work->data;

	program_wait->err = program_wait->wait(program_wait->datapath);
}

/* agent_free() runs the loop to its end before it frees the reconcilers. */
static void on_done(uv_work_t *work, int status)
{
	struct program_wait *program_wait = work->data;

	reconcilers_end_policy_wait(program_wait->agent->reconcilers, program_wait->err);
	g_free(program_wait);
}

void program_wait_begin(int (*wait)(struct datapath *dp), struct datapath *dp, void *data)
{
	struct program_wait *program_wait = g_new0(struct program_wait, 1);

	program_wait->agent = data;
	program_wait->datapath = dp;
	program_wait->wait = wait;
	program_wait->work.data = program_wait;
	uv_queue_work(program_wait->agent->loop, &program_wait->work, run, on_done);
}
