/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/agent/service_settings.h"
#include "src/agent/wiring.h"

static int load(const char *words, struct config **ret_config, GError **error)
{
	g_autofree char *line = g_strconcat("cilium-agent ", words, NULL);
	g_auto(GStrv) argv = g_strsplit(g_strstrip(line), " ", -1);
	static char *envp[] = {(char *)"K8S_NODE_NAME=n1", NULL};

	return config_load((int)g_strv_length(argv), argv, envp, ret_config, error);
}

/* What the words come to; seen through the keys alone. */
static struct service_settings get(const char *words)
{
	struct service_settings services;
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	if (load(words, &config, &error))
		fail_msg("%s: %s", words, error->message);
	service_settings_get(config_get_settings(config), &services);
	config_free(config);
	return services;
}

static void check_refused(const char *words, const char *want)
{
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(load(words, &config, &error), -EINVAL);
	if (!strstr(error->message, want))
		fail_msg("\"%s\" is not in \"%s\"", want, error->message);
}

static void test_kube_proxy_replacement(void **state)
{
	static const char *const full[] = {"true", "strict", "probe"};
	static const char *const single[] = {"false", "partial"};
	struct service_settings services = get("");

	assert_false(services.replaces_kube_proxy || services.node_port || services.external_ips ||
		     services.host_port || services.socket_lb || services.socket_lb_pods);
	assert_true(services.session_affinity);
	for (size_t i = 0; i < G_N_ELEMENTS(full); i++) {
		g_autofree char *words =
			g_strdup_printf("--kube-proxy-replacement=%s --enable-external-ips=false "
					"--enable-session-affinity=false",
					full[i]);

		services = get(words);
		assert_true(services.replaces_kube_proxy && services.node_port &&
			    services.external_ips && services.host_port && services.socket_lb &&
			    services.socket_lb_pods && services.session_affinity);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(single); i++) {
		g_autofree char *words = g_strdup_printf(
			"--kube-proxy-replacement=%s --enable-node-port --bpf-lb-sock "
			"--enable-host-port=false",
			single[i]);

		services = get(words);
		assert_false(services.replaces_kube_proxy || services.host_port);
		assert_true(services.node_port && services.external_ips && services.socket_lb);
	}
	services = get("--kube-proxy-replacement=disabled --enable-node-port --bpf-lb-sock");
	assert_false(services.node_port || services.external_ips || services.socket_lb);
	services = get("--kube-proxy-replacement=true --bpf-lb-sock-hostns-only");
	assert_true(services.socket_lb && !services.socket_lb_pods);
	services = get("--bpf-lb-only");
	assert_true(services.node_port && services.external_ips);
	assert_false(services.host_port || services.socket_lb || services.replaces_kube_proxy);
}

static void test_choice(void **state)
{
	struct service_settings services = get("");

	assert_int_equal(services.algorithm, CHOICE_RANDOM);
	assert_int_equal(services.maglev_size, 0);
	services = get("--bpf-lb-algorithm-annotation --bpf-lb-maglev-table-size=251");
	assert_int_equal(services.algorithm, CHOICE_RANDOM);
	assert_int_equal(services.maglev_size, 251);
	/* AAECAwQFBgcICQoL: the bytes 0 to 11. */
	services = get("--node-port-algorithm=maglev --bpf-lb-maglev-hash-seed=AAECAwQFBgcICQoL");
	assert_int_equal(services.algorithm, CHOICE_MAGLEV);
	assert_int_equal(services.maglev_size, 16381);
	assert_int_equal(services.maglev_seed, 0x00010203);
	assert_int_equal(services.packet_seeds[0], 0x04050607);
	assert_int_equal(services.packet_seeds[1], 0x08090a0b);
	check_refused("--bpf-lb-maglev-table-size=16380", "bpf-lb-maglev-table-size");
	check_refused("--bpf-lb-maglev-hash-seed=AAECAw==", "want 12 bytes in base64");
	check_refused("--bpf-lb-maglev-hash-seed=JLfvgnHc2kaSUFa!", "want 12 bytes in base64");
}

static void test_mode(void **state)
{
	assert_int_equal(get("--bpf-lb-mode=hybrid").mode, FORWARDING_HYBRID);
	assert_int_equal(get("--node-port-mode=dsr").mode, FORWARDING_DSR);
	assert_int_equal(get("--node-port-acceleration=native --enable-node-port").acceleration,
			 ACCELERATION_WORD_NATIVE);
	check_refused("--bpf-lb-mode=hybrid --node-port-mode=dsr",
		      "node-port-mode: says something");
	check_refused("--bpf-lb-mode=dsr --bpf-lb-dsr-dispatch=geneve",
		      "this version makes no tunnels");
	check_refused("--bpf-lb-mode=hybrid --bpf-lb-mode-annotation",
		      "bpf-lb-mode: got \"hybrid\"");
	check_refused("--bpf-lb-dsr-dispatch=ipip", "bpf-lb-dsr-dispatch: got \"ipip\"");
	check_refused("--bpf-lb-mode=dsr --bpf-lb-dsr-dispatch=ipip --enable-host-legacy-routing",
		      "where enable-host-legacy-routing is true");
	check_refused("--bpf-lb-mode=dsr --routing-mode=tunnel", "routing-mode is tunnel");
	check_refused("--bpf-lb-mode=dsr --bpf-lb-rss-ipv4-src-cidr=10.9.0.0/16",
		      "bpf-lb-rss-ipv4-src-cidr");
	check_refused("--bpf-lb-acceleration=native", "bpf-lb-acceleration: want disabled");
	check_refused("--bpf-lb-only --kube-proxy-replacement=disabled", "bpf-lb-only");
	get("--bpf-lb-only --bpf-lb-acceleration=best-effort --bpf-lb-mode=dsr "
	    "--bpf-lb-dsr-dispatch=ipip --bpf-lb-rss-ipv4-src-cidr=10.9.0.0/16");
}

static void test_addresses(void **state)
{
	check_refused("--nodeport-addresses=10.0.0.1/24",
		      "nodeport-addresses: got \"10.0.0.1/24\"");
	check_refused("--lrp-address-matcher-cidrs=x", "lrp-address-matcher-cidrs: got \"x\"");
	check_refused("--ipv4-service-loopback-address=fd00::1", "ipv4-service-loopback-address");
	check_refused("--ipv6-service-loopback-address=10.0.0.1", "ipv6-service-loopback-address");
	check_refused("--fixed-zone-mapping=a=256", "fixed-zone-mapping: got \"a=256\"");
	check_refused("--enable-node-port --node-port-range=0,100", "node-port-range: got a start");
	get("--nodeport-addresses=10.0.0.0/24,2001:db8::/64 "
	    "--lrp-address-matcher-cidrs=169.254.0.0/16");
}

static void note(const char *key, const char *hint, void *data)
{
	g_string_append_printf(data, "%s: %s;", key, hint);
}

static void test_warnings(void **state)
{
	g_autoptr(GString) notes = g_string_new("");
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(
		load("--kube-proxy-replacement=strict --node-port-mode=dsr", &config, &error), 0);
	service_settings_foreach_warning(config_get_settings(config), note, notes);
	assert_string_equal(notes->str, "kube-proxy-replacement: strict is an old word: write true;"
					"node-port-mode: an old name: write bpf-lb-mode;");
	config_free(config);
}

static void add_key(const struct config_value *value, void *data)
{
	g_string_append_printf(data, "%s%s ", value->key, value->has_effect ? "" : "!");
}

/* A key that another one decides is not accepted in silence. */
static void test_overridden(void **state)
{
	static const struct {
		const char *words, *keys;
	} cases[] = {
		{"--kube-proxy-replacement=true --enable-external-ips=false "
		 "--enable-host-port=false --enable-session-affinity=false --enable-node-port",
		 "enable-external-ips enable-host-port enable-session-affinity "},
		{"--kube-proxy-replacement=disabled --enable-node-port --bpf-lb-sock "
		 "--enable-host-port=false",
		 "enable-node-port bpf-lb-sock "},
		{"--enable-node-port --bpf-lb-sock --enable-external-ips=false "
		 "--enable-session-affinity=false",
		 ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) keys = g_string_new("");
		g_autoptr(GError) error = NULL;
		struct config *config = NULL;

		assert_int_equal(load(cases[i].words, &config, &error), 0);
		config_foreach_without_effect(config, add_key, keys);
		assert_string_equal(keys->str, cases[i].keys);
		config_free(config);
	}
}

/* What the programs are told. */
static void test_wiring(void **state)
{
	struct datapath_config datapath;
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(load("--kube-proxy-replacement=true --bpf-lb-mode=dsr "
			      "--bpf-lb-dsr-dispatch=ipip --bpf-lb-rss-ipv4-src-cidr=10.9.0.0/16 "
			      "--bpf-lb-algorithm=maglev --service-no-backend-response=drop "
			      "--bpf-ct-timeout-service-any=7s --bpf-lb-map-max=1000 "
			      "--bpf-lb-maglev-map-max=10 --bpf-sock-rev-map-max=2048",
			      &config, &error),
			 0);
	wiring_init_datapath(config_get_settings(config), 1ULL << 30, &datapath);
	assert_true(datapath.node.enable_node_port && datapath.node.enable_socket_lb &&
		    datapath.node.enable_socket_lb_pods && datapath.node.protect_node_ports);
	assert_false(datapath.node.reject_without_backend);
	assert_int_equal(datapath.node.dsr_dispatch, DSR_DISPATCH_IPIP);
	assert_false(datapath.node.enable_dsr_options);
	assert_int_equal(datapath.node.dsr_source4_bits, 112);
	assert_int_equal(datapath.node.dsr_source6_bits, 0);
	assert_int_equal(datapath.node.maglev_size, 16381);
	assert_int_equal(datapath.node.ct_timeout_service_any, 7);
	assert_int_equal(datapath.node.node_port_min, 30000);
	assert_int_equal(datapath.node.node_port_max, 32767);
	assert_int_equal(datapath.max_entries[PLAN_MAP_cilium_lb_services], 2000);
	assert_int_equal(datapath.max_entries[PLAN_MAP_cilium_lb_backends], 4000);
	/* 64 chunks a table, two tables a service. */
	assert_int_equal(datapath.max_entries[PLAN_MAP_cilium_lb_maglev], 1280);
	assert_int_equal(datapath.max_entries[PLAN_MAP_cilium_lb_reverse_sk], 2048);
	config_free(config);
}

static bool believes_options(const char *arguments)
{
	struct datapath_config datapath;
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(load(arguments, &config, &error), 0);
	wiring_init_datapath(config_get_settings(config), 1ULL << 30, &datapath);
	config_free(config);
	return datapath.node.enable_dsr_options;
}

/* Only where some node may write them. */
static void test_options(void **state)
{
	assert_false(believes_options("--kube-proxy-replacement=true"));
	assert_false(believes_options("--bpf-lb-mode=dsr"));
	assert_true(believes_options("--kube-proxy-replacement=true --bpf-lb-mode=dsr"));
	assert_true(believes_options("--enable-node-port --node-port-mode=hybrid"));
	assert_true(believes_options("--enable-node-port --bpf-lb-mode-annotation"));
}

static void test_plan(void **state)
{
	struct derive_config derive;
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(load("--kube-proxy-replacement=true --bpf-lb-mode=hybrid "
			      "--bpf-lb-algorithm=maglev --bpf-lb-acceleration=generic "
			      "--nodeport-addresses=10.0.0.0/24,fd00::/64 "
			      "--fixed-zone-mapping=a=1,b=2 --k8s-service-proxy-name=ours "
			      "--bpf-lb-sock-hostns-only --enable-service-topology",
			      &config, &error),
			 0);
	wiring_init_derive(config_get_settings(config), &derive);
	assert_true(derive.enable_node_port && derive.enable_external_ips &&
		    derive.enable_host_port && derive.enable_socket_lb &&
		    derive.socket_lb_hostns_only && derive.protect_node_ports &&
		    derive.enable_service_topology && derive.enable_internal_traffic_policy);
	assert_false(derive.enable_local_redirect || derive.external_cluster_ip ||
		     derive.source_range_all_types || derive.lb_mode_annotation);
	assert_int_equal(derive.lb_mode, LB_MODE_HYBRID);
	assert_int_equal(derive.lb_algorithm, LB_ALGORITHM_MAGLEV);
	assert_int_equal(derive.lb_acceleration, LB_ACCELERATION_GENERIC);
	assert_int_equal(derive.node_port_cidrs->len, 2);
	assert_int_equal(derive.lb_zones->len, 2);
	assert_string_equal(g_array_index(derive.lb_zones, struct lb_zone, 1).name, "b");
	assert_int_equal(g_array_index(derive.lb_zones, struct lb_zone, 1).number, 2);
	assert_string_equal(derive.service_proxy_name, "ours");
	wiring_fini_derive(&derive);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kube_proxy_replacement),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_overridden),
		cmocka_unit_test(test_wiring),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
