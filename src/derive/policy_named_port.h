/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that containers of local pods have names for: what a rule means that names a port of its peers. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct policy_named_ports;

struct policy_named_ports *policy_named_ports_new(void);
void policy_named_ports_free(struct policy_named_ports *ports); /* takes NULL */
/*
 * The endpoint has this identity and these ports now (struct pod_port, copied; NULL: none). False where it
 * had them before.
 */
bool policy_named_ports_put(struct policy_named_ports *ports, uint16_t endpoint_id,
			    uint32_t identity, const GArray *pod_ports);
/* Calls fn for each endpoint that has a port of the (interned) name and protocol. */
void policy_named_ports_foreach(const struct policy_named_ports *ports, const char *name,
				uint8_t protocol,
				void (*fn)(uint32_t identity, uint16_t number, void *data),
				void *data);
