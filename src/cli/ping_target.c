/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/ping_target.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/map_dump.h"
#include "src/model/identity.h"
#include "src/sys/link.h"
#include "src/sys/netns.h"

/* ---- who ---- */

/* "k8s:app=web,k8s:tier=x"; NULL where the agent cannot be asked or does not know. g_free. */
static char *find_labels(uint32_t identity)
{
	g_autofree char *number = g_strdup_printf("%u", identity);
	const struct api_client_request request = {.call = API_IDENTITY_GET, .arg = number};
	g_autoptr(GString) text = g_string_new(NULL);
	json_auto_t *answer = NULL;
	json_t *label;
	size_t i;

	if (api_client_call(cli_api(), &request, &answer, NULL) < 0)
		return NULL;
	json_array_foreach(json_get(answer, "labels", NULL), i, label)
		g_string_append_printf(text, "%s%s", i ? "," : "", json_string_value(label));
	return g_strdup(text->str);
}

static void print_identity(uint32_t identity)
{
	const char *reserved = identity_reserved_name(identity);
	g_autofree char *labels = reserved ? NULL : find_labels(identity);

	printf("identity %u", identity);
	if (reserved)
		printf(" (reserved:%s)", reserved);
	else if (labels)
		printf(" (%s)", labels);
	else
		printf(" (labels not known: no agent answers on %s)", cli_socket_path());
}

static void print_endpoint(uint16_t id)
{
	g_autofree char *number = g_strdup_printf("%u", id);
	json_auto_t *endpoint = NULL;
	const char *pod;

	printf("endpoint %u of this node", id);
	if (api_client_endpoint_get(cli_api(), number, &endpoint, NULL) < 0)
		return;
	pod = json_get_text(endpoint, "status", "external-identifiers", "pod-name", NULL);
	if (*pod)
		printf(" (%s)", pod);
}

static int find_local(const struct addr *addr, struct endpoint_info *ret_info)
{
	struct bpf_map_ref map;
	int err = map_dump_open("cilium_lxc", &map, NULL);

	if (err < 0)
		return err;
	err = bpf_map_get(&map, addr, ret_info);
	bpf_map_close(&map);
	return err;
}

void ping_target_print(const struct addr *addr)
{
	struct endpoint_info local = {0};
	struct ipcache_info info = {0};
	char text[ADDR_TEXT_BYTES];
	g_autoptr(GError) error = NULL;
	int err = map_dump_find_ipcache(addr, &info, &error);

	/* That no agent has run, map_dump_open() has said. */
	if (error)
		cli_fail("%s", error->message);
	if (err < 0 && err != -ENOENT)
		return;
	printf("   %s: ", addr_format(addr, text));
	if (err == -ENOENT) {
		puts("nobody that this node knows of; its packets have the identity world");
		return;
	}
	if (find_local(addr, &local) == 0 && !(local.flags & ENDPOINT_F_HOST)) {
		print_endpoint(local.id);
		fputs(", ", stdout);
	} else if (info.flags & IPCACHE_F_LOCAL_HOST) {
		fputs("this node, ", stdout);
	} else if (info.flags & IPCACHE_F_REMOTE_NODE) {
		fputs("another node, ", stdout);
	}
	print_identity(info.identity);
	putchar('\n');
}

/* ---- where ---- */

struct endpoint_search {
	uint16_t id;
	struct endpoint_info info;
	bool is_found;
};

static bool match_endpoint(const void *key, const void *value, void *data)
{
	const struct endpoint_info *info = value;
	struct endpoint_search *search = data;

	if (info->flags & ENDPOINT_F_HOST || info->id != search->id)
		return true;
	search->info = *info;
	search->is_found = true;
	return false;
}

static int find_endpoint(uint16_t id, struct endpoint_info *ret_info, GError **error)
{
	struct endpoint_search search = {.id = id};
	struct bpf_map_ref map;
	int err = map_dump_open("cilium_lxc", &map, error);

	if (err == -ENOENT)
		return error_set(error, ENOENT, "there is no endpoint %u: no agent has run", id);
	if (err < 0)
		return err;
	err = bpf_map_foreach(&map, match_endpoint, &search);
	bpf_map_close(&map);
	if (err < 0)
		return error_set_errno(error, -err, "read cilium_lxc");
	if (!search.is_found)
		return error_set(error, ENOENT,
				 "there is no endpoint %u: \"cilium endpoint list\" shows those of "
				 "this node",
				 id);
	*ret_info = search.info;
	return 0;
}

/* That the namespace has the other end: the interface of this index has the endpoint's address. */
static bool is_inside(int netns_fd, uint32_t peer_ifindex, const struct mac *mac)
{
	struct netlink *nl = netns_netlink_new(netns_fd, NULL);
	struct link_info link = {0};
	bool matches = nl && link_get_by_index(nl, peer_ifindex, &link, NULL) == 0 &&
		       link.has_mac && !memcmp(&link.mac, mac, sizeof(*mac));

	netlink_free(nl);
	return matches;
}

/* Every namespace that a process is in, or that is mounted by name, once each. */
static int search_directory(const char *directory, const char *suffix, GHashTable *seen,
			    uint32_t peer_ifindex, const struct mac *mac)
{
	GDir *dir = g_dir_open(directory, 0, NULL);
	const char *name;
	int found = -ENOENT;

	while (dir && found < 0 && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_strconcat(directory, "/", name, suffix, NULL);
		g_autofree char *id = NULL;
		int fd;

		if (*suffix && !g_ascii_isdigit(*name))
			continue;
		id = *suffix ? g_file_read_link(path, NULL) : NULL;
		if (id && !g_hash_table_add(seen, g_steal_pointer(&id)))
			continue;
		fd = netns_open_path(path, NULL);
		if (fd < 0)
			continue;
		if (is_inside(fd, peer_ifindex, mac))
			found = fd;
		else
			close(fd);
	}
	if (dir)
		g_dir_close(dir);
	return found;
}

int ping_target_open_netns(uint16_t endpoint_id, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct endpoint_info info;
	struct link_info link;
	struct netlink *nl;
	int err = find_endpoint(endpoint_id, &info, error);
	int fd;

	if (err < 0)
		return err;
	nl = netlink_new(error);
	err = nl ? link_get_by_index(nl, info.ifindex, &link, error) : -EIO;
	netlink_free(nl);
	if (err < 0) {
		error_prefix(error, "endpoint %u", endpoint_id);
		return err;
	}
	fd = search_directory("/run/netns", "", seen, link.peer_ifindex, &info.mac);
	if (fd < 0)
		fd = search_directory("/proc", "/ns/net", seen, link.peer_ifindex, &info.mac);
	if (fd < 0)
		return error_set(error, ENOENT,
				 "endpoint %u: its network namespace is neither in /run/netns nor "
				 "that of a process that can be seen from here",
				 endpoint_id);
	return fd;
}
