/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends connected sockets whose back end is gone, those of the host and those of endpoints: their programs would
 * go on sending to nobody. In a thread, which lives as long as there is something to do.
 */
#pragma once

#include "src/agent/agent.h"

struct socket_end;

struct socket_end_statistics {
	uint64_t n_tcp;
	uint64_t n_udp;
	uint64_t n_failed;
};

struct socket_end *socket_end_new(struct agent *agent);
/* A thread has the capabilities that the agent has then: when it has given up what only its start needs. */
void socket_end_start(struct socket_end *socket_end); /* takes NULL */
/* Takes note that the back end with the id has gone from cilium_lb_backends; the rest follows by itself. */
void socket_end_backend(struct socket_end *socket_end, uint32_t backend);
const struct socket_end_statistics *socket_end_get_statistics(const struct socket_end *socket_end);
/* Waits for the thread; the loop runs once more before the memory goes. Takes NULL. */
void socket_end_free(struct socket_end *socket_end);
