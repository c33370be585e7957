/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses handed out by this node. The table ip_allocations says who has what; each row is a file
 * before it is in the table and in the table before anyone is told, so that no address is handed out
 * twice over a crash. Which address is next is decided by src/derive/ipam.h.
 *
 * An address allocated with an expiration goes back after IPAM_EXPIRATION_NS unless an endpoint claims
 * it, and one allocated for an attachment when the attachment is removed: a failed ADD leaks nothing.
 */
#pragma once

#include "src/agent/state_dir.h"
#include "src/base/clock.h"
#include "src/derive/ipam.h"
#include "src/model/endpoint.h"
#include "src/model/ip_allocation.h"

#define IPAM_EXPIRATION_NS (10 * 60 * NSEC_PER_SEC)
#define IPAM_OWNER_ROUTER  "router"

struct ipam;

/* Before the first row is put. */
struct ipam *ipam_new(struct store *store, struct tables *tables,
		      const struct derive_config *config, struct state_dir *dir);
void ipam_free(struct ipam *ipam); /* takes NULL */

/* Addresses given out and given back since start. */
struct ipam_statistics {
	struct ipam_family_count {
		uint64_t n_allocated;
		uint64_t n_released;
	} ipv4, ipv6;
};

struct ipam_statistics ipam_get_statistics(const struct ipam *ipam);

struct ipam_request {
	const char *owner; /* "namespace/pod"; not NULL */
	bool want_v4;      /* ignored where addr is given */
	bool want_v6;
	/*
	 * "container-id:ifname", or NULL. What the same attachment was given before, and no endpoint has
	 * claimed, is given again: its answer was lost on the way.
	 */
	const char *attachment;
	const struct addr *addr; /* this one and no other; NULL: the next of each wanted family */
	bool expires;
};

/* Borrowed from the table; NULL for a family that was not asked for. */
struct ipam_answer {
	const struct ip_allocation *v4;
	const struct ip_allocation *v6;
};

/*
 * All that is asked for, or nothing. 0; −EADDRNOTAVAIL: the pool is exhausted, or the address belongs
 * to no pool; −EEXIST: somebody has the address; −EAFNOSUPPORT: no wanted family is on; or the errno of
 * writing the state.
 */
NODISCARD int ipam_allocate(struct ipam *ipam, const struct ipam_request *request,
			    struct ipam_answer *ret_answer, GError **error);
/* The address rests. 0, −ENOENT where nobody has it, −EBUSY where an endpoint or the router does. */
NODISCARD int ipam_release(struct ipam *ipam, const struct addr *addr, GError **error);
/*
 * Gives back what the attachment was given and no endpoint has claimed. Returns how many addresses that
 * were.
 */
unsigned int ipam_release_attachment(struct ipam *ipam, const char *attachment);
/* The same for every attachment of the container. */
unsigned int ipam_release_container(struct ipam *ipam, const char *container_id);
/* Gives back what expired and ends rests. Returns ns until there is something to do, or −1. */
int64_t ipam_expire(struct ipam *ipam);

/*
 * The addresses of cilium_host, zero for a family that is off: those of before, where they still are of
 * the pools, else the first of the first pool. 0 or −errno.
 */
NODISCARD int ipam_take_routers(struct ipam *ipam, struct addr *ret_router4,
				struct addr *ret_router6, GError **error);

/* For the endpoint manager. */

/*
 * An endpoint gets the address for as long as it lives: allocated for it before, or free. Written, and
 * put into txn. *ret_before: the row that was there (unref it), NULL: none. Errors as ipam_allocate.
 */
NODISCARD int ipam_claim(struct ipam *ipam, struct txn *txn, const struct addr *addr,
			 const char *owner, struct ip_allocation **ret_before, GError **error);
/* Undoes a claim: the address is before's again, or rests where before is NULL. */
void ipam_unclaim(struct ipam *ipam, struct txn *txn, const struct addr *addr,
		  const struct ip_allocation *before);
