/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world as the tests of policy describe it, one JSON value:
 *
 *	config     keys of the agent, texts
 *	objects    manifests
 *	endpoints  what has joined: {"pod": "namespace/name", "labels": […], "ipv4": …, "ipv6": …}
 *
 * and the parties in it that a packet can be from or to. Nothing here or in reference_*.c is shared with
 * what it judges: src/source, src/derive, src/model.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <glib.h>
#include <jansson.h>

#define WORLD_NODE      "node1" /* whose agent it is */
#define WORLD_NODE_IPV4 "192.168.7.2"
#define WORLD_NODE_IPV6 "fd07::2"

struct world_label {
	char *source, *key, *value;
};

struct party {
	char *name;   /* "namespace/pod", "endpoint/3", "host", "198.51.100.7", "reserved:health" */
	int endpoint; /* index in endpoints; -1: none */
	const json_t *pod;  /* its manifest; NULL: none */
	bool is_world;      /* somebody outside of the cluster */
	bool is_other_node; /* another node of the cluster */
	bool has_address;
	struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d */
	GArray *labels;          /* struct world_label */
};

struct world {
	const json_t *json;
	GHashTable *parties; /* name to struct party */
	const char *cluster;
	bool dual_stack;
};

struct world *world_new(const json_t *json);
void world_free(struct world *world);
/* By name; an address is a party by being named. NULL: there is no such party. Borrowed. */
const struct party *world_get_party(struct world *world, const char *name);
/* A key of the configuration, or the fallback. */
const char *world_config(const struct world *world, const char *key, const char *fallback);
bool world_config_is_on(const struct world *world, const char *key, bool fallback);

/* source NULL: any. The first value under the key, or NULL. */
const char *party_label(const struct party *party, const char *source, const char *key);
bool party_is_host(const struct party *party);

/* Of a manifest: a text at the end of a path of members, or NULL. */
const char *object_text(const json_t *object, const char *member, const char *second);
bool object_is(const json_t *object, const char *kind);
/* "kube-system/web": metadata.namespace ("default" where there is none), metadata.name. */
char *object_name(const json_t *object);

/* False where the text is none. prefix_bits counts from 128 for both families. */
bool parse_prefix(const char *text, struct in6_addr *ret_address, unsigned int *ret_prefix_bits);
bool prefix_contains(const char *prefix, const struct in6_addr *address);
