/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor socket: SOCK_SEQPACKET beside the API's socket, one message a packet, in host byte order,
 * as both ends are on one machine. A listener says which kinds it wants (SUBSCRIBE), is answered (HELLO),
 * and is sent from then on what happens of those and of no others. What nobody wants is not made.
 *
 * The path is Cilium's; the framing is ours, as Cilium's is an encoding of Go's.
 */
#pragma once

#include <stdint.h>
#include "abi/event.h"

#define MONITOR_SOCKET_NAME     "monitor1_2.sock"
#define MONITOR_MESSAGE_VERSION 2

enum monitor_message_type {
	MONITOR_MESSAGE_HELLO, /* it is subscribed; and how events are buffered */
	MONITOR_MESSAGE_EVENT,
	MONITOR_MESSAGE_LOST,      /* the listener was too slow for n events */
	MONITOR_MESSAGE_SUBSCRIBE, /* of the listener: n is the kinds, MONITOR_KIND_* */
	MONITOR_MESSAGE_AGENT,     /* something the agent did: n is its number */
};

enum {
	MONITOR_KIND_DROP = 1 << 0,
	MONITOR_KIND_TRACE = 1 << 1,
	MONITOR_KIND_AGENT = 1 << 2,
	MONITOR_KIND_VERDICT = 1 << 3,
	MONITOR_KINDS = (1 << 4) - 1,
};

struct monitor_message_header {
	uint16_t version;
	uint16_t type;      /* enum monitor_message_type */
	uint32_t cpu_count; /* HELLO: CPUs that events come from */
	uint64_t n;         /* HELLO: bytes of the ring; LOST: events lost since the last message */
};

#define MONITOR_TEXT_BYTES (16 * 1024)

/*
 * EVENT: cut behind the event's cap_len bytes of packet. AGENT: cut behind the text, which is JSON and
 * ends with the message. Else the header alone.
 */
struct monitor_message {
	struct monitor_message_header header;
	union {
		struct event event;
		char text[MONITOR_TEXT_BYTES];
	};
};

_Static_assert(sizeof(struct monitor_message_header) == 16, "no padding");
