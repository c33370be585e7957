/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints come and go here: on behalf of the CNI plugin and cilium run, by way of the REST API. An
 * endpoint is a file before it is a row; its answer is given when everything it needs is in the kernel.
 */
#pragma once

#include "src/agent/generation.h"
#include "src/agent/identity_file.h"
#include "src/agent/ipam.h"
#include "src/base/histogram.h"
#include "src/datapath/reconciler.h"
#include "src/model/endpoint.h"

struct endpoint_manager;

/* What an endpoint manager works with; all borrowed. */
struct endpoint_manager_parts {
	struct store *store;
	struct tables *tables;
	struct ipam *ipam;
	struct generation *generation;
	const struct identity_file *identity_file;
	struct state_dir *dir;
	/* The index of the interface in this network namespace; 0: there is none. if_nametoindex(). */
	unsigned int (*find_interface)(const char *name);
};

/* Before the first row is put. */
struct endpoint_manager *endpoint_manager_new(const struct endpoint_manager_parts *parts);
void endpoint_manager_free(struct endpoint_manager *manager); /* takes NULL */
/* Once the datapath is loaded; before the first endpoint is created. */
void endpoint_manager_set_reconcilers(struct endpoint_manager *manager,
				      const struct reconcilers *reconcilers);

/*
 * Puts the addresses and then the endpoints that were there before this process; rows are the caller's.
 * An endpoint whose interface is gone is removed, and its addresses released. 0 or −errno.
 */
void endpoint_manager_restore_ips(struct endpoint_manager *manager,
				  const GPtrArray *ip_allocations);
NODISCARD int endpoint_manager_restore(struct endpoint_manager *manager, const GPtrArray *endpoints,
				       GError **error);

/*
 * Takes the caller's reference to endpoint: everything as asked for, but id, generation and created_ns,
 * which are filled in; host_ifname or ifindex suffices. On 0 the endpoint is in force and borrowed in
 * *ret_endpoint; else nothing of it is left: −EINVAL; −EEXIST where an endpoint has the interface, the
 * attachment or an address; −ENODEV where the interface is not in this network namespace;
 * −EADDRNOTAVAIL for an address that is not of the node's pools; −ENOSPC where no identity is left; or
 * what the kernel or the disk said.
 */
NODISCARD int endpoint_manager_create(struct endpoint_manager *manager, struct endpoint *endpoint,
				      const struct endpoint **ret_endpoint, GError **error);

/* Endpoints that were to be created since start: asked for until in force, or undone. */
struct endpoint_manager_statistics {
	uint64_t n_created;
	uint64_t n_refused;
	struct histogram created_times;
	struct histogram refused_times;
};

/* Borrowed. */
const struct endpoint_manager_statistics *
endpoint_manager_get_statistics(const struct endpoint_manager *manager);

/*
 * Takes the caller's reference to endpoint, a changed copy of the one that is there under its id. On 0 the
 * change is on disk and in force; else nothing has changed: −ENOSPC where no identity is left, or what
 * the kernel or the disk said.
 */
NODISCARD int endpoint_manager_replace(struct endpoint_manager *manager, struct endpoint *endpoint,
				       GError **error);

/*
 * By "7", "cilium-local:7", "container-id:", "container-name:", "cni-attachment-id:ID:IFNAME",
 * "pod-name:ns/name" or "pod-name:ns:name", "cep-name:ns/name", "ipv4:", "ipv6:". 0 and a borrowed row
 * (of several the one with the lowest id); −EINVAL where the text is none of these; −ENOENT.
 */
NODISCARD int endpoint_manager_find(const struct endpoint_manager *manager, const char *id,
				    const struct endpoint **ret_endpoint, GError **error);

/* Removes the endpoint and gives its addresses back. Its connections die with its generation. */
NODISCARD int endpoint_manager_delete(struct endpoint_manager *manager, uint16_t id,
				      GError **error);
/*
 * The endpoint that the text names as for endpoint_manager_find(). Of an attachment also the addresses
 * that were allocated for it and never became an endpoint's: an ADD that died leaves nothing. −ENOENT
 * where there was neither.
 */
NODISCARD int endpoint_manager_delete_named(struct endpoint_manager *manager, const char *id,
					    GError **error);
/*
 * All endpoints of a container, and its addresses as above. Returns how many endpoints there were, or
 * −errno.
 */
NODISCARD int endpoint_manager_delete_container(struct endpoint_manager *manager,
						const char *container_id, GError **error);
/*
 * Removes endpoints whose interface is gone: their container died, and nobody said so. 0 or the −errno
 * of the first that stays.
 */
NODISCARD int endpoint_manager_remove_vanished(struct endpoint_manager *manager, GError **error);
/* "container-id:ifname". Free with g_free. */
char *endpoint_attachment_id(const struct endpoint *endpoint);
/*
 * 0: the endpoint is in force, as far as this node can tell. Else −errno and what is not: its identity,
 * or the first object that the kernel refused.
 */
NODISCARD int endpoint_manager_check_applied(const struct endpoint_manager *manager, uint16_t id,
					     GError **error);
/* What the endpoint is doing now. */
enum endpoint_phase endpoint_manager_get_phase(const struct endpoint_manager *manager, uint16_t id);
