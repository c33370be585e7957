/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/cli/service_text.h"

static const char services[] =
	"[{\"spec\": {\"id\": 1, \"frontend-address\": {\"ip\": \"10.96.0.1\", \"port\": 80,"
	" \"protocol\": \"TCP\", \"scope\": \"external\"}}, \"status\": {\"realized\": {\"id\": 1,"
	" \"frontend-address\": {\"ip\": \"10.96.0.1\", \"port\": 80, \"protocol\": \"TCP\", "
	"\"scope\":"
	" \"external\"}, \"flags\": {\"type\": \"ClusterIP\"}, \"backend-addresses\": [{\"ip\":"
	" \"10.0.0.5\", \"port\": 8080, \"protocol\": \"TCP\", \"state\": \"active\", "
	"\"preferred\": true},"
	" {\"ip\": \"10.0.0.6\", \"port\": 8080, \"protocol\": \"TCP\", \"state\": \"terminating\","
	" \"preferred\": false}]}}},"
	" {\"spec\": {\"id\": 0, \"frontend-address\": {\"ip\": \"fd00::1\", \"port\": 53, "
	"\"protocol\":"
	" \"UDP\"}, \"flags\": {\"type\": \"NodePort\"}, \"backend-addresses\": []}, \"status\": "
	"{}}]";

static void test_services(void **state)
{
	json_auto_t *list = json_loads(services, 0, NULL);
	g_autoptr(GString) table = g_string_new(NULL);

	service_append_table(table, list, false);
	assert_string_equal(table->str,
			    "ID\tFrontend\tService Type\tBackend\t\n"
			    "1\t10.96.0.1:80/TCP\tClusterIP\t1 => 10.0.0.5:8080/TCP (active)\t\n"
			    "\t\t\t2 => 10.0.0.6:8080/TCP (terminating)\t\n"
			    "0\t[fd00::1]:53/UDP\tNodePort\t\t\n");
	g_string_truncate(table, 0);
	service_append_table(table, list, true);
	assert_non_null(strstr(table->str, "1 => 10.0.0.5:8080/TCP (active) (preferred)\t\n"));
	assert_non_null(strstr(table->str, "2 => 10.0.0.6:8080/TCP (terminating)\t\n"));
}

static void test_whose(void **state)
{
	static const struct {
		const char *service, *name, *frontend;
		bool requested;
	} cases[] = {
		{"{\"spec\": {\"frontend-address\": {\"ip\": \"fd00::1\", \"port\": 53, "
		 "\"protocol\": "
		 "\"UDP\"}, \"flags\": {\"name\": \"dns\", \"namespace\": \"kube-system\"}}, "
		 "\"axoneme\": {\"requested\": false}}",
		 "kube-system/dns", "[fd00::1]:53/UDP kube-system/dns", false},
		{"{\"spec\": {\"frontend-address\": {\"ip\": \"10.0.0.1\", \"port\": 53, "
		 "\"protocol\": "
		 "\"UDP\"}, \"flags\": {\"name\": \"dns\"}}, \"axoneme\": {\"requested\": true}}",
		 "dns", "10.0.0.1:53/UDP dns", true},
		{"{\"spec\": {\"frontend-address\": {\"ip\": \"10.0.0.1\", \"port\": 53}}}", NULL,
		 "10.0.0.1:53", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		json_auto_t *service = json_loads(cases[i].service, 0, NULL);
		g_autofree char *name = service_format_name(service);
		g_autofree char *frontend = service_format_frontend(service);

		assert_int_equal(g_strcmp0(name, cases[i].name), 0);
		assert_string_equal(frontend, cases[i].frontend);
		assert_int_equal(service_is_requested(service), cases[i].requested);
	}
	assert_null(service_format_name(NULL));
}

static void test_redirects(void **state)
{
	json_auto_t *list = json_loads(
		"[{\"namespace\": \"kube-system\", \"name\": \"dns\", \"frontend-type\": "
		"\"clusterIP + "
		"all svc ports\", \"service-id\": \"kube-system/kube-dns\", \"frontend-mappings\": "
		"[{\"frontend-address\": {\"ip\": \"10.96.0.10\", \"port\": 53, \"protocol\": "
		"\"UDP\"}, "
		"\"backends\": [{\"pod-id\": \"kube-system/c1\", \"backend-address\": {\"ip\": "
		"\"10.0.0.7\", \"port\": 53}}, {\"pod-id\": \"kube-system/c2\", "
		"\"backend-address\": "
		"{\"ip\": \"10.0.0.8\", \"port\": 53}}]}]}]",
		0, NULL);
	g_autoptr(GString) table = g_string_new(NULL);

	redirect_append_table(table, list);
	assert_string_equal(table->str,
			    "LRP namespace\tLRP name\tFrontendType\tMatching Service\t\n"
			    "kube-system\tdns\tclusterIP + all svc ports\tkube-system/kube-dns\t\n"
			    "\t|\t10.96.0.10:53/UDP -> 10.0.0.7:53(kube-system/c1), "
			    "10.0.0.8:53(kube-system/c2)\t\t\n");
}

static GPtrArray *words(const char *text)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) parts = g_strsplit(text, " ", -1);

	for (char **part = parts; *part; part++)
		g_ptr_array_add(list, g_strdup(*part));
	return list;
}

static void test_update(void **state)
{
	g_autoptr(GPtrArray) backends = words("10.0.0.5:80 10.0.0.6:81/udp");
	g_autoptr(GPtrArray) weights = words("10 0");
	g_autoptr(GPtrArray) states = words("active maintenance");
	const struct service_update update = {.id = 7,
					      .frontend = "192.0.2.1:53",
					      .protocol = "udp",
					      .backends = backends,
					      .weights = weights,
					      .states = states,
					      .load_balancer = true,
					      .external_policy = "Local"};
	g_autoptr(GError) error = NULL;
	json_auto_t *json = service_update_to_json(&update, &error);
	json_auto_t *want = json_loads(
		"{\"id\": 7, \"frontend-address\": {\"ip\": \"192.0.2.1\", \"port\": 53, "
		"\"protocol\": "
		"\"UDP\"}, \"backend-addresses\": [{\"ip\": \"10.0.0.5\", "
		"\"port\": 80, \"protocol\": \"UDP\", \"weight\": 10, \"state\": \"active\"}, "
		"{\"ip\": "
		"\"10.0.0.6\", \"port\": 81, \"protocol\": \"UDP\", \"weight\": 0, \"state\": "
		"\"maintenance\"}], \"flags\": {\"type\": \"LoadBalancer\", \"trafficPolicy\": "
		"\"Local\", "
		"\"extTrafficPolicy\": \"Local\", \"intTrafficPolicy\": \"Cluster\"}}",
		0, NULL);

	assert_non_null(want);
	if (!json_equal(json, want))
		fail_msg("%s", json_dumps(json, 0));
}

static void check_refused(const struct service_update *update, const char *want)
{
	g_autoptr(GError) error = NULL;

	assert_null(service_update_to_json(update, &error));
	if (!strstr(error->message, want))
		fail_msg("\"%s\" is not in \"%s\"", want, error->message);
}

static void test_update_refused(void **state)
{
	g_autoptr(GPtrArray) one = words("10.0.0.5:80");
	g_autoptr(GPtrArray) two = words("1 2");
	g_autoptr(GPtrArray) bad = words("x");
	struct service_update update = {.frontend = "10.0.0.1:80"};

	check_refused(&update, "--id");
	update.id = 1;
	update.frontend = NULL;
	check_refused(&update, "--frontend: want");
	update.frontend = "fd00::1:80";
	check_refused(&update, "--frontend: \"fd00::1:80\" is no address");
	update.frontend = "10.0.0.1:80/udp";
	check_refused(&update, "is not of the protocol TCP");
	update.frontend = "[fd00::1]:80";
	update.protocol = "icmp";
	check_refused(&update, "--protocol: \"icmp\"");
	update.protocol = NULL;
	update.backends = bad;
	check_refused(&update, "--backends: \"x\" is no address");
	update.backends = one;
	update.weights = two;
	check_refused(&update, "--backend-weights: want one for each");
	update.weights = bad;
	check_refused(&update, "--backend-weights: \"x\"");
	update.weights = NULL;
	update.states = bad;
	check_refused(&update, "--states: \"x\"");
	update.states = NULL;
	update.node_port = update.external = true;
	check_refused(&update, "exclude each other");
	update.external = false;
	update.internal_policy = "local";
	check_refused(&update, "want Cluster or Local");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),       cmocka_unit_test(test_whose),
		cmocka_unit_test(test_redirects),      cmocka_unit_test(test_update),
		cmocka_unit_test(test_update_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
