/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the programs: the monitor socket beside the API's, drops into the log (a few a second), and
 * which events the programs make. Traces are made only while somebody listens to them.
 */
#pragma once

#include "src/agent/config.h"
#include "src/observe/monitor.h"

struct agent;
struct events;

/* After the datapath is loaded: takes over what agent->datapath_config.runtime says. */
struct events *events_new(struct agent *agent);
void events_free(struct events *events); /* takes NULL */
/* Opens the ring and the monitor socket. Without it (the fake datapath) there are no events. */
NODISCARD int events_listen(struct events *events, GError **error);
/* Where the monitor socket is. g_free. */
char *events_socket_path(const struct agent *agent);
/* From now on at this socket, which it takes; who is connected stays so. */
void events_listen_again(struct events *events, int listen_fd);

/* Tells whoever listens what the agent did: enum agent_event, and its JSON. */
void events_publish_agent(struct events *events, uint64_t number, const char *json);

/* Which events the programs make from now on; settings are not kept. */
NODISCARD int events_configure(struct events *events, const struct settings *settings,
			       GError **error);
void events_get_statistics(const struct events *events, struct monitor_statistics *ret_statistics);
