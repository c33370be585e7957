/* SPDX-License-Identifier: Apache-2.0 */
/* A set of ports, as net.ipv4.ip_local_reserved_ports writes it: "8080,30000-32767". */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct port_set {
	uint64_t words[65536 / 64];
};

/* Adds what the text has; false where it is none, and then it may have added some. */
bool port_set_parse(struct port_set *set, const char *text);
/* Free with g_free. */
char *port_set_format(const struct port_set *set);
bool port_set_has(const struct port_set *set, uint16_t port);
void port_set_add(struct port_set *set, uint16_t first, uint16_t last);
void port_set_remove(struct port_set *set, uint16_t first, uint16_t last);
