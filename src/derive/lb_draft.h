/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of lb_services on its way: what somebody would like to have. Which of its front ends it gets, and
 * whether it becomes a row at all, decides lb_rows.h.
 */
#pragma once

#include "src/model/lb.h"

/* Whose rows they are: the rank of what they ask for, the strongest first. */
enum lb_owner_kind {
	LB_OWNER_REDIRECT, /* a local redirect policy takes from services */
	LB_OWNER_SERVICE,
	LB_OWNER_HOST_PORT, /* a pod */
	LB_OWNER_REQUEST,
	LB_OWNER__MAX,
};

struct lb_owner {
	enum lb_owner_kind kind;
	const char *key; /* "namespace/name"; of a request its number */
};

struct lb_draft {
	char *key;                /* of the row */
	struct lb_service fields; /* scalars; texts are borrowed */
	GArray *frontends;        /* struct lb_plan_frontend */
	GArray *backends;         /* struct lb_plan_backend, sorted, no two alike */
	GArray *source_ranges;    /* struct cidr; NULL: none */
	bool guards_addrs;        /* what else is sent to addresses of services is to be refused */
};

/* port_text: "80"; NULL: the key of a request, which has no port. */
struct lb_draft *lb_draft_new(const struct lb_owner *owner, const char *port_text, uint8_t protocol,
			      bool v4);
void lb_draft_free(struct lb_draft *draft); /* takes NULL */
void lb_draft_add_frontend(struct lb_draft *draft, const struct addr *addr, uint16_t port,
			   enum lb_type type, uint16_t flags);
/* Sorts the front ends; of two alike the type that is first in the order of lb_bid_compare() counts. */
void lb_draft_sort(struct lb_draft *draft);
/* Puts the back ends in order; what follows of two alike is dropped. */
void lb_draft_sort_backends(struct lb_draft *draft);
/* Whether some front end chooses for clients outside by Maglev's table. */
bool lb_draft_needs_maglev(const struct lb_draft *draft);
/* Why the weights of a draft that is whole, which differ, change nothing; NULL: they do, or they are alike. */
const char *lb_draft_weight_fault(const struct lb_draft *draft);
/* Without wildcards there: the row that the draft is now. */
struct lb_service *lb_draft_finish(struct lb_draft *draft);

/* Whose row it is, by its key. */
enum lb_owner_kind lb_owner_kind_of(const char *row_key);
/* The same: kind, and the owner's key, which the caller frees with g_free. */
char *lb_owner_of(const char *row_key, enum lb_owner_kind *ret_kind);

/* A row that wants a front end, as what. */
struct lb_bid {
	const char *row_key;
	enum lb_type type;
};

/*
 * The order in which rows take what two of them want: <0 where a is before b. By the kind of the owner; then by type,
 * so that no externalIPs, which whoever may make a Service writes as he likes, take what the cluster has given to
 * another; then by key.
 */
int lb_bid_compare(const struct lb_bid *a, const struct lb_bid *b);
