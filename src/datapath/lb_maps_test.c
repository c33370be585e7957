// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/lb_test.h"

static void a_service_is_written(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);
	const struct lb_frontend *frontend = node_frontend(node, "10.96.0.1", 80);
	const struct lb_backend *backend;

	assert_non_null(frontend);
	assert_int_equal(frontend->id, 1);
	assert_int_equal(frontend->service, 1);
	assert_int_equal(frontend->type, LB_TYPE_CLUSTER_IP);
	assert_int_equal(frontend->algorithm, LB_ALGORITHM_RANDOM);
	assert_entries(node, 1, 1, 3, 3);
	assert_int_equal(node_n_slots(node, LB_SET(1, 0)), 3);
	backend = node_backend(node, node_slot(node, LB_SET(1, 0), 1));
	assert_int_equal(backend->service, 1);
	assert_int_equal(backend->port, htons(8080));
	node_remove(node, draft.key);
	assert_entries(node, 0, 0, 0, 0);
	node_free(node);
}

static void one_back_end_more_is_three_writes(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);

	draft_backend(&draft, "10.0.0.4", ALL);
	fake_reset_calls(node->dp);
	node_put(node, &draft);
	assert_int_equal(fake_n_writes(node->dp), 3);
	assert_entries(node, 1, 1, 4, 4);
	node_free(node);
}

/* The last takes the place of the first: a slot, the set, the last slot, the back end. */
static void one_back_end_less_is_four_writes(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);
	uint32_t last = node_slot(node, LB_SET(1, 0), 2), second = node_slot(node, LB_SET(1, 0), 1);

	draft.fields.n_backends = 2;
	memmove(draft.backends, draft.backends + 1, 2 * sizeof(*draft.backends));
	fake_reset_calls(node->dp);
	node_put(node, &draft);
	assert_int_equal(fake_n_writes(node->dp), 4);
	assert_entries(node, 1, 1, 2, 2);
	assert_int_equal(node_slot(node, LB_SET(1, 0), 0), last);
	assert_int_equal(node_slot(node, LB_SET(1, 0), 1), second);
	node_free(node);
}

static void an_exchange_takes_the_slot(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);

	draft.backends[2].addr = addr_of("10.0.0.9");
	fake_reset_calls(node->dp);
	node_put(node, &draft);
	assert_int_equal(fake_n_writes(node->dp), 3); /* a back end, its slot, the other back end */
	assert_int_equal(node_backend_id(node, 1, "10.0.0.9"), 4);
	assert_int_equal(node_slot(node, LB_SET(1, 0), 2), 4);
	node_free(node);
}

static void a_terminating_back_end_stays(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);
	uint32_t id = node_backend_id(node, 1, "10.0.0.2");

	draft.backends[1].state = LB_BACKEND_TERMINATING;
	draft.backends[1].flags = 0;
	node_put(node, &draft);
	assert_entries(node, 1, 1, 2, 3);
	assert_int_equal(node_backend(node, id)->state, LB_BACKEND_TERMINATING);
	assert_int_equal(node_backend(node, id)->flags, 0);
	node_free(node);
}

static void no_back_end_is_no_set(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);

	draft.fields.n_backends = 0;
	node_put(node, &draft);
	assert_entries(node, 1, 0, 0, 0);
	node_free(node);
}

static void local_sets_are_for_front_ends_that_ask(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);

	draft.backends[0].flags = BOTH;
	node_put(node, &draft);
	assert_int_equal(node_n_slots(node, LB_SET(1, 1)), 0);
	draft.frontends[0].flags = LOCAL;
	node_put(node, &draft);
	assert_int_equal(node_n_slots(node, LB_SET(1, 1)), 1);
	assert_int_equal(node_slot(node, LB_SET(1, 1), 0), node_backend_id(node, 1, "10.0.0.1"));
	draft.frontends[0].flags = 0;
	node_put(node, &draft);
	assert_entries(node, 1, 1, 3, 3);
	node_free(node);
}

/* ---- Maglev ---- */

static void tables_hold_the_back_ends(void **state)
{
	struct draft draft;
	struct node *node = node_with_web(&draft);
	unsigned int counts[5] = {0};

	draft.fields.algorithm = LB_ALGORITHM_MAGLEV;
	draft.fields.needs_maglev = true;
	node_put(node, &draft);
	assert_int_equal(fake_map_n_entries(node->dp, TABLES), 1);
	for (uint32_t i = 0; i < MAGLEV_SIZE; i++)
		counts[node_table(node, LB_SET(1, 0), i)]++;
	assert_int_equal(counts[0], 0);
	for (uint32_t id = 1; id <= 3; id++)
		assert_in_range(counts[id], MAGLEV_SIZE / 3 - 2, MAGLEV_SIZE / 3 + 2);
	assert_int_equal(node_table(node, LB_SET(1, 0), MAGLEV_SIZE), 0);
	assert_int_equal(reconcilers_service_statistics(node->reconcilers).n_tables, 1);

	/* What changes nothing of the table writes nothing of it. */
	draft.fields.affinity_timeout = 60;
	fake_reset_calls(node->dp);
	node_put(node, &draft);
	assert_int_equal(fake_n_writes(node->dp), 1);
	draft.fields.algorithm = LB_ALGORITHM_RANDOM;
	draft.fields.needs_maglev = false;
	node_put(node, &draft);
	assert_int_equal(fake_map_n_entries(node->dp, TABLES), 0);
	assert_int_equal(reconcilers_service_statistics(node->reconcilers).n_tables, 0);
	node_free(node);
}

/* ---- front ends ---- */

static void wanted_ids_are_given(void **state)
{
	struct draft web, other;
	struct node *node = node_with_web(&web);

	draft_init(&other, "other");
	draft_frontend(&other, "10.96.0.2", 0)->id = 1;
	node_put(node, &other);
	assert_int_equal(node_frontend(node, "10.96.0.2", 80)->id, 1);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->id, 2);
	other.frontends[0].id = 4000000000;
	node_put(node, &other);
	assert_int_equal(node_frontend(node, "10.96.0.2", 80)->id, 4000000000);
	node_free(node);
}

/* Also to one that comes in the same change, behind one that was given it by chance. */
static void a_wanted_id_is_given_to_one(void **state)
{
	struct draft web, before, wants;
	struct node *node = node_with_web(&web);

	draft_init(&before, "a");
	draft_frontend(&before, "10.96.0.2", 0);
	draft_init(&wants, "b");
	draft_frontend(&wants, "10.96.0.3", 0)->id = 2;
	for (int turn = 0; turn < 2; turn++) {
		node_put_row(node, draft_row(turn ? &wants : &before));
		node_put_row(node, draft_row(turn ? &before : &wants));
		store_settle(node->store);
		assert_int_equal(node_frontend(node, "10.96.0.3", 80)->id, 2);
		assert_int_not_equal(node_frontend(node, "10.96.0.2", 80)->id, 2);
		assert_int_equal(node_frontend(node, "10.96.0.1", 80)->id, 1);
		assert_int_equal(reconcilers_resync(node->reconcilers), 0);
		node_remove(node, before.key);
		node_remove(node, wants.key);
	}
	node_free(node);
}

static void a_wildcard_is_of_all_that_want_it(void **state)
{
	struct draft web, other;
	struct node *node = node_with_web(&web);

	web.fields.n_frontends = 0;
	draft_frontend(&web, "10.96.0.1", LB_FRONTEND_F_WILDCARD);
	draft_frontend(&web, "10.96.0.1", 0);
	node_put(node, &web);
	draft_init(&other, "other");
	draft_frontend(&other, "10.96.0.1", LB_FRONTEND_F_WILDCARD);
	draft_frontend(&other, "10.96.0.1", 0)->port = 443;
	node_put(node, &other);
	assert_int_equal(fake_map_n_entries(node->dp, FRONTENDS), 3);
	assert_int_equal(node_frontend(node, "10.96.0.1", 0)->service, 0);
	assert_int_equal(node_frontend(node, "10.96.0.1", 0)->flags, LB_FRONTEND_F_WILDCARD);
	node_remove(node, web.key);
	assert_non_null(node_frontend(node, "10.96.0.1", 0));
	node_remove(node, other.key);
	assert_entries(node, 0, 0, 0, 0);
	node_free(node);
}

static void a_front_end_is_of_one_service(void **state)
{
	struct draft web, other;
	struct node *node = node_with_web(&web);

	draft_init(&other, "other");
	draft_frontend(&other, "10.96.0.1", 0);
	draft_frontend(&other, "10.96.0.2", 0);
	node_put(node, &other);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 1);
	assert_int_equal(node_frontend(node, "10.96.0.2", 80)->service, 2);
	assert_int_equal(node_error(node), EADDRINUSE);
	node_remove(node, web.key);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 2);
	assert_int_equal(node_error(node), 0);
	node_free(node);
}

/* At no time there is none. */
static void is_there(void *data)
{
	assert_non_null(node_frontend(data, "10.96.0.1", 80));
}

static void a_front_end_moves_without_a_gap(void **state)
{
	struct draft web, other;
	struct node *node = node_with_web(&web);
	struct txn *txn;

	draft_init(&other, "other");
	draft_frontend(&other, "10.96.0.1", 0);
	draft_frontend(&other, "10.96.0.2", 0);
	web.frontends[0].addr = addr_of("10.96.0.3");
	fake_set_write_observer(node->dp, is_there, node);
	txn = txn_new(node->store);
	txn_put(txn, node->tables.lb_services, &draft_row(&web)->row);
	txn_put(txn, node->tables.lb_services, &draft_row(&other)->row);
	txn_commit(txn);
	store_settle(node->store);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 2);
	assert_int_equal(node_frontend(node, "10.96.0.3", 80)->service, 1);
	assert_int_equal(node_error(node), 0);
	node_free(node);
}

/* What leads to the service that it leaves does not meet what that has become. */
static void leads_to_no_stranger(void *data)
{
	const struct node *node = data;
	const struct lb_frontend *frontend = node_frontend(node, "10.96.0.1", 80);
	uint32_t set = LB_SET(frontend->service, 0), n = node_n_slots(node, set);
	struct addr stranger = addr_of("10.0.0.9");

	for (uint32_t i = 0; i < n; i++)
		assert_false(
			addr_equal(&node_backend(node, node_slot(node, set, i))->addr, &stranger));
}

static void a_front_end_that_moves_leads_to_no_stranger(void **state)
{
	struct draft web, other;
	struct node *node = node_with_web(&web);
	struct txn *txn;

	draft_init(&other, "other");
	draft_frontend(&other, "10.96.0.1", 0);
	draft_backend(&other, "10.0.0.1", ALL);
	web.frontends[0].addr = addr_of("10.96.0.3");
	web.backends[2].addr = addr_of("10.0.0.9");
	fake_set_write_observer(node->dp, leads_to_no_stranger, node);
	txn = txn_new(node->store);
	txn_put(txn, node->tables.lb_services, &draft_row(&web)->row);
	txn_put(txn, node->tables.lb_services, &draft_row(&other)->row);
	txn_commit(txn);
	store_settle(node->store);
	assert_int_equal(node_frontend(node, "10.96.0.1", 80)->service, 2);
	assert_entries(node, 2, 2, 4, 4);
	node_free(node);
}

static void a_row_of_another_key_keeps_the_numbers(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	uint32_t id = node_backend_id(node, 1, "10.0.0.2");
	struct txn *txn = txn_new(node->store);

	txn_remove(txn, node->tables.lb_services, web.key, strlen(web.key));
	g_strlcpy(web.key, "default/web:http/TCP/4", sizeof(web.key));
	txn_put(txn, node->tables.lb_services, &draft_row(&web)->row);
	txn_commit(txn);
	fake_reset_calls(node->dp);
	store_settle(node->store);
	assert_int_equal(fake_n_writes(node->dp), 0);
	assert_int_equal(node_backend_id(node, 1, "10.0.0.2"), id);
	node_free(node);
}

static void assert_no_stranger(void *data)
{
	const struct node *node = data;
	const struct lb_frontend *frontend = node_frontend(node, "10.96.0.2", 80);
	const struct lb_backend *backend;
	struct addr theirs = addr_of("10.0.0.9");

	if (!frontend)
		return;
	for (uint32_t i = 0; i < node_n_slots(node, LB_SET(frontend->service, 0)); i++) {
		backend = node_backend(node, node_slot(node, LB_SET(frontend->service, 0), i));
		assert_non_null(backend);
		assert_true(addr_equal(&backend->addr, &theirs));
	}
}

/* Also where the service becomes what it was, as a write has failed. */
static void an_address_that_comes_leads_to_no_stranger(void **state)
{
	for (unsigned int n = 0; n < 12; n++) {
		struct draft web, other;
		struct node *node = node_with_web(&web);
		struct txn *txn = txn_new(node->store);

		draft_init(&other, "other");
		draft_frontend(&other, "10.96.0.1", 0);
		draft_frontend(&other, "10.96.0.2", 0);
		draft_frontend(&other, "10.96.0.3", 0);
		draft_backend(&other, "10.0.0.9", ALL);
		txn_remove(txn, node->tables.lb_services, web.key, strlen(web.key));
		txn_put(txn, node->tables.lb_services, &draft_row(&other)->row);
		txn_commit(txn);
		fake_set_write_observer(node->dp, assert_no_stranger, node);
		fake_fail_write(node->dp, n, EIO);
		store_settle(node->store);
		node_come_to_rest(node);
		assert_int_equal(node_error(node), 0);
		assert_entries(node, 3, 1, 1, 1);
		node_free(node);
	}
}

/* ---- what others are told ---- */

static void count_gone(const struct lb_backend_gone *gone, void *data)
{
	unsigned int *n = data;
	struct addr addr = addr_of("10.0.0.2");

	++*n;
	assert_true(addr_equal(&gone->addr, &addr));
	assert_int_equal(gone->port, 8080);
	assert_int_equal(gone->protocol, IPPROTO_TCP);
	assert_int_equal(gone->id, 2);
}

static void back_ends_that_go_are_told(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	unsigned int n = 0;

	reconcilers_set_backend_observer(node->reconcilers, count_gone, &n);
	web.backends[1].flags = 0;
	node_put(node, &web);
	assert_int_equal(n, 0);
	web.backends[1] = web.backends[2];
	web.fields.n_backends = 2;
	node_put(node, &web);
	assert_int_equal(n, 1);
	node_free(node);
}

static void look_at_service(const struct reconciler_service *service, void *data)
{
	unsigned int *n = data;

	++*n;
	assert_string_equal(service->row->name, "web");
	assert_int_equal(service->number, 1);
	assert_int_equal(service->frontend_ids[0], 1);
	assert_int_equal(service->backend_ids[0], 1);
	assert_int_equal(service->backend_ids[2], 3);
	assert_true(service->is_applied);
}

static void services_are_shown_with_their_numbers(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	unsigned int n = 0;

	reconcilers_foreach_service(node->reconcilers, look_at_service, &n);
	assert_true(reconcilers_service_by_frontend_id(node->reconcilers, 1, look_at_service, &n));
	assert_int_equal(n, 2);
	assert_false(reconcilers_service_by_frontend_id(node->reconcilers, 2, look_at_service, &n));
	node_free(node);
}

static void count_write(const struct reconciler_entry *write, void *data)
{
	++*(unsigned int *)data;
	assert_int_equal(write->error, 0);
}

static void writes_are_told(void **state)
{
	struct draft web;
	struct node *node = node_with_web(&web);
	unsigned int n = 0;

	reconcilers_set_write_observer(node->reconcilers, count_write, &n);
	draft_backend(&web, "10.0.0.4", ALL);
	node_put(node, &web);
	assert_int_equal(n, 3);
	node_free(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_written),
		cmocka_unit_test(one_back_end_more_is_three_writes),
		cmocka_unit_test(one_back_end_less_is_four_writes),
		cmocka_unit_test(an_exchange_takes_the_slot),
		cmocka_unit_test(a_terminating_back_end_stays),
		cmocka_unit_test(no_back_end_is_no_set),
		cmocka_unit_test(local_sets_are_for_front_ends_that_ask),
		cmocka_unit_test(tables_hold_the_back_ends),
		cmocka_unit_test(wanted_ids_are_given),
		cmocka_unit_test(a_wanted_id_is_given_to_one),
		cmocka_unit_test(a_wildcard_is_of_all_that_want_it),
		cmocka_unit_test(a_front_end_is_of_one_service),
		cmocka_unit_test(a_front_end_moves_without_a_gap),
		cmocka_unit_test(a_front_end_that_moves_leads_to_no_stranger),
		cmocka_unit_test(a_row_of_another_key_keeps_the_numbers),
		cmocka_unit_test(an_address_that_comes_leads_to_no_stranger),
		cmocka_unit_test(back_ends_that_go_are_told),
		cmocka_unit_test(services_are_shown_with_their_numbers),
		cmocka_unit_test(writes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
