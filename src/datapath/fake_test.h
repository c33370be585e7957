/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of reconcilers on a node in memory share: a datapath, a clock of their own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/datapath/fake.h"
#include "src/datapath/reconciler_private.h"

static int64_t test_now_ns;

static inline int64_t test_clock(void)
{
	return test_now_ns;
}

/* limits: PLAN_MAP__MAX of them, 0 is none; NULL: none at all. The clock begins anew. */
static inline struct datapath *test_datapath_new(const uint32_t *limits)
{
	struct datapath *dp = datapath_fake_new();
	struct datapath_config config = {0};

	log_set_level(LOG_LEVEL_ERROR);
	test_now_ns = NSEC_PER_SEC;
	if (limits)
		memcpy(config.max_entries, limits, sizeof(config.max_entries));
	assert_int_equal(dp->ops->load(dp, &config, NULL), 0);
	return dp;
}

/* Until nothing is left to be done; what fails stays. */
static inline void test_come_to_rest(struct reconcilers *reconcilers)
{
	for (int i = 0; i < 20; i++) {
		int64_t ns = reconcilers_retry(reconcilers);

		if (ns < 0)
			return;
		test_now_ns += ns;
	}
}
