/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor socket: SOCK_SEQPACKET beside the API's socket, one message a packet, in host byte order,
 * as both ends are on one machine. The agent speaks, a listener only listens.
 *
 * The path is Cilium's; the framing is ours, as Cilium's is an encoding of Go's.
 */
#pragma once

#include <stdint.h>
#include "abi/event.h"

#define MONITOR_MESSAGE_VERSION 1

enum monitor_message_type {
	MONITOR_MESSAGE_HELLO, /* first: how events are buffered; n_lost and event are not there */
	MONITOR_MESSAGE_EVENT,
	MONITOR_MESSAGE_LOST, /* the listener was too slow for n events */
};

struct monitor_message_header {
	uint16_t version;
	uint16_t type;      /* enum monitor_message_type */
	uint32_t cpu_count; /* HELLO: CPUs that events come from */
	uint64_t n;         /* HELLO: bytes of the ring; LOST: events lost since the last message */
};

/* EVENT: the whole of it; else the header alone. The event is cut behind its cap_len bytes of packet. */
struct monitor_message {
	struct monitor_message_header header;
	struct event event;
};

_Static_assert(sizeof(struct monitor_message_header) == 16, "no padding");
