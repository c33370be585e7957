/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the whole brain on a case and compares what it wants of the kernel with the file expected.txt
 * beside it:
 *
 *	config/         keys of the agent, one file each
 *	ip-masq-agent   ranges that are not masqueraded, where the configuration asks for the file
 *	devices.json    what the kernel would report
 *	endpoints.json  what has joined
 *	requests.json   services made by hand; may be missing
 *	sick.json       back ends that the agent's probes fail at; may be missing
 *	manifests/      read at the start
 *	manifests-2/    read after the first plan has been printed, on top of the others; and so on
 *
 * UPDATE_GOLDEN=1 writes expected.txt anew: look at the difference before you keep it.
 */
#include <dirent.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <jansson.h>
#include "src/agent/wiring.h"
#include "src/datapath/reconciler.h"
#include "src/derive/derive.h"
#include "src/derive/ipam.h"
#include "src/derive/policy_activation.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/source/file_set.h"
#include "src/source/masquerade_file.h"
#include "test/golden/print.h"
#include "test/golden/service_input.h"

struct golden {
	const char *dir;
	struct config *config;
	struct derive_config derive_config;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	struct policy_activation *activation;
	struct file_set *files;
	struct datapath *datapath;
	struct reconcilers *reconcilers;
	uint32_t last_version;
	struct addr cursor[2];
	GString *output;
};

G_GNUC_NORETURN static void fail(const struct golden *golden, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", golden->dir, what, why);
	exit(EXIT_FAILURE);
}

static json_t *load_json(const struct golden *golden, const char *name)
{
	g_autofree char *path = g_build_filename(golden->dir, name, NULL);
	json_error_t error;
	json_t *value = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!value)
		fail(golden, name, error.text);
	return value;
}

static void load_config(struct golden *golden)
{
	g_autofree char *path = g_build_filename(golden->dir, "config", NULL);
	char *argv[] = {(char *)"cilium-agent", (char *)"--config-dir", path, NULL};
	char *environment[] = {(char *)"K8S_NODE_NAME=node1", NULL};
	g_autoptr(GError) error = NULL;

	/* A directory without files is none to git. */
	g_mkdir_with_parents(path, 0755);
	if (config_load(3, argv, environment, &golden->config, &error))
		fail(golden, "config", error->message);
	wiring_init_derive(config_get_settings(golden->config), &golden->derive_config);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *list_files(const char *dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) stream = g_dir_open(dir, 0, NULL);
	const char *name;

	while (stream && (name = g_dir_read_name(stream)))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_texts);
	return names;
}

/* An empty file stands for one that was deleted. False where there is no such directory. */
static bool put_manifests(struct golden *golden, const char *name)
{
	g_autofree char *dir = g_build_filename(golden->dir, name, NULL);
	g_autoptr(GPtrArray) files = list_files(dir);

	if (!g_file_test(dir, G_FILE_TEST_IS_DIR))
		return false;
	file_set_begin(golden->files);
	for (unsigned int i = 0; i < files->len; i++) {
		g_autofree char *path = g_build_filename(dir, files->pdata[i], NULL);
		g_autofree char *text = NULL;
		size_t n_bytes;

		if (!g_file_get_contents(path, &text, &n_bytes, NULL))
			fail(golden, path, "cannot be read");
		if (n_bytes)
			file_set_put(golden->files, files->pdata[i], text, n_bytes);
		else
			file_set_remove(golden->files, files->pdata[i]);
	}
	file_set_commit(golden->files);
	store_settle(golden->store);
	return true;
}

/* No file stands for the built-in list. */
static void put_masquerade_file(struct golden *golden)
{
	g_autofree char *path = g_build_filename(golden->dir, "ip-masq-agent", NULL);
	g_autofree char *text = NULL;
	size_t n_bytes = 0;

	if (!config_get_settings(golden->config)->enable_ip_masq_agent)
		return;
	(void)g_file_get_contents(path, &text, &n_bytes, NULL);
	masquerade_file_apply(golden->store, &golden->tables, "ip-masq-agent", text ? text : "",
			      n_bytes);
}

static void add_address(struct golden *golden, struct device *device, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 2);
	g_auto(GStrv) halves = g_strsplit(words[0], "/", 2);
	struct device_address address = {.scope = RT_SCOPE_UNIVERSE};

	if (addr_parse(halves[0], &address.addr))
		fail(golden, "devices.json", text);
	address.prefix_len =
		atoi(halves[1]) + (addr_is_v4(&address.addr) ? ADDR_V4_PREFIX_BITS : 0);
	if (words[1] && !strcmp(words[1], "link"))
		address.scope = RT_SCOPE_LINK;
	else if (words[1] && !strcmp(words[1], "host"))
		address.scope = RT_SCOPE_HOST;
	else if (words[1])
		address.deprecated = !strcmp(words[1], "deprecated");
	g_array_append_val(device->addresses, address);
}

static void put_device(struct golden *golden, const json_t *object)
{
	struct device *device = (struct device *)row_new(&device_class);
	const json_t *addresses = json_object_get(object, "addresses"), *address;
	struct txn *txn = txn_new(golden->store);
	size_t i;

	device->ifindex = json_integer_value(json_object_get(object, "ifindex"));
	device->name = g_strdup(json_string_value(json_object_get(object, "name")));
	device->mtu = json_integer_value(json_object_get(object, "mtu"));
	device->mtu = device->mtu ? device->mtu : 1500;
	device->up = !json_is_false(json_object_get(object, "up"));
	device->has_mac = !json_is_false(json_object_get(object, "mac"));
	device->default_route = json_is_true(json_object_get(object, "default_route"));
	device->addresses = g_array_new(false, false, sizeof(struct device_address));
	json_array_foreach(addresses, i, address)
		add_address(golden, device, json_string_value(address));
	txn_put(txn, golden->tables.devices, &device->row);
	txn_commit(txn);
}

static void take_addr(struct golden *golden, const json_t *object, bool v4, struct addr *ret_addr)
{
	const char *text = json_string_value(json_object_get(object, v4 ? "ipv4" : "ipv6"));
	g_autoptr(GArray) pools = ipam_get_pools(&golden->tables, &golden->derive_config, v4);
	struct ip_allocation *allocation;
	struct txn *txn;

	if (!pools->len)
		return;
	if (text ? addr_parse(text, ret_addr)
		 : ipam_pick(pools, &golden->tables, &golden->cursor[v4], ret_addr))
		fail(golden, "endpoints.json", "an endpoint has no address");
	golden->cursor[v4] = *ret_addr;
	allocation = (struct ip_allocation *)row_new(&ip_allocation_class);
	allocation->addr = *ret_addr;
	allocation->owner = g_strdup("golden");
	txn = txn_new(golden->store);
	txn_put(txn, golden->tables.ip_allocations, &allocation->row);
	txn_commit(txn);
}

static const struct label_set *parse_labels(struct golden *golden, const json_t *texts)
{
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));
	const struct label_set *set;
	const json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
	{
		struct label label;

		if (label_parse(json_string_value(text), &label))
			fail(golden, "endpoints.json", json_string_value(text));
		g_array_append_val(labels, label);
	}
	set = label_set_new((const struct label *)(void *)labels->data, labels->len);
	for (i = 0; i < labels->len; i++)
		label_fini(&g_array_index(labels, struct label, i));
	return set;
}

static void put_endpoint(struct golden *golden, const json_t *object, uint16_t id)
{
	struct endpoint *endpoint = endpoint_new();
	const char *pod = json_string_value(json_object_get(object, "pod"));
	struct txn *txn;

	endpoint->id = id;
	endpoint->generation = id;
	endpoint->container_id = g_strdup_printf("c%u", id);
	endpoint->container_ifname = g_strdup("eth0");
	if (pod) {
		g_auto(GStrv) halves = g_strsplit(pod, "/", 2);

		endpoint->namespace = g_strdup(halves[0]);
		endpoint->pod_name = g_strdup(halves[1]);
	}
	endpoint->netns_cookie = json_integer_value(json_object_get(object, "netns-cookie"));
	label_set_unref(endpoint->runtime_labels);
	endpoint->runtime_labels = parse_labels(golden, json_object_get(object, "labels"));
	endpoint->host_ifname = g_strdup_printf("lxc%u", id);
	endpoint->ifindex = 100 + id;
	endpoint->mac = (struct mac){{2, 0, 0, 0, 0, id}};
	endpoint->host_mac = (struct mac){{2, 0, 0, 0, 1, id}};
	take_addr(golden, object, true, &endpoint->addr4);
	take_addr(golden, object, false, &endpoint->addr6);
	txn = txn_new(golden->store);
	txn_put(txn, golden->tables.endpoints, &endpoint->row);
	txn_commit(txn);
	store_settle(golden->store);
}

/* Each element of the file, if there is one. */
static void put_all(struct golden *golden, const char *name,
		    void (*put)(struct store *store, struct tables *tables, const json_t *object))
{
	g_autofree char *path = g_build_filename(golden->dir, name, NULL);
	json_t *array, *item;
	size_t i;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return;
	array = load_json(golden, name);
	json_array_foreach(array, i, item) put(golden->store, &golden->tables, item);
	json_decref(array);
	store_settle(golden->store);
}

static void set_routers(struct golden *golden)
{
	struct addr routers[2] = {0};

	for (int v4 = 0; v4 < 2; v4++) {
		g_autoptr(GArray) pools =
			ipam_get_pools(&golden->tables, &golden->derive_config, v4);

		ipam_first_addr(pools, &routers[v4]);
	}
	derive_set_router(golden->derive, &routers[1], &routers[0]);
	store_settle(golden->store);
}

/* As the directory does that reads manifests. */
static void set_synced(struct golden *golden)
{
	struct table *const tables[] = {
		golden->tables.namespaces,
		golden->tables.nodes,
		golden->tables.pods,
		golden->tables.policies,
		golden->tables.cidr_groups,
		golden->tables.services,
		golden->tables.endpoint_slices,
		golden->tables.local_redirects,
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(tables); i++)
		table_set_synced(tables[i]);
}

/* They are printed from their table. */
static void ignore_problem(const struct source_problem *problem, void *data)
{
}

static int take_version(uint32_t *ret_version, void *data)
{
	*ret_version = ++((struct golden *)data)->last_version;
	return 0;
}

static void start(struct golden *golden)
{
	struct datapath_config datapath_config;
	json_t *devices = load_json(golden, "devices.json"), *device;
	g_autoptr(GError) error = NULL;
	size_t i;

	golden->store = tables_new(&golden->tables);
	golden->derive = derive_new(golden->store, &golden->tables, &golden->derive_config, &error);
	if (!golden->derive)
		fail(golden, "config", error->message);
	golden->activation = policy_activation_new(&(const struct policy_activation_parts){
		.store = golden->store,
		.tables = &golden->tables,
		.derive = golden->derive,
	});
	golden->files = file_set_new(golden->store, &golden->tables, ignore_problem, NULL);
	put_manifests(golden, "manifests");
	put_masquerade_file(golden);
	json_array_foreach(devices, i, device) put_device(golden, device);
	json_decref(devices);
	set_routers(golden);
	set_synced(golden);
	policy_activation_begin(golden->activation);
	store_settle(golden->store);
	golden->datapath = datapath_fake_new();
	wiring_init_datapath(config_get_settings(golden->config), 1 << 30, &datapath_config);
	if (golden->datapath->ops->load(golden->datapath, &datapath_config, &error))
		fail(golden, "load", error->message);
	golden->reconcilers = reconcilers_new(golden->store, &golden->tables, golden->datapath);
	policy_activation_watch(golden->activation);
	policy_activation_allow_release(golden->activation);
	reconcilers_set_version_source(golden->reconcilers, take_version, golden);
	if (reconcilers_adopt(golden->reconcilers, &error))
		fail(golden, "adopt", error->message);
	reconcilers_allow_deletion(golden->reconcilers);
	store_settle(golden->store);
}

static void print(struct golden *golden)
{
	g_autoptr(GPtrArray) problems = lb_derivation_problems(derive_get_lb(golden->derive));

	print_state(golden->output, &golden->tables, golden->datapath);
	for (unsigned int i = 0; i < problems->len; i++)
		g_string_append_printf(golden->output, "%s%s\n",
				       i ? "  " : "problems of services\n  ",
				       (const char *)problems->pdata[i]);
}

static void run(struct golden *golden)
{
	json_t *endpoints, *endpoint;
	size_t i;

	load_config(golden);
	start(golden);
	endpoints = load_json(golden, "endpoints.json");
	json_array_foreach(endpoints, i, endpoint) put_endpoint(golden, endpoint, i + 1);
	json_decref(endpoints);
	put_all(golden, "requests.json", service_input_put_request);
	put_all(golden, "sick.json", service_input_put_sick);
	print(golden);
	for (unsigned int step = 2;; step++) {
		g_autofree char *name = g_strdup_printf("manifests-%u", step);

		if (!put_manifests(golden, name))
			break;
		set_routers(golden);
		g_string_append_printf(golden->output, "\n##### after %s #####\n\n", name);
		print(golden);
	}
}

static void finish(struct golden *golden)
{
	reconcilers_free(golden->reconcilers);
	golden->datapath->ops->free(golden->datapath);
	file_set_free(golden->files);
	policy_activation_free(golden->activation);
	derive_free(golden->derive);
	store_free(golden->store);
	wiring_fini_derive(&golden->derive_config);
	config_free(golden->config);
}

/* The first line that differs, for people; the whole output where a file of it helps more. */
static void print_difference(const char *expected, const char *actual)
{
	g_auto(GStrv) wanted = g_strsplit(expected, "\n", -1);
	g_auto(GStrv) got = g_strsplit(actual, "\n", -1);
	unsigned int i = 0;

	while (wanted[i] && got[i] && !strcmp(wanted[i], got[i]))
		i++;
	fprintf(stderr, "line %u:\n- %s\n+ %s\n", i + 1, wanted[i] ? wanted[i] : "(end)",
		got[i] ? got[i] : "(end)");
}

int main(int argc, char *argv[])
{
	struct golden golden = {.dir = argv[1], .output = g_string_new(NULL)};
	g_autofree char *path = NULL;
	g_autofree char *expected = NULL;
	bool is_equal;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CASE\n", argv[0]);
		return EXIT_FAILURE;
	}
	path = g_build_filename(golden.dir, "expected.txt", NULL);
	run(&golden);
	finish(&golden);
	if (g_getenv("UPDATE_GOLDEN") &&
	    !g_file_set_contents(path, golden.output->str, golden.output->len, NULL))
		fail(&golden, path, "cannot be written");
	if (!g_file_get_contents(path, &expected, NULL, NULL))
		fail(&golden, path, "cannot be read");
	is_equal = !strcmp(expected, golden.output->str);
	if (!is_equal)
		print_difference(expected, golden.output->str);
	g_string_free(golden.output, true);
	return is_equal ? EXIT_SUCCESS : EXIT_FAILURE;
}
