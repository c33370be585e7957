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

/*
 * Adds struct lb_draft; and, where pods that are redirected to are left alone themselves, to skips the entries of
 * cilium_skip_lb (struct plan_map_entry).
 */
void lb_redirect_derive(const struct lb_redirect_source *source,
			const struct local_redirect *redirect, GPtrArray *drafts, GPtrArray *skips);
