/* SPDX-License-Identifier: Apache-2.0 */
/* A node with one endpoint, and policies of what it may send to. */
#pragma once

#include "src/agent/policy_kernel_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/base/log.h"
#include "src/datapath/reconciler_private.h"
#include "src/derive/policy_world_test.h"
#include "src/model/identity.h"
#include "src/model/source_problem.h"

static int64_t now_ns;

static inline int64_t fake_now_ns(void)
{
	return now_ns;
}

static inline void start_with(void **state, const struct derive_config *config,
			      uint32_t max_prefixes)
{
	struct policy_kernel *kernel = g_new0(struct policy_kernel, 1);

	policy_kernel_init(kernel, config, max_prefixes);
	reconcilers_set_clock(kernel->reconcilers, fake_now_ns);
	policy_kernel_put_endpoint(kernel, 1, "a");
	*state = kernel;
}

static inline int setup(void **state)
{
	static const struct derive_config config;

	start_with(state, &config, 0);
	return 0;
}

static inline int teardown(void **state)
{
	policy_kernel_fini(*state);
	g_free(*state);
	return 0;
}

/* Egress of all pods to these peers, "10.0.0.0/8" or "10.0.0.0/8 10.1.0.0/16"; with default deny. */
static inline void put_policy(struct policy_kernel *kernel, const char *name,
			      const char *const *peers)
{
	struct policy *policy = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(policy, "");
	struct policy_rule *rule = test_policy_add_rule(policy, spec, POLICY_EGRESS, false);

	spec->default_deny[POLICY_EGRESS] = true;
	for (; *peers; peers++)
		test_policy_add_peer(rule, *peers);
	policy_kernel_put(kernel, kernel->tables.policies, &policy->row);
}

static inline uint32_t identity_of(const struct policy_kernel *kernel, const char *addr_text)
{
	struct addr addr = policy_kernel_addr(addr_text);

	return policy_kernel_identity(kernel, &addr);
}

static inline const char *labels_of(const struct policy_kernel *kernel, const char *addr_text)
{
	uint32_t number = identity_of(kernel, addr_text);
	const struct identity *identity = (const struct identity *)table_get(
		kernel->tables.identities, &number, sizeof(number));

	return identity ? label_set_text(identity->labels) : identity_reserved_name(number);
}

static inline bool allows(const struct policy_kernel *kernel, const char *addr_text)
{
	struct addr addr = policy_kernel_addr(addr_text);

	return policy_kernel_allows(kernel, 1, POLICY_EGRESS, &addr);
}
