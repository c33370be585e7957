/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the derivation of services share. */
#pragma once

#include "src/derive/lb.h"
#include "src/derive/lb_node.h"
#include "src/derive/lb_pod.h"
#include "src/derive/lb_rows.h"
#include "src/store/keyed_set.h"

struct lb_derivation {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	const struct table_index *slices;
	struct table_index *services_by_hash;    /* those whose back ends are probed */
	struct table_index *redirects_by_target; /* by "namespace/service" */
	struct lb_node *node;
	struct lb_pods *pods;
	struct lb_rows *rows;
	GHashTable *dirty[LB_OWNER__MAX]; /* keys of owners to look at */
	/* As they were derived last, a reference each: which rows they have, which service they are of. */
	struct keyed_set derived_services;
	struct keyed_set derived_slices;
	GHashTable *owner_rows[LB_OWNER__MAX]; /* of the other kinds: key to GPtrArray of keys */
	GHashTable *skips;                     /* key of a redirect to GPtrArray of rows */
	GPtrArray *all_skips;                  /* as they were put last */
	GHashTable *refused[LB_OWNER__MAX];    /* key of an owner to GPtrArray of texts */
	bool skips_changed;
};

/* ---- lb_note.c: what is to be looked at again ---- */

/* The row of the key is another one, or gone. */
void lb_note(struct lb_derivation *derivation, const struct table *table,
	     const struct row_key *key);
/* What the parts of the derivation say to it; data: the derivation. */
extern const struct lb_node_ops lb_note_node_ops;
void lb_note_pod(const char *pod_key, void *data);
void lb_note_owner(const struct lb_owner *owner, void *data);

/* ---- lb_problem.c: what is to be told ---- */

/* Whose row it is, by its key, for people: "Service default/web". g_free. */
char *lb_owner_text(const char *row_key);
