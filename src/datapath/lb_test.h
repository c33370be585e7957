/* SPDX-License-Identifier: Apache-2.0 */
/* A node in memory for tests of services: a plan that tests change, and what its maps say to a reader. */
#pragma once

#include "src/datapath/fake_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include "src/model/lb.h"

#define FRONTENDS PLAN_MAP_cilium_lb_services
#define SETS      PLAN_MAP_cilium_lb_sets
#define SLOTS     PLAN_MAP_cilium_lb_slots
#define BACKENDS  PLAN_MAP_cilium_lb_backends
#define TABLES    PLAN_MAP_cilium_lb_maglev
#define RANGES    PLAN_MAP_cilium_lb_source_range

/* Flags of back ends, and of a front end. */
#define ALL   LB_BACKEND_F_IN_ALL
#define BOTH  (LB_BACKEND_F_IN_ALL | LB_BACKEND_F_IN_LOCAL | LB_BACKEND_F_LOCAL)
#define LOCAL (LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_EXTERNAL_LOCAL)

#define MAGLEV_SIZE   251
#define ROW_ITEMS_MAX 16

struct node {
	struct store *store;
	struct tables tables;
	struct datapath *dp;
	struct reconcilers *reconcilers;
	bool deletion_allowed;
};

static inline void node_start(struct node *node)
{
	node->store = tables_new(&node->tables);
	node->reconcilers = reconcilers_new(node->store, &node->tables, node->dp);
	node->deletion_allowed = false;
	reconcilers_set_clock(node->reconcilers, test_clock);
	reconcilers_set_maglev(node->reconcilers, MAGLEV_SIZE, 7);
	assert_int_equal(reconcilers_adopt(node->reconcilers, NULL), 0);
}

static inline void node_allow_deletion(struct node *node)
{
	reconcilers_allow_deletion(node->reconcilers);
	node->deletion_allowed = true;
}

static inline void node_stop(struct node *node)
{
	reconcilers_free(node->reconcilers);
	store_free(node->store);
}

/* limits: as test_datapath_new(). */
static inline struct node *node_new(const uint32_t *limits)
{
	struct node *node = g_new0(struct node, 1);

	node->dp = test_datapath_new(limits);
	node_start(node);
	return node;
}

static inline void node_free(struct node *node)
{
	node_stop(node);
	node->dp->ops->free(node->dp);
	g_free(node);
}

/* The next agent, which knows nothing but the plan that it is given. */
static inline void node_restart(struct node *node)
{
	node_stop(node);
	fake_revive(node->dp);
	node_start(node);
}

static inline void node_come_to_rest(struct node *node)
{
	test_come_to_rest(node->reconcilers);
}

/* ---- the plan ---- */

/* A row while it is being made. */
struct draft {
	char key[40];
	struct lb_service fields;
	struct lb_plan_frontend frontends[ROW_ITEMS_MAX];
	struct lb_plan_backend backends[ROW_ITEMS_MAX];
	struct cidr ranges[ROW_ITEMS_MAX];
};

static inline struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static inline void draft_init(struct draft *draft, const char *name)
{
	memset(draft, 0, sizeof(*draft));
	g_snprintf(draft->key, sizeof(draft->key), "default/%s:80/TCP/4", name);
	draft->fields = (struct lb_service){
		.namespace = "default",
		.name = name,
		.protocol = IPPROTO_TCP,
		.algorithm = LB_ALGORITHM_RANDOM,
	};
}

static inline struct lb_plan_frontend *draft_frontend(struct draft *draft, const char *addr,
						      uint16_t flags)
{
	struct lb_plan_frontend *frontend = &draft->frontends[draft->fields.n_frontends++];

	*frontend = (struct lb_plan_frontend){
		.addr = addr_of(addr),
		.port = flags & LB_FRONTEND_F_WILDCARD ? 0 : 80,
		.flags = flags,
		.type = LB_TYPE_CLUSTER_IP,
	};
	return frontend;
}

static inline struct lb_plan_backend *draft_backend(struct draft *draft, const char *addr,
						    uint8_t flags)
{
	struct lb_plan_backend *backend = &draft->backends[draft->fields.n_backends++];

	*backend = (struct lb_plan_backend){
		.addr = addr_of(addr),
		.port = 8080,
		.weight = 1,
		.flags = flags,
	};
	return backend;
}

static inline struct lb_service *draft_row(struct draft *draft)
{
	draft->fields.frontends = draft->frontends;
	draft->fields.backends = draft->backends;
	draft->fields.source_ranges = draft->ranges;
	return lb_service_new(draft->key, &draft->fields);
}

static inline void node_put_row(struct node *node, struct lb_service *take_row)
{
	struct txn *txn = txn_new(node->store);

	txn_put(txn, node->tables.lb_services, &take_row->row);
	txn_commit(txn);
}

static inline void node_put(struct node *node, struct draft *draft)
{
	node_put_row(node, draft_row(draft));
	store_settle(node->store);
}

static inline void node_remove(struct node *node, const char *key)
{
	struct txn *txn = txn_new(node->store);

	txn_remove(txn, node->tables.lb_services, key, strlen(key));
	txn_commit(txn);
	store_settle(node->store);
}

/* ---- the kernel ---- */

static inline const struct lb_frontend *node_frontend(const struct node *node, const char *addr,
						      uint16_t port)
{
	const struct lb_frontend_key key = {
		addr_of(addr), htons(port), port ? IPPROTO_TCP : 0, {0}};

	return fake_map_value(node->dp, FRONTENDS, &key);
}

/* 0: an absent set is as one of 0. */
static inline uint32_t node_n_slots(const struct node *node, uint32_t set)
{
	const struct lb_set *value = fake_map_value(node->dp, SETS, &set);

	return value ? value->n_slots : 0;
}

/* 0: there is none. */
static inline uint32_t node_slot(const struct node *node, uint32_t set, uint32_t slot)
{
	const struct lb_slot_key key = {set, slot};
	const struct lb_slot *value = fake_map_value(node->dp, SLOTS, &key);

	return value ? value->backend : 0;
}

static inline const struct lb_backend *node_backend(const struct node *node, uint32_t id)
{
	return fake_map_value(node->dp, BACKENDS, &id);
}

/* 0: there is none. */
static inline uint32_t node_table(const struct node *node, uint32_t set, uint32_t position)
{
	const struct lb_maglev_key key = {set, position / LB_MAGLEV_CHUNK};
	const struct lb_maglev_chunk *value = fake_map_value(node->dp, TABLES, &key);

	return value ? value->backends[position % LB_MAGLEV_CHUNK] : 0;
}

static inline void assert_entries(const struct node *node, unsigned int n_frontends,
				  unsigned int n_sets, unsigned int n_slots,
				  unsigned int n_backends)
{
	assert_int_equal(fake_map_n_entries(node->dp, FRONTENDS), n_frontends);
	assert_int_equal(fake_map_n_entries(node->dp, SETS), n_sets);
	assert_int_equal(fake_map_n_entries(node->dp, SLOTS), n_slots);
	assert_int_equal(fake_map_n_entries(node->dp, BACKENDS), n_backends);
}

/* The number that the back end has behind the front end; 0: it is not there. */
struct id_search {
	struct addr addr;
	uint32_t service, id;
};

static inline bool match_backend(const void *key, const void *value, void *data)
{
	struct id_search *search = data;
	const struct lb_backend *backend = value;

	if (backend->service == search->service && addr_equal(&backend->addr, &search->addr))
		memcpy(&search->id, key, sizeof(search->id));
	return !search->id;
}

static inline uint32_t node_backend_id(const struct node *node, uint32_t service, const char *addr)
{
	struct id_search search = {.addr = addr_of(addr), .service = service};

	assert_int_equal(node->dp->ops->map_foreach(node->dp, BACKENDS, match_backend, &search), 0);
	return search.id;
}

/* With a service, number 1, of one front end and three back ends. */
static inline struct node *node_with_web(struct draft *draft)
{
	struct node *node = node_new(NULL);

	draft_init(draft, "web");
	draft_frontend(draft, "10.96.0.1", 0);
	draft_backend(draft, "10.0.0.1", ALL);
	draft_backend(draft, "10.0.0.2", ALL);
	draft_backend(draft, "10.0.0.3", ALL);
	node_allow_deletion(node);
	node_put(node, draft);
	return node;
}

static inline void find_error(const struct reconciler_failure *failure, void *data)
{
	*(int *)data = failure->error;
}

static inline int node_error(const struct node *node)
{
	int error = 0;

	reconcilers_foreach_failure(node->reconcilers, find_error, &error);
	return error;
}
