/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, translations and fragments as the lines of cilium bpf ct, nat and frag list. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "abi/conntrack.h"
#include "abi/fragment.h"
#include "abi/nat.h"
#include "src/base/error.h"

/* "TCP", "ICMPv6"; "unknown" for what connections are not kept of. Static. */
const char *protocol_format(uint8_t protocol);
/* Appends "10.0.0.1:80" or "[fd00::1]:80". */
void connection_append_end(GString *text, const struct addr *addr, __be16 port);
/* The same alone; g_free. */
char *connection_format_end(const struct addr *addr, __be16 port);
/* What connection_append_end writes, port 0 too. 0 or −EINVAL, also where an IPv6 address has no brackets. */
NODISCARD int connection_parse_end(const char *text, struct addr *ret_addr, __be16 *ret_port);

/* What a line tells beside the entry. */
struct connection_context {
	const uint32_t *now_tick; /* for the time that is left; NULL: without */
	uint32_t revnat;          /* number of the front end; 0: of none, or not known */
};

/*
 * "TCP OUT 10.0.0.1:4321 -> 10.0.0.2:80 expires=…". One entry stands for both directions: it is shown from
 * the side that opened the connection. One to a front end has "service" in it, and XLATE_DST at its end.
 */
void connection_append(GString *text, const struct ct_key *key, const struct ct_entry *entry,
		       const struct connection_context *context);
/* The front end that the connection goes to or through; false: none. */
bool connection_get_frontend(const struct ct_key *key, const struct ct_entry *entry,
			     struct addr *ret_addr, __be16 *ret_port);

/*
 * Two lines: the way there, which is read out of the way back, and the way back, as the entry has it.
 * now_tick: for the age; NULL: the tick stands there instead.
 */
void translation_append(GString *text, const struct nat_key *key, const struct nat_entry *entry,
			const uint32_t *now_tick);
