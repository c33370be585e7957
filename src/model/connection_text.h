/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, translations and fragments as the lines of cilium bpf ct, nat and frag list. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include "abi/conntrack.h"
#include "abi/fragment.h"
#include "abi/nat.h"

/* "TCP", "ICMPv6"; "unknown" for what connections are not kept of. Static. */
const char *protocol_format(uint8_t protocol);
/* Appends "10.0.0.1:80" or "[fd00::1]:80". */
void connection_append_end(GString *text, const struct addr *addr, __be16 port);

/*
 * "TCP OUT 10.0.0.1:4321 -> 10.0.0.2:80 expires=…". One entry stands for both directions: it is shown from
 * the side that opened the connection. now_tick: for the time that is left; NULL: without.
 */
void connection_append(GString *text, const struct ct_key *key, const struct ct_entry *entry,
		       const uint32_t *now_tick);

/*
 * Two lines: the way there, which is read out of the way back, and the way back, as the entry has it.
 * now_tick: for the age; NULL: the tick stands there instead.
 */
void translation_append(GString *text, const struct nat_key *key, const struct nat_entry *entry,
			const uint32_t *now_tick);
