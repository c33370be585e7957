/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of abi/lb.h, taken together, as rows of two columns. Rows come sorted; the second and further values of
 * one key follow each other.
 */
#pragma once

#include <stdint.h>
#include <glib.h>
#include "abi/lb.h"

struct lb_view;

/* Takes the strings. */
typedef void (*lb_row_fn)(char *key, char *value, void *data);

struct lb_view *lb_view_new(void);
void lb_view_free(struct lb_view *view);

/* What stands in the maps, in any order. */
void lb_view_add_frontend(struct lb_view *view, const struct lb_frontend_key *key,
			  const struct lb_frontend *frontend);
void lb_view_add_set(struct lb_view *view, uint32_t set, const struct lb_set *value);
void lb_view_add_slot(struct lb_view *view, const struct lb_slot_key *key,
		      const struct lb_slot *slot);
void lb_view_add_backend(struct lb_view *view, uint32_t id, const struct lb_backend *backend);
void lb_view_add_chunk(struct lb_view *view, const struct lb_maglev_key *key,
		       const struct lb_maglev_chunk *chunk);
void lb_view_add_range(struct lb_view *view, const struct lb_source_range_key *key);
void lb_view_add_affinity(struct lb_view *view, const struct lb_affinity_key *key,
			  const struct lb_affinity *affinity);
/* Before the first row; no more is added then. */
void lb_view_sort(struct lb_view *view);

/*
 * "10.96.0.1:80/TCP" to "0.0.0.0:0 (1) (0) [ClusterIP]" and a back end a slot. Where clients inside have others than
 * those outside, "10.96.0.1:80/TCP/i" is theirs.
 */
void lb_view_services(const struct lb_view *view, lb_row_fn fn, void *data);
/* The same with numbers of back ends. */
void lb_view_frontends(const struct lb_view *view, lb_row_fn fn, void *data);
/* Number to "TCP://10.0.0.5:80". */
void lb_view_backends(const struct lb_view *view, lb_row_fn fn, void *data);
/* Number of a front end to "10.96.0.1:80". */
void lb_view_revnat(const struct lb_view *view, lb_row_fn fn, void *data);
/* "192.0.2.0/24 (7)" to nothing, for each front end that asks. */
void lb_view_ranges(const struct lb_view *view, lb_row_fn fn, void *data);
/* "192.0.2.7 (service 7)" to "10.0.0.5:80/TCP, 3s ago"; now: CLOCK_MONOTONIC, seconds. */
void lb_view_affinities(const struct lb_view *view, uint32_t now, lb_row_fn fn, void *data);
/*
 * "[7]/v4" to "[1 1 2 …]", of front ends that choose by a table; where clients inside have another than those outside,
 * "[7]/v4/i" is theirs. id: of this one, 0: of all. Returns how many.
 */
unsigned int lb_view_maglev(const struct lb_view *view, uint32_t id, lb_row_fn fn, void *data);
