/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random worlds and policies, valid ones. Few names, so that rules often match and often contradict each
 * other; every member that a policy can have.
 */
#pragma once

#include <jansson.h>
#include "test/policy/random.h"

struct generate {
	struct random random;
	bool ipv6, nodes;     /* the configuration has IPv6; selects nodes by labels */
	bool is_live;         /* for real packets: one node, no objects that need others */
	bool of_nodes;        /* of a policy of nodes, which knows no L7 */
	unsigned int n_names; /* of policies, handed out so far */
};

/* A whole world, new reference. */
json_t *generate_world(struct generate *generate);
/* A policy of any of the three kinds; named anew. */
json_t *generate_policy(struct generate *generate);
/* Some change: a policy comes, goes or is another, labels change, an endpoint comes or goes. */
void generate_change(struct generate *generate, json_t *world);
/* Of pods, by their labels; keys name no source where is_plain. Of namespaces and nodes, by theirs. */
json_t *generate_selector(struct generate *generate, bool is_plain);
json_t *generate_namespace_selector(struct generate *generate);
/* Labels of a pod, an object. */
json_t *generate_labels(struct generate *generate);

/* Addresses that are nobody's in the cluster; NULL at the end. */
extern const char *const generate_addresses[];
extern const char *const generate_namespaces[3];
