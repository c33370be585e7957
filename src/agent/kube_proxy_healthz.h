/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /healthz as kube-proxy answers it, on kube-proxy-replacement-healthz-bind-address: load balancers of clouds
 * and old probes ask there.
 *
 *	200 or 503  {"lastUpdated": "2026-01-02T03:04:05.678901Z", "currentTime": "…"}
 *
 * 503 where the agent's state is Failure; lastUpdated then stands still, at when the first of its jobs began to
 * fail.
 */
#pragma once

#include "src/agent/agent.h"

struct kube_proxy_healthz;

/*
 * NULL where the key is empty. A port that is not to be had fails the controller "kube-proxy-healthz", and
 * kube_proxy_healthz_retry() tries again.
 */
struct kube_proxy_healthz *kube_proxy_healthz_new(struct agent *agent);
/* Memory goes when the loop has run. Takes NULL, as the other does. */
void kube_proxy_healthz_free(struct kube_proxy_healthz *healthz);
void kube_proxy_healthz_retry(struct kube_proxy_healthz *healthz);
