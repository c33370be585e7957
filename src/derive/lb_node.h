/* SPDX-License-Identifier: Apache-2.0 */
/* What services look at of this node and of the others: addresses, labels, zones. */
#pragma once

#include "src/derive/config.h"
#include "src/model/label.h"
#include "src/store/tables.h"

struct lb_node;

struct lb_node_ops {
	/* An address has become a node's, or is one no longer. */
	void (*addr_changed)(const struct addr *addr, void *data);
	/* The zone of a node; its name is borrowed. */
	void (*zone_changed)(const char *node_name, void *data);
	/* Node ports have other addresses. */
	void (*ports_changed)(void *data);
	/* Labels of this node, or what else services ask of it: its addresses. */
	void (*self_changed)(void *data);
	void *data;
};

struct lb_node *lb_node_new(const struct tables *tables, const struct derive_config *config,
			    const struct lb_node_ops *ops);
void lb_node_free(struct lb_node *node); /* takes NULL */
/* The row of the key in the tables nodes or devices is another one, or gone. */
void lb_node_update_node(struct lb_node *node, const struct row_key *key);
void lb_node_update_device(struct lb_node *node, const struct row_key *key);
/* To be called when all changed keys have been told. */
void lb_node_finish_update(struct lb_node *node);

/* struct addr, sorted; borrowed until the next update. */
const GArray *lb_node_get_port_addrs(const struct lb_node *node, bool v4);
bool lb_node_is_node_addr(const struct lb_node *node, const struct addr *addr);
/* An address of a device of this node. */
bool lb_node_is_own_addr(const struct lb_node *node, const struct addr *addr);
/* Labels of this node's Node, else of its CiliumNode; NULL: there is none. */
const struct label_set *lb_node_get_labels(const struct lb_node *node);
/* Interned texts; NULL: not known. */
const char *lb_node_get_name(const struct lb_node *node);
const char *lb_node_get_zone(const struct lb_node *node);
const char *lb_node_zone_of(const struct lb_node *node, const char *name);
/* 0: it has none. zone may be NULL. */
uint8_t lb_node_zone_number(const struct lb_node *node, const char *zone);
/* name: interned; may be NULL. */
bool lb_node_is_own(const struct lb_node *node, const char *name);
