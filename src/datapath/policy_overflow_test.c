// SPDX-License-Identifier: Apache-2.0
/* Policy that does not fit into the kernel's maps. */
#include "src/datapath/policy_test.h"

#include "src/base/error.h"

#define ALLOW   POLICY_VERDICT_ALLOW
#define DENY    POLICY_VERDICT_DENY
#define NOTHING POLICY_VERDICT_DEFAULT_DENY

/* Of which a sixteenth, 4, is for peers that come. */
#define MAX_PEERS   64
#define MAX_CLASSES 32

static int set_up(void **state)
{
	*state = node_new(MAX_PEERS, MAX_CLASSES);
	reconcilers_allow_deletion(((struct node *)*state)->reconcilers);
	return 0;
}

static int tear_down(void **state)
{
	node_free(*state);
	return 0;
}

/* n ports of TCP. */
static const struct rule_class *allow_ports(uint32_t rule, unsigned int n)
{
	const struct policy_leaf otherwise = {.rule = 0};
	struct rule_class_entry entries[MAX_CLASSES] = {{0}};

	for (unsigned int i = 0; i < n; i++)
		entries[i] = (struct rule_class_entry){
			.protocol = IPPROTO_TCP,
			.prefix_len = 16,
			.port = 80 + i,
			.leaf = {.rule = rule, .verdict = ALLOW},
		};
	return rule_class_new(&otherwise, entries, n);
}

struct failures {
	unsigned int n;
	struct reconciler_failure last;
	char *object;
};

static void note_failure(const struct reconciler_failure *failure, void *data)
{
	struct failures *failures = data;

	failures->n++;
	failures->last = *failure;
	g_free(failures->object);
	failures->object = g_strdup(failure->object);
}

static struct failures failures_of(const struct node *node)
{
	struct failures failures = {0};

	reconcilers_foreach_failure(node->reconcilers, note_failure, &failures);
	return failures;
}

static unsigned int n_failures(const struct node *node)
{
	struct failures failures = failures_of(node);

	g_free(failures.object);
	return failures.n;
}

static bool add_to_sum(const void *key, const void *value, void *data)
{
	unsigned int hash = 5381;

	for (size_t i = 0; i < sizeof(struct policy_peer_key); i++)
		hash = hash * 33 + ((const uint8_t *)key)[i];
	for (size_t i = 0; i < sizeof(struct policy_peer); i++)
		hash = hash * 33 + ((const uint8_t *)value)[i];
	*(unsigned int *)data += hash;
	return true;
}

/* The same as long as the map is, byte for byte. */
static unsigned int sum_of_peers(const struct node *node)
{
	unsigned int sum = 0;

	assert_int_equal(node->dp->ops->map_foreach(node->dp, PEERS, add_to_sum, &sum), 0);
	return sum;
}

static void read_status(const struct reconciler_status *status, void *data)
{
	if (strcmp(status->name, "policy") == 0)
		*(struct reconciler_status *)data = *status;
}

static void test_the_old_version_stays(void **state)
{
	struct node *node = *state;
	struct reconciler_status status;
	struct reconciler_policy policy;
	struct failures failures;
	unsigned int sum;
	uint32_t version;

	node_put_endpoint(node, 1, 1, false);
	node_put_endpoint(node, 2, 1, false);
	apply(node, set_new(1, 1, 100, 40, allow(20)));
	sum = sum_of_peers(node);
	version = version_of(node, 1);
	apply(node, set_new(1, 2, 100, 40, allow(21)));
	assert_int_equal(sum_of_peers(node), sum);
	assert_int_equal(version_of(node, 1), version);
	assert_int_equal(version_of(node, 2), version);

	reconcilers_foreach_status(node->reconcilers, read_status, &status);
	assert_int_equal(status.n_wanted, 1);
	assert_int_equal(status.n_applied, 0);
	assert_int_equal(status.n_failing, 1);
	failures = failures_of(node);
	assert_int_equal(failures.n, 1);
	assert_string_equal(failures.last.reconciler, "policy");
	assert_int_equal(failures.last.error, ENOSPC);
	assert_string_equal(failures.object,
			    "rules of endpoints 1, 2 (NetworkPolicy/default/p), 41 peers");
	g_free(failures.object);
	assert_true(reconcilers_policy_get(node->reconcilers, 1, &policy));
	assert_false(policy.is_applied);
	assert_int_equal(policy.error, ENOSPC);
	assert_int_equal(policy.realized_rule_set_revision, 1);
	assert_int_equal(policy.wanted_rule_set_revision, 2);
	/* What is created meanwhile is not refused: it is denied, and says so. */
	assert_true(reconcilers_endpoint_applied(node->reconcilers, 1));
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_unfit, 1);
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_overflows, 1);

	/* It enters when the policy selects fewer; nothing else is to be done. */
	apply(node, set_new(1, 3, 100, 10, allow(21)));
	assert_int_not_equal(version_of(node, 1), version);
	assert_int_equal(n_failures(node), 0);
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_unfit, 0);
}

/* What makes room is another rule set that goes: in the same instant as its entries do. */
static void test_enters_when_there_is_room(void **state)
{
	struct node *node = *state;
	uint32_t version;

	node_put_endpoint(node, 1, 1, false);
	node_put_endpoint(node, 2, 2, false);
	apply(node, set_new(1, 1, 100, 20, allow(20)));
	apply(node, set_new(2, 1, 100, 30, allow(20)));
	version = version_of(node, 1);
	apply(node, set_new(1, 2, 100, 20, allow(21)));
	assert_int_equal(version_of(node, 1), version);
	for (int i = 0; i < 20; i++) /* later and later */
		test_now_ns += reconcilers_retry(node->reconcilers);
	assert_int_equal(version_of(node, 1), version);
	node_remove_endpoint(node, 2);
	node_remove_set(node, 2);
	store_settle(node->store);
	reconcilers_retry(node->reconcilers); /* waits */
	reconcilers_retry(node->reconcilers); /* deletes */
	assert_int_not_equal(version_of(node, 1), version);
	assert_int_equal(n_failures(node), 0);
}

static void test_a_new_endpoint_is_denied(void **state)
{
	struct node *node = *state;
	struct reconciler_policy policy;

	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 80, allow(20)));
	assert_int_equal(version_of(node, 1), 0);
	assert_int_equal(verdict(node, 1, 100), NOTHING);
	assert_true(reconcilers_policy_get(node->reconcilers, 1, &policy));
	assert_int_equal(policy.error, ENOSPC);
	assert_int_equal(policy.version, 0);
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_locked_down, 1);
	assert_int_equal(fake_map_n_entries(node->dp, PEERS), 0);
}

/* Peers come where no new version would find room; when nothing is left they are counted. */
static void test_room_is_kept_for_peers(void **state)
{
	struct node *node = *state;

	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, MAX_PEERS - 4, allow(20)));
	assert_int_equal(version_of(node, 1), 0);
	apply(node, set_new(1, 2, 100, MAX_PEERS - 5, allow(20)));
	assert_int_not_equal(version_of(node, 1), 0);
	apply(node, set_new(1, 2, 100, MAX_PEERS - 1, allow(20)));
	assert_int_equal(n_failures(node), 0);
	assert_int_equal(verdict(node, 1, 100 + MAX_PEERS - 2), ALLOW);
	assert_int_equal(fake_map_n_entries(node->dp, PEERS), MAX_PEERS);

	/* One that finds no room would have been allowed what others are not: it is not, and that is all. */
	apply(node, set_new(1, 2, 100, MAX_PEERS, allow(20)));
	assert_int_equal(verdict(node, 1, 100 + MAX_PEERS - 1), NOTHING);
	assert_false(is_incomplete(node, 1));
	assert_int_equal(n_failures(node), 1);
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_incomplete, 1);
	/* As soon as another goes it is in. */
	apply(node, set_new(1, 2, 101, MAX_PEERS - 1, allow(20)));
	assert_int_equal(verdict(node, 1, 100 + MAX_PEERS - 1), ALLOW);
	assert_int_equal(n_failures(node), 0);
}

static void test_a_peer_that_must_be_denied_closes(void **state)
{
	struct node *node = *state;
	const uint32_t stranger = 5000, last = 100 + MAX_PEERS - 1;

	node_put_endpoint(node, 1, 1, false);
	apply(node, deny_set(1, 10, class_new(DENY, 20, 0, 0)));
	apply(node, deny_set(1, MAX_PEERS - 1, class_new(DENY, 20, 0, 0)));
	assert_int_equal(verdict(node, 1, stranger), ALLOW);
	assert_false(is_incomplete(node, 1));
	apply(node, deny_set(1, MAX_PEERS, class_new(DENY, 20, 0, 0)));
	assert_true(is_incomplete(node, 1));
	assert_int_equal(verdict(node, 1, last), NOTHING);
	assert_int_equal(verdict(node, 1, stranger), NOTHING);
	assert_int_equal(verdict(node, 1, 100), DENY);
	apply(node, deny_set(1, MAX_PEERS - 1, class_new(DENY, 20, 0, 0)));
	assert_false(is_incomplete(node, 1));
	assert_int_equal(verdict(node, 1, stranger), ALLOW);
	assert_int_equal(n_failures(node), 0);
}

/* It may less at one port only, which the others' class has no entry for. */
static void test_a_single_port_closes(void **state)
{
	struct node *node = *state;
	const struct rule_class *class = class_new(ALLOW, 20, 443, DENY);

	node_put_endpoint(node, 1, 1, false);
	apply(node, deny_set(1, 10, rule_class_ref(class)));
	apply(node, deny_set(1, MAX_PEERS, rule_class_ref(class)));
	assert_true(is_incomplete(node, 1));
	rule_class_unref(class);
}

static void test_classes_overflow_too(void **state)
{
	struct node *node = *state;
	uint32_t version;

	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 2, allow_ports(20, 20)));
	version = version_of(node, 1);
	apply(node, set_new(1, 2, 100, 2, allow_ports(21, 20)));
	assert_int_equal(version_of(node, 1), version);
	assert_int_equal(fake_map_n_entries(node->dp, CLASSES), 20);
	assert_int_equal(n_failures(node), 1);
	/* The same ports, told from one another by their rules. */
	apply(node, set_new(1, 3, 100, 2, allow_ports(21, 10)));
	assert_int_not_equal(version_of(node, 1), version);
	node_come_to_rest(node);
	assert_int_equal(fake_map_n_entries(node->dp, CLASSES), 10);
}

/* The kernel says no although there is room: no memory. At each of the writes that a version takes. */
static void test_a_version_that_fails_leaves_nothing(void **state)
{
	struct node *node = *state;
	uint32_t version;

	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 5, allow_ports(20, 3)));
	version = version_of(node, 1);
	for (unsigned int n = 0; n < 9; n++) {
		fake_fail_write(node->dp, n, ENOMEM);
		apply(node, set_new(1, 2 + n, 100, 5, allow_ports(21 + n, 3)));
		assert_int_equal(version_of(node, 1), version);
		assert_int_equal(fake_map_n_entries(node->dp, PEERS), 6);
		assert_int_equal(n_failures(node), 1);
		/* And enters at the next try. */
		test_now_ns += NSEC_PER_SEC;
		reconcilers_retry(node->reconcilers);
		assert_int_not_equal(version_of(node, 1), version);
		version = version_of(node, 1);
		node_come_to_rest(node);
		assert_int_equal(fake_map_n_entries(node->dp, PEERS), 6);
		assert_int_equal(fake_map_n_entries(node->dp, CLASSES), 3);
	}
}

static int refuse_version(uint32_t *ret_version, void *data)
{
	return -ENOSPC;
}

/* The disk that numbers are kept on is full: nobody is to think that a map is. */
static void test_without_a_number(void **state)
{
	struct node *node = *state;
	struct failures failures;

	reconcilers_set_version_source(node->reconcilers, refuse_version, NULL);
	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 5, allow(20)));
	failures = failures_of(node);
	assert_int_equal(failures.last.error, EIO);
	assert_int_equal(failures.last.endpoint_id, 1);
	g_free(failures.object);
	reconcilers_set_version_source(node->reconcilers, take_version, node);
	test_now_ns += NSEC_PER_SEC;
	reconcilers_retry(node->reconcilers);
	assert_int_equal(n_failures(node), 0);
	assert_int_equal(verdict(node, 1, 100), ALLOW);
}

/* The old version of a rule set that all endpoints have left is in the way of the new one. */
static void test_what_nobody_has_makes_room(void **state)
{
	struct node *node = *state;

	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 40, allow(20)));
	apply(node, set_new(1, 2, 100, 40, allow(21)));
	node_remove_endpoint(node, 1);
	store_settle(node->store);
	node_put_endpoint(node, 1, 1, false);
	store_settle(node->store);
	node_come_to_rest(node);
	assert_int_equal(verdict(node, 1, 100), ALLOW);
	assert_int_equal(n_failures(node), 0);
}

static void test_lockdown(void **state)
{
	struct node *node = *state;

	reconcilers_set_policy_lockdown(node->reconcilers, true);
	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 40, allow(20)));
	assert_int_equal(verdict(node, 1, 100), ALLOW);
	apply(node, set_new(1, 2, 100, 40, allow(21)));
	assert_int_equal(version_of(node, 1), 0);
	assert_int_equal(verdict(node, 1, 100), NOTHING);
	/* What it had makes room for what it should have. */
	node_come_to_rest(node);
	assert_int_equal(verdict(node, 1, 100), ALLOW);
	assert_int_equal(n_failures(node), 0);
}

static void count_note(const struct reconciler_note *note, void *data)
{
	unsigned int *n_notes = data;

	assert_int_equal(note->endpoint_id, 1);
	assert_string_equal(note->object, "policy (NetworkPolicy/default/p)");
	n_notes[note->event]++;
}

static void test_tells_the_observer_once(void **state)
{
	struct node *node = *state;
	unsigned int n_notes[RECONCILER_REPAIRED + 1] = {0};

	reconcilers_set_observer(node->reconcilers, count_note, n_notes);
	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 80, allow(20)));
	node_come_to_rest(node);
	apply(node, set_new(1, 2, 100, 81, allow(20)));
	assert_int_equal(n_notes[RECONCILER_FAILED], 1);
	assert_int_equal(n_notes[RECONCILER_APPLIED], 0);
	apply(node, set_new(1, 3, 100, 8, allow(20)));
	assert_int_equal(n_notes[RECONCILER_APPLIED], 1);
}

static void count_room(const struct reconciler_room_note *note, void *data)
{
	unsigned int *n_notes = data;

	if (!note->fits)
		assert_string_equal(note->rules,
				    "rules of endpoints 1, 2 (NetworkPolicy/default/p), 41 peers");
	assert_int_equal(note->error, note->fits ? 0 : ENOSPC);
	n_notes[note->fits]++;
}

/* Once a rule set, when it happens: the room comes at a try that no change has caused. */
static void test_tells_of_room_when_it_happens(void **state)
{
	struct node *node = *state;
	unsigned int n_notes[2] = {0};

	reconcilers_set_room_observer(node->reconcilers, count_room, n_notes);
	for (uint16_t id = 1; id <= 2; id++)
		node_put_endpoint(node, id, 1, false);
	node_put_endpoint(node, 3, 2, false);
	node_put_set(node, set_new(2, 1, 100, 30, allow(20)));
	store_settle(node->store);
	apply(node, set_new(1, 1, 100, 40, allow(20)));
	assert_int_equal(n_notes[false], 1);
	for (int i = 0; i < 5; i++)
		test_now_ns += reconcilers_retry(node->reconcilers);
	assert_int_equal(n_notes[false], 1);
	assert_int_equal(n_notes[true], 0);
	node_remove_endpoint(node, 3);
	node_remove_set(node, 2);
	store_settle(node->store);
	node_come_to_rest(node);
	assert_int_equal(n_notes[false], 1);
	assert_int_equal(n_notes[true], 1);
}

/* Deleting fails: that is told, and tried again. */
static void test_old_versions_that_stay(void **state)
{
	struct node *node = *state;
	struct failures failures;

	node_put_endpoint(node, 1, 1, false);
	apply(node, set_new(1, 1, 100, 5, allow(20)));
	apply(node, set_new(1, 2, 100, 5, allow(21)));
	reconcilers_retry(node->reconcilers);
	fake_fail_next(node->dp, FAKE_OP_MAP_DELETE_BATCH, EPERM);
	reconcilers_retry(node->reconcilers);
	failures = failures_of(node);
	assert_int_equal(failures.n, 1);
	assert_string_equal(failures.object, "old versions of rules");
	assert_int_equal(failures.last.error, EPERM);
	g_free(failures.object);
	node_come_to_rest(node);
	assert_int_equal(n_failures(node), 0);
	assert_int_equal(fake_map_n_entries(node->dp, PEERS), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_old_version_stays),
		TEST(test_enters_when_there_is_room),
		TEST(test_a_new_endpoint_is_denied),
		TEST(test_room_is_kept_for_peers),
		TEST(test_a_peer_that_must_be_denied_closes),
		TEST(test_a_single_port_closes),
		TEST(test_classes_overflow_too),
		TEST(test_a_version_that_fails_leaves_nothing),
		TEST(test_without_a_number),
		TEST(test_what_nobody_has_makes_room),
		TEST(test_lockdown),
		TEST(test_tells_the_observer_once),
		TEST(test_tells_of_room_when_it_happens),
		TEST(test_old_versions_that_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
