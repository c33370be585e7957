/* SPDX-License-Identifier: Apache-2.0 */
/* A plan of services that changes at random, for lb_property_test.c. */
#pragma once

#include "src/datapath/lb_test.h"

#define N_SERVICES  4
#define N_FRONTENDS 7
#define N_BACKENDS  6
#define N_CLIENTS   3
#define N_IDS       6

#define WILDCARD "10.95.0.1" /* all services that have one have this */

static const char *const client_ranges[N_CLIENTS] = {"192.0.2.0/24", "198.51.100.0/24",
						     "203.0.113.0/24"};

/* What a service is to be. */
struct service_draw {
	bool exists;
	bool maglev;
	bool deny;
	uint32_t affinity_timeout;
	uint8_t ranges; /* a bit each */
	bool has_ranges;
	bool wildcard;
	uint8_t frontends; /* a bit each */
	uint8_t id;        /* that the last of them wants; 0: any */
	uint16_t frontend_flags;
	uint8_t backends; /* a bit each: it is listed */
	uint8_t ready;    /* takes new connections */
	uint8_t local;
	uint8_t name; /* part of the key */
};

struct world {
	struct service_draw services[N_SERVICES];
};

struct test {
	uint32_t seed;
	struct node *node;
	GRand *rand;
	struct world now;
	GArray *worlds; /* struct world, since all was last in force; now is the last of them */
	bool may_fail;  /* maps may be full, writes may fail */
	bool restarted; /* another agent, which does not know whose front ends were */
};

static inline unsigned int draw(const struct test *test, unsigned int n)
{
	return g_rand_int_range(test->rand, 0, n);
}

static inline bool one_in(const struct test *test, unsigned int n)
{
	return draw(test, n) == 0;
}

/* ---- the plan ---- */

static inline struct addr frontend_addr(unsigned int i)
{
	g_autofree char *text = g_strdup_printf("10.96.0.%u", i + 1);

	return addr_of(text);
}

static inline struct addr backend_addr(unsigned int i)
{
	g_autofree char *text = g_strdup_printf("10.0.0.%u", i + 1);

	return addr_of(text);
}

static inline void draw_frontends(struct test *test, struct service_draw *service)
{
	static const uint16_t flags[] = {
		0,
		LB_FRONTEND_F_EXTERNAL,
		LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_EXTERNAL_LOCAL,
		LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_INTERNAL_LOCAL,
	};
	uint8_t drawn = draw(test, 1 << N_FRONTENDS);

	drawn &= draw(test, 1 << N_FRONTENDS);
	service->frontend_flags = flags[draw(test, G_N_ELEMENTS(flags))];
	service->wildcard = one_in(test, 3);
	service->id = draw(test, N_IDS);
	/* Each is of one service: who draws it takes it away from the other. */
	for (int i = 0; i < N_SERVICES; i++)
		test->now.services[i].frontends &= ~drawn;
	service->frontends = drawn;
}

static inline void draw_ranges(const struct test *test, struct service_draw *service)
{
	service->has_ranges = one_in(test, 2);
	service->deny = one_in(test, 2);
	service->ranges = service->has_ranges ? draw(test, 1 << N_CLIENTS) : 0;
}

static inline void draw_backends(const struct test *test, struct service_draw *service)
{
	service->backends = draw(test, 1 << N_BACKENDS);
	service->ready = draw(test, 1 << N_BACKENDS);
	service->ready |= draw(test, 1 << N_BACKENDS);
	service->local = draw(test, 1 << N_BACKENDS);
}

static inline void draw_change(struct test *test)
{
	struct service_draw *service = &test->now.services[draw(test, N_SERVICES)];

	switch (service->exists ? draw(test, 8) : 0) {
	case 0:
		service->exists = !service->exists;
		service->frontends = 0;
		if (!service->exists)
			return;
		draw_frontends(test, service);
		draw_ranges(test, service);
		draw_backends(test, service);
		break;
	case 1:
		draw_frontends(test, service);
		break;
	case 2:
		draw_ranges(test, service);
		break;
	case 3:
		service->maglev = !service->maglev;
		break;
	case 4:
		service->name = !service->name;
		break;
	case 5:
		service->backends ^= 1 << draw(test, N_BACKENDS);
		break;
	case 6:
		service->ready ^= 1 << draw(test, N_BACKENDS);
		service->affinity_timeout = draw(test, 2);
		break;
	default:
		draw_backends(test, service);
	}
}

static inline uint16_t range_flags(const struct service_draw *service)
{
	if (!service->has_ranges)
		return 0;
	return LB_FRONTEND_F_SOURCE_RANGES | (service->deny ? LB_FRONTEND_F_DENY_RANGES : 0);
}

static inline uint8_t backend_flags(const struct service_draw *service, unsigned int i)
{
	bool is_local = service->local >> i & 1;
	uint8_t flags = is_local ? LB_BACKEND_F_LOCAL : 0;

	if (!(service->ready >> i & 1))
		return flags;
	return flags | LB_BACKEND_F_IN_ALL | (is_local ? LB_BACKEND_F_IN_LOCAL : 0);
}

static inline void make_draft(const struct world *world, unsigned int number, struct draft *draft)
{
	const struct service_draw *service = &world->services[number];
	g_autofree char *name = g_strdup_printf("s%u-%u", number, service->name);

	draft_init(draft, name);
	draft->fields.name = NULL;
	draft->fields.algorithm = service->maglev ? LB_ALGORITHM_MAGLEV : LB_ALGORITHM_RANDOM;
	draft->fields.needs_maglev = service->maglev;
	draft->fields.affinity_timeout = service->affinity_timeout;
	if (service->wildcard)
		draft_frontend(draft, WILDCARD, LB_FRONTEND_F_WILDCARD);
	for (unsigned int i = 0; i < N_FRONTENDS; i++) {
		struct lb_plan_frontend *frontend;

		if (!(service->frontends >> i & 1))
			continue;
		frontend = draft_frontend(draft, "10.96.0.1",
					  service->frontend_flags | range_flags(service));
		frontend->addr = frontend_addr(i);
		frontend->id = service->frontends >> i == 1 ? service->id : 0;
	}
	for (unsigned int i = 0; i < N_BACKENDS; i++)
		if (service->backends >> i & 1)
			draft_backend(draft, "10.0.0.1", backend_flags(service, i))->addr =
				backend_addr(i);
	for (unsigned int i = 0; i < N_CLIENTS; i++)
		if (service->ranges >> i & 1)
			assert_int_equal(
				cidr_parse(client_ranges[i],
					   &draft->ranges[draft->fields.n_source_ranges++]),
				0);
}

static inline void put_world(const struct test *test)
{
	struct txn *txn = txn_new(test->node->store);

	for (unsigned int i = 0; i < N_SERVICES; i++)
		for (unsigned int name = 0; name < 2; name++) {
			struct world world = test->now;
			struct draft draft;

			world.services[i].name = name;
			make_draft(&world, i, &draft);
			if (world.services[i].exists && test->now.services[i].name == name)
				txn_put(txn, test->node->tables.lb_services,
					&draft_row(&draft)->row);
			else
				txn_remove(txn, test->node->tables.lb_services, draft.key,
					   strlen(draft.key));
		}
	txn_commit(txn);
	store_settle(test->node->store);
}
