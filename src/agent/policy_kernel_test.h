/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: the whole way from policies, groups, services, nodes and pods to the kernel in memory, as the
 * agent wires it, and what that kernel says of an address.
 */
#pragma once

#include "src/datapath/fake.h"
#include "src/datapath/reconciler.h"
#include "src/derive/policy_activation.h"
#include "src/model/node.h"
#include "src/model/policy.h"

struct policy_kernel {
	struct derive_config config;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	struct policy_activation *activation;
	struct datapath *datapath;
	struct reconcilers *reconcilers;
	uint32_t last_version;
	unsigned int n_waiting_told; /* calls of on_waiting */
};

/* Both families. max_prefixes: of cilium_ipcache_prefix; 0: no limit. */
void policy_kernel_init(struct policy_kernel *kernel, const struct derive_config *config,
			uint32_t max_prefixes);
/* Another agent finds what this one has left in the kernel, and manifests that have changed meanwhile. */
void policy_kernel_restart(struct policy_kernel *kernel,
			   void (*change)(struct policy_kernel *kernel));
void policy_kernel_fini(struct policy_kernel *kernel);

/* Each commits and settles. Rows are taken; NULL rows and texts remove. */
void policy_kernel_put(struct policy_kernel *kernel, struct table *table, struct row *take_row);
void policy_kernel_remove(struct policy_kernel *kernel, struct table *table, const char *key);
void policy_kernel_remove_policy(struct policy_kernel *kernel, const char *name);
void policy_kernel_put_group(struct policy_kernel *kernel, const char *name, const char *cidrs);
/* A service without selector in the namespace default, and its one slice. */
void policy_kernel_put_service(struct policy_kernel *kernel, const char *name, const char *addrs);
/* label: NULL, or "key=value". */
void policy_kernel_put_node(struct policy_kernel *kernel, const char *name, const char *addrs,
			    const char *label);
/* A pod with the address 10.200.0.<id> and fd00:200::<id>, and a label k8s:app of the runtime's. */
void policy_kernel_put_endpoint(struct policy_kernel *kernel, uint16_t id, const char *app);
void policy_kernel_remove_endpoint(struct policy_kernel *kernel, uint16_t id);

/* As the programs look it up. */
uint32_t policy_kernel_identity(const struct policy_kernel *kernel, const struct addr *addr);
/* TCP to or from port 80. */
bool policy_kernel_allows(const struct policy_kernel *kernel, uint16_t endpoint_id,
			  enum policy_direction direction, const struct addr *peer);
struct addr policy_kernel_addr(const char *text);
