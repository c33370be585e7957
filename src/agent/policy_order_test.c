/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While policies, groups, services, nodes and pods come and go, every address is judged at each instant as
 * before the change or as after it: after each single write to the kernel all of them are asked.
 */
#include "src/agent/policy_kernel_test.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "src/derive/policy_world_test.h"
#include "src/model/identity.h"

#define N_ENDPOINTS 3
#define N_STEPS     500

static const char *const probes[] = {
	"10.0.0.1",   "10.1.0.1",   "10.1.1.1",    "10.2.0.1",   "192.0.2.1",
	"192.0.2.2",  "172.16.0.9", "172.16.0.10", "10.200.0.1", "10.200.0.2",
	"10.200.0.3", "fd00:a::1",  "fd00:a:1::1", "fd00:b::1",
};

static const char *const prefixes[] = {
	"10.0.0.0/8",  "10.1.0.0/16",   "10.1.1.0/24",   "10.1.1.1/32",   "192.0.2.0/24",
	"0.0.0.0/0",   "192.0.2.1/32",  "172.16.0.0/12", "10.200.0.0/16", "172.16.0.9/32",
	"fd00:a::/32", "fd00:a:1::/48", "::/0",          "fd00:a::1/128",
};

struct verdicts {
	bool allowed[N_ENDPOINTS + 1][POLICY_DIRECTION__MAX][G_N_ELEMENTS(probes)];
};

struct run {
	struct policy_kernel kernel;
	struct addr addrs[G_N_ELEMENTS(probes)];
	/* Of the step under way: which verdicts were seen after some write. */
	struct verdicts seen[2];
	unsigned int n_writes;
	GString *what;      /* the step, for messages */
	GHashTable *labels; /* number to label set: what it stands for, as ever seen */
};

static void read_verdicts(const struct run *run, struct verdicts *ret_verdicts)
{
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
			for (size_t i = 0; i < G_N_ELEMENTS(probes); i++)
				ret_verdicts->allowed[id][direction][i] = policy_kernel_allows(
					&run->kernel, id, direction, &run->addrs[i]);
}

static void on_write(void *data)
{
	struct run *run = data;
	struct verdicts now;

	read_verdicts(run, &now);
	run->n_writes++;
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
			for (size_t i = 0; i < G_N_ELEMENTS(probes); i++)
				run->seen[now.allowed[id][direction][i]].allowed[id][direction][i] =
					true;
}

static unsigned int pick(unsigned int n)
{
	return rand() % n;
}

static bool one_in(unsigned int n)
{
	return !pick(n);
}

/* ---- random objects ---- */

/* A prefix, often without what is inside it. */
static char *random_cidr(void)
{
	const char *text = prefixes[pick(G_N_ELEMENTS(prefixes))];
	const char *except_text = prefixes[pick(G_N_ELEMENTS(prefixes))];
	struct cidr cidr, except;

	if (cidr_parse(text, &cidr) || cidr_parse(except_text, &except) ||
	    cidr.prefix_len > except.prefix_len || !cidr_contains(&cidr, &except.addr))
		return g_strdup(text);
	return g_strdup_printf("%s %s", text, except_text);
}

static void add_random_peer(struct run *run, struct policy_rule *rule)
{
	g_autofree char *text = NULL;
	const struct selector *service;

	switch (pick(6)) {
	case 0:
		text = g_strdup_printf("group:g%u", pick(3));
		break;
	case 1:
		text = g_strdup_printf("k8s:app=%c", 'a' + pick(3));
		break;
	case 2:
		text = g_strdup(one_in(2) ? "reserved:world-ipv4" : "reserved:kube-apiserver");
		break;
	case 3:
		service = selector_new_service("default", one_in(2) ? "s0" : "s1", NULL);
		rule->any_peer = false;
		g_ptr_array_add(rule->peers, (void *)service);
		g_string_append_printf(run->what, " service");
		return;
	case 4:
		text = g_strdup(one_in(2) ? "reserved:remote-node" : "node:rack=1");
		break;
	default:
		text = random_cidr();
	}
	test_policy_add_peer(rule, text);
	g_string_append_printf(run->what, " %s", text);
}

static void put_policy(struct run *run, const char *name)
{
	static const char *const subjects[] = {"", "k8s:app=a", "k8s:app=b"};
	struct policy *policy = test_policy_new(name);
	const char *subject = subjects[pick(3)];
	struct policy_spec *spec = test_policy_add_spec(policy, subject);

	spec->default_deny[POLICY_INGRESS] = !one_in(4);
	spec->default_deny[POLICY_EGRESS] = !one_in(4);
	g_string_append_printf(run->what, "policy %s of \"%s\"", name, subject);
	for (unsigned int i = 0, n = 1 + pick(4); i < n; i++) {
		enum policy_direction direction = pick(2);
		bool deny = one_in(3);
		struct policy_rule *rule = test_policy_add_rule(policy, spec, direction, deny);

		g_string_append_printf(run->what, "; %s %s",
				       direction == POLICY_INGRESS ? "ingress" : "egress",
				       deny ? "deny" : "allow");
		for (unsigned int j = 0, m = pick(10) ? 1 + pick(2) : 0; j < m; j++)
			add_random_peer(run, rule);
		if (one_in(4))
			test_policy_add_port(rule, IPPROTO_TCP, 80, 80);
	}
	policy_kernel_put(&run->kernel, run->kernel.tables.policies, &policy->row);
}

/* A few of the texts, without one that is NULL. */
static char *some_of(const char *const *texts, unsigned int n)
{
	GString *some = g_string_new(NULL);

	for (unsigned int i = 0; i < n; i++)
		if (one_in(3))
			g_string_append_printf(some, "%s%s", some->len ? " " : "", texts[i]);
	if (!some->len)
		g_string_append(some, texts[pick(n)]);
	return g_string_free(some, false);
}

static void step(struct run *run)
{
	static const char *const places[] = {"10.1.1.1",  "192.0.2.1", "172.16.0.9",
					     "192.0.2.2", "fd00:a::1", "10.200.0.2"};
	static const char *const node_places[] = {"172.16.0.9", "192.0.2.1", "fd00:b::1"};
	char name[] = "p0";
	bool gone = one_in(3);
	g_autofree char *text = NULL;

	switch (pick(8)) {
	case 0:
	case 1:
	case 2:
		name[1] += pick(4);
		if (!gone) {
			put_policy(run, name);
			return;
		}
		g_string_append_printf(run->what, "no policy %s", name);
		policy_kernel_remove_policy(&run->kernel, name);
		return;
	case 3:
	case 4:
		name[0] = 'g';
		name[1] += pick(3);
		text = gone ? NULL : some_of(prefixes, G_N_ELEMENTS(prefixes));
		g_string_append_printf(run->what, "group %s: %s", name, text ? text : "(gone)");
		policy_kernel_put_group(&run->kernel, name, text);
		return;
	case 5:
		text = gone ? NULL : some_of(places, G_N_ELEMENTS(places));
		name[0] = 's';
		name[1] += pick(2);
		g_string_append_printf(run->what, "service %s: %s", name, text ? text : "(gone)");
		policy_kernel_put_service(&run->kernel, one_in(3) ? "kubernetes" : name, text);
		return;
	case 6:
		text = gone ? NULL : some_of(node_places, G_N_ELEMENTS(node_places));
		g_string_append_printf(run->what, "node: %s", text ? text : "(gone)");
		policy_kernel_put_node(&run->kernel, "node2", text,
				       one_in(2) ? "k8s:rack=1" : "k8s:rack=2");
		return;
	default:
		break;
	}
	/* Endpoint 3 comes and goes; the others change their labels. */
	if (gone)
		policy_kernel_remove_endpoint(&run->kernel, 3);
	else
		policy_kernel_put_endpoint(&run->kernel, 1 + pick(3), one_in(2) ? "a" : "b");
	g_string_append(run->what, "pods");
}

/* ---- what must hold ---- */

static bool check_number(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;
	struct run *run = data;
	void *key = GUINT_TO_POINTER(identity->number);
	const void *labels = g_hash_table_lookup(run->labels, key);

	if (identity->number == IDENTITY_HOST)
		return true;
	if (!labels)
		g_hash_table_insert(run->labels, key, (void *)label_set_ref(identity->labels));
	else if (labels != identity->labels)
		fail_msg("identity %u means %s, and meant %s", identity->number,
			 label_set_text(identity->labels), label_set_text(labels));
	return true;
}

static bool is_own(uint16_t id, size_t probe)
{
	char text[16];

	snprintf(text, sizeof(text), "10.200.0.%u", id);
	return !strcmp(text, probes[probe]);
}

static void check_step(struct run *run, const struct verdicts *before)
{
	struct verdicts after;

	read_verdicts(run, &after);
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
			for (size_t i = 0; i < G_N_ELEMENTS(probes); i++) {
				bool was = before->allowed[id][direction][i];

				/* Both ends of a packet to oneself change, one after the other. */
				if (was != after.allowed[id][direction][i] || is_own(id, i) ||
				    !run->seen[!was].allowed[id][direction][i])
					continue;
				fail_msg("%s: endpoint %u %s %s was %s for a moment",
					 run->what->str, id, direction ? "egress" : "ingress",
					 probes[i], was ? "denied" : "allowed");
			}
	table_foreach (run->kernel.tables.identities, check_number, run)
		;
}

struct copy {
	struct txn *txn;
	struct table *to;
};

static bool copy_row(const struct row *row, void *data)
{
	struct copy *copy = data;

	txn_put(copy->txn, copy->to, row_ref(row));
	return true;
}

static void copy_table(struct table *from, struct table *to, struct txn *txn)
{
	struct copy copy = {txn, to};

	table_foreach (from, copy_row, &copy)
		;
}

/* A node that was told of everything at once. */
static void init_scratch(const struct run *run, struct policy_kernel *scratch)
{
	const struct tables *from = &run->kernel.tables, *to = &scratch->tables;
	struct txn *txn;

	policy_kernel_init(scratch, &run->kernel.config, 0);
	txn = txn_new(scratch->store);
	copy_table(from->policies, to->policies, txn);
	copy_table(from->cidr_groups, to->cidr_groups, txn);
	copy_table(from->services, to->services, txn);
	copy_table(from->endpoint_slices, to->endpoint_slices, txn);
	copy_table(from->nodes, to->nodes, txn);
	copy_table(from->endpoints, to->endpoints, txn);
	txn_commit(txn);
	store_settle(scratch->store);
}

/* "10.0.0.0/8 generated cidr:10.0.0.0/8=;reserved:world-ipv4=;": numbers may differ. */
static char *entry_text(const struct tables *tables, const struct ipcache_entry *entry)
{
	const struct identity *identity = (const struct identity *)table_get(
		tables->identities, &entry->identity, sizeof(entry->identity));
	char cidr[CIDR_TEXT_BYTES];

	return g_strdup_printf("%s %s %s", cidr_format(&entry->cidr, cidr), entry->source,
			       identity ? label_set_text(identity->labels)
					: identity_reserved_name(entry->identity));
}

static bool check_entry(const struct row *row, void *data)
{
	const struct ipcache_entry *entry = (const struct ipcache_entry *)row;
	void **both = data;
	const struct run *run = both[0];
	const struct policy_kernel *scratch = both[1];
	const struct row *other = table_get(scratch->tables.ipcache, &entry->cidr, CIDR_KEY_BYTES);
	g_autofree char *text = entry_text(&run->kernel.tables, entry);
	g_autofree char *wanted = NULL;

	if (!other)
		fail_msg("%s: %s should not be", run->what->str, text);
	wanted = entry_text(&scratch->tables, (const struct ipcache_entry *)other);
	assert_string_equal(text, wanted);
	return true;
}

static void check_against_scratch(const struct run *run)
{
	struct policy_kernel scratch;
	void *both[] = {(void *)run, &scratch};

	init_scratch(run, &scratch);
	table_foreach (run->kernel.tables.ipcache, check_entry, both)
		;
	assert_int_equal(table_n_rows(run->kernel.tables.ipcache),
			 table_n_rows(scratch.tables.ipcache));
	for (enum plan_map map = PLAN_MAP_cilium_ipcache; map <= PLAN_MAP_cilium_ipcache_prefix;
	     map++)
		assert_int_equal(fake_map_n_entries(run->kernel.datapath, map),
				 fake_map_n_entries(scratch.datapath, map));
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		for (int direction = 0; direction < POLICY_DIRECTION__MAX; direction++)
			for (size_t i = 0; i < G_N_ELEMENTS(probes); i++)
				assert_int_equal(policy_kernel_allows(&run->kernel, id, direction,
								      &run->addrs[i]),
						 policy_kernel_allows(&scratch, id, direction,
								      &run->addrs[i]));
	policy_kernel_fini(&scratch);
}

/* Nothing waits in a kernel that takes everything, and nothing is left of what nobody uses. */
static void check_end(struct run *run)
{
	unsigned int n_identities = 0;

	for (char name[] = "p0"; name[1] < '4'; name[1]++)
		policy_kernel_remove_policy(&run->kernel, name);
	policy_kernel_put_service(&run->kernel, "kubernetes", NULL);
	policy_kernel_put_node(&run->kernel, "node2", NULL, NULL);
	assert_int_equal(policy_activation_n_waiting(run->kernel.activation), 0);
	assert_int_equal(table_n_rows(run->kernel.tables.active_policies), 0);
	/* The two halves of the world. */
	assert_int_equal(fake_map_n_entries(run->kernel.datapath, PLAN_MAP_cilium_ipcache_prefix),
			 2);
	for (uint32_t number = IDENTITY_PREFIX_MIN; number < IDENTITY_PREFIX_MAX; number++)
		n_identities += !!table_get(run->kernel.tables.identities, &number, sizeof(number));
	for (uint32_t number = IDENTITY_NODE_MIN; number < IDENTITY_NODE_MAX; number++)
		n_identities += !!table_get(run->kernel.tables.identities, &number, sizeof(number));
	assert_int_equal(n_identities, 0);
	assert_int_equal(table_n_rows(run->kernel.tables.source_problems), 0);
}

static void unref_labels(void *labels)
{
	label_set_unref(labels);
}

static void run_steps(const struct derive_config *config, unsigned int seed)
{
	struct run run = {
		.what = g_string_new(NULL),
		.labels = g_hash_table_new_full(NULL, NULL, NULL, unref_labels),
	};
	const char *wanted = g_getenv("POLICY_ORDER_SEED"); /* to look for more */
	unsigned int n_steps = N_STEPS;

	srand(seed + (wanted ? (unsigned int)atoi(wanted) : 0));
	for (size_t i = 0; i < G_N_ELEMENTS(probes); i++)
		run.addrs[i] = policy_kernel_addr(probes[i]);
	policy_kernel_init(&run.kernel, config, 0);
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		policy_kernel_put_endpoint(&run.kernel, id, "a");
	fake_set_write_observer(run.kernel.datapath, on_write, &run);
	while (n_steps--) {
		struct verdicts before;

		read_verdicts(&run, &before);
		memset(run.seen, 0, sizeof(run.seen));
		g_string_truncate(run.what, 0);
		step(&run);
		check_step(&run, &before);
		if (n_steps % 50 == 0)
			check_against_scratch(&run);
	}
	assert_true(run.n_writes > N_STEPS);
	check_end(&run);
	policy_kernel_fini(&run.kernel);
	g_hash_table_unref(run.labels);
	g_string_free(run.what, true);
}

static void judged_as_before_or_after(void **state)
{
	const struct derive_config config = {0};

	run_steps(&config, 1);
}

static void with_labels_of_nodes(void **state)
{
	const struct derive_config config = {.enable_node_labels = true};

	run_steps(&config, 2);
}

static void with_prefixes_that_match_nodes(void **state)
{
	const struct derive_config config = {.enable_node_labels = true, .cidrs_match_nodes = true};

	run_steps(&config, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judged_as_before_or_after),
		cmocka_unit_test(with_labels_of_nodes),
		cmocka_unit_test(with_prefixes_that_match_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
