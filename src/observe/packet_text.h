/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a decoded packet. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include "src/wire/packet.h"

/* "10.0.0.1:80 -> 10.0.0.2:4321 tcp SYN, ACK", "fd00::1 -> fd00::2 EchoRequest", "[unknown]". */
void packet_text_append_connection(GString *text, const struct packet *packet);
/* A line a layer, outermost first. */
void packet_text_append_layers(GString *text, const struct packet *packet);
/* {"ethernet", "ipv4", …: the same lines, "l2", "l3", "l4": {"src", "dst"}}; json_decref. */
json_t *packet_to_json(const struct packet *packet);
/* "EchoRequest", "DestinationUnreachable(Port)", …; "9(1)" where there is no name. Free with g_free. */
char *packet_text_format_icmp(bool v6, uint8_t type, uint8_t code);
