/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/explain_party.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "abi/endpoint.h"
#include "src/cli/commands.h"
#include "src/cli/endpoint_name.h"
#include "src/cli/json_get.h"
#include "src/cli/map_dump.h"
#include "src/model/identity.h"

#define DISCARD_PORT 9 /* of a socket that only looks for its way: nothing is sent */

static void add_addr(struct explain_party *party, const struct addr *addr)
{
	bool v6 = !addr_is_v4(addr);

	if (party->has_addr[v6])
		return;
	party->has_addr[v6] = true;
	party->addr[v6] = *addr;
}

static void add_text(struct explain_party *party, const char *text)
{
	struct addr addr;

	if (addr_parse(text, &addr) == 0)
		add_addr(party, &addr);
}

/* ---- the number of an endpoint ---- */

struct search {
	uint16_t id;
	struct explain_party *party;
};

static bool match_endpoint(const void *key, const void *value, void *data)
{
	const struct endpoint_info *info = value;
	const struct search *search = data;
	struct addr addr;

	memcpy(&addr, key, sizeof(addr));
	if (!(info->flags & ENDPOINT_F_HOST) && info->id == search->id)
		add_addr(search->party, &addr);
	return true;
}

static int find_number(const char *flag, const char *text, struct explain_party *party)
{
	struct search search = {.party = party};
	guint64 id;
	int status;

	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &id, NULL))
		return cli_fail_usage("--%s \"%s\": expected the number of an endpoint, 0 to 65535",
				      flag, text);
	party->is_host = !id;
	search.id = id;
	status = id ? map_dump_foreach("cilium_lxc", match_endpoint, &search) : EXIT_SUCCESS;
	if (!status && id && !party->has_addr[0] && !party->has_addr[1])
		return cli_fail(
			"--%s: there is no endpoint %s: \"cilium endpoint list\" shows those of "
			"this node",
			flag, text);
	return status;
}

/* ---- a name ---- */

static bool find_endpoint(const char *text, const struct explain_agent *agent,
			  struct explain_party *party)
{
	g_autofree char *selector = endpoint_name_selector(text);
	const json_t *endpoint = agent->ask(API_ENDPOINT_GET, selector, NULL, agent->data);
	const json_t *addressing =
		json_array_get(json_get(endpoint, "status", "networking", "addressing", NULL), 0);

	add_text(party, json_get_text(addressing, "ipv4", NULL));
	add_text(party, json_get_text(addressing, "ipv6", NULL));
	return party->has_addr[0] || party->has_addr[1];
}

/* A pod of another node, of which there is a manifest. */
static bool find_remote_pod(const char *text, const struct explain_agent *agent,
			    struct explain_party *party)
{
	const json_t *entries = agent->ask(API_IP_LIST, NULL, NULL, agent->data), *entry;
	const char *slash = strchr(text, '/');
	g_autofree char *namespace = slash ? g_strndup(text, slash - text) : g_strdup("default");
	const char *name = slash ? slash + 1 : text;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		g_autofree char *address = NULL;

		if (strcmp(json_get_text(entry, "metadata", "name", NULL), name) ||
		    strcmp(json_get_text(entry, "metadata", "namespace", NULL), namespace))
			continue;
		address = g_strdup(json_get_text(entry, "cidr", NULL));
		address[strcspn(address, "/")] = '\0';
		add_text(party, address);
	}
	return party->has_addr[0] || party->has_addr[1];
}

/* 0, or what getaddrinfo() says. */
static int look_up(const char *text, struct explain_party *party)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int err = getaddrinfo(text, NULL, &hints, &found);

	if (err)
		return err;
	for (const struct addrinfo *each = found; each; each = each->ai_next) {
		struct addr addr =
			each->ai_family == AF_INET6
				? addr_from_v6(
					  &((const struct sockaddr_in6 *)each->ai_addr)->sin6_addr)
				: addr_from_v4(
					  ((const struct sockaddr_in *)each->ai_addr)->sin_addr);

		add_addr(party, &addr);
	}
	freeaddrinfo(found);
	return 0;
}

static int find_name(const char *flag, const char *text, const struct explain_agent *agent,
		     struct explain_party *party)
{
	bool is_dns = !strchr(text, '/') && !strchr(text, ':');
	int err;

	if (find_endpoint(text, agent, party) ||
	    (!strchr(text, ':') && find_remote_pod(text, agent, party))) {
		party->name = strchr(text, '/') || strchr(text, ':')
				      ? g_strdup(text)
				      : g_strconcat("default/", text, NULL);
		return EXIT_SUCCESS;
	}
	if (!agent->ask(API_CONFIG_GET, NULL, NULL, agent->data) && !is_dns)
		return cli_fail(
			"--%s \"%s\": no agent answers who that is: name the endpoint by its "
			"number (\"cilium bpf endpoint list\"), or by its address",
			flag, text);
	if (!is_dns)
		return cli_fail(
			"--%s \"%s\": no pod that this node knows of is called so: \"cilium "
			"endpoint list\" shows those of this node",
			flag, text);
	party->name = g_strdup(text);
	err = look_up(text, party);
	return err ? cli_fail("--%s \"%s\": neither a pod of the namespace default, nor a name "
			      "that can "
			      "be looked up: %s",
			      flag, text, err == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(err))
		   : EXIT_SUCCESS;
}

int explain_party_find(const char *flag, const char *text, const struct explain_agent *agent,
		       struct explain_party *ret_party)
{
	struct addr addr;

	*ret_party = (struct explain_party){0};
	if (!strcmp(text, "host") || !strcmp(text, "reserved:host")) {
		ret_party->is_host = true;
		return EXIT_SUCCESS;
	}
	if (!*text)
		return cli_fail_usage("--%s: expected whom", flag);
	if (addr_parse(text, &addr) == 0) {
		add_addr(ret_party, &addr);
		return EXIT_SUCCESS;
	}
	if (!text[strspn(text, "0123456789")])
		return find_number(flag, text, ret_party);
	return find_name(flag, text, agent, ret_party);
}

/* ---- the node's own address ---- */

bool explain_party_host_addr(const struct addr *peer, struct addr *ret_addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT)};
	bool v4 = addr_is_v4(peer), is_found = false;
	struct sockaddr *name = v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
	socklen_t n_bytes = v4 ? sizeof(in) : sizeof(in6);
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	memcpy(&in.sin_addr, peer->bytes + 12, 4);
	memcpy(&in6.sin6_addr, peer->bytes, 16);
	if (!connect(fd, name, n_bytes) && !getsockname(fd, name, &n_bytes)) {
		*ret_addr = v4 ? addr_from_v4(in.sin_addr) : addr_from_v6(&in6.sin6_addr);
		is_found = true;
	}
	close(fd);
	return is_found;
}

/* ---- who has an address ---- */

static int find_local(const struct addr *addr, struct endpoint_info *ret_info, GError **error)
{
	struct bpf_map_ref map;
	int err = map_dump_open("cilium_lxc", &map, error);

	if (err < 0)
		return err;
	err = bpf_map_get(&map, addr, ret_info);
	bpf_map_close(&map);
	return err;
}

int explain_party_classify(const struct addr *addr, struct explain_end *ret_end, GError **error)
{
	struct endpoint_info local = {0};
	struct ipcache_info info = {0};
	int err = find_local(addr, &local, error);
	bool is_pod;

	*ret_end = (struct explain_end){.addr = *addr, .where = EXPLAIN_OUTSIDE};
	if (*error)
		return err;
	if (!err && !(local.flags & ENDPOINT_F_HOST)) {
		ret_end->where = EXPLAIN_ENDPOINT;
		ret_end->endpoint = local.id;
		ret_end->ifindex = local.ifindex;
		ret_end->identity = local.identity;
		return 0;
	}
	if (!err) {
		ret_end->where = EXPLAIN_THIS_NODE;
		ret_end->identity = IDENTITY_HOST;
		return 0;
	}
	err = map_dump_find_ipcache(addr, &info, error);
	if (err < 0)
		return *error ? err : 0;
	is_pod = info.identity >= IDENTITY_ALLOCATED_MIN && info.identity <= IDENTITY_ALLOCATED_MAX;
	ret_end->identity = info.identity;
	if (info.flags & IPCACHE_F_LOCAL_HOST)
		ret_end->where = EXPLAIN_THIS_NODE;
	else if (info.flags & IPCACHE_F_REMOTE_NODE)
		ret_end->where = EXPLAIN_OTHER_NODE;
	else if (is_pod)
		ret_end->where = EXPLAIN_OTHER_POD;
	return 0;
}
