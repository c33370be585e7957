/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/debuginfo.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "src/cli/capture.h"
#include "src/cli/command.h"
#include "src/cli/json_get.h"

/* A report is read by people and sent by mail. */
#define SECTION_MAX_BYTES  (1024 * 1024)
#define ENDPOINT_MAX_BYTES (64 * 1024)
#define ENDPOINTS_MAX      100
#define FILES_MAX          2000
#define DEPTH_MAX          8

static void add(GPtrArray *sections, const char *name, const char *title, GString *body)
{
	g_ptr_array_add(sections, report_section_new(g_strdup(name), g_strdup(title), body));
}

json_t *debuginfo_get_json(void)
{
	const struct api_client_request request = {.call = API_DEBUGINFO_GET};
	json_t *info = NULL;
	GError *error = NULL;
	struct utsname name = {0};

	if (api_client_call(cli_api(), &request, &info, &error) == 0 && info)
		return info;
	uname(&name);
	info = json_pack("{s:o, s:s}", "kernel-version",
			 json_sprintf("%s %s %s", name.release, name.version, name.machine),
			 "unavailable", error ? error->message : "the agent's answer is empty");
	g_clear_error(&error);
	return info;
}

/* ---- of the node ---- */

static void append_file(GString *body, const char *path, size_t n_bytes_max)
{
	g_autofree char *text = NULL;
	GError *error = NULL;
	size_t n_bytes;

	g_string_append_printf(body, "%s\n", path);
	if (!g_file_get_contents(path, &text, &n_bytes, &error)) {
		g_string_append_printf(body, "(%s)\n", error->message);
		g_error_free(error);
		return;
	}
	g_string_append_len(body, text, MIN(n_bytes, n_bytes_max));
	g_string_append(body, n_bytes > n_bytes_max ? "\n(cut)\n\n" : "\n");
}

static void add_system(GPtrArray *sections)
{
	static const char *const paths[] = {"/proc/version", "/proc/loadavg", "/proc/meminfo",
					    "/proc/net/dev", "/proc/self/mounts"};
	GString *body = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		append_file(body, paths[i], 64 * 1024);
	add(sections, "system", "System", body);
}

/* Names, sizes and ages: what is in the files is the agent's, and some of it nobody else's. */
static void append_tree(GString *body, const char *directory, unsigned int depth,
			unsigned int *n_left)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, NULL, alphasort);

	if (n < 0) {
		g_string_append_printf(body, "%s (%s)\n", directory, g_strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		g_autofree char *path = g_build_filename(directory, entries[i]->d_name, NULL);
		struct stat info;

		if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, "..") &&
		    *n_left && lstat(path, &info) == 0) {
			g_autoptr(GDateTime) time =
				g_date_time_new_from_unix_utc(info.st_mtim.tv_sec);
			g_autofree char *text = g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");

			--*n_left;
			g_string_append_printf(body, "%06o %10lld %s %s\n", info.st_mode,
					       (long long)info.st_size, text, path);
			if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX)
				append_tree(body, path, depth + 1, n_left);
		}
		g_free(entries[i]);
	}
	g_free(entries);
}

static void add_state_files(GPtrArray *sections, const char *const directories[], size_t n)
{
	GString *body = g_string_new(NULL);
	unsigned int n_left = FILES_MAX;

	for (size_t i = 0; i < n; i++)
		append_tree(body, directories[i], 0, &n_left);
	if (!n_left)
		g_string_append_printf(body, "(cut: more than %d files)\n", FILES_MAX);
	add(sections, "state-files", "State files", body);
}

/* ---- of commands ---- */

static void add_command(GPtrArray *sections, const char *name, const char *title,
			const char *const words[], size_t n_bytes_max)
{
	GString *body = g_string_new(NULL);

	capture_append(body, words, n_bytes_max);
	report_hide_secrets(body);
	add(sections, name, title, body);
}

static const struct {
	const char *name, *title;
	const char *const words[5];
} commands[] = {
	{"cilium-version", "Cilium version", {"version"}},
	{"cilium-status", "Cilium status", {"status", "--verbose"}},
	{"cilium-config", "Cilium configuration", {"config", "--all"}},
	{"cilium-metrics-list", "Metrics list", {"metrics", "list"}},
	{"cilium-node-list", "Node list", {"node", "list"}},
	{"cilium-identity-list", "Identity list", {"identity", "list"}},
	{"cilium-ip-list", "IP list", {"ip", "list", "--verbose"}},
	{"cilium-map-list", "Map list", {"map", "list"}},
	{"cilium-bpf-fs-show", "BPF filesystem", {"bpf", "fs", "show"}},
	{"cilium-bpf-endpoint-list", "BPF endpoint list", {"bpf", "endpoint", "list"}},
	{"cilium-bpf-ipcache-list", "BPF ipcache list", {"bpf", "ipcache", "list"}},
	{"cilium-bpf-metrics-list", "BPF metrics list", {"bpf", "metrics", "list"}},
	{"cilium-bpf-ct-list", "BPF connection tracking", {"bpf", "ct", "list", "global"}},
	{"cilium-bpf-nat-list", "BPF NAT mappings", {"bpf", "nat", "list"}},
	{"cilium-service-list", "Service list", {"service", "list"}},
	{"cilium-lrp-list", "Local redirect policies", {"lrp", "list"}},
	{"cilium-bpf-lb-list", "BPF load balancing", {"bpf", "lb", "list"}},
	{"cilium-bpf-lb-backends", "BPF back ends", {"bpf", "lb", "list", "--backends"}},
	{"cilium-policy", "Policy get", {"policy", "get"}},
	{"cilium-policy-list", "Policy list", {"policy", "list"}},
	{"cilium-policy-selectors", "Policy selectors", {"policy", "selectors"}},
	{"cilium-bpf-policy-list", "BPF policy maps", {"bpf", "policy", "list", "--verbose"}},
	{"cilium-endpoint-list", "Endpoint list", {"endpoint", "list"}},
};

static void add_endpoint(GPtrArray *sections, const json_t *endpoint)
{
	static const char *const verbs[] = {"get", "health", "labels", "config", "log"};
	g_autofree char *id = g_strdup_printf("%lld", json_get_number(endpoint, "id", NULL));
	g_autofree char *identity = g_strdup_printf(
		"%lld", json_get_number(endpoint, "status", "identity", "id", NULL));
	const char *const identity_words[] = {"identity", "get", identity, NULL};

	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
		const char *const words[] = {"endpoint", verbs[i], id, NULL};
		g_autofree char *name = g_strdup_printf("cilium-endpoint-%s-%s", verbs[i], id);
		g_autofree char *title = g_strdup_printf("Endpoint %s %s", verbs[i], id);

		add_command(sections, name, title, words, ENDPOINT_MAX_BYTES);
	}
	if (strcmp(identity, "0") != 0) {
		g_autofree char *name = g_strdup_printf("cilium-identity-get-%s", id);
		g_autofree char *title =
			g_strdup_printf("Identity get %s, of endpoint %s", identity, id);

		add_command(sections, name, title, identity_words, ENDPOINT_MAX_BYTES);
	}
}

static void add_endpoints(GPtrArray *sections, const json_t *list)
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < MIN(n, ENDPOINTS_MAX); i++)
		add_endpoint(sections, json_array_get(list, i));
	if (n > ENDPOINTS_MAX) {
		GString *body = g_string_new(NULL);

		g_string_append_printf(body,
				       "%zu more endpoints are in the list alone; for each: cilium "
				       "endpoint get ID\n",
				       n - ENDPOINTS_MAX);
		add(sections, "cilium-endpoints-cut", "Other endpoints", body);
	}
}

/* ---- of the agent ---- */

static void add_text(GPtrArray *sections, const char *name, const char *title, const char *text)
{
	add(sections, name, title, g_string_new(text));
}

static void add_of_agent(GPtrArray *sections, const json_t *info)
{
	GString *keys = g_string_new(NULL), *subsystems = g_string_new(NULL);
	json_t *value;
	const char *name;
	size_t i;

	json_array_foreach(json_get(info, "environment-variables", NULL), i, value)
		g_string_append_printf(keys, "%s\n", json_string_value(value));
	add(sections, "cilium-environment-keys", "Cilium environment keys", keys);
	add_text(sections, "cilium-memory-map", "Cilium memory map",
		 json_get_text(info, "cilium-memory-map", NULL));
	json_object_foreach(json_get(info, "subsystem", NULL), name, value)
		g_string_append_printf(subsystems, "%s\n%s\n", name, json_string_value(value));
	add(sections, "cilium-subsystems", "Cilium subsystems", subsystems);
}

GPtrArray *debuginfo_get_sections(const json_t *info, const char *state_dir, const char *lib_dir)
{
	const char *const directories[] = {state_dir, lib_dir};
	GPtrArray *sections = g_ptr_array_new_with_free_func((GDestroyNotify)report_section_free);
	const char *unavailable = json_get_text(info, "unavailable", NULL);

	if (*unavailable) {
		GString *body = g_string_new(unavailable);

		g_string_append(body,
				"\nWhat only the agent knows is missing below; what is pinned "
				"in the kernel is there.\n");
		add(sections, "cilium-unavailable", "No agent answers", body);
	}
	add_text(sections, "kernel-version", "Kernel version",
		 json_get_text(info, "kernel-version", NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		add_command(sections, commands[i].name, commands[i].title, commands[i].words,
			    SECTION_MAX_BYTES);
	if (!*unavailable) {
		add_endpoints(sections, json_get(info, "endpoint-list", NULL));
		add_of_agent(sections, info);
	}
	add_state_files(sections, directories, G_N_ELEMENTS(directories));
	add_system(sections);
	return sections;
}
