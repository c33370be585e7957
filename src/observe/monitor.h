/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ring buffer of the programs to whoever listens: reads events on the loop, hands each to the
 * caller, and to every listener of the monitor socket (see monitor_message.h).
 *
 * The ring is read every few milliseconds while somebody listens, else only as often as drops need to
 * reach the log; in between the programs wake the reader when the ring fills (runtime_config.wakeup_bytes).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "abi/event.h"
#include "src/base/error.h"

struct monitor;

struct monitor_callbacks {
	/* Every event, as it was read. */
	void (*event)(const struct event *event, void *data);
	/* Listeners want these kinds now, MONITOR_KIND_*: called where that changes. */
	void (*wanted)(unsigned int kinds, void *data);
	void *data;
};

/*
 * ring_fd: cilium_events, borrowed while the monitor lives. listen_fd: a SOCK_SEQPACKET socket from
 * unix_listen(), taken also on failure. NULL and *error.
 */
struct monitor *monitor_new(uv_loop_t *loop, int ring_fd, int listen_fd,
			    const struct monitor_callbacks *callbacks, GError **error);
/* Listens at another such socket from now on; who is connected stays so. Takes listen_fd. */
void monitor_listen_again(struct monitor *monitor, int listen_fd);
/* Takes NULL. The memory is freed when the loop has run once more. */
void monitor_free(struct monitor *monitor);

/*
 * Tells listeners of MONITOR_KIND_AGENT what the agent did. json: at most MONITOR_TEXT_BYTES, else it is
 * cut to nothing.
 */
void monitor_publish_agent(struct monitor *monitor, uint64_t number, const char *json);
/* The same to each new listener of them, before anything else: since when the agent runs. */
void monitor_set_greeting(struct monitor *monitor, uint64_t number, const char *json);

struct monitor_statistics {
	uint64_t n_events;    /* read since start */
	uint64_t n_malformed; /* records that are no events */
	uint64_t n_lost;      /* not delivered to a listener that was too slow */
	unsigned int n_listeners;
	size_t ring_bytes;
};

void monitor_get_statistics(const struct monitor *monitor,
			    struct monitor_statistics *ret_statistics);
