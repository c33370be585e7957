// SPDX-License-Identifier: Apache-2.0
/* ServiceSpec: what is taken, what is refused and why, and that it survives being written and read again. */
#include "src/api/service_spec.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct service_request *decode(const char *body)
{
	g_autoptr(GError) error = NULL;
	struct service_request *request = NULL;

	if (service_spec_decode(7, body, strlen(body), &request, &error))
		fail_msg("%s", error->message);
	return request;
}

static const struct service_request_backend *backend(const struct service_request *request,
						     unsigned int i)
{
	return &g_array_index(request->backends, struct service_request_backend, i);
}

static void fields(void **state)
{
	struct service_request *request = decode(
		"{\"id\": 7, \"frontend-address\": {\"ip\": \"fd00::1\", \"port\": 53, "
		"\"protocol\": "
		"\"udp\", \"scope\": \"external\"}, \"backend-addresses\": ["
		"{\"ip\": \"fd00::2\", \"port\": 1053, \"protocol\": \"UDP\", \"weight\": 7},"
		"{\"ip\": \"fd00::2\", \"port\": 1054, \"state\": \"quarantined\", \"nodeName\": "
		"\"a\", \"zone\": \"b\", \"preferred\": true},"
		"{\"ip\": \"fd00::3\", \"port\": 1, \"weight\": 0},"
		"{\"ip\": \"fd00::4\", \"port\": 1, \"weight\": 5, \"state\": \"maintenance\"},"
		"{\"ip\": \"fd00::5\", \"port\": 1, \"state\": \"terminating\"}],"
		"\"flags\": {\"type\": \"LoadBalancer\", \"extTrafficPolicy\": \"Local\", "
		"\"intTrafficPolicy\": \"Local\", \"name\": \"dns\", \"namespace\": "
		"\"kube-system\", "
		"\"cluster\": \"\", \"natPolicy\": \"None\", \"healthCheckNodePort\": 0}, "
		"\"updateServices\": false}");
	static const uint16_t weights[] = {7, 100, 0, 0, 100};
	static const uint8_t states[] = {LB_BACKEND_ACTIVE, LB_BACKEND_QUARANTINED,
					 LB_BACKEND_MAINTENANCE, LB_BACKEND_MAINTENANCE,
					 LB_BACKEND_TERMINATING};
	char text[ADDR_TEXT_BYTES];

	assert_int_equal(request->id, 7);
	assert_string_equal(addr_format(&request->addr, text), "fd00::1");
	assert_int_equal(request->port, 53);
	assert_int_equal(request->protocol, IPPROTO_UDP);
	assert_int_equal(request->type, LB_TYPE_LOAD_BALANCER);
	assert_true(request->external_local && request->internal_local);
	assert_string_equal(request->name, "dns");
	assert_string_equal(request->namespace, "kube-system");
	assert_int_equal(request->backends->len, 5);
	assert_int_equal(backend(request, 1)->port, 1054);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(backend(request, i)->weight, weights[i]);
		assert_int_equal(backend(request, i)->state, states[i]);
	}
	row_unref(&request->row);
}

static void defaults(void **state)
{
	struct service_request *request =
		decode("{\"frontend-address\": {\"ip\": \"10.0.0.1\", \"port\": 80}}");

	assert_int_equal(request->id, 7);
	assert_int_equal(request->protocol, IPPROTO_TCP);
	assert_int_equal(request->type, LB_TYPE_CLUSTER_IP);
	assert_false(request->external_local || request->internal_local);
	assert_null(request->name);
	assert_null(request->namespace);
	assert_int_equal(request->backends->len, 0);
	row_unref(&request->row);
	/* What Cilium called extTrafficPolicy before. */
	request = decode("{\"frontend-address\": {\"ip\": \"10.0.0.1\", \"port\": 80}, \"flags\": "
			 "{\"trafficPolicy\": \"Local\"}}");
	assert_true(request->external_local);
	row_unref(&request->row);
}

#define FRONTEND       "\"frontend-address\": {\"ip\": \"10.0.0.1\", \"port\": 80}"
#define BACKENDS(list) "{" FRONTEND ", \"backend-addresses\": [" list "]}"
#define FLAGS(members) "{" FRONTEND ", \"flags\": {" members "}}"

static const struct {
	const char *body, *message;
} bad[] = {
	{"", "line 1: "},
	{"{", "line 1: "},
	{"[]", "got a list, want a JSON object"},
	{"null", "got nothing, want a JSON object"},
	{"{}", "frontend-address: is missing"},
	{"{\"id\": 8, " FRONTEND "}", "id: is not 7, which the path names"},
	{"{\"id\": -1, " FRONTEND "}", "id: got the number -1, want a number from 0 to 4294967295"},
	{"{\"ids\": 7, " FRONTEND "}", "ids: is not known"},
	{"{" FRONTEND ", \"updateServices\": true}",
	 "updateServices: is not possible in a service made by hand: leave it out"},
	{"{\"frontend-address\": {}}",
	 "frontend-address.ip: is missing; frontend-address.port: is missing"},
	{"{\"frontend-address\": {\"ip\": \"0.0.0.0\", \"port\": 0}}",
	 "frontend-address.ip: got \"0.0.0.0\", want an IPv4 or IPv6 address, not 0.0.0.0, :: or "
	 "that of a group; "
	 "frontend-address.port: got the number 0, want a number from 1 to 65535"},
	{"{\"frontend-address\": {\"ip\": \"::\", \"port\": 65536, \"scope\": \"internal\", "
	 "\"protocol\": \"ICMP\"}}",
	 "frontend-address.ip: got \"::\", want an IPv4 or IPv6 address, not 0.0.0.0, :: or that "
	 "of a group; "
	 "frontend-address.port: "
	 "got "
	 "the number 65536, want a number from 1 to 65535; frontend-address.protocol: got "
	 "\"ICMP\", "
	 "want TCP, UDP or SCTP; frontend-address.scope: got \"internal\", want external, which "
	 "serves clients inside as well"},
	{"{\"frontend-address\": {\"ip\": \"224.0.0.1\", \"port\": 1}}",
	 "frontend-address.ip: got \"224.0.0.1\", want an IPv4 or IPv6 address, not 0.0.0.0, :: or "
	 "that of a group"},
	{"{\"frontend-address\": {\"ip\": \"ff02::1\", \"port\": 1}}",
	 "frontend-address.ip: got \"ff02::1\", want an IPv4 or IPv6 address, not 0.0.0.0, :: or "
	 "that of a group"},
	{BACKENDS("{\"ip\": \"255.255.255.255\", \"port\": 1}"),
	 "backend-addresses[0].ip: got \"255.255.255.255\", want an IPv4 or IPv6 address, not "
	 "0.0.0.0, :: or that of a group"},
	{BACKENDS("{}"),
	 "backend-addresses[0].ip: is missing; backend-addresses[0].port: is missing"},
	{"{\"frontend-address\": {\"ip\": \"x\", \"port\": 80}, \"backend-addresses\": "
	 "[{\"ip\": \"10.0.0.1\", \"port\": 80}]}",
	 "frontend-address.ip: got \"x\", want an IPv4 or IPv6 address, not 0.0.0.0, :: or that of "
	 "a group"},
	{BACKENDS("{\"ip\": \"fd00::1\", \"port\": 1}"),
	 "backend-addresses[0].ip: is not of the front end's family"},
	{BACKENDS("{\"ip\": \"10.0.0.2\", \"port\": 1, \"protocol\": \"UDP\"}"),
	 "backend-addresses[0].protocol: is not the protocol of the front end"},
	{BACKENDS("{\"ip\": \"10.0.0.2\", \"port\": 1, \"weight\": 65536}"),
	 "backend-addresses[0].weight: got the number 65536, want a number from 0 to 65535"},
	{BACKENDS("{\"ip\": \"10.0.0.2\", \"port\": 1, \"state\": \"down\"}"),
	 "backend-addresses[0].state: got \"down\", want active, terminating, quarantined or "
	 "maintenance"},
	{BACKENDS("{\"ip\": \"10.0.0.2\", \"port\": 1}, {\"ip\": \"10.0.0.2\", \"port\": 1, "
		  "\"weight\": 2}"),
	 "backend-addresses[1]: is a back end before it"},
	{BACKENDS("{\"ip\": \"10.0.0.2\", \"port\": 1, \"node\": \"a\"}"),
	 "backend-addresses[0].node: is not known"},
	{FLAGS("\"type\": \"LocalRedirect\""), "flags.type: got \"LocalRedirect\", want ClusterIP, "
					       "NodePort, ExternalIPs, LoadBalancer or HostPort"},
	{FLAGS("\"extTrafficPolicy\": \"local\""),
	 "flags.extTrafficPolicy: got \"local\", want Cluster or Local"},
	{FLAGS("\"healthCheckNodePort\": 1"),
	 "flags.healthCheckNodePort: is not possible in a service made by hand: leave it out"},
	{FLAGS("\"natPolicy\": \"Nat46\""),
	 "flags.natPolicy: is not possible in a service made by hand: leave it out"},
	{FLAGS("\"name\": \"a b\""),
	 "flags.name: got \"a b\", want letters, digits, '-', '.' and '_'"},
};

static void refused(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct service_request *request = NULL;
		g_autoptr(GError) error = NULL;

		assert_int_equal(
			service_spec_decode(7, bad[i].body, strlen(bad[i].body), &request, &error),
			-EINVAL);
		if (g_str_has_suffix(bad[i].message, ": "))
			assert_true(g_str_has_prefix(error->message, bad[i].message));
		else
			assert_string_equal(error->message, bad[i].message);
	}
}

static void survives(void **state)
{
	static const char *const bodies[] = {
		"{" FRONTEND "}",
		"{\"frontend-address\": {\"ip\": \"fd00::1\", \"port\": 53, \"protocol\": "
		"\"SCTP\"}, "
		"\"backend-addresses\": [{\"ip\": \"fd00::2\", \"port\": 1, \"weight\": 0}, "
		"{\"ip\": "
		"\"fd00::3\", \"port\": 65535, \"weight\": 3, \"state\": \"quarantined\"}], "
		"\"flags\": {\"type\": \"HostPort\", \"intTrafficPolicy\": \"Local\", \"name\": "
		"\"a\", "
		"\"namespace\": \"b\"}}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
		struct service_request *request = decode(bodies[i]);
		json_t *json = service_spec_encode(request);
		char *text = json_dumps(json, 0);
		struct service_request *again = decode(text);

		assert_true(row_equal(&request->row, &again->row));
		row_unref(&request->row);
		row_unref(&again->row);
		json_decref(json);
		free(text);
	}
}

/* As many as a body of 1 MiB may name: each is looked for among those before it. */
static void many(void **state)
{
	GString *body = g_string_new("{" FRONTEND ", \"backend-addresses\": [");
	struct service_request *request;

	for (unsigned int port = 1; port <= UINT16_MAX / 2; port++)
		g_string_append_printf(body, "%s{\"ip\": \"10.0.0.2\", \"port\": %u}",
				       port > 1 ? "," : "", port);
	g_string_append(body, "]}");
	request = decode(body->str);
	assert_int_equal(request->backends->len, UINT16_MAX / 2);
	g_string_free(body, TRUE);
	row_unref(&request->row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),   cmocka_unit_test(defaults), cmocka_unit_test(refused),
		cmocka_unit_test(survives), cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
