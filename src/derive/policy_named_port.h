/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that containers of pods have names for, of this node and of others: what a rule means that names a port of
 * its peers. Pods of one template and one identity are one here, with a count.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct policy_named_ports;

struct policy_named_ports *policy_named_ports_new(void);
void policy_named_ports_free(struct policy_named_ports *ports); /* takes NULL */
/*
 * One pod more, or less, that has this identity and these ports: struct pod_port, as pods of a template share them
 * (a reference is taken); NULL or identity 0: none.
 */
void policy_named_ports_add(struct policy_named_ports *ports, uint32_t identity,
			    const GArray *pod_ports);
void policy_named_ports_remove(struct policy_named_ports *ports, uint32_t identity,
			       const GArray *pod_ports);
/* Whether some identity has got, or lost, ports since it was asked last. */
bool policy_named_ports_take_changed(struct policy_named_ports *ports);
/* Calls fn for each identity and port of the (interned) name and protocol; one port may come more than once. */
void policy_named_ports_foreach(const struct policy_named_ports *ports, const char *name,
				uint8_t protocol,
				void (*fn)(uint32_t identity, uint16_t number, void *data),
				void *data);
