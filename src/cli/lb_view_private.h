/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the view share. */
#pragma once

#include "src/cli/lb_view.h"
#include "src/model/addr.h"

struct frontend {
	struct lb_frontend_key key;
	struct lb_frontend value;
};

struct backend {
	uint32_t id;
	struct lb_backend value;
};

struct chunk {
	struct lb_maglev_key key;
	struct lb_maglev_chunk value;
};

struct affinity {
	struct lb_affinity_key key;
	struct lb_affinity value;
};

struct lb_view {
	GArray *frontends;   /* struct frontend, by address, protocol and port */
	GArray *backends;    /* struct backend, by id */
	GArray *chunks;      /* struct chunk, by set and chunk */
	GArray *ranges;      /* struct lb_source_range_key */
	GArray *affinities;  /* struct affinity */
	GHashTable *n_slots; /* set to number */
	GHashTable *slots;   /* slot_key() to id */
	GHashTable *by_id;   /* number of a back end to its place in backends + 1 */
	GHashTable *outside; /* numbers of services that clients outside may use */
};

int lb_compare_numbers(uint32_t a, uint32_t b);
/* "TCP"; "ANY" for 0. */
const char *lb_protocol_text(uint8_t protocol);
/* "10.0.0.5:80/TCP", or that there is none; g_free. */
char *lb_format_backend(const struct lb_view *view, uint32_t id);
/* The set that serves clients of the scope. */
uint32_t lb_set_of(const struct frontend *frontend, enum lb_scope scope);
