// SPDX-License-Identifier: Apache-2.0
/* Whom a change concerns: each changed key wakes the owners of the rows that may be others now. */
#include "src/derive/lb_private.h"

#include <string.h>
#include "src/derive/lb_request.h"
#include "src/derive/lb_service.h"
#include "src/model/backend_health.h"

static void wake(struct lb_derivation *derivation, enum lb_owner_kind kind, const char *key)
{
	GHashTable *dirty = derivation->dirty[kind];

	if (!g_hash_table_contains(dirty, key))
		g_hash_table_add(dirty, g_strdup(key));
}

void lb_note_owner(const struct lb_owner *owner, void *data)
{
	wake(data, owner->kind, owner->key);
}

static bool wake_service(const struct row *row, void *data)
{
	wake(data, LB_OWNER_SERVICE, ((const struct object *)row)->meta.key);
	return true;
}

static bool wake_redirect(const struct row *row, void *data)
{
	wake(data, LB_OWNER_REDIRECT, ((const struct object *)row)->meta.key);
	return true;
}

static void wake_slice_service(struct lb_derivation *derivation, const struct endpoint_slice *slice)
{
	g_autofree char *key = NULL;

	if (!slice || !slice->service)
		return;
	key = g_strdup_printf("%s/%s", slice->meta.namespace, slice->service);
	wake(derivation, LB_OWNER_SERVICE, key);
}

struct namespace_walk {
	struct lb_derivation *derivation;
	const char *name;
	size_t n_bytes;
};

static bool wake_redirect_in(const struct row *row, void *data)
{
	const struct object *object = (const struct object *)row;
	const struct namespace_walk *walk = data;

	if (strlen(object->meta.namespace) == walk->n_bytes &&
	    !memcmp(object->meta.namespace, walk->name, walk->n_bytes))
		wake_redirect(row, walk->derivation);
	return true;
}

static void wake_redirects_in(struct lb_derivation *derivation, const char *name, size_t n_bytes)
{
	struct namespace_walk walk = {derivation, name, n_bytes};

	table_foreach (derivation->tables->local_redirects, wake_redirect_in, &walk)
		;
}

void lb_note_pod(const char *pod_key, void *data)
{
	wake(data, LB_OWNER_HOST_PORT, pod_key);
	wake_redirects_in(data, pod_key, strcspn(pod_key, "/"));
}

static bool wake_request(const struct row *row, void *data)
{
	g_autofree char *key = lb_request_key(((const struct service_request *)row)->id);

	wake(data, LB_OWNER_REQUEST, key);
	return true;
}

static bool wake_local_request(const struct row *row, void *data)
{
	return lb_request_is_local((const struct service_request *)row) ? wake_request(row, data)
									: true;
}

/* ---- what the node's state wakes ---- */

static void node_addr_changed(const struct addr *addr, void *data)
{
	lb_rows_note_node_addr(((struct lb_derivation *)data)->rows, addr);
}

struct zone_walk {
	struct lb_derivation *derivation;
	const char *node_name;
};

static void wake_rows_of_node(const struct lb_service *row, void *data)
{
	const struct zone_walk *walk = data;

	for (uint32_t i = 0; i < row->n_backends; i++) {
		struct lb_owner owner;
		g_autofree char *key = NULL;

		if (row->backends[i].node != walk->node_name)
			continue;
		key = lb_owner_of(row->key, &owner.kind);
		owner.key = key;
		lb_note_owner(&owner, walk->derivation);
		return;
	}
}

/* That of this node also says who is near. */
static void zone_changed(const char *node_name, void *data)
{
	struct zone_walk walk = {data, node_name};

	lb_rows_foreach(walk.derivation->rows, wake_rows_of_node, &walk);
}

static bool wake_node_port(const struct row *row, void *data)
{
	return lb_service_has_node_ports((const struct service *)row) ? wake_service(row, data)
								      : true;
}

static void wake_host_port(const struct lb_local_pod *pod, void *data)
{
	if (pod->pod->host_ports)
		wake(data, LB_OWNER_HOST_PORT, pod->pod->meta.key);
}

static void node_ports_changed(void *data)
{
	struct lb_derivation *derivation = data;

	table_foreach (derivation->tables->services, wake_node_port, derivation)
		;
	lb_pods_foreach(derivation->pods, wake_host_port, derivation);
}

static bool wake_asking(const struct row *row, void *data)
{
	return lb_service_asks_node((const struct service *)row) ? wake_service(row, data) : true;
}

static void node_self_changed(void *data)
{
	struct lb_derivation *derivation = data;

	table_foreach (derivation->tables->services, wake_asking, derivation)
		;
	table_foreach (derivation->tables->service_requests, wake_request, derivation)
		;
}

const struct lb_node_ops lb_note_node_ops = {
	.addr_changed = node_addr_changed,
	.zone_changed = zone_changed,
	.ports_changed = node_ports_changed,
	.self_changed = node_self_changed,
};

/* ---- changed keys ---- */

static void note_service(struct lb_derivation *derivation, const struct row_key *key)
{
	g_autofree char *text = g_strndup(key->data, key->n_bytes);

	wake(derivation, LB_OWNER_SERVICE, text);
	table_index_foreach(derivation->redirects_by_target, key->data, key->n_bytes, wake_redirect,
			    derivation);
}

static void note_slice(struct lb_derivation *derivation, const struct row_key *key)
{
	const struct row *row =
		table_get(derivation->tables->endpoint_slices, key->data, key->n_bytes);
	struct endpoint_slice *before =
		keyed_set_remove(&derivation->derived_slices, key->data, key->n_bytes);

	wake_slice_service(derivation, (const struct endpoint_slice *)row);
	wake_slice_service(derivation, before);
	if (row)
		keyed_set_put(&derivation->derived_slices, row_ref(row));
	if (before)
		row_unref(&before->row);
}

static void note_health(struct lb_derivation *derivation, const struct row_key *key)
{
	struct backend_health_key health;

	memcpy(&health, key->data, sizeof(health));
	table_index_foreach(derivation->services_by_hash, &health.service_hash,
			    sizeof(health.service_hash), wake_service, derivation);
}

static void note_request(struct lb_derivation *derivation, const struct row_key *key)
{
	g_autofree char *text = NULL;
	uint32_t id;

	memcpy(&id, key->data, sizeof(id));
	text = lb_request_key(id);
	wake(derivation, LB_OWNER_REQUEST, text);
}

static void note_redirect(struct lb_derivation *derivation, const struct row_key *key)
{
	g_autofree char *text = g_strndup(key->data, key->n_bytes);

	wake(derivation, LB_OWNER_REDIRECT, text);
}

static void note_endpoint(struct lb_derivation *derivation, const struct row_key *key)
{
	lb_pods_update_endpoint(derivation->pods, key);
	table_foreach (derivation->tables->service_requests, wake_local_request, derivation)
		;
}

void lb_note(struct lb_derivation *derivation, const struct table *table, const struct row_key *key)
{
	const struct tables *tables = derivation->tables;

	if (table == tables->services)
		note_service(derivation, key);
	else if (table == tables->endpoint_slices)
		note_slice(derivation, key);
	else if (table == tables->nodes)
		lb_node_update_node(derivation->node, key);
	else if (table == tables->devices)
		lb_node_update_device(derivation->node, key);
	else if (table == tables->pods)
		lb_pods_update_pod(derivation->pods, key);
	else if (table == tables->endpoints)
		note_endpoint(derivation, key);
	else if (table == tables->namespaces)
		wake_redirects_in(derivation, key->data, key->n_bytes);
	else if (table == tables->local_redirects)
		note_redirect(derivation, key);
	else if (table == tables->service_requests)
		note_request(derivation, key);
	else if (table == tables->backend_health)
		note_health(derivation, key);
}
