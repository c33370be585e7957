// SPDX-License-Identifier: Apache-2.0
#include "src/model/local_redirect.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/source/decode_policy.h"
#include "src/source/syntax.h"

#define MAX_PORTS 1024

/* Tells what is wrong with the name; NULL: nothing. */
static const char *find_fault(const char *name, bool needs_name, const GArray *before)
{
	if (!name)
		return needs_name ? "is missing: several ports need names" : NULL;
	for (unsigned int i = 0; i < before->len; i++)
		if (!g_strcmp0(g_array_index(before, struct redirect_port, i).name, name))
			return "is the name of a port before it";
	return NULL;
}

static void decode_port(const struct field *item, bool needs_name, GArray *ports)
{
	static const char *const members[] = {"port", "protocol", "name", NULL};
	static const char *const protocols[] = {"TCP", "UDP", NULL};
	struct field port_field = field_member(item, "port");
	struct field protocol_field = field_member(item, "protocol");
	struct field name_field = field_member(item, "name");
	const char *text = field_required_text(&port_field);
	const char *name = field_text(&name_field);
	g_autofree char *lower = name && *name ? g_ascii_strdown(name, -1) : NULL;
	const char *fault = find_fault(lower, needs_name, ports);
	int number = text ? syntax_parse_number(text, UINT16_MAX) : 0;
	int protocol = decode_word(&protocol_field, protocols);

	decode_policy_members(item, members);
	if (text && number < 1)
		field_want(&port_field, "a number from 1 to 65535 without leading zeros");
	if (!field_is_set(&protocol_field))
		field_add_problem(&protocol_field, "is missing");
	if (lower && !syntax_is_port_name(lower))
		field_want(&name_field, "at most 15 letters, digits and single '-' with a letter");
	else if (fault)
		field_add_problem(&name_field, "%s", fault);
	g_array_append_val(ports, ((struct redirect_port){
					  .name = intern_new(lower),
					  .protocol = protocol == 1 ? IPPROTO_UDP : IPPROTO_TCP,
					  .port = number,
				  }));
}

/* NULL: there are none, which is a problem where they are needed. */
static GArray *decode_ports(const struct field *parent, bool needed)
{
	struct field list = field_member(parent, "toPorts");
	struct field first = field_first(&list);
	GArray *ports;

	if (!first.value) {
		if (needed)
			field_add_problem(&list, field_is_set(&list) ? "is empty" : "is missing");
		return NULL;
	}
	if (!decode_check_length(&list, MAX_PORTS))
		return NULL;
	ports = redirect_ports_new();
	for (struct field item = first; item.value; item = field_next(&item))
		decode_port(&item, list.value->n > 1, ports);
	return ports;
}

static void decode_address_matcher(const struct field *matcher, struct local_redirect *redirect)
{
	static const char *const members[] = {"ip", "toPorts", NULL};
	struct field ip = field_member(matcher, "ip");
	const char *text = field_required_text(&ip);

	decode_policy_members(matcher, members);
	/* Addresses of the link are what this is most often used for. */
	if (text && (addr_parse(text, &redirect->addr) < 0 || !strcmp(text, "0.0.0.0") ||
		     addr_is_zero(&redirect->addr)))
		field_want(&ip, "an IPv4 or IPv6 address");
	redirect->frontend_ports = decode_ports(matcher, true);
}

static void decode_service_matcher(const struct field *matcher, struct local_redirect *redirect)
{
	static const char *const members[] = {"serviceName", "namespace", "toPorts", NULL};
	struct field name = field_member(matcher, "serviceName");
	struct field namespace = field_member(matcher, "namespace");
	const char *text = field_required_text(&name);
	const char *namespace_text = field_text(&namespace);

	decode_policy_members(matcher, members);
	if (text && !syntax_is_dns_label(text))
		field_want(&name, "1 to 63 of a-z, 0-9 and '-' (RFC 1123)");
	if (namespace_text && *namespace_text &&
	    strcmp(namespace_text, redirect->meta.namespace) != 0)
		field_add_problem(&namespace, "got \"%.63s\", want %s, which is the policy's",
				  namespace_text, redirect->meta.namespace);
	redirect->service = intern_new(text);
	redirect->frontend_ports = decode_ports(matcher, false);
}

static void decode_frontend(const struct field *spec, struct local_redirect *redirect)
{
	static const char *const members[] = {"addressMatcher", "serviceMatcher", NULL};
	struct field frontend = field_member(spec, "redirectFrontend");
	struct field address = field_member(&frontend, "addressMatcher");
	struct field service = field_member(&frontend, "serviceMatcher");

	decode_policy_members(&frontend, members);
	if (field_is_set(&address) == field_is_set(&service))
		field_add_problem(&frontend, "wants one of addressMatcher and serviceMatcher");
	else if (field_is_set(&address))
		decode_address_matcher(&address, redirect);
	else
		decode_service_matcher(&service, redirect);
}

/* A selector that nothing can meet is worth no policy: its notes are problems here. */
static const struct selector *decode_pods(const struct field *field, const char *namespace)
{
	struct policy *scratch = policy_new();
	struct policy_decoder decoder = {.policy = scratch, .object = field};
	const struct selector *selector = NULL;
	struct label_selector labels;

	label_selector_init(&labels);
	decode_label_selector(&decoder, field, "k8s", "", &labels);
	if (field_is_set(field)) {
		label_selector_add(&labels, "k8s", "io.kubernetes.pod.namespace", namespace);
		selector = label_selector_end(&decoder, field, &labels);
	}
	for (unsigned int i = 0; i < scratch->notes->len; i++)
		field_add_problem(field, "%s",
				  ((struct policy_note *)scratch->notes->pdata[i])->text);
	label_selector_fini(&labels);
	row_unref(&scratch->row);
	return selector;
}

static const struct redirect_port *find_port(const GArray *ports, const char *name)
{
	for (unsigned int i = 0; i < ports->len; i++)
		if (!g_strcmp0(g_array_index(ports, struct redirect_port, i).name, name))
			return &g_array_index(ports, struct redirect_port, i);
	return NULL;
}

/* Where there are several, a port is redirected to that of its name; alone it needs none. */
static void check_pairs(const struct field *backend, const struct local_redirect *redirect)
{
	const GArray *front = redirect->frontend_ports, *back = redirect->backend_ports;
	struct field list = field_member(backend, "toPorts");

	for (unsigned int i = 0; front && back && i < front->len; i++) {
		const struct redirect_port *port = &g_array_index(front, struct redirect_port, i);
		bool is_pair = front->len == 1 && back->len == 1;
		const struct redirect_port *behind =
			is_pair ? &g_array_index(back, struct redirect_port, 0)
				: find_port(back, port->name);

		if (!behind)
			field_add_problem(&list, "has no port with the name of the front end's %s",
					  port->name ? port->name : "port: give it a name");
		else if (behind->protocol != port->protocol)
			field_add_problem(&list,
					  "has port %u with another protocol than the front "
					  "end's port %u",
					  behind->port, port->port);
	}
}

static void decode_backend(const struct field *spec, struct local_redirect *redirect)
{
	static const char *const members[] = {"localEndpointSelector", "toPorts", NULL};
	struct field backend = field_member(spec, "redirectBackend");
	struct field selector = field_member(&backend, "localEndpointSelector");

	decode_policy_members(&backend, members);
	redirect->backend = decode_pods(&selector, redirect->meta.namespace);
	redirect->backend_ports = decode_ports(&backend, true);
	check_pairs(&backend, redirect);
}

struct object *decode_local_redirect(const struct field *object, struct object_meta *take_meta)
{
	static const char *const members[] = {"redirectFrontend", "redirectBackend",
					      "skipRedirectFromBackend", "description", NULL};
	struct object *decoded = decode_new(&local_redirect_class, take_meta);
	struct local_redirect *redirect = (struct local_redirect *)decoded;
	struct field spec = field_member(object, "spec");
	struct field skip = field_member(&spec, "skipRedirectFromBackend");

	if (!field_is_set(&spec))
		field_add_problem(&spec, "is missing");
	decode_policy_members(&spec, members);
	redirect->skip_from_backend = field_bool(&skip, false);
	decode_frontend(&spec, redirect);
	decode_backend(&spec, redirect);
	return decoded;
}
