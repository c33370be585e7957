/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent keeps on disk, and the form of each file.
 *
 *	<state-dir>/state/boot.json            the boot that all of the directory belongs to
 *	<state-dir>/state/ID/ep_config.json    an endpoint
 *	<state-dir>/state/ipam/ADDRESS.json    an address that somebody has
 *	<state-dir>/state/ipam-cursor.json     the addresses that were handed out last
 *	<lib-dir>/state/identities.json        every identity of labels
 *	<lib-dir>/state/local-identities.json  every identity of a prefix or another node
 *	<lib-dir>/state/identity-limit.json    no identity number above this was used
 *	<lib-dir>/state/generation.json        no endpoint had this generation yet, nor one above
 *
 * Endpoints and addresses are worth something as long as the containers are: until the node boots. What
 * is in the lib-dir outlives that: identities keep their numbers, generations never repeat.
 */
#pragma once

#include "src/agent/state_dir.h"
#include "src/model/endpoint.h"
#include "src/model/ip_allocation.h"
#include "src/store/tables.h"

/* Each writes or removes one file: 0 or −errno, and nothing has changed. */
NODISCARD int persist_put_endpoint(struct state_dir *dir, const struct endpoint *endpoint,
				   GError **error);
/*
 * As persist_put_endpoint, of an endpoint that has a file: what a newer agent wrote into it beside what this
 * one knows stays there.
 */
NODISCARD int persist_update_endpoint(struct state_dir *dir, const struct endpoint *endpoint,
				      GError **error);
NODISCARD int persist_remove_endpoint(struct state_dir *dir, uint16_t id, GError **error);
NODISCARD int persist_put_ip(struct state_dir *dir, const struct ip_allocation *allocation,
			     GError **error);
NODISCARD int persist_remove_ip(struct state_dir *dir, const struct addr *addr, GError **error);

/*
 * Each writes a file that somebody has deleted, and does nothing where it is there. 1: written; 0: it was there;
 * or −errno.
 */
NODISCARD int persist_mend_endpoint(struct state_dir *dir, const struct endpoint *endpoint,
				    GError **error);
NODISCARD int persist_mend_ip(struct state_dir *dir, const struct ip_allocation *allocation,
			      GError **error);
NODISCARD int persist_mend_boot(struct state_dir *dir, const char *boot_id, GError **error);

/* Zero addresses: none. A cursor that cannot be read is none. */
NODISCARD int persist_put_cursor(struct state_dir *dir, const struct addr *addr4,
				 const struct addr *addr6, GError **error);
void persist_load_cursor(struct state_dir *dir, struct addr *ret_addr4, struct addr *ret_addr6);

/*
 * Reads everything of a kind: a GPtrArray of rows that owns them, NULL and *error where a newer agent
 * wrote one. A file that makes no sense is set aside and its message added to problems (char *).
 */
GPtrArray *persist_load_endpoints(struct state_dir *dir, GPtrArray *problems, GError **error);
GPtrArray *persist_load_ips(struct state_dir *dir, GPtrArray *problems, GError **error);

/* True when the directory was written since the node booted. Else it is emptied and marked. */
NODISCARD int persist_check_boot(struct state_dir *dir, const char *boot_id, bool *ret_same_boot,
				 GError **error);
