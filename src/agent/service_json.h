/* SPDX-License-Identifier: Apache-2.0 */
/* Services in the shape of Cilium's API: one for each front end, under the front end's number. */
#pragma once

#include <jansson.h>
#include "src/model/addr.h"
#include "src/model/lb.h"

struct agent;

/* An address and a port that clients know. */
struct service_end {
	struct addr addr;
	uint16_t port; /* host byte order */
};

/* "default/web": whose it is; NULL: nobody's. g_free. */
char *service_name_of(const struct agent *agent, const struct service_end *end);
/* As services_to_json, of whatever protocol has it. */
json_t *services_at_to_json(const struct agent *agent, const struct service_end *end);

struct service_stream;

/* All, as services_to_json, piece by piece: as they are now, whatever changes meanwhile. */
struct service_stream *service_stream_new(const struct agent *agent);
/* Appends the next piece of the list's text; nothing when it has ended. */
void service_stream_append(GString *piece, void *stream);
void service_stream_free(void *stream);

/* By number, n_max at most. What the kernel has not taken has the number 0 and is the last. */
json_t *services_to_json(const struct agent *agent, unsigned int n_max);
/* The one of this number, from 1; NULL: there is none. */
json_t *service_to_json(const struct agent *agent, uint32_t id);
/* LRPSpec of each local redirect, by namespace and name. */
json_t *local_redirects_to_json(const struct agent *agent);
