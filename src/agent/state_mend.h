/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of state that somebody has deleted under the running agent, their directories included, are written again:
 * all that they say is known. Else the next agent would know no endpoint, and give numbers and addresses twice.
 */
#pragma once

struct agent;
struct state_mend;

struct state_mend *state_mend_new(struct agent *agent);
void state_mend_free(struct state_mend *mend); /* takes NULL */
/* Looks for them; a file costs a system call. Logs, and is the controller "state-mend". */
void state_mend_run(struct state_mend *mend);
