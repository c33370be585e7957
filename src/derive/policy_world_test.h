/* SPDX-License-Identifier: Apache-2.0 */
/* A world of policies, identities and endpoints for the tests of the derivation. */
#pragma once

#include <stddef.h>
#include "src/derive/policy.h"
#include "src/model/policy.h"
#include "src/model/rule_set.h"

struct policy_world {
	struct derive_config config;
	struct store *store;
	struct tables tables;
	struct policy_named_ports *named_ports;
	struct policy_derivation *derivation;
};

/* Default mode, both families; nothing is synced yet. */
void policy_world_init(struct policy_world *world);
void policy_world_fini(struct policy_world *world);
void policy_world_set_synced(struct policy_world *world);

/* "k8s:app=a;k8s:tier=b;" */
void policy_world_put_identity(struct policy_world *world, uint32_t number, const char *labels);
void policy_world_remove_identity(struct policy_world *world, uint32_t number);
/* labels as above; pod: "namespace/name", or NULL. */
void policy_world_put_endpoint(struct policy_world *world, uint16_t id, uint32_t identity,
			       const char *labels, const char *pod);
void policy_world_remove_endpoint(struct policy_world *world, uint16_t id);
/* One port, or none where name is NULL. */
void policy_world_put_pod(struct policy_world *world, const char *key, const char *port_name,
			  uint8_t protocol, uint16_t number);
/* cidrs: separated by spaces; NULL removes the group. */
void policy_world_put_group(struct policy_world *world, const char *name, const char *cidrs);
/* Takes the policy. */
void policy_world_put_policy(struct policy_world *world, struct policy *take_policy);
void policy_world_remove_policy(struct policy_world *world, const char *name);

/* Of kind CiliumClusterwideNetworkPolicy. */
struct policy *test_policy_new(const char *name);
/* subject: "k8s:app=a,k8s:tier=b", or "" for all. With no default deny. */
struct policy_spec *test_policy_add_spec(struct policy *policy, const char *subject);
/* Covers everybody, until it has a peer, and everything, until it has a port. */
struct policy_rule *test_policy_add_rule(struct policy *policy, struct policy_spec *spec,
					 enum policy_direction direction, bool deny);
/* "k8s:app=a,k8s:tier=b", "10.0.0.0/8", "10.0.0.0/8 10.1.0.0/16" (an exception), "group:name", "nobody". */
void test_policy_add_peer(struct policy_rule *rule, const char *peer);
void test_policy_add_port(struct policy_rule *rule, uint8_t protocol, uint16_t first,
			  uint16_t last);
void test_policy_add_named_port(struct policy_rule *rule, uint8_t protocol, const char *name);
const struct selector *test_selector(const char *text);

/* NULL where the endpoint has no row. */
const struct endpoint_policy *policy_world_get_endpoint(struct policy_world *world, uint16_t id);
const struct rule_set *policy_world_get_rule_set(struct policy_world *world, uint16_t id);
struct policy_leaf policy_world_judge(struct policy_world *world, uint16_t id,
				      enum policy_direction direction, uint32_t identity,
				      uint8_t protocol, uint16_t port);
