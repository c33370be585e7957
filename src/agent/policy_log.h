/* SPDX-License-Identifier: Apache-2.0 */
/* The log says which policies come into force, change and go, and what their authors should know. */
#pragma once

#include "src/store/tables.h"

struct policy_log;

/* Its watch is the store's. What is in force already is told at the next settle. */
struct policy_log *policy_log_new(struct store *store, const struct tables *tables);
void policy_log_free(struct policy_log *log); /* takes NULL */
