/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as texts, a line for each thing that they say, for the tests of their decoders. */
#pragma once

#include <glib.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/model/policy.h"
#include "src/source/manifest.h"

/* "any.app=web", "k8s.x in (a b)", "!reserved.y"; of others what identifies them. */
static inline void append_selector(GString *text, const struct selector *selector)
{
	static const char *const operators[] = {" in (", " notin ("};
	const GArray *excepts = selector_get_excepts(selector);
	char buffer[CIDR_TEXT_BYTES];

	switch (selector_get_kind(selector)) {
	case SELECTOR_LABELS:
		g_string_append_c(text, '{');
		for (size_t i = 0; i < selector_n_requirements(selector); i++) {
			const struct requirement *r = selector_get_requirement(selector, i);

			g_string_append_printf(text, "%s%s%s.%s", i ? ", " : "",
					       r->op == REQUIREMENT_NOT_EXISTS ? "!" : "",
					       r->source ? r->source : "any", r->key);
			if (!r->values)
				continue;
			if (r->op == REQUIREMENT_IN && !r->values[1]) {
				g_string_append_printf(text, "=%s", r->values[0]);
				continue;
			}
			g_string_append(text, operators[r->op]);
			for (size_t j = 0; r->values[j]; j++)
				g_string_append_printf(text, "%s%s", j ? " " : "", r->values[j]);
			g_string_append_c(text, ')');
		}
		g_string_append_c(text, '}');
		break;
	case SELECTOR_CIDR:
		g_string_append(text, cidr_format(selector_get_cidr(selector), buffer));
		break;
	case SELECTOR_CIDR_GROUP:
	case SELECTOR_SERVICE:
		g_string_append(text, selector_get_kind(selector) == SELECTOR_SERVICE ? "service "
										      : "group ");
		if (selector_get_namespace(selector))
			g_string_append_printf(text, "%s/", selector_get_namespace(selector));
		if (selector_get_name(selector))
			g_string_append(text, selector_get_name(selector));
		else
			append_selector(text, selector_get_labels(selector));
		break;
	case SELECTOR_FQDN:
		g_string_append_printf(text, "name %s", selector_text(selector));
		break;
	case SELECTOR_NOBODY:
		g_string_append(text, "nobody");
		break;
	}
	for (unsigned int i = 0; excepts && i < excepts->len; i++)
		g_string_append_printf(
			text, " -%s", cidr_format(&g_array_index(excepts, struct cidr, i), buffer));
}

static inline void append_port(GString *text, const struct policy_port *port)
{
	const char *protocol = port->protocol == IPPROTO_TCP      ? "tcp"
			       : port->protocol == IPPROTO_UDP    ? "udp"
			       : port->protocol == IPPROTO_SCTP   ? "sctp"
			       : port->protocol == IPPROTO_ICMP   ? "icmp"
			       : port->protocol == IPPROTO_ICMPV6 ? "icmpv6"
								  : "?";

	g_string_append_printf(text, " %s/", protocol);
	if (port->all_ports)
		g_string_append_c(text, '*');
	else if (port->name)
		g_string_append(text, port->name);
	else if (port->port == port->end_port)
		g_string_append_printf(text, "%u", port->port);
	else
		g_string_append_printf(text, "%u-%u", port->port, port->end_port);
	if (port->needs)
		g_string_append_printf(text, "(needs %x)", port->needs);
}

static inline void append_rule(GString *text, const char *key, const struct policy_rule *rule)
{
	assert_int_equal(rule->number, policy_rule_number(key, rule->path));
	g_string_append_printf(text, "  %u %s %s%s:", rule->line, rule->path,
			       rule->direction == POLICY_INGRESS ? "ingress" : "egress",
			       rule->deny ? " deny" : "");
	if (rule->needs)
		g_string_append_printf(text, " (needs %x)", rule->needs);
	if (rule->any_peer)
		g_string_append(text, " everybody");
	else if (!rule->peers->len)
		g_string_append(text, " nobody");
	for (unsigned int i = 0; i < rule->peers->len; i++) {
		g_string_append(text, i ? " | " : " ");
		append_selector(text, g_ptr_array_index(rule->peers, i));
	}
	for (unsigned int i = 0; i < rule->requires->len; i++) {
		g_string_append(text, " requires ");
		append_selector(text, g_ptr_array_index(rule->requires, i));
	}
	g_string_append(text, rule->no_ports ? " at no port" : rule->ports->len ? " at" : "");
	for (unsigned int i = 0; i < rule->ports->len; i++)
		append_port(text, &g_array_index(rule->ports, struct policy_port, i));
	g_string_append_c(text, '\n');
}

static inline void append_policy(GString *text, const struct policy *policy)
{
	for (unsigned int i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = g_ptr_array_index(policy->specs, i);

		g_string_append(text, spec->selects_nodes ? " nodes " : " pods ");
		append_selector(text, spec->subject);
		g_string_append_printf(text, "%s%s\n",
				       spec->default_deny[POLICY_INGRESS] ? " -ingress" : "",
				       spec->default_deny[POLICY_EGRESS] ? " -egress" : "");
		for (unsigned int j = 0; j < spec->rules->len; j++)
			append_rule(text, policy->meta.key, g_ptr_array_index(spec->rules, j));
	}
	for (unsigned int i = 0; i < policy->notes->len; i++) {
		const struct policy_note *note = g_ptr_array_index(policy->notes, i);

		g_string_append_printf(text, " %s %u %s: %s\n",
				       note->fails_closed ? "refused" : "warning", note->line,
				       note->path, note->text);
	}
}

/* The policies, then the problems without file and object. */
static inline void assert_policies(const char *input, const char *expected)
{
	struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *said =
			&g_array_index(manifest->objects, struct manifest_object, i);

		if (!said->object)
			continue;
		g_string_append_printf(text, "%s\n", said->key);
		append_policy(text, (const struct policy *)said->object);
	}
	for (unsigned int i = 0; i < manifest->problems->len; i++) {
		const struct source_problem *problem = g_ptr_array_index(manifest->problems, i);

		g_string_append_printf(text, "%u %s: %s\n", problem->line,
				       problem->field ? problem->field : "-", problem->reason);
	}
	assert_string_equal(text->str, expected);
	manifest_free(manifest);
}
