/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath in memory: what its files share. */
#pragma once

#include "src/datapath/fake.h"

struct fake {
	struct datapath datapath;
	struct datapath_config config;
	struct datapath_statistics statistics; /* only sizes */
	GHashTable *maps[PLAN_MAP__MAX];       /* GBytes to GBytes; NULL: a ring */
	GHashTable *attachments;               /* GBytes of the key to enum plan_program */
	GHashTable *routes;                    /* GBytes of the destination to struct plan_route */
	GQueue failures[FAKE_OP__MAX];         /* errnos */
	unsigned int n_calls[FAKE_OP__MAX];
	unsigned int n_writes;
	unsigned int dies_at; /* n_writes that no write comes behind; UINT_MAX: lives */
	unsigned int fails_at;
	int write_error; /* positive errno, of the write at fails_at */
	void (*on_write)(void *data);
	void *on_write_data;
};

static inline struct fake *fake_get(const struct datapath *dp)
{
	return (struct fake *)dp;
}

/* Counts a call. 0, or −errno where the call is to fail. */
int fake_begin(struct datapath *dp, enum fake_op op);

/* fake_map.c */
int fake_map_foreach(struct datapath *dp, enum plan_map map,
		     bool (*fn)(const void *key, const void *value, void *data), void *data);
int fake_map_update(struct datapath *dp, enum plan_map map, const void *key, const void *value);
int fake_map_delete(struct datapath *dp, enum plan_map map, const void *key);
int fake_map_update_batch(struct datapath *dp, enum plan_map map, const void *keys,
			  const void *values, uint32_t n, uint32_t *ret_n_done);
int fake_map_delete_batch(struct datapath *dp, enum plan_map map, const void *keys, uint32_t n,
			  uint32_t *ret_n_done);
uint32_t fake_map_max_entries(struct datapath *dp, enum plan_map map);
int fake_map_get(struct datapath *dp, enum plan_map map, const void *key, void *ret_value);
int fake_map_sweep(struct datapath *dp, enum plan_map map, struct map_cursor *cursor,
		   bool (*fn)(const void *key, const void *value, void *data), void *data);
struct policy_endpoint fake_policy_get(struct datapath *dp, uint16_t endpoint_id);
void fake_policy_set(struct datapath *dp, uint16_t endpoint_id,
		     const struct policy_endpoint *element);
