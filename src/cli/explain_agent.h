/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's answers for cilium explain: each question is asked once, and none after the agent has not answered. */
#pragma once

#include "src/cli/explain_report.h"

/* As the member of struct explain_agent; data is not used. What was answered lives until the program ends. */
const json_t *explain_agent_ask(enum api_call call, const char *arg, const char *query, void *data);
