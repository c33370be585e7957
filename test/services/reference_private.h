/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the reference share. */
#pragma once

#include "src/model/endpoint_slice.h"
#include "src/model/service.h"
#include "test/services/reference.h"

#define ROW(world, kind, i, noun) ((const struct noun *)(world)->rows[kind][i])

struct local_redirect;
struct service_request;

/* Somebody who wants the address and port, and how it would answer. */
struct want {
	int rank;
	char *key;
	unsigned int order; /* of the ports of one owner */
	int type;
	char *answer;
	bool guards;
};

struct question {
	const struct lb_world *world;
	struct addr addr;
	uint16_t port;
	uint8_t protocol;
	bool external;
	GArray *wants; /* struct want */
};

/* A back end, or what is none. */
struct behind {
	struct slice_endpoint endpoint;
	uint16_t port;
	bool ready, draining, sick, near;
};

/* Takes the texts. */
void reference_add_want(const struct question *question, int rank, char *take_key,
			unsigned int order, int type, char *take_answer);
void reference_ask_host_ports(const struct question *question, unsigned int n);
void reference_ask_redirect(const struct question *question, const struct local_redirect *redirect);
void reference_ask_request(const struct question *question, const struct service_request *request);
const char *reference_protocol_text(uint8_t protocol);
bool reference_has(const GArray *addrs, const struct addr *addr);
bool reference_is_dsr(const struct lb_world *world, int forwarding, uint8_t protocol);
const char *reference_algorithm_of(const struct lb_world *world, int choice);

bool reference_is_enabled(const struct lb_world *world, const struct addr *addr);
bool reference_is_own_addr(const struct lb_world *world, const struct addr *addr);
bool reference_is_node_addr(const struct lb_world *world, const struct addr *addr);
bool reference_is_port_addr(const struct lb_world *world, const struct addr *addr);
const struct label_set *reference_own_labels(const struct lb_world *world);
const char *reference_own_zone(const struct lb_world *world);

/* struct behind, none twice. */
GArray *reference_find_behind(const struct lb_world *world, const struct service *service,
			      const struct service_port *port, bool v4);
int reference_rank_of(const struct behind *behind);
void reference_set_near(const struct lb_world *world, const struct service *service, GArray *all);
/* Sorted and joined. Takes the texts. */
char *reference_join(GPtrArray *take_texts);
/* Who takes new connections; "nobody". */
char *reference_choose(const GArray *all, bool local);
