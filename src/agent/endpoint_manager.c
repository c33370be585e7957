/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_manager.h"

#include <string.h>
#include "src/agent/endpoint_index.h"
#include "src/agent/persist.h"
#include "src/base/log.h"
#include "src/model/identity.h"

#define ATTACHMENT_PREFIX "cni-attachment-id:"

struct endpoint_manager {
	struct endpoint_manager_parts parts;
	struct table_index *index;
	const struct reconcilers *reconcilers; /* NULL: not loaded yet */
	struct endpoint_manager_statistics statistics;
};

/* An endpoint on its way in, and what is to be undone where it does not get there. */
struct creation {
	struct endpoint_manager *manager;
	struct endpoint *endpoint;
	bool is_written;
	struct claim {
		const struct addr *addr;
		bool is_claimed;
		struct ip_allocation *before;
	} claims[2];
};

struct endpoint_manager *endpoint_manager_new(const struct endpoint_manager_parts *parts)
{
	struct endpoint_manager *manager = g_new0(struct endpoint_manager, 1);

	manager->parts = *parts;
	manager->index = endpoint_index_new(parts->tables->endpoints);
	return manager;
}

void endpoint_manager_free(struct endpoint_manager *manager)
{
	g_free(manager);
}

void endpoint_manager_set_reconcilers(struct endpoint_manager *manager,
				      const struct reconcilers *reconcilers)
{
	manager->reconcilers = reconcilers;
}

char *endpoint_attachment_id(const struct endpoint *endpoint)
{
	return g_strconcat(endpoint->container_id, ":", endpoint->container_ifname, NULL);
}

static const struct endpoint *get_endpoint(const struct endpoint_manager *manager, uint16_t id)
{
	return (const struct endpoint *)table_get(manager->parts.tables->endpoints, &id,
						  sizeof(id));
}

static const struct endpoint_state *get_state(const struct endpoint_manager *manager, uint16_t id)
{
	return (const struct endpoint_state *)table_get(manager->parts.tables->endpoint_states, &id,
							sizeof(id));
}

/* "default/web", else the container. Free with g_free. */
static char *owner_of(const struct endpoint *endpoint)
{
	if (endpoint->pod_name && endpoint->namespace)
		return g_strconcat(endpoint->namespace, "/", endpoint->pod_name, NULL);
	return g_strdup(endpoint->container_name ? endpoint->container_name
						 : endpoint->container_id);
}

static void log_endpoint(const char *message, const struct endpoint *endpoint)
{
	g_autofree char *owner = owner_of(endpoint);
	char text4[ADDR_TEXT_BYTES] = "", text6[ADDR_TEXT_BYTES] = "";

	log_info("endpoint", message,
		 "endpointID=%u owner=%s containerID=%s interface=%s ipv4=%s ipv6=%s", endpoint->id,
		 owner, endpoint->container_id, endpoint->host_ifname,
		 addr_is_zero(&endpoint->addr4) ? NULL : addr_format(&endpoint->addr4, text4),
		 addr_is_zero(&endpoint->addr6) ? NULL : addr_format(&endpoint->addr6, text6));
}

static int check_request(const struct endpoint *endpoint, GError **error)
{
	static const struct mac no_mac;

	if (endpoint->id)
		return error_set(error, EINVAL, "id: got %u, want 0: the agent chooses it",
				 endpoint->id);
	if (!endpoint->container_id || !*endpoint->container_id)
		return error_set(error, EINVAL, "container-id: missing");
	if (!endpoint->container_ifname || !*endpoint->container_ifname)
		return error_set(error, EINVAL, "container-interface-name: missing");
	if (!endpoint->host_ifname || !*endpoint->host_ifname)
		return error_set(error, EINVAL, "interface-name: missing");
	if (addr_is_zero(&endpoint->addr4) && addr_is_zero(&endpoint->addr6))
		return error_set(error, EINVAL, "addressing: neither an IPv4 nor an IPv6 address");
	if (!memcmp(&endpoint->mac, &no_mac, sizeof(no_mac)) ||
	    !memcmp(&endpoint->host_mac, &no_mac, sizeof(no_mac)))
		return error_set(error, EINVAL, "mac and host-mac: both are needed");
	return 0;
}

static int check_interface(const struct endpoint_manager *manager, struct endpoint *endpoint,
			   GError **error)
{
	unsigned int ifindex = manager->parts.find_interface(endpoint->host_ifname);

	if (!ifindex)
		return error_set(error, ENODEV,
				 "interface %s is not in the agent's network namespace",
				 endpoint->host_ifname);
	if (endpoint->ifindex && endpoint->ifindex != ifindex)
		return error_set(error, ENODEV, "interface %s has index %u, not %u",
				 endpoint->host_ifname, ifindex, endpoint->ifindex);
	endpoint->ifindex = ifindex;
	return 0;
}

static int check_conflicts(const struct endpoint_manager *manager, const struct endpoint *endpoint,
			   GError **error)
{
	g_autofree char *attachment = endpoint_attachment_id(endpoint);
	const struct endpoint *other =
		endpoint_index_get(manager->index, "cni-attachment-id", attachment);

	if (other)
		return error_set(error, EEXIST, "%s is endpoint %u already", attachment, other->id);
	other = endpoint_index_get(manager->index, "interface", endpoint->host_ifname);
	if (other)
		return error_set(error, EEXIST, "interface %s belongs to endpoint %u",
				 endpoint->host_ifname, other->id);
	return 0;
}

/* The id goes with the generation, so that it comes back only when all others had their turn. */
static int take_id(struct endpoint_manager *manager, struct endpoint *endpoint, GError **error)
{
	int err = generation_take(manager->parts.generation, &endpoint->generation, error);

	if (err)
		return err;
	for (uint32_t i = 0; i < UINT16_MAX; i++) {
		uint16_t id = (endpoint->generation - 1 + i) % UINT16_MAX + 1;

		if (!get_endpoint(manager, id)) {
			endpoint->id = id;
			return 0;
		}
	}
	return error_set(error, ENOSPC, "all %u endpoint ids are in use: delete endpoints",
			 UINT16_MAX);
}

/* Files first: the endpoint's, then those that say that its addresses are its own. */
static int creation_write(struct creation *creation, struct txn *txn, GError **error)
{
	const struct endpoint_manager_parts *parts = &creation->manager->parts;
	struct endpoint *endpoint = creation->endpoint;
	g_autofree char *owner = owner_of(endpoint);
	int err = persist_put_endpoint(parts->dir, endpoint, error);

	creation->is_written = !err;
	for (unsigned int i = 0; !err && i < G_N_ELEMENTS(creation->claims); i++) {
		struct claim *claim = &creation->claims[i];

		if (addr_is_zero(claim->addr))
			continue;
		err = ipam_claim(parts->ipam, txn, claim->addr, owner, &claim->before, error);
		claim->is_claimed = !err;
	}
	return err;
}

static void creation_undo(struct creation *creation)
{
	const struct endpoint_manager_parts *parts = &creation->manager->parts;
	struct txn *txn = txn_new(parts->store);
	g_autoptr(GError) error = NULL;

	for (unsigned int i = 0; i < G_N_ELEMENTS(creation->claims); i++) {
		struct claim *claim = &creation->claims[i];

		if (claim->is_claimed)
			ipam_unclaim(parts->ipam, txn, claim->addr, claim->before);
	}
	if (creation->is_written &&
	    persist_remove_endpoint(parts->dir, creation->endpoint->id, &error))
		log_error("endpoint", "Removing the state of a failed endpoint failed",
			  "endpointID=%u error=%s", creation->endpoint->id, error->message);
	txn_remove(txn, parts->tables->endpoints, &creation->endpoint->id,
		   sizeof(creation->endpoint->id));
	txn_commit(txn);
	store_settle(parts->store);
}

struct failure_search {
	uint16_t id;
	int err;
	char *text;
};

static void note_failure(const struct reconciler_failure *failure, void *data)
{
	struct failure_search *search = data;

	if (failure->endpoint_id != search->id || search->text)
		return;
	search->err = failure->error;
	search->text = g_strdup_printf("%s: %s", failure->object, g_strerror(failure->error));
}

static int check_identity(const struct endpoint_manager *manager, uint16_t id, GError **error)
{
	const struct endpoint_state *state = get_state(manager, id);
	const GError *identity_error = identity_file_get_error(manager->parts.identity_file);

	if (!state || state->identity == IDENTITY_UNKNOWN)
		return error_set(error, ENOSPC,
				 "every identity number is in use: delete endpoints, or let "
				 "fewer labels make identities (key labels)");
	if (identity_error)
		return error_set(error, identity_error->code, "keeping the identity: %s",
				 identity_error->message);
	return 0;
}

static int check_objects(const struct endpoint_manager *manager, uint16_t id, GError **error)
{
	struct failure_search search = {.id = id, .err = EIO};
	int err;

	if (reconcilers_endpoint_applied(manager->reconcilers, id))
		return 0;
	reconcilers_foreach_failure(manager->reconcilers, note_failure, &search);
	err = error_set(error, search.err, "%s", search.text ? search.text : "not applied");
	g_free(search.text);
	return err;
}

int endpoint_manager_check_applied(const struct endpoint_manager *manager, uint16_t id,
				   GError **error)
{
	int err = check_identity(manager, id, error);

	return err ? err : check_objects(manager, id, error);
}

static int creation_run(struct creation *creation, GError **error)
{
	struct endpoint_manager *manager = creation->manager;
	const struct endpoint_manager_parts *parts = &manager->parts;
	struct endpoint *endpoint = creation->endpoint;
	struct txn *txn;
	int err = take_id(manager, endpoint, error);

	if (err)
		return err;
	endpoint->created_ns = clock_realtime_ns();
	txn = txn_new(parts->store);
	err = creation_write(creation, txn, error);
	if (err) {
		txn_abort(txn);
	} else {
		txn_put(txn, parts->tables->endpoints, row_ref(&endpoint->row));
		txn_commit(txn);
		store_settle(parts->store);
		err = endpoint_manager_check_applied(manager, endpoint->id, error);
	}
	if (err)
		creation_undo(creation);
	return err;
}

static int create(struct endpoint_manager *manager, struct endpoint *endpoint, GError **error)
{
	struct creation creation = {
		.manager = manager,
		.endpoint = endpoint,
		.claims = {{.addr = &endpoint->addr4}, {.addr = &endpoint->addr6}},
	};
	int err = check_request(endpoint, error);

	if (!err)
		err = check_interface(manager, endpoint, error);
	if (!err)
		err = check_conflicts(manager, endpoint, error);
	if (err)
		return err;
	err = creation_run(&creation, error);
	for (unsigned int i = 0; i < G_N_ELEMENTS(creation.claims); i++)
		if (creation.claims[i].before)
			row_unref(&creation.claims[i].before->row);
	return err;
}

int endpoint_manager_create(struct endpoint_manager *manager, struct endpoint *endpoint,
			    const struct endpoint **ret_endpoint, GError **error)
{
	struct endpoint_manager_statistics *statistics = &manager->statistics;
	int64_t started_ns = clock_monotonic_ns();
	g_autoptr(GError) cause = NULL;
	int err;

	g_assert(manager->reconcilers);
	err = create(manager, endpoint, &cause);
	if (err) {
		statistics->n_refused++;
		histogram_add_ns(&statistics->refused_times, clock_monotonic_ns() - started_ns);
		log_warning("endpoint", "Endpoint refused", "containerID=%s interface=%s error=%s",
			    endpoint->container_id, endpoint->host_ifname, cause->message);
		g_propagate_error(error, g_steal_pointer(&cause));
	} else {
		statistics->n_created++;
		histogram_add_ns(&statistics->created_times, clock_monotonic_ns() - started_ns);
		log_endpoint("Endpoint created", endpoint);
		*ret_endpoint = get_endpoint(manager, endpoint->id);
	}
	row_unref(&endpoint->row);
	return err;
}

const struct endpoint_manager_statistics *
endpoint_manager_get_statistics(const struct endpoint_manager *manager)
{
	return &manager->statistics;
}

static void put(struct endpoint_manager *manager, const struct endpoint *endpoint)
{
	struct txn *txn = txn_new(manager->parts.store);

	txn_put(txn, manager->parts.tables->endpoints, row_ref(&endpoint->row));
	txn_commit(txn);
	store_settle(manager->parts.store);
}

static int replace(struct endpoint_manager *manager, const struct endpoint *before,
		   const struct endpoint *endpoint, GError **error)
{
	bool was_applied = reconcilers_endpoint_applied(manager->reconcilers, endpoint->id);
	g_autoptr(GError) undo_error = NULL;
	int err = persist_update_endpoint(manager->parts.dir, endpoint, error);

	if (err)
		return err;
	put(manager, endpoint);
	err = check_identity(manager, endpoint->id, error);
	/* What failed before goes on failing, and is tried again, as before. */
	if (!err && was_applied)
		err = check_objects(manager, endpoint->id, error);
	if (!err)
		return 0;
	put(manager, before);
	if (persist_update_endpoint(manager->parts.dir, before, &undo_error))
		log_error("endpoint", "Undoing a change of an endpoint failed on disk",
			  "endpointID=%u error=%s", endpoint->id, undo_error->message);
	return err;
}

int endpoint_manager_replace(struct endpoint_manager *manager, struct endpoint *endpoint,
			     GError **error)
{
	const struct endpoint *before = get_endpoint(manager, endpoint->id);
	int err;

	g_assert(manager->reconcilers && before);
	row_ref(&before->row);
	err = replace(manager, before, endpoint, error);
	if (!err)
		log_endpoint("Endpoint changed", endpoint);
	row_unref(&before->row);
	row_unref(&endpoint->row);
	return err;
}

int endpoint_manager_find(const struct endpoint_manager *manager, const char *id,
			  const struct endpoint **ret_endpoint, GError **error)
{
	return endpoint_index_find(manager->index, manager->parts.tables->endpoints, id,
				   ret_endpoint, error);
}

/*
 * The addresses' files first: an endpoint whose file is there claims them again at a restart, and the
 * runtime, which was told of no success, deletes it again.
 */
static int remove_endpoint(struct endpoint_manager *manager, const struct endpoint *endpoint,
			   GError **error)
{
	const struct endpoint_manager_parts *parts = &manager->parts;
	struct txn *txn = txn_new(parts->store);
	uint16_t id = endpoint->id;
	int err = 0;

	row_ref(&endpoint->row);
	if (!addr_is_zero(&endpoint->addr4))
		ipam_unclaim(parts->ipam, txn, &endpoint->addr4, NULL);
	if (!addr_is_zero(&endpoint->addr6))
		ipam_unclaim(parts->ipam, txn, &endpoint->addr6, NULL);
	err = persist_remove_endpoint(parts->dir, id, error);
	if (err) {
		txn_abort(txn);
	} else {
		txn_remove(txn, parts->tables->endpoints, &id, sizeof(id));
		txn_commit(txn);
	}
	row_unref(&endpoint->row);
	return err;
}

int endpoint_manager_delete(struct endpoint_manager *manager, uint16_t id, GError **error)
{
	const struct endpoint *endpoint = get_endpoint(manager, id);
	int err;

	if (!endpoint)
		return error_set(error, ENOENT,
				 "there is no endpoint %u: see \"cilium endpoint list\"", id);
	log_endpoint("Endpoint removed", endpoint);
	err = remove_endpoint(manager, endpoint, error);
	if (err)
		return err;
	store_settle(manager->parts.store);
	return 0;
}

int endpoint_manager_delete_named(struct endpoint_manager *manager, const char *id, GError **error)
{
	const char *attachment =
		g_str_has_prefix(id, ATTACHMENT_PREFIX) ? id + strlen(ATTACHMENT_PREFIX) : NULL;
	const struct endpoint *endpoint = NULL;
	g_autoptr(GError) cause = NULL;
	int err = endpoint_manager_find(manager, id, &endpoint, &cause);

	if (!err)
		err = endpoint_manager_delete(manager, endpoint->id, &cause);
	if (attachment && ipam_release_attachment(manager->parts.ipam, attachment) &&
	    err == -ENOENT)
		return 0;
	if (err)
		g_propagate_error(error, g_steal_pointer(&cause));
	return err;
}

struct selection {
	const struct endpoint_manager *manager;
	const char *container_id; /* NULL: those whose interface has vanished */
	GArray *ids;
};

/*
 * Both are asked: the table lags behind for an interface that was made just now, and a name alone can
 * fail to be found for reasons that have nothing to do with it.
 */
static bool has_vanished(const struct endpoint_manager *manager, const struct endpoint *endpoint)
{
	return !table_get(manager->parts.tables->devices, &endpoint->ifindex,
			  sizeof(endpoint->ifindex)) &&
	       manager->parts.find_interface(endpoint->host_ifname) != endpoint->ifindex;
}

static bool select_endpoint(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct selection *selection = data;
	bool selected = selection->container_id
				? !strcmp(endpoint->container_id, selection->container_id)
				: has_vanished(selection->manager, endpoint);

	if (selected)
		g_array_append_val(selection->ids, endpoint->id);
	return true;
}

static int delete_selected(struct endpoint_manager *manager, struct selection *selection,
			   GError **error)
{
	int n;

	selection->ids = g_array_new(false, false, sizeof(uint16_t));
	table_foreach (manager->parts.tables->endpoints, select_endpoint, selection)
		;
	n = selection->ids->len;
	for (unsigned int i = 0; i < selection->ids->len; i++) {
		int err = endpoint_manager_delete(
			manager, g_array_index(selection->ids, uint16_t, i), error);

		if (err) {
			n = err;
			break;
		}
	}
	g_array_unref(selection->ids);
	return n;
}

int endpoint_manager_delete_container(struct endpoint_manager *manager, const char *container_id,
				      GError **error)
{
	struct selection selection = {.manager = manager, .container_id = container_id};

	ipam_release_container(manager->parts.ipam, container_id);
	return delete_selected(manager, &selection, error);
}

int endpoint_manager_remove_vanished(struct endpoint_manager *manager, GError **error)
{
	struct selection selection = {.manager = manager};

	return MIN(delete_selected(manager, &selection, error), 0);
}

enum endpoint_phase endpoint_manager_get_phase(const struct endpoint_manager *manager, uint16_t id)
{
	const struct endpoint_state *state = get_state(manager, id);

	if (!manager->reconcilers)
		return ENDPOINT_RESTORING;
	if (!state || state->identity == IDENTITY_UNKNOWN)
		return ENDPOINT_WAITING_FOR_IDENTITY;
	if (!reconcilers_endpoint_applied(manager->reconcilers, id))
		return ENDPOINT_REGENERATING;
	return ENDPOINT_READY;
}

/* An address that an endpoint has is its own, whatever its file says. */
static int restore_addr(struct endpoint_manager *manager, struct txn *txn,
			const struct endpoint *endpoint, const struct addr *addr, GError **error)
{
	const struct endpoint_manager_parts *parts = &manager->parts;
	const struct ip_allocation *before = (const struct ip_allocation *)table_get(
		parts->tables->ip_allocations, addr, sizeof(*addr));
	struct ip_allocation *allocation;
	int err;

	if (addr_is_zero(addr) || (before && !before->expires_ns && !before->released_ns))
		return 0;
	allocation = (struct ip_allocation *)row_new(&ip_allocation_class);
	allocation->addr = *addr;
	allocation->owner = owner_of(endpoint);
	err = persist_put_ip(parts->dir, allocation, error);
	txn_put(txn, parts->tables->ip_allocations, &allocation->row);
	return err;
}

static int restore_endpoint(struct endpoint_manager *manager, struct endpoint *endpoint,
			    GError **error)
{
	const struct endpoint_manager_parts *parts = &manager->parts;
	bool is_here = parts->find_interface(endpoint->host_ifname) == endpoint->ifindex;
	struct txn *txn;
	int err;

	generation_raise(parts->generation, endpoint->generation);
	if (!is_here) {
		log_endpoint("Endpoint is gone: its interface is not there any more", endpoint);
		return remove_endpoint(manager, endpoint, error);
	}
	txn = txn_new(parts->store);
	err = restore_addr(manager, txn, endpoint, &endpoint->addr4, error);
	if (!err)
		err = restore_addr(manager, txn, endpoint, &endpoint->addr6, error);
	if (err) {
		txn_abort(txn);
		return err;
	}
	txn_put(txn, parts->tables->endpoints, row_ref(&endpoint->row));
	txn_commit(txn);
	return 0;
}

void endpoint_manager_restore_ips(struct endpoint_manager *manager, const GPtrArray *ip_allocations)
{
	struct txn *txn = txn_new(manager->parts.store);

	for (unsigned int i = 0; i < ip_allocations->len; i++)
		txn_put(txn, manager->parts.tables->ip_allocations,
			row_ref(ip_allocations->pdata[i]));
	txn_commit(txn);
}

int endpoint_manager_restore(struct endpoint_manager *manager, const GPtrArray *endpoints,
			     GError **error)
{
	for (unsigned int i = 0; i < endpoints->len; i++) {
		int err = restore_endpoint(manager, endpoints->pdata[i], error);

		if (err)
			return err;
	}
	return 0;
}
