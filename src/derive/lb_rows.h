/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of lb_services, and who gets a front end that several want: the row that is first in the order of
 * lb_bid_compare(). The others are remembered, and their owners looked at again when it is free. So the
 * table depends on what there is, and not on the order in which it came.
 *
 * An address of services that belongs to no node has one more front end, without a port, which says that
 * nothing else is to be found there. It is part of one of the rows of the address.
 */
#pragma once

#include "src/derive/lb_draft.h"
#include "src/store/tables.h"

struct lb_rows;

struct lb_rows_ops {
	/* Look at the owner again. The key is borrowed. */
	void (*wake)(const struct lb_owner *owner, void *data);
	/* Whether the address is one of a node, which has other things on other ports. */
	bool (*is_node_addr)(const struct addr *addr, void *data);
	void *data;
};

struct lb_rows *lb_rows_new(struct store *store, struct tables *tables,
			    const struct lb_rows_ops *ops);
void lb_rows_free(struct lb_rows *rows); /* takes NULL */
/*
 * The owner has these rows and no others: drafts are struct lb_draft, which are used up; old_keys (char *) names
 * the rows that it may have had. In the table by lb_rows_commit().
 */
void lb_rows_replace(struct lb_rows *rows, const struct lb_owner *owner, const GPtrArray *old_keys,
		     GPtrArray *drafts);
/* The address has become a node's, or is one no longer. */
void lb_rows_note_node_addr(struct lb_rows *rows, const struct addr *addr);
void lb_rows_commit(struct lb_rows *rows);
/* As they will be. No change meanwhile. */
void lb_rows_foreach(const struct lb_rows *rows,
		     void (*fn)(const struct lb_service *row, void *data), void *data);
/*
 * Calls fn for each row that does not get a front end which one of the same rank, or of another kind that is not a
 * redirect, has; in no order. No change meanwhile.
 */
void lb_rows_foreach_conflict(const struct lb_rows *rows,
			      void (*fn)(const char *loser, const char *winner,
					 const struct addr *addr, uint16_t port, void *data),
			      void *data);
