/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include "src/agent/config.h"
#include "src/agent/wiring.h"

static char *make_directory(void)
{
	char *path = g_dir_make_tmp("config_test_XXXXXX", NULL);

	assert_non_null(path);
	return path;
}

static void write_file(const char *directory, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void remove_directory(char *directory)
{
	GDir *dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);

		assert_int_equal(g_remove(path), 0);
	}
	g_dir_close(dir);
	assert_int_equal(g_rmdir(directory), 0);
	g_free(directory);
}

/* words: the arguments, separated by blanks; variables likewise. */
static int load(const char *words, const char *variables, struct config **ret_config,
		GError **error)
{
	g_autofree char *line = g_strconcat("cilium-agent ", words, NULL);
	g_auto(GStrv) argv = g_strsplit(g_strstrip(line), " ", -1);
	g_auto(GStrv) envp = g_strsplit(variables, " ", -1);

	return config_load((int)g_strv_length(argv), argv, envp, ret_config, error);
}

static struct config *load_good(const char *words, const char *variables)
{
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	if (load(words, variables, &config, &error))
		fail_msg("%s", error->message);
	return config;
}

static void check_refused(const char *words, const char *want)
{
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(load(words, "", &config, &error), -EINVAL);
	assert_null(config);
	if (!strstr(error->message, want))
		fail_msg("\"%s\" is not in \"%s\"", want, error->message);
}

static void test_defaults(void **state)
{
	struct config *config = load_good("", "K8S_NODE_NAME=n1");
	const struct settings *settings = config_get_settings(config);

	assert_int_equal(config_get_action(config), CONFIG_ACTION_RUN);
	assert_string_equal(settings->node_name, "n1");
	assert_string_equal(settings->manifest_dir, "/etc/cilium/manifests");
	assert_true(settings->enable_ipv4 && settings->enable_ipv6);
	assert_false(settings->ipv4_range.is_set);
	assert_int_equal(settings->bpf_ct_timeout_regular_tcp_ns, 8000 * 1000000000LL);
	assert_int_equal(settings->monitor_aggregation, MONITOR_AGGREGATION_MEDIUM);
	assert_int_equal(settings->monitor_aggregation_flags, 0x07); /* FIN, SYN, RST */
	assert_int_equal(settings->ipam, IPAM_MODE_CLUSTER_POOL);
	assert_null(settings->devices[0]);
	config_free(config);

	config = load_good("", "");
	assert_true(strlen(config_get_settings(config)->node_name) > 0);
	config_free(config);
}

static void test_precedence(void **state)
{
	char *directory = make_directory();
	g_autofree char *variable = g_strconcat("CILIUM_CONFIG_DIR=", directory, NULL);
	g_autofree char *both =
		g_strconcat(variable, " CILIUM_MTU=1400 CILIUM_CLUSTER_NAME=", NULL);
	struct config *config;

	write_file(directory, "mtu", "1300\n");
	write_file(directory, "cluster-name", "from-file");
	config = load_good("", variable);
	assert_int_equal(config_get_settings(config)->mtu, 1300);
	config_free(config);
	config = load_good("", both);
	assert_int_equal(config_get_settings(config)->mtu, 1400);
	assert_string_equal(config_get_settings(config)->cluster_name, "from-file");
	config_free(config);
	config = load_good("--mtu 1500", both);
	assert_int_equal(config_get_settings(config)->mtu, 1500);
	config_free(config);
	remove_directory(directory);
}

static void test_flags(void **state)
{
	struct config *config = load_good("--debug --enable-ipv6=false --devices eth0 "
					  "--devices=eth1,eth+ --mtu=1400 --mtu 1450",
					  "");
	const struct settings *settings = config_get_settings(config);

	assert_true(settings->debug);
	assert_false(settings->enable_ipv6);
	assert_int_equal(settings->mtu, 1450);
	assert_int_equal(g_strv_length(settings->devices), 3);
	assert_string_equal(settings->devices[2], "eth+");
	config_free(config);

	config = load_good("--help --mtu=x", "");
	assert_int_equal(config_get_action(config), CONFIG_ACTION_HELP);
	config_free(config);
	config = load_good("--version", "");
	assert_int_equal(config_get_action(config), CONFIG_ACTION_VERSION);
	config_free(config);
	check_refused("--no-such-key 5", "--no-such-key: unknown flag");
	check_refused("--mtu", "--mtu: the value is missing");
	check_refused("run", "run: unexpected argument; the value of a switch stands behind =, as "
			     "--enable-ipv6=false");
}

/* A mounted ConfigMap: links into "..data", which is a link to a directory. */
static void test_directory(void **state)
{
	char *directory = make_directory();
	g_autofree char *words = g_strconcat("--config-dir ", directory, NULL);
	g_autofree char *hidden = g_build_filename(directory, "..data", NULL);
	g_autofree char *link = g_build_filename(directory, "debug", NULL);
	g_autofree char *folder = g_build_filename(directory, "folder", NULL);
	struct config *config;

	write_file(directory, "enable-ipv4", "true\n\n");
	write_file(directory, ".debug", "not read");
	write_file(directory, "..value", "true");
	write_file(directory, "zz-new", "1");
	write_file(directory, "a-new", "1");
	assert_int_equal(symlink(directory, hidden), 0);
	assert_int_equal(symlink("..value", link), 0);
	assert_int_equal(g_mkdir(folder, 0700), 0);
	config = load_good(words, "");
	assert_true(config_get_settings(config)->debug);
	assert_string_equal(config_get_unknown_keys(config)[0], "a-new");
	assert_string_equal(config_get_unknown_keys(config)[1], "zz-new");
	assert_null(config_get_unknown_keys(config)[2]);
	config_free(config);

	write_file(directory, "mtu", "12\n");
	check_refused(words, "mtu: got \"12\" (/");
	remove_directory(directory);
	check_refused(words, "config-dir: ");
}

static void test_problems_together(void **state)
{
	g_autoptr(GError) error = NULL;
	struct config *config = NULL;

	assert_int_equal(load("--enable-ipv4 --mtu=9 --hubble-disable-tls=perhaps --foo",
			      "CILIUM_IPAM=eni", &config, &error),
			 -EINVAL);
	assert_string_equal(error->message,
			    "--foo: unknown flag\n"
			    "ipam: got \"eni\" (CILIUM_IPAM), want one of: cluster-pool, "
			    "kubernetes\n"
			    "mtu: got \"9\" (command line), want a number: 0, 68..65535\n"
			    "hubble-disable-tls: got \"perhaps\" (command line), want true or "
			    "false");
}

static void test_settings_that_must_fit(void **state)
{
	g_autofree char *name = g_strnfill(120, 'a');
	g_autofree char *long_socket = g_strconcat("--socket-path=/", name, NULL);

	check_refused("--enable-ipv4=false --enable-ipv6=false", "want true for at least one");
	check_refused("--mtu=1279", "mtu: got 1279");
	config_free(load_good("--mtu=1279 --enable-ipv6=false", ""));
	check_refused("--node-port-range=60000,65000", "node-port-range: got an end of 65000");
	check_refused("--pod-attach-mode=tcx --enable-tcx=false", "pod-attach-mode: got \"tcx\"");
	check_refused(long_socket, "socket-path: got 121 bytes");
	check_refused("--log-opt level=loud", "log-opt: got \"level=loud\"");
	check_refused("--bpf-map-event-buffers cilium_lxc=128",
		      "bpf-map-event-buffers: got \"cilium_lxc=128\", want map=enabled_N_AGE");
	config_free(load_good("--bpf-map-event-buffers cilium_ipcache_v2=enabled_1024_1h", ""));
	check_refused("--log-opt color=red", "log-opt: got \"color=red\"");
	config_free(load_good("--log-opt level=debug,format=json", ""));
}

static void add_key(const struct config_value *value, void *data)
{
	g_string_append_printf(data, "%s=%s;", value->key, value->text);
}

static void test_without_effect(void **state)
{
	struct config *config = load_good("--enable-hubble --kube-proxy-replacement=false "
					  "--enable-l7-proxy=1 --cluster-pool-ipv4-mask-size=25",
					  "CILIUM_ROUTING_MODE=tunnel");
	g_autoptr(GString) keys = g_string_new("");

	/* Not: a default written differently, and what only the operator reads. */
	config_foreach_without_effect(config, add_key, keys);
	assert_string_equal(keys->str, "routing-mode=tunnel;enable-hubble=true;");
	config_free(config);
}

static void find_mtu(const struct config_value *value, void *data)
{
	if (!strcmp(value->key, "mtu"))
		*(struct config_value *)data = *value;
}

static void test_policy(void **state)
{
	struct config *config = load_good("", "");
	struct derive_config derive;

	wiring_init_derive(config_get_settings(config), &derive);
	assert_int_equal(derive.policy_mode, POLICY_MODE_DEFAULT);
	assert_false(derive.policy_audit || derive.allow_localhost || derive.enable_host_firewall);
	assert_false(derive.enforce_init);
	assert_true(derive.enable_non_default_deny);
	for (unsigned int i = 0; i < POLICY_KIND__MAX; i++)
		assert_true(derive.enable_policy_kind[i]);
	wiring_fini_derive(&derive);
	config_free(config);
	config = load_good("--enable-policy never --policy-audit-mode --allow-localhost always "
			   "--policy-init-endpoints always "
			   "--enable-host-firewall --enable-non-default-deny-policies=false "
			   "--enable-k8s-networkpolicy=false "
			   "--enable-cilium-clusterwide-network-policy=false",
			   "");
	wiring_init_derive(config_get_settings(config), &derive);
	assert_int_equal(derive.policy_mode, POLICY_MODE_NEVER);
	assert_true(derive.policy_audit && derive.allow_localhost && derive.enable_host_firewall);
	assert_true(derive.enforce_init);
	assert_false(derive.enable_non_default_deny);
	assert_false(derive.enable_policy_kind[POLICY_KIND_KUBERNETES]);
	assert_true(derive.enable_policy_kind[POLICY_KIND_CILIUM]);
	assert_false(derive.enable_policy_kind[POLICY_KIND_CLUSTERWIDE]);
	wiring_fini_derive(&derive);
	config_free(config);
	check_refused("--enable-policy sometimes", "enable-policy");
}

static void test_foreach(void **state)
{
	struct config *config = load_good("", "CILIUM_MTU=1500");
	struct config_value value = {0};

	config_foreach(config, find_mtu, &value);
	assert_string_equal(value.text, "1500");
	assert_string_equal(value.place, "CILIUM_MTU");
	assert_string_equal(option_origin_text(value.origin), "environment");
	assert_true(value.has_effect && value.differs);
	config_free(config);
}

static void test_help(void **state)
{
	g_autofree char *help = config_format_help();

	assert_non_null(strstr(help, "  --mtu (default 0)\n"));
	assert_non_null(strstr(help, "One of: auto, directory."));
	assert_non_null(strstr(help, "  --enable-hubble (default false)\n"));
	assert_true(strstr(help, "--enable-ipv4 ") < strstr(help, "without effect"));
}

static void test_map_sizes(void **state)
{
	uint32_t sizes[PLAN_MAP__MAX];
	struct config *config = load_good("", "");

	/* Small machines get the lower bounds, huge ones the upper; in between by memory. */
	settings_get_map_sizes(config_get_settings(config), 1ULL << 30, sizes);
	assert_int_equal(sizes[PLAN_MAP_cilium_ct_tcp_global], 131072);
	assert_int_equal(sizes[PLAN_MAP_cilium_ct_any_global], 65536);
	assert_int_equal(sizes[PLAN_MAP_cilium_snat_external], 131072);
	assert_int_equal(sizes[PLAN_MAP_cilium_frag_datagrams], 8192);
	assert_int_equal(sizes[PLAN_MAP_cilium_policy_peer], 262144);
	assert_int_equal(sizes[PLAN_MAP_cilium_policy_class], 262144);
	assert_int_equal(sizes[PLAN_MAP_cilium_lxc], 0);
	settings_get_map_sizes(config_get_settings(config), 64ULL << 30, sizes);
	assert_in_range(sizes[PLAN_MAP_cilium_ct_tcp_global], 600000, 900000);
	settings_get_map_sizes(config_get_settings(config), 1ULL << 52, sizes);
	assert_int_equal(sizes[PLAN_MAP_cilium_ct_tcp_global], 16777216);
	config_free(config);

	config = load_good("--bpf-map-dynamic-size-ratio=0", "");
	settings_get_map_sizes(config_get_settings(config), 1ULL << 40, sizes);
	assert_int_equal(sizes[PLAN_MAP_cilium_ct_tcp_global], 524288);
	assert_int_equal(sizes[PLAN_MAP_cilium_ct_any_global], 262144);
	assert_int_equal(sizes[PLAN_MAP_cilium_snat_external], 524288);
	config_free(config);

	config = load_good("--bpf-ct-global-tcp-max=2048 --bpf-fragments-map-max=256 "
			   "--bpf-policy-map-max=256",
			   "");
	settings_get_map_sizes(config_get_settings(config), 64ULL << 30, sizes);
	assert_int_equal(sizes[PLAN_MAP_cilium_ct_tcp_global], 2048);
	assert_true(sizes[PLAN_MAP_cilium_ct_any_global] > 262144);
	assert_int_equal(sizes[PLAN_MAP_cilium_frag_datagrams], 256);
	assert_int_equal(sizes[PLAN_MAP_cilium_policy_peer], 4096);
	assert_int_equal(sizes[PLAN_MAP_cilium_policy_class], 4096);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_problems_together),
		cmocka_unit_test(test_settings_that_must_fit),
		cmocka_unit_test(test_without_effect),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_foreach),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_map_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
