// SPDX-License-Identifier: Apache-2.0
#include "src/model/endpoint.h"

#include <string.h>

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
	label_set_unref(endpoint->user_labels);
	label_set_unref(endpoint->disabled_labels);
	g_free(endpoint->host_ifname);
}

/* An endpoint is put when it is made and when it is changed; nobody puts the same one again. */
const struct row_class endpoint_class = {
	.name = "endpoint",
	.size = sizeof(struct endpoint),
	.fini = endpoint_fini,
};

struct endpoint *endpoint_new(void)
{
	struct endpoint *endpoint = (struct endpoint *)row_new(&endpoint_class);

	endpoint->runtime_labels = label_set_new(NULL, 0);
	endpoint->user_labels = label_set_new(NULL, 0);
	endpoint->disabled_labels = label_set_new(NULL, 0);
	return endpoint;
}

struct endpoint *endpoint_copy(const struct endpoint *endpoint)
{
	struct endpoint *copy = (struct endpoint *)row_new(&endpoint_class);
	struct row row = copy->row;

	*copy = *endpoint;
	copy->row = row;
	copy->container_id = g_strdup(endpoint->container_id);
	copy->container_name = g_strdup(endpoint->container_name);
	copy->container_ifname = g_strdup(endpoint->container_ifname);
	copy->netns = g_strdup(endpoint->netns);
	copy->namespace = g_strdup(endpoint->namespace);
	copy->pod_name = g_strdup(endpoint->pod_name);
	copy->pod_uid = g_strdup(endpoint->pod_uid);
	copy->host_ifname = g_strdup(endpoint->host_ifname);
	copy->runtime_labels = label_set_ref(endpoint->runtime_labels);
	copy->user_labels = label_set_ref(endpoint->user_labels);
	copy->disabled_labels = label_set_ref(endpoint->disabled_labels);
	return copy;
}

static const char *const option_names[] = {
#define ENDPOINT_OPTION(name, text, help) [ENDPOINT_OPTION_##name] = text,
#include "src/model/endpoint_option.def"
#undef ENDPOINT_OPTION
};

const char *endpoint_option_name(enum endpoint_option option)
{
	g_assert(option < ENDPOINT_OPTION__MAX);
	return option_names[option];
}

enum endpoint_option endpoint_option_find(const char *name)
{
	unsigned int option = 0;

	while (option < ENDPOINT_OPTION__MAX && g_ascii_strcasecmp(option_names[option], name))
		option++;
	return option;
}

static void endpoint_state_fini(struct row *row)
{
	struct endpoint_state *state = (struct endpoint_state *)row;

	label_set_unref(state->labels);
	label_set_unref(state->disabled_labels);
	label_set_unref(state->identity_labels);
}

static bool endpoint_state_equal(const struct row *row_a, const struct row *row_b)
{
	const struct endpoint_state *a = (const struct endpoint_state *)row_a;
	const struct endpoint_state *b = (const struct endpoint_state *)row_b;

	return a->id == b->id && a->identity == b->identity && a->labels == b->labels &&
	       a->disabled_labels == b->disabled_labels && a->identity_labels == b->identity_labels;
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
