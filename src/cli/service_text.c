/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/service_text.h"

#include <arpa/inet.h>
#include <string.h>
#include "src/cli/json_get.h"
#include "src/model/addr.h"
#include "src/model/connection_text.h"

/* ---- a service ---- */

/* "10.0.0.1:80", "[fd00::1]:80". */
static void append_end(GString *text, const json_t *address)
{
	const char *ip = json_get_text(address, "ip", NULL);

	g_string_append_printf(text, strchr(ip, ':') ? "[%s]:%lld" : "%s:%lld", ip,
			       json_get_number(address, "port", NULL));
}

static void append_protocol(GString *text, const json_t *address)
{
	const char *protocol = json_get_text(address, "protocol", NULL);

	if (*protocol)
		g_string_append_printf(text, "/%s", protocol);
}

char *service_format_name(const json_t *service)
{
	const json_t *flags = json_get(service, "spec", "flags", NULL);
	const char *namespace = json_get_text(flags, "namespace", NULL);
	const char *name = json_get_text(flags, "name", NULL);

	return *name ? g_strconcat(namespace, *namespace ? "/" : "", name, NULL) : NULL;
}

char *service_format_frontend(const json_t *service)
{
	const json_t *address = json_get(service, "spec", "frontend-address", NULL);
	g_autofree char *name = service_format_name(service);
	GString *text = g_string_new(NULL);

	append_end(text, address);
	append_protocol(text, address);
	if (name)
		g_string_append_printf(text, " %s", name);
	return g_string_free(text, FALSE);
}

bool service_is_requested(const json_t *service)
{
	return json_is_true(json_get(service, "axoneme", "requested", NULL));
}

/* ---- service list ---- */

static void append_backend(GString *table, size_t number, const json_t *backend, bool preferred)
{
	const char *state = json_get_text(backend, "state", NULL);

	g_string_append_printf(table, "%zu => ", number);
	append_end(table, backend);
	append_protocol(table, backend);
	g_string_append_printf(table, " (%s)", *state ? state : "active");
	if (preferred && json_is_true(json_get(backend, "preferred", NULL)))
		g_string_append(table, " (preferred)");
}

static void append_service(GString *table, const json_t *service, bool preferred)
{
	const json_t *spec = json_get(service, "status", "realized", NULL);
	const json_t *backends;
	json_t *backend;
	size_t i;

	if (!spec)
		spec = json_get(service, "spec", NULL);
	backends = json_get(spec, "backend-addresses", NULL);
	g_string_append_printf(table, "%lld\t", json_get_number(spec, "id", NULL));
	append_end(table, json_get(spec, "frontend-address", NULL));
	append_protocol(table, json_get(spec, "frontend-address", NULL));
	g_string_append_printf(table, "\t%s\t", json_get_text(spec, "flags", "type", NULL));
	json_array_foreach(backends, i, backend)
	{
		if (i)
			g_string_append(table, "\t\t\t");
		append_backend(table, i + 1, backend, preferred);
		g_string_append(table, "\t\n");
	}
	if (!json_array_size(backends))
		g_string_append(table, "\t\n");
}

void service_append_table(GString *table, const json_t *services, bool preferred)
{
	json_t *service;
	size_t i;

	g_string_append(table, "ID\tFrontend\tService Type\tBackend\t\n");
	json_array_foreach(services, i, service) append_service(table, service, preferred);
}

/* ---- lrp list ---- */

static void append_mapping(GString *table, const json_t *mapping)
{
	const json_t *frontend = json_get(mapping, "frontend-address", NULL);
	json_t *backend;
	size_t i;

	g_string_append(table, "\t|\t");
	append_end(table, frontend);
	append_protocol(table, frontend);
	g_string_append(table, " -> ");
	json_array_foreach(json_get(mapping, "backends", NULL), i, backend)
	{
		g_string_append(table, i ? ", " : "");
		append_end(table, json_get(backend, "backend-address", NULL));
		g_string_append_printf(table, "(%s)", json_get_text(backend, "pod-id", NULL));
	}
	g_string_append(table, "\t\t\n");
}

void redirect_append_table(GString *table, const json_t *redirects)
{
	json_t *redirect, *mapping;
	size_t i, j;

	g_string_append(table, "LRP namespace\tLRP name\tFrontendType\tMatching Service\t\n");
	json_array_foreach(redirects, i, redirect)
	{
		g_string_append_printf(table, "%s\t%s\t%s\t%s\t\n",
				       json_get_text(redirect, "namespace", NULL),
				       json_get_text(redirect, "name", NULL),
				       json_get_text(redirect, "frontend-type", NULL),
				       json_get_text(redirect, "service-id", NULL));
		json_array_foreach(json_get(redirect, "frontend-mappings", NULL), j, mapping)
			append_mapping(table, mapping);
	}
}

/* ---- service update ---- */

static bool is_protocol(const char *protocol)
{
	return !strcmp(protocol, "TCP") || !strcmp(protocol, "UDP") || !strcmp(protocol, "SCTP");
}

/* {ip, port, protocol}, of the flag's value; "/tcp" behind it may say the protocol. */
static json_t *parse_address(const char *flag, const char *text, const char *protocol,
			     GError **error)
{
	g_autofree char *end = g_strndup(text, strcspn(text, "/"));
	const char *slash = strchr(text, '/');
	char ip[ADDR_TEXT_BYTES];
	struct addr addr;
	__be16 port;

	if (connection_parse_end(end, &addr, &port) || !port) {
		(void)!error_set(error, EINVAL,
				 "--%s: \"%s\" is no address with a port, such as 10.0.0.1:80 or "
				 "[fd00::1]:80",
				 flag, text);
		return NULL;
	}
	if (slash && g_ascii_strcasecmp(slash + 1, protocol) != 0) {
		(void)!error_set(error, EINVAL, "--%s: \"%s\" is not of the protocol %s", flag,
				 text, protocol);
		return NULL;
	}
	return json_pack("{s:s, s:i, s:s}", "ip", addr_format(&addr, ip), "port", ntohs(port),
			 "protocol", protocol);
}

static const char *nth(const GPtrArray *list, guint i)
{
	return list ? list->pdata[i] : NULL;
}

static int add_details(json_t *backend, const char *weight, const char *state, GError **error)
{
	static const char *const states[] = {"active", "terminating", "quarantined", "maintenance",
					     NULL};
	guint64 number;

	if (weight && !g_ascii_string_to_unsigned(weight, 10, 0, UINT16_MAX, &number, NULL))
		return error_set(error, EINVAL, "--backend-weights: \"%s\", want 0..65535", weight);
	if (weight)
		json_object_set_new(backend, "weight", json_integer((json_int_t)number));
	if (state && !g_strv_contains(states, state))
		return error_set(error, EINVAL,
				 "--states: \"%s\", want active, terminating, quarantined or "
				 "maintenance",
				 state);
	if (state)
		json_object_set_new(backend, "state", json_string(state));
	return 0;
}

static int add_backends(const struct service_update *update, const char *protocol, json_t *list,
			GError **error)
{
	guint n = update->backends ? update->backends->len : 0;

	if (update->weights && update->weights->len != n)
		return error_set(error, EINVAL,
				 "--backend-weights: want one for each of --backends");
	if (update->states && update->states->len != n)
		return error_set(error, EINVAL, "--states: want one for each of --backends");
	for (guint i = 0; i < n; i++) {
		json_t *backend =
			parse_address("backends", update->backends->pdata[i], protocol, error);
		int err;

		if (!backend)
			return -EINVAL;
		json_array_append_new(list, backend);
		err = add_details(backend, nth(update->weights, i), nth(update->states, i), error);
		if (err)
			return err;
	}
	return 0;
}

/* NULL: more than one is asked for. */
static const char *type_text(const struct service_update *update)
{
	const struct {
		bool on;
		const char *type;
	} types[] = {
		{update->node_port, "NodePort"},
		{update->external, "ExternalIPs"},
		{update->load_balancer, "LoadBalancer"},
		{update->host_port, "HostPort"},
	};
	const char *type = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		if (types[i].on && type)
			return NULL;
		if (types[i].on)
			type = types[i].type;
	}
	return type ? type : "ClusterIP";
}

static const char *policy_text(const char *text)
{
	if (!text || !strcmp(text, "Cluster"))
		return "Cluster";
	return strcmp(text, "Local") ? NULL : "Local";
}

static json_t *flags_to_json(const struct service_update *update, GError **error)
{
	const char *type = type_text(update);
	const char *external = policy_text(update->external_policy);
	const char *internal = policy_text(update->internal_policy);

	if (!type)
		(void)!error_set(error, EINVAL,
				 "--k8s-node-port, --k8s-external, --k8s-load-balancer and "
				 "--k8s-host-port exclude each other");
	else if (!external || !internal)
		(void)!error_set(error, EINVAL,
				 "--k8s-ext-traffic-policy, --k8s-int-traffic-policy: want Cluster "
				 "or Local");
	else
		return json_pack("{s:s, s:s, s:s, s:s}", "type", type, "trafficPolicy", external,
				 "extTrafficPolicy", external, "intTrafficPolicy", internal);
	return NULL;
}

json_t *service_update_to_json(const struct service_update *update, GError **error)
{
	g_autofree char *protocol = g_ascii_strup(update->protocol ? update->protocol : "tcp", -1);
	json_t *backends, *flags, *frontend = NULL;

	if (!update->id)
		(void)!error_set(error, EINVAL, "--id: want a number from 1 on");
	else if (!is_protocol(protocol))
		(void)!error_set(error, EINVAL, "--protocol: \"%s\", want tcp, udp or sctp",
				 update->protocol);
	else if (!update->frontend)
		(void)!error_set(error, EINVAL, "--frontend: want an address with a port");
	else
		frontend = parse_address("frontend", update->frontend, protocol, error);
	if (!frontend)
		return NULL;
	backends = json_array();
	flags = add_backends(update, protocol, backends, error) ? NULL
								: flags_to_json(update, error);
	if (!flags) {
		json_decref(frontend);
		json_decref(backends);
		return NULL;
	}
	return json_pack("{s:I, s:o, s:o, s:o}", "id", (json_int_t)update->id, "frontend-address",
			 frontend, "backend-addresses", backends, "flags", flags);
}
