/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of services come to. Some imply others, some are old names of others, and some words are
 * old ones: whoever acts on them reads this, not struct settings.
 */
#pragma once

#include <glib.h>
#include "src/agent/config.h"

#define MAGLEV_SEED_BYTES 12

struct service_settings {
	bool replaces_kube_proxy; /* all kinds of services, to all clients */
	bool node_port;           /* NodePort and LoadBalancer; clients outside are served */
	bool external_ips;
	bool host_port;
	bool socket_lb;      /* of the host's sockets */
	bool socket_lb_pods; /* … and of endpoints' */
	bool session_affinity;
	enum choice_word algorithm;
	enum forwarding_word mode;
	enum acceleration_word acceleration;
	uint32_t maglev_size;     /* positions of a table; 0: no service can have one */
	uint32_t maglev_seed;     /* of the order in which back ends want positions */
	uint32_t packet_seeds[2]; /* of the hash over a packet */
};

/* "zone=1" of fixed-zone-mapping. *ret_name: g_free. */
bool service_settings_parse_zone(const char *pair, char **ret_name, uint8_t *ret_number);

/* Of settings that were checked. */
void service_settings_get(const struct settings *settings, struct service_settings *ret);

/* Adds a line to problems for each pair of keys that do not fit each other; texts too. */
void service_settings_check(const struct settings *settings, GString *problems);
/* Whether kube-proxy-replacement decides what the key, whose value is not its default, would: it has no effect. */
bool service_settings_is_overridden(const struct settings *settings, const char *key);
/* What is accepted and should be written otherwise: one sentence a call. */
void service_settings_foreach_warning(const struct settings *settings,
				      void (*fn)(const char *key, const char *hint, void *data),
				      void *data);
