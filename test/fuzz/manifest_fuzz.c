/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "src/model/endpoint_slice.h"
#include "src/model/local_redirect.h"
#include "src/model/policy.h"
#include "src/model/service.h"
#include "src/source/manifest.h"
#include "test/fuzz/fuzz.h"

static void check_rule(const struct policy *policy, const struct policy_rule *rule)
{
	g_assert(rule->number == policy_rule_number(policy->meta.key, rule->path));
	g_assert(!rule->any_peer || !rule->peers->len);
	g_assert(!rule->no_ports || !rule->ports->len);
	for (unsigned int i = 0; i < rule->peers->len; i++)
		g_assert(selector_text(g_ptr_array_index(rule->peers, i)));
	for (unsigned int i = 0; i < rule->ports->len; i++) {
		const struct policy_port *port = &g_array_index(rule->ports, struct policy_port, i);

		g_assert(port->protocol && port->port <= port->end_port);
		g_assert(!port->name || (!port->end_port && !port->all_ports));
		g_assert(!port->all_ports || !port->end_port);
		g_assert(!rule->deny || !port->needs);
	}
}

static void check_policy(const struct policy *policy)
{
	g_assert(policy->specs->len);
	for (unsigned int i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = g_ptr_array_index(policy->specs, i);

		g_assert(selector_get_kind(spec->subject) == SELECTOR_LABELS && spec->labels);
		for (unsigned int j = 0; j < spec->rules->len; j++)
			check_rule(policy, g_ptr_array_index(spec->rules, j));
	}
}

static void check_service(const struct service *service)
{
	const struct service_health *health = service->health;

	g_assert(!service->ports || service->ports->len);
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);

		g_assert(port->protocol && port->port);
		g_assert(port->name || service->ports->len == 1);
	}
	g_assert(!service->cluster_ips || service->cluster_ips->len <= 2);
	g_assert(service->affinity_timeout <= 86400);
	g_assert(!service->meta.annotations);
	if (health)
		g_assert(health->timeout_ms && health->timeout_ms <= health->interval_ms &&
			 health->n_fail && health->n_recover &&
			 (health->probe == HEALTH_PROBE_HTTP) == !!health->path);
}

static void check_slice(const struct endpoint_slice *slice)
{
	for (unsigned int i = 0; i < slice->n_endpoints; i++) {
		const struct slice_endpoint one = endpoint_slice_get(slice, i), *endpoint = &one;

		g_assert(!addr_is_zero(&endpoint->addr));
		g_assert(!endpoint->zones || g_str_has_suffix(endpoint->zones, ","));
	}
	for (unsigned int i = 0; i < slice->ports->len; i++)
		g_assert(g_array_index(slice->ports, struct slice_port, i).protocol);
}

static void check_redirect(const struct local_redirect *redirect)
{
	g_assert(addr_is_zero(&redirect->addr) == !!redirect->service);
	g_assert(redirect->frontend_ports || redirect->service);
	g_assert(redirect->backend && redirect->backend_ports->len);
}

static void check_object(const struct manifest_object *said, const struct manifest_object *again)
{
	g_assert(strcmp(said->object->meta.key, said->key) == 0);
	g_assert(again->object && row_equal(&said->object->row, &again->object->row));
	if (said->object->row.class == &policy_class)
		check_policy((const struct policy *)said->object);
	else if (said->object->row.class == &service_class)
		check_service((const struct service *)said->object);
	else if (said->object->row.class == &endpoint_slice_class)
		check_slice((const struct endpoint_slice *)said->object);
	else if (said->object->row.class == &local_redirect_class)
		check_redirect((const struct local_redirect *)said->object);
}

/*
 * As JSON where it begins like JSON. What is accepted is whole, and the same when it is read again; what is
 * refused has a reason.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	bool is_json = n_bytes && data[0] == '{';
	const char *file = is_json ? "a.json" : "a.yaml";
	struct manifest *manifest = manifest_parse(file, (const char *)data, n_bytes);
	struct manifest *again = manifest_parse(file, (const char *)data, n_bytes);
	unsigned int n_refused = 0;

	g_assert(manifest->objects->len == again->objects->len);
	for (unsigned int i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *said =
			&g_array_index(manifest->objects, struct manifest_object, i);

		n_refused += !said->object;
		if (said->object)
			check_object(said,
				     &g_array_index(again->objects, struct manifest_object, i));
	}
	if (n_refused || !manifest->complete)
		g_assert(manifest->problems->len);
	manifest_free(manifest);
	manifest_free(again);
	return 0;
}
