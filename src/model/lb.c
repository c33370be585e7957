// SPDX-License-Identifier: Apache-2.0
#include "src/model/lb.h"

#include <string.h>
#include "src/base/intern.h"

/* A flag, and how it is said. */
struct flag_text {
	uint16_t flag;
	const char *text;
};

static void lb_service_fini(struct row *row)
{
	struct lb_service *service = (struct lb_service *)row;

	for (uint32_t i = 0; i < service->n_backends; i++) {
		intern_unref(service->backends[i].node);
		intern_unref(service->backends[i].zone_name);
	}
	intern_unref(service->namespace);
	intern_unref(service->name);
	intern_unref(service->port_name);
}

static bool frontend_equal(const struct lb_plan_frontend *a, const struct lb_plan_frontend *b)
{
	return addr_equal(&a->addr, &b->addr) && a->port == b->port && a->flags == b->flags &&
	       a->type == b->type && a->id == b->id;
}

static bool backend_equal(const struct lb_plan_backend *a, const struct lb_plan_backend *b)
{
	return addr_equal(&a->addr, &b->addr) && a->port == b->port && a->weight == b->weight &&
	       a->state == b->state && a->flags == b->flags && a->zone == b->zone &&
	       a->preferred == b->preferred && a->node == b->node && a->zone_name == b->zone_name;
}

static bool arrays_equal(const struct lb_service *a, const struct lb_service *b)
{
	for (unsigned int i = 0; i < a->n_frontends; i++)
		if (!frontend_equal(&a->frontends[i], &b->frontends[i]))
			return false;
	for (uint32_t i = 0; i < a->n_backends; i++)
		if (!backend_equal(&a->backends[i], &b->backends[i]))
			return false;
	for (unsigned int i = 0; i < a->n_source_ranges; i++)
		if (a->source_ranges[i].prefix_len != b->source_ranges[i].prefix_len ||
		    !addr_equal(&a->source_ranges[i].addr, &b->source_ranges[i].addr))
			return false;
	return true;
}

static bool lb_service_equal(const struct row *row_a, const struct row *row_b)
{
	const struct lb_service *a = (const struct lb_service *)row_a;
	const struct lb_service *b = (const struct lb_service *)row_b;

	return strcmp(a->key, b->key) == 0 && a->namespace == b->namespace && a->name == b->name &&
	       a->port_name == b->port_name && a->affinity_timeout == b->affinity_timeout &&
	       a->n_frontends == b->n_frontends && a->n_source_ranges == b->n_source_ranges &&
	       a->n_backends == b->n_backends &&
	       a->health_check_node_port == b->health_check_node_port &&
	       a->protocol == b->protocol && a->algorithm == b->algorithm &&
	       a->external_local == b->external_local && a->internal_local == b->internal_local &&
	       a->needs_maglev == b->needs_maglev && arrays_equal(a, b);
}

const struct row_class lb_service_class = {
	.name = "load-balanced service",
	.size = sizeof(struct lb_service),
	.fini = lb_service_fini,
	.equal = lb_service_equal,
};

/* A copy of n_bytes at *at, which goes on behind it. */
static void *copy_behind(char **at, const void *from, size_t n_bytes)
{
	void *copy = *at;

	if (n_bytes)
		memcpy(copy, from, n_bytes);
	*at += n_bytes;
	return copy;
}

struct lb_service *lb_service_new(const char *key, const struct lb_service *fields)
{
	size_t n_frontend_bytes = fields->n_frontends * sizeof(*fields->frontends);
	size_t n_backend_bytes = fields->n_backends * sizeof(*fields->backends);
	size_t n_range_bytes = fields->n_source_ranges * sizeof(*fields->source_ranges);
	size_t n_key_bytes = strlen(key) + 1;
	struct row *row = row_new_sized(&lb_service_class, n_frontend_bytes + n_backend_bytes +
								   n_range_bytes + n_key_bytes);
	struct lb_service *service = (struct lb_service *)row;
	struct row head = *row;
	char *at = (char *)(service + 1);

	*service = *fields;
	service->row = head;
	service->namespace = intern_new(fields->namespace);
	service->name = intern_new(fields->name);
	service->port_name = intern_new(fields->port_name);
	service->backends = copy_behind(&at, fields->backends, n_backend_bytes);
	for (uint32_t i = 0; i < service->n_backends; i++) {
		intern_new(service->backends[i].node);
		intern_new(service->backends[i].zone_name);
	}
	service->frontends = copy_behind(&at, fields->frontends, n_frontend_bytes);
	service->source_ranges = copy_behind(&at, fields->source_ranges, n_range_bytes);
	service->key = copy_behind(&at, key, n_key_bytes);
	return service;
}

const char *lb_type_name(enum lb_type type)
{
	static const char *const names[] = {
		[LB_TYPE_CLUSTER_IP] = "ClusterIP",    [LB_TYPE_NODE_PORT] = "NodePort",
		[LB_TYPE_EXTERNAL_IP] = "ExternalIPs", [LB_TYPE_LOAD_BALANCER] = "LoadBalancer",
		[LB_TYPE_HOST_PORT] = "HostPort",      [LB_TYPE_LOCAL_REDIRECT] = "LocalRedirect",
	};

	return type < G_N_ELEMENTS(names) && names[type] ? names[type] : "NONE";
}

const char *lb_backend_state_name(enum lb_backend_state state)
{
	static const char *const names[] = {
		[LB_BACKEND_ACTIVE] = "active",
		[LB_BACKEND_TERMINATING] = "terminating",
		[LB_BACKEND_QUARANTINED] = "quarantined",
		[LB_BACKEND_MAINTENANCE] = "maintenance",
	};

	return state < G_N_ELEMENTS(names) ? names[state] : "invalid";
}

/* Those of the n that are set: behind first the first one, behind next the others. */
static void append_flags(GString *text, uint16_t flags, const struct flag_text *texts, size_t n,
			 const char *first, const char *next)
{
	const char *separator = first;

	for (size_t i = 0; i < n; i++) {
		if (!(flags & texts[i].flag))
			continue;
		g_string_append(text, separator);
		g_string_append(text, texts[i].text);
		separator = next;
	}
}

void lb_frontend_append_flags(GString *text, uint16_t flags, const char *first, const char *next)
{
	static const struct flag_text texts[] = {
		{LB_FRONTEND_F_EXTERNAL, "external"},
		{LB_FRONTEND_F_EXTERNAL_LOCAL, "external-local"},
		{LB_FRONTEND_F_INTERNAL_LOCAL, "internal-local"},
		{LB_FRONTEND_F_SOURCE_RANGES, "source-ranges"},
		{LB_FRONTEND_F_DENY_RANGES, "deny-ranges"},
		{LB_FRONTEND_F_DSR, "dsr"},
		{LB_FRONTEND_F_WILDCARD, "wildcard"},
		{LB_FRONTEND_F_LOOPBACK, "loopback"},
	};

	append_flags(text, flags, texts, G_N_ELEMENTS(texts), first, next);
}

void lb_backend_append_flags(GString *text, uint8_t flags, const char *first, const char *next)
{
	static const struct flag_text texts[] = {
		{LB_BACKEND_F_IN_ALL, "in-all"},
		{LB_BACKEND_F_IN_LOCAL, "in-local"},
		{LB_BACKEND_F_LOCAL, "local"},
	};

	append_flags(text, flags, texts, G_N_ELEMENTS(texts), first, next);
}
