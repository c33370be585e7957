/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of abi/policy.h, taken together: what a rule set lets an endpoint do, one row for each peer,
 * protocol and range of ports that a rule decides.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "abi/policy.h"

struct policy_row {
	uint8_t direction;  /* enum policy_direction */
	uint8_t protocol;   /* IPPROTO_*; 0: all */
	uint8_t prefix_len; /* of port: 0..16 */
	uint16_t port;      /* host byte order; of ICMP the type */
	uint32_t identity;  /* POLICY_IDENTITY_OTHERS: who has no row of its own */
	struct policy_leaf leaf;
};

/* The contents of the maps, as far as a caller wants them. */
struct policy_rows;

/* version 0: of all rule sets. */
struct policy_rows *policy_rows_new(uint32_t version);
void policy_rows_free(struct policy_rows *rows);
/* Entries of cilium_policy_peer; then those of cilium_policy_class. */
void policy_rows_add_peer(struct policy_rows *rows, const struct policy_peer_key *key,
			  const struct policy_peer *peer);
void policy_rows_add_class(struct policy_rows *rows, const struct policy_class_key *key,
			   const struct policy_leaf *leaf);
/*
 * struct policy_row, in the order of direction, identity, protocol and port: all that a rule decides.
 * What is denied by default has no row. A direction that nothing concerns has one, that allows all.
 */
GArray *policy_rows_get(const struct policy_rows *rows, const struct policy_endpoint *endpoint);

/* "Allow" or "Deny". */
const char *policy_row_verdict(const struct policy_row *row);
/* "80/TCP", "80-95/TCP", "8/ICMP", "TCP", "ANY". g_free. */
char *policy_row_ports(const struct policy_row *row);
/* "NONE"; "MISSING" where the rule asks for a proxy, which is not there. */
const char *policy_row_proxy(const struct policy_row *row);
/* "disabled"; "MISSING" where the rule asks for authentication. */
const char *policy_row_auth(const struct policy_row *row);
