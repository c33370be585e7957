// SPDX-License-Identifier: Apache-2.0
#include "src/model/endpoint.h"

static void endpoint_fini(struct row *row)
{
	struct endpoint *endpoint = (struct endpoint *)row;

	g_free(endpoint->container_id);
	g_free(endpoint->container_name);
	g_free(endpoint->container_ifname);
	g_free(endpoint->netns);
	g_free(endpoint->namespace);
	g_free(endpoint->pod_name);
	g_free(endpoint->pod_uid);
	label_set_unref(endpoint->runtime_labels);
	g_free(endpoint->host_ifname);
}

/* An endpoint is written when it is made and when it goes; nobody puts the same one again. */
const struct row_class endpoint_class = {
	.name = "endpoint",
	.size = sizeof(struct endpoint),
	.fini = endpoint_fini,
};

static void endpoint_state_fini(struct row *row)
{
	struct endpoint_state *state = (struct endpoint_state *)row;

	label_set_unref(state->labels);
	label_set_unref(state->identity_labels);
}

static bool endpoint_state_equal(const struct row *row_a, const struct row *row_b)
{
	const struct endpoint_state *a = (const struct endpoint_state *)row_a;
	const struct endpoint_state *b = (const struct endpoint_state *)row_b;

	return a->id == b->id && a->identity == b->identity && a->labels == b->labels &&
	       a->identity_labels == b->identity_labels;
}

const struct row_class endpoint_state_class = {
	.name = "endpoint state",
	.size = sizeof(struct endpoint_state),
	.fini = endpoint_state_fini,
	.equal = endpoint_state_equal,
};

const char *endpoint_phase_name(enum endpoint_phase phase)
{
	static const char *const names[ENDPOINT_PHASE__MAX] = {
		[ENDPOINT_WAITING_FOR_IDENTITY] = "waiting-for-identity",
		[ENDPOINT_REGENERATING] = "regenerating",
		[ENDPOINT_RESTORING] = "restoring",
		[ENDPOINT_READY] = "ready",
		[ENDPOINT_DISCONNECTING] = "disconnecting",
		[ENDPOINT_INVALID] = "invalid",
	};

	g_assert(phase < ENDPOINT_PHASE__MAX);
	return names[phase];
}
