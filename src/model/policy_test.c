// SPDX-License-Identifier: Apache-2.0
/* Which policies, groups and services are equal, one field at a time. */
#include "src/model/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "src/base/intern.h"
#include "src/model/cidr_group.h"
#include "src/model/endpoint_slice.h"
#include "src/model/rule_set.h"
#include "src/model/service.h"

static struct policy *new_policy(void)
{
	struct policy *policy = policy_new();
	struct policy_spec *spec = policy_spec_new();
	struct policy_rule *rule = policy_rule_new(POLICY_INGRESS, false);
	struct policy_port port = {
		.protocol = IPPROTO_TCP, .port = 80, .end_port = 80, .name = intern_new("web")};

	object_meta_init(&policy->meta, "CiliumNetworkPolicy/default", "web");
	policy->meta.line = 3;
	policy->kind = POLICY_KIND_CILIUM;
	spec->subject = selector_new_labels(NULL, 0);
	spec->labels = label_set_new(NULL, 0);
	rule->path = g_strdup("spec.ingress[0]");
	rule->line = 7;
	rule->number = policy_rule_number(policy->meta.key, rule->path);
	g_ptr_array_add(rule->peers, (void *)selector_new_labels(NULL, 0));
	g_array_append_val(rule->ports, port);
	g_ptr_array_add(spec->rules, rule);
	g_ptr_array_add(policy->specs, spec);
	policy_note_add(policy->notes, false, "spec", 4, "has %d", 1);
	return policy;
}

static struct policy_spec *spec_of(struct policy *policy)
{
	return g_ptr_array_index(policy->specs, 0);
}

static struct policy_rule *rule_of(struct policy *policy)
{
	return g_ptr_array_index(spec_of(policy)->rules, 0);
}

static struct policy_port *port_of(struct policy *policy)
{
	return &g_array_index(rule_of(policy)->ports, struct policy_port, 0);
}

static void add_label(struct policy *policy)
{
	struct label label = {"k8s", "a", "b"};

	label_set_unref(spec_of(policy)->labels);
	spec_of(policy)->labels = label_set_new(&label, 1);
}

static void change_port_name(struct policy *policy)
{
	intern_unref(port_of(policy)->name);
	port_of(policy)->name = NULL;
}

static void change_subject(struct policy *policy)
{
	selector_unref(spec_of(policy)->subject);
	spec_of(policy)->subject = selector_new_nobody();
}

static void change_path(struct policy *policy)
{
	rule_of(policy)->path[13]++;
}

#define CHANGE(name, statement)                          \
	static void change_##name(struct policy *policy) \
	{                                                \
		statement;                               \
	}
CHANGE(kind, policy->kind = POLICY_KIND_KUBERNETES)
CHANGE(uid, policy->meta.uid = g_strdup("u"))
CHANGE(n_specs, g_ptr_array_add(policy->specs, policy_spec_new()))
CHANGE(nodes, spec_of(policy)->selects_nodes = true)
CHANGE(default_deny, spec_of(policy)->default_deny[POLICY_EGRESS] = true)
CHANGE(description, spec_of(policy)->description = g_strdup("x"))
CHANGE(log, spec_of(policy)->log = g_strdup("x"))
CHANGE(n_rules, g_ptr_array_set_size(spec_of(policy)->rules, 0))
CHANGE(number, rule_of(policy)->number++)
CHANGE(direction, rule_of(policy)->direction = POLICY_EGRESS)
CHANGE(deny, rule_of(policy)->deny = true)
CHANGE(needs, rule_of(policy)->needs = POLICY_NEEDS_AUTH)
CHANGE(any_peer, rule_of(policy)->any_peer = true)
CHANGE(narrowed, rule_of(policy)->narrowed = true)
CHANGE(no_ports, rule_of(policy)->no_ports = true)
CHANGE(n_peers, g_ptr_array_set_size(rule_of(policy)->peers, 0))
CHANGE(requires, g_ptr_array_add(rule_of(policy)->requires, (void *)selector_new_nobody()))
CHANGE(n_ports, g_array_set_size(rule_of(policy)->ports, 0))
CHANGE(protocol, port_of(policy)->protocol = IPPROTO_UDP)
CHANGE(port_needs, port_of(policy)->needs = POLICY_NEEDS_L7)
CHANGE(all_ports, port_of(policy)->all_ports = true)
CHANGE(port, port_of(policy)->port = 79)
CHANGE(end_port, port_of(policy)->end_port = 81)

static void what_is_judged_differently(void **state)
{
	static void (*const changes[])(struct policy *policy) = {
		change_kind,         change_uid,         change_n_specs,  change_nodes,
		change_default_deny, change_description, change_log,      change_n_rules,
		change_number,       change_direction,   change_deny,     change_needs,
		change_any_peer,     change_narrowed,    change_no_ports, change_n_peers,
		change_requires,     change_n_ports,     change_protocol, change_port_needs,
		change_all_ports,    change_port,        change_end_port, add_label,
		change_port_name,    change_subject,     change_path,
	};
	struct policy *policy = new_policy();

	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		struct policy *other = new_policy();

		assert_true(policy_is_same(policy, other));
		assert_true(row_equal(&policy->row, &other->row));
		changes[i](other);
		if (policy_is_same(policy, other))
			fail_msg("change %zu", i);
		assert_false(row_equal(&policy->row, &other->row));
		row_unref(&other->row);
	}
	row_unref(&policy->row);
}

CHANGE(line, policy->meta.line++)
CHANGE(file, policy->meta.file = intern_new("/a"))
CHANGE(rule_line, rule_of(policy)->line++)
CHANGE(n_notes, g_ptr_array_set_size(policy->notes, 0))
CHANGE(note, ((struct policy_note *)g_ptr_array_index(policy->notes, 0))->fails_closed = true)
CHANGE(note_line, ((struct policy_note *)g_ptr_array_index(policy->notes, 0))->line++)
CHANGE(note_text, *((struct policy_note *)g_ptr_array_index(policy->notes, 0))->text = 'x')
CHANGE(note_path, *((struct policy_note *)g_ptr_array_index(policy->notes, 0))->path = 'x')

static void what_is_only_shown_differently(void **state)
{
	static void (*const changes[])(struct policy *policy) = {
		change_line, change_file,      change_rule_line, change_n_notes,
		change_note, change_note_line, change_note_text, change_note_path,
	};
	struct policy *policy = new_policy();

	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		struct policy *other = new_policy();

		changes[i](other);
		assert_true(policy_is_same(policy, other));
		if (row_equal(&policy->row, &other->row))
			fail_msg("change %zu", i);
		row_unref(&other->row);
	}
	row_unref(&policy->row);
}

static void numbers(void **state)
{
	uint32_t number = policy_rule_number("NetworkPolicy/default/a", "spec.ingress[0]");

	/* On every node, in every version: it is on other nodes' flows. */
	assert_int_equal(number, 0x409d4bb7);
	assert_int_not_equal(number,
			     policy_rule_number("NetworkPolicy/default/a", "spec.egress[0]"));
	assert_int_not_equal(number,
			     policy_rule_number("NetworkPolicy/default/b", "spec.ingress[0]"));
	/* Where key and path meet matters. */
	assert_int_not_equal(policy_rule_number("ab", "c"), policy_rule_number("a", "bc"));
	for (unsigned int i = 0; i < 100000; i++) {
		char path[16];

		g_snprintf(path, sizeof(path), "%u", i);
		assert_true(policy_rule_number("a", path) > RULE_NUMBER_RESERVED_MAX);
	}
	assert_string_equal(policy_kind_name(POLICY_KIND_KUBERNETES), "NetworkPolicy");
	assert_string_equal(policy_kind_name(POLICY_KIND_CILIUM), "CiliumNetworkPolicy");
	assert_string_equal(policy_kind_name(POLICY_KIND_CLUSTERWIDE),
			    "CiliumClusterwideNetworkPolicy");
}

static struct cidr_group *new_group(const char *cidr_text)
{
	struct cidr_group *group = (struct cidr_group *)row_new(&cidr_group_class);
	struct cidr cidr;

	object_meta_init(&group->meta, NULL, "vpn");
	group->cidrs = g_array_new(FALSE, TRUE, sizeof(struct cidr));
	assert_int_equal(cidr_parse(cidr_text, &cidr), 0);
	g_array_append_val(group->cidrs, cidr);
	return group;
}

static struct service *new_service(const char *app)
{
	struct service *service = (struct service *)row_new(&service_class);

	object_meta_init_namespaced(&service->meta, "default", "web");
	if (app)
		service->selector = g_strdup_printf("k8s:app=%s;", app);
	return service;
}

static struct endpoint_slice *new_slice(const char *service, const char *addr_text)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)row_new(&endpoint_slice_class);
	struct slice_endpoint endpoint = {.flags = SLICE_ENDPOINT_READY};

	object_meta_init(&slice->meta, "EndpointSlice/default", "web-1");
	endpoint_slice_init(slice, service);
	assert_int_equal(addr_parse(addr_text, &endpoint.addr), 0);
	endpoint_slice_add(slice, &endpoint);
	return slice;
}

static void assert_pair(void *a, void *b, bool equal)
{
	assert_int_equal(row_equal(a, b), equal);
	row_unref(a);
	row_unref(b);
}

static void groups_and_services(void **state)
{
	struct cidr_group *longer = new_group("10.0.0.0/8");
	struct cidr first = g_array_index(longer->cidrs, struct cidr, 0);

	g_array_append_val(longer->cidrs, first);
	assert_pair(new_group("10.0.0.0/8"), new_group("10.0.0.0/8"), true);
	assert_pair(new_group("10.0.0.0/8"), new_group("10.0.0.0/9"), false);
	assert_pair(new_group("10.0.0.0/8"), longer, false);
	assert_pair(new_service("a"), new_service("a"), true);
	assert_pair(new_service("a"), new_service("b"), false);
	assert_pair(new_service("a"), new_service(NULL), false);
	assert_pair(new_slice("a", "10.0.0.1"), new_slice("a", "10.0.0.1"), true);
	assert_pair(new_slice("a", "10.0.0.1"), new_slice("b", "10.0.0.1"), false);
	assert_pair(new_slice("a", "10.0.0.1"), new_slice(NULL, "10.0.0.1"), false);
	assert_pair(new_slice("a", "10.0.0.1"), new_slice("a", "fd00::1"), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_judged_differently),
		cmocka_unit_test(what_is_only_shown_differently),
		cmocka_unit_test(numbers),
		cmocka_unit_test(groups_and_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
