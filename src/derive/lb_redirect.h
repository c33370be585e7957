/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CiliumLocalRedirectPolicy wants: a row for each port and family that has a pod of this node behind it.
 * Without such a pod there is no row, so that packets go where they went before.
 */
#pragma once

#include "src/derive/lb_pod.h"
#include "src/model/local_redirect.h"

struct lb_redirect_source {
	const struct tables *tables;
	const struct derive_config *config;
	const struct lb_node *node;
	const struct lb_pods *pods;
};

/* What is added to. */
struct lb_redirect_result {
	GPtrArray *drafts; /* struct lb_draft */
	/*
	 * struct plan_map_entry of cilium_skip_lb: where pods that are redirected to are left alone
	 * themselves.
	 */
	GPtrArray *skips;
	GPtrArray *problems; /* char *: a sentence of what cannot be */
};

void lb_redirect_derive(const struct lb_redirect_source *source,
			const struct local_redirect *redirect,
			const struct lb_redirect_result *result);
