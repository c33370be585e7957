// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_redirect.h"

#include <string.h>
#include "src/derive/identity.h"
#include "src/model/plan.h"
#include "src/model/service.h"

/* One policy being derived. */
struct derivation {
	const struct lb_redirect_source *source;
	const struct local_redirect *redirect;
	GArray *pods; /* struct lb_local_pod: those that it selects, and that are ready */
	GPtrArray *drafts;
	GPtrArray *skips;
	GPtrArray *problems;
};

/* Sorted by name, so that nothing depends on the order in which they are met. */
static int compare_pods(const void *pointer_a, const void *pointer_b)
{
	const struct lb_local_pod *a = pointer_a, *b = pointer_b;

	return strcmp(a->pod->meta.key, b->pod->meta.key);
}

static void add_pod(const struct lb_local_pod *pod, void *data)
{
	struct derivation *derivation = data;
	const struct lb_redirect_source *source = derivation->source;
	const struct label_set *labels;

	if (pod->pod->meta.namespace != derivation->redirect->meta.namespace || !pod->pod->ready ||
	    pod->pod->terminating)
		return;
	labels = identity_pod_labels(source->tables, source->config, pod->pod);
	if (selector_matches(derivation->redirect->backend, labels))
		g_array_append_vals(derivation->pods, pod, 1);
	label_set_unref(labels);
}

/* The port behind: the only one of each, or that of the same name. */
static const struct redirect_port *find_behind(const struct local_redirect *redirect,
					       const char *name, uint8_t protocol, bool is_only)
{
	const GArray *ports = redirect->backend_ports;

	for (unsigned int i = 0; i < ports->len; i++) {
		const struct redirect_port *port = &g_array_index(ports, struct redirect_port, i);

		if (port->protocol == protocol &&
		    ((is_only && ports->len == 1) || (name && !g_strcmp0(port->name, name))))
			return port;
	}
	return NULL;
}

/* Each back end does not get the front end in its own way. */
static void add_skips(const struct derivation *derivation, const struct lb_draft *draft)
{
	static const struct lb_skip skip;

	for (unsigned int i = 0; i < derivation->pods->len; i++) {
		uint16_t id = g_array_index(derivation->pods, struct lb_local_pod, i).endpoint_id;

		for (unsigned int j = 0; id && j < draft->frontends->len; j++) {
			const struct lb_plan_frontend *frontend =
				&g_array_index(draft->frontends, struct lb_plan_frontend, j);
			struct lb_skip_key key = {
				.addr = frontend->addr,
				.port = htons(frontend->port),
				.protocol = draft->fields.protocol,
				.endpoint = id,
			};

			g_ptr_array_add(derivation->skips,
					plan_map_entry_new(PLAN_MAP_cilium_skip_lb, &key,
							   sizeof(key), &skip, sizeof(skip), id));
		}
	}
}

static void add_draft(struct derivation *derivation, const GArray *addrs, uint16_t port,
		      const struct redirect_port *behind, bool v4)
{
	const struct local_redirect *redirect = derivation->redirect;
	const struct lb_owner owner = {LB_OWNER_REDIRECT, redirect->meta.key};
	struct lb_draft *draft;
	char text[8];

	g_snprintf(text, sizeof(text), "%u", port);
	draft = lb_draft_new(&owner, text, behind->protocol, v4);
	draft->fields.namespace = redirect->meta.namespace;
	draft->fields.name = redirect->meta.name;
	draft->fields.port_name = behind->name;
	draft->fields.algorithm = derivation->source->config->lb_algorithm;
	draft->guards_addrs = redirect->service != NULL;
	for (unsigned int i = 0; i < addrs->len; i++) {
		const struct addr *addr = &g_array_index(addrs, struct addr, i);

		if (addr_is_v4(addr) == v4)
			lb_draft_add_frontend(draft, addr, port, LB_TYPE_LOCAL_REDIRECT, 0);
	}
	for (unsigned int i = 0; i < derivation->pods->len; i++)
		lb_pod_add_backend(derivation->source->node,
				   &g_array_index(derivation->pods, struct lb_local_pod, i),
				   behind->port, v4, draft);
	if (!draft->frontends->len || !draft->backends->len) {
		lb_draft_free(draft);
		return;
	}
	lb_draft_sort_backends(draft);
	if (redirect->skip_from_backend)
		add_skips(derivation, draft);
	g_ptr_array_add(derivation->drafts, draft);
}

static bool has_draft(const struct derivation *derivation, uint16_t port, uint8_t protocol, bool v4)
{
	for (unsigned int i = 0; i < derivation->drafts->len; i++) {
		const struct lb_draft *draft = derivation->drafts->pdata[i];
		const struct lb_plan_frontend *frontend =
			&g_array_index(draft->frontends, struct lb_plan_frontend, 0);

		if (frontend->port == port && draft->fields.protocol == protocol &&
		    addr_is_v4(&frontend->addr) == v4)
			return true;
	}
	return false;
}

static void add_drafts(struct derivation *derivation, const GArray *addrs, uint16_t port,
		       const struct redirect_port *behind)
{
	const struct derive_config *config = derivation->source->config;

	for (int v4 = 1; v4 >= 0; v4--)
		if ((v4 ? config->enable_ipv4 : config->enable_ipv6) &&
		    !has_draft(derivation, port, behind->protocol, v4))
			add_draft(derivation, addrs, port, behind, v4);
}

static bool may_redirect(const struct derive_config *config, const struct addr *addr)
{
	const GArray *cidrs = config->redirect_cidrs;

	for (unsigned int i = 0; cidrs && i < cidrs->len; i++)
		if (cidr_contains(&g_array_index(cidrs, struct cidr, i), addr))
			return true;
	return !cidrs;
}

/* Nothing is redirected. */
static void refuse(const struct derivation *derivation, const char *cause, const char *cure)
{
	g_ptr_array_add(derivation->problems,
			g_strdup_printf("CiliumLocalRedirectPolicy %s: %s, so nothing is "
					"redirected: %s",
					derivation->redirect->meta.key, cause, cure));
}

static void refuse_addr(const struct derivation *derivation)
{
	char addr[ADDR_TEXT_BYTES];
	g_autofree char *cause =
		g_strdup_printf("addressMatcher %s is in none of lrp-address-matcher-cidrs",
				addr_format(&derivation->redirect->addr, addr));

	refuse(derivation, cause, "add its prefix there, or change the policy");
}

static void refuse_service(const struct derivation *derivation, const char *fault)
{
	g_autofree char *cause =
		g_strdup_printf("Service %s/%s %s", derivation->redirect->meta.namespace,
				derivation->redirect->service, fault);

	refuse(derivation, cause, "change the Service, or serviceMatcher");
}

static void derive_addr(struct derivation *derivation)
{
	const struct local_redirect *redirect = derivation->redirect;
	const GArray *ports = redirect->frontend_ports;
	g_autoptr(GArray) addrs = g_array_new(false, false, sizeof(struct addr));

	if (!may_redirect(derivation->source->config, &redirect->addr)) {
		refuse_addr(derivation);
		return;
	}
	g_array_append_val(addrs, redirect->addr);
	for (unsigned int i = 0; ports && i < ports->len; i++) {
		const struct redirect_port *port = &g_array_index(ports, struct redirect_port, i);
		const struct redirect_port *behind =
			find_behind(redirect, port->name, port->protocol, ports->len == 1);

		if (behind)
			add_drafts(derivation, addrs, port->port, behind);
	}
}

/* NULL: the policy does not name the port. */
static const struct redirect_port *find_behind_service(const struct local_redirect *redirect,
						       const struct service *service,
						       const struct service_port *port)
{
	const GArray *ports = redirect->frontend_ports;
	g_autofree char *name = port->name ? g_ascii_strdown(port->name, -1) : NULL;

	if (!ports)
		return find_behind(redirect, name, port->protocol, service->ports->len == 1);
	for (unsigned int i = 0; i < ports->len; i++) {
		const struct redirect_port *named = &g_array_index(ports, struct redirect_port, i);

		if (named->port == port->port && named->protocol == port->protocol)
			return find_behind(redirect, named->name, named->protocol, ports->len == 1);
	}
	return NULL;
}

static void derive_service(struct derivation *derivation)
{
	const struct local_redirect *redirect = derivation->redirect;
	g_autofree char *key =
		g_strdup_printf("%s/%s", redirect->meta.namespace, redirect->service);
	const struct service *service = (const struct service *)table_get(
		derivation->source->tables->services, key, strlen(key));
	bool is_paired = false;

	if (!service) {
		refuse_service(derivation, "does not exist");
		return;
	}
	if (service->type != SERVICE_CLUSTER_IP || !service->cluster_ips) {
		refuse_service(derivation, "is not of type ClusterIP, or has no address");
		return;
	}
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);
		const struct redirect_port *behind = find_behind_service(redirect, service, port);

		if (!behind)
			continue;
		is_paired = true;
		add_drafts(derivation, service->cluster_ips, port->port, behind);
	}
	if (!is_paired)
		refuse_service(derivation, "has no port that redirectFrontend and "
					   "redirectBackend name");
}

void lb_redirect_derive(const struct lb_redirect_source *source,
			const struct local_redirect *redirect,
			const struct lb_redirect_result *result)
{
	struct derivation derivation = {
		.source = source,
		.redirect = redirect,
		.pods = g_array_new(false, false, sizeof(struct lb_local_pod)),
		.drafts = result->drafts,
		.skips = result->skips,
		.problems = result->problems,
	};

	if (!source->config->enable_local_redirect) {
		refuse(&derivation, "enable-local-redirect-policy is off", "switch it on");
	} else {
		lb_pods_foreach(source->pods, add_pod, &derivation);
		g_array_sort(derivation.pods, compare_pods);
		if (redirect->service)
			derive_service(&derivation);
		else
			derive_addr(&derivation);
	}
	g_array_unref(derivation.pods);
}
