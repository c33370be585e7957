/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that were translated to services. */
#include "src/agent/metrics_private.h"

#include "src/agent/socket_end.h"

void metrics_collect_sockets(struct metrics *metrics, struct metric_set *set)
{
	const struct socket_end_statistics *statistics;

	if (!metrics->agent->socket_end)
		return;
	statistics = socket_end_get_statistics(metrics->agent->socket_end);
	metric_set_add(set, AGENT_METRIC_lb_sockets_ended_total, METRIC_LABELS("TCP"),
		       statistics->n_tcp);
	metric_set_add(set, AGENT_METRIC_lb_sockets_ended_total, METRIC_LABELS("UDP"),
		       statistics->n_udp);
	metric_set_add(set, AGENT_METRIC_lb_sockets_not_ended_total, METRIC_NO_LABELS,
		       statistics->n_failed);
}
