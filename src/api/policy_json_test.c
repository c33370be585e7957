/* SPDX-License-Identifier: Apache-2.0 */
#include "src/api/policy_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "src/base/intern.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct selector *labels(const char *source, const char *key, const char *value)
{
	const char *const values[] = {value, NULL};
	const struct requirement requirement = {
		.source = source,
		.key = key,
		.op = value ? REQUIREMENT_IN : REQUIREMENT_EXISTS,
		.values = value ? values : NULL,
	};

	return selector_new_labels(&requirement, 1);
}

static const struct selector *prefix(const char *text, const char *except)
{
	g_autoptr(GArray) excepts = g_array_new(FALSE, FALSE, sizeof(struct cidr));
	struct cidr cidr, other;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	if (except) {
		assert_int_equal(cidr_parse(except, &other), 0);
		g_array_append_val(excepts, other);
	}
	return selector_new_cidr(&cidr, excepts);
}

static struct policy_spec *spec_new(void)
{
	const struct label of_policy[] = {
		{"k8s", "io.cilium.k8s.policy.name", "web"},
	};
	struct policy_spec *spec = policy_spec_new();

	spec->subject = labels(NULL, "app", "web");
	spec->labels = label_set_new(of_policy, N(of_policy));
	return spec;
}

static struct policy_rule *add_rule(struct policy_spec *spec, enum policy_direction direction,
				    bool deny)
{
	struct policy_rule *rule = policy_rule_new(direction, deny);

	rule->path = g_strdup("spec.ingress[0]");
	g_ptr_array_add(spec->rules, rule);
	return rule;
}

static void add_peer(struct policy_rule *rule, const struct selector *take_peer)
{
	g_ptr_array_add(rule->peers, (void *)take_peer);
}

static void add_port(struct policy_rule *rule, struct policy_port port)
{
	port.name = intern_new(port.name);
	g_array_append_val(rule->ports, port);
}

/* Frees the spec. */
static void assert_json(struct policy_spec *spec, const char *expected)
{
	json_auto_t *json = policy_spec_to_json(spec);
	char *text = json_dumps(json, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	policy_spec_free(spec);
}

#define SUBJECT "{\"endpointSelector\":{\"matchLabels\":{\"any:app\":\"web\"}},"
#define LABELS                                                                                     \
	"\"labels\":[{\"key\":\"io.cilium.k8s.policy.name\",\"value\":\"web\",\"source\":\"k8s\"}" \
	"],"
#define NO_DENY "\"enableDefaultDeny\":{\"ingress\":false,\"egress\":false}"

static void endpoints_and_ports(void **state)
{
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_INGRESS, false);

	spec->default_deny[POLICY_INGRESS] = true;
	spec->description = g_strdup("who buys");
	spec->log = g_strdup("shop");
	rule->narrowed = true;
	add_peer(rule, labels("k8s", "role", "front"));
	add_port(rule, (struct policy_port){.protocol = IPPROTO_TCP, .port = 80, .end_port = 80});
	add_port(rule, (struct policy_port){.protocol = IPPROTO_TCP, .port = 90, .end_port = 99});
	add_port(rule, (struct policy_port){.protocol = IPPROTO_UDP, .name = "dns"});
	add_port(rule,
		 (struct policy_port){.protocol = IPPROTO_ICMPV6, .port = 128, .end_port = 128});
	assert_json(spec, SUBJECT
		    "\"ingress\":[{\"fromEndpoints\":[{\"matchLabels\":{\"k8s:role\":"
		    "\"front\"}}],\"toPorts\":[{\"ports\":["
		    "{\"port\":\"80\",\"protocol\":\"TCP\"},"
		    "{\"port\":\"90\",\"endPort\":99,\"protocol\":\"TCP\"},"
		    "{\"port\":\"dns\",\"protocol\":\"UDP\"}]}],"
		    "\"icmps\":[{\"fields\":[{\"family\":\"IPv6\",\"type\":128}]}]}]," LABELS
		    "\"enableDefaultDeny\":{\"ingress\":true,\"egress\":false},"
		    "\"description\":\"who buys\",\"log\":{\"value\":\"shop\"}}");
}

/* ANY with a port was decoded as three protocols; a port for all of them without is one. */
static void any_protocol(void **state)
{
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_EGRESS, true);
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	rule->any_peer = true;
	for (size_t i = 0; i < N(protocols); i++)
		add_port(rule, (struct policy_port){
				       .protocol = protocols[i], .port = 53, .end_port = 53});
	add_port(rule, (struct policy_port){.protocol = IPPROTO_TCP, .all_ports = true});
	add_port(rule, (struct policy_port){.all_ports = true});
	assert_json(spec, SUBJECT "\"egressDeny\":[{\"toPorts\":[{\"ports\":["
				  "{\"port\":\"53\",\"protocol\":\"ANY\"},"
				  "{\"port\":\"0\",\"protocol\":\"TCP\"},"
				  "{\"port\":\"0\",\"protocol\":\"ANY\"}]}]}]," LABELS NO_DENY "}");
}

static void prefixes(void **state)
{
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_EGRESS, false);

	add_peer(rule, prefix("10.0.0.0/8", NULL));
	add_peer(rule, prefix("fd00::1", NULL));
	rule = add_rule(spec, POLICY_EGRESS, false);
	add_peer(rule, prefix("10.0.0.0/8", "10.1.0.0/16"));
	add_peer(rule, selector_new_cidr_group("offices", NULL, NULL));
	assert_json(spec, SUBJECT
		    "\"egress\":[{\"toCIDR\":[\"10.0.0.0/8\",\"fd00::1/128\"]},"
		    "{\"toCIDRSet\":[{\"cidr\":\"10.0.0.0/8\",\"except\":[\"10.1.0.0/16\"]},"
		    "{\"cidrGroupRef\":\"offices\"}]}]," LABELS NO_DENY "}");
}

static void entities(void **state)
{
	static const char *const world[] = {"world", "world-ipv4", "world-ipv6"};
	static const char *const cluster[] = {"host",   "remote-node", "init",          "ingress",
					      "health", "unmanaged",   "kube-apiserver"};
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_INGRESS, false);

	for (size_t i = 0; i < N(world); i++)
		add_peer(rule, labels("reserved", world[i], ""));
	add_peer(rule, labels("reserved", "host", ""));
	rule = add_rule(spec, POLICY_INGRESS, false);
	add_peer(rule, selector_new_labels(NULL, 0));
	rule = add_rule(spec, POLICY_INGRESS, false);
	add_peer(rule, selector_new_nobody());
	rule = add_rule(spec, POLICY_INGRESS, false);
	for (size_t i = 0; i < N(cluster); i++)
		add_peer(rule, labels("reserved", cluster[i], ""));
	add_peer(rule, labels("k8s", "io.cilium.k8s.policy.cluster", "default"));
	/* What stands in fromEndpoints stays there. */
	rule = add_rule(spec, POLICY_INGRESS, false);
	rule->narrowed = true;
	add_peer(rule, labels("reserved", "host", ""));
	assert_json(spec, SUBJECT "\"ingress\":[{\"fromEntities\":[\"world\",\"host\"]},"
				  "{\"fromEntities\":[\"all\"]},"
				  "{\"fromEntities\":[\"none\"]},"
				  "{\"fromEntities\":[\"cluster\"]},"
				  "{\"fromEndpoints\":[{\"matchLabels\":{\"reserved:host\":\"\"}}]"
				  "}]," LABELS NO_DENY "}");
}

static void services_and_names(void **state)
{
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_EGRESS, false);

	add_peer(rule, selector_new_service("shop", "db", NULL));
	rule = add_rule(spec, POLICY_EGRESS, false);
	add_peer(rule, selector_new_fqdn("example.com.", false));
	add_peer(rule, selector_new_fqdn("*.example.com.", true));
	assert_json(spec, SUBJECT "\"egress\":[{\"toServices\":[{\"k8sService\":{\"serviceName\":"
				  "\"db\",\"namespace\":\"shop\"}}]},"
				  "{\"toFQDNs\":[{\"matchName\":\"example.com.\"},"
				  "{\"matchPattern\":\"*.example.com.\"}]}]," LABELS NO_DENY "}");
}

/* Empty is not absent: the one selects nobody, the other everybody. */
static void empty_members(void **state)
{
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_INGRESS, false);

	rule->any_peer = true;
	rule->no_ports = true;
	add_rule(spec, POLICY_INGRESS, false);
	rule = add_rule(spec, POLICY_INGRESS, false);
	rule->any_peer = true;
	rule = add_rule(spec, POLICY_INGRESS, false);
	add_port(rule, (struct policy_port){.protocol = IPPROTO_TCP, .port = 1, .end_port = 1});
	spec->default_deny[POLICY_EGRESS] = true;
	assert_json(spec, SUBJECT "\"ingress\":[{\"toPorts\":[]},{},{\"fromEndpoints\":[{}]},"
				  "{\"fromEndpoints\":[],\"toPorts\":[{\"ports\":[{\"port\":\"1\","
				  "\"protocol\":\"TCP\"}]}]}],\"egress\":[{}]," LABELS
				  "\"enableDefaultDeny\":{\"ingress\":false,\"egress\":true}}");
}

/* What this version refuses is told, and does not look like more than it is. */
static void needs(void **state)
{
	struct policy_spec *spec = spec_new();
	struct policy_rule *rule = add_rule(spec, POLICY_INGRESS, false);
	g_autofree char *text = NULL;

	rule->any_peer = true;
	rule->needs = POLICY_NEEDS_AUTH;
	add_port(rule, (struct policy_port){.protocol = IPPROTO_TCP,
					    .port = 80,
					    .end_port = 80,
					    .needs = POLICY_NEEDS_L7});
	add_port(rule, (struct policy_port){.protocol = IPPROTO_TCP, .port = 81, .end_port = 81});
	assert_json(spec,
		    SUBJECT "\"ingress\":[{\"toPorts\":[{\"ports\":[{\"port\":\"80\","
			    "\"protocol\":\"TCP\"}],\"axoneme-refused\":\"L7 rules\"},"
			    "{\"ports\":[{\"port\":\"81\",\"protocol\":\"TCP\"}]}],"
			    "\"authentication\":{\"mode\":\"required\"}}]," LABELS NO_DENY "}");
	text = policy_needs_format(POLICY_NEEDS_TLS | POLICY_NEEDS_LISTENER);
	assert_string_equal(text, "TLS, a listener");
	assert_null(policy_needs_format(0));
}

static void expressions(void **state)
{
	const char *const values[] = {"b", "a", NULL};
	const struct requirement requirements[] = {
		{"k8s", "tier", REQUIREMENT_NOT_IN, values},
		{NULL, "app", REQUIREMENT_EXISTS, NULL},
	};
	const struct selector *selector = selector_new_labels(requirements, N(requirements));
	json_auto_t *json = policy_selector_to_json(selector);
	char *text = json_dumps(json, JSON_COMPACT);

	assert_string_equal(text, "{\"matchExpressions\":[{\"key\":\"any:app\",\"operator\":"
				  "\"Exists\"},{\"key\":\"k8s:tier\",\"operator\":\"NotIn\","
				  "\"values\":[\"a\",\"b\"]}]}");
	free(text);
	selector_unref(selector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_and_ports),
		cmocka_unit_test(any_protocol),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(entities),
		cmocka_unit_test(services_and_names),
		cmocka_unit_test(empty_members),
		cmocka_unit_test(needs),
		cmocka_unit_test(expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
