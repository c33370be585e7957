/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of prefixes over restarts, boots, older and newer agents, and files that are lost. */
#include "src/agent/identity_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include "src/base/log.h"
#include "src/derive/policy_activation.h"
#include "src/derive/policy_world_test.h"
#include "src/model/identity.h"
#include "src/model/ipcache_entry.h"

struct world {
	char *path;
	const char *boot_id;
	struct state_dir *dir;
	struct derive_config config;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	struct policy_activation *activation;
	struct identity_file *file;
	GPtrArray *problems;
	GPtrArray *policies; /* struct policy: what the manifests say, over restarts */
};

static void put_manifests(struct world *world)
{
	struct txn *txn = txn_new(world->store);

	for (unsigned int i = 0; i < world->policies->len; i++)
		txn_put(txn, world->tables.policies,
			row_ref((const struct row *)world->policies->pdata[i]));
	txn_commit(txn);
	store_settle(world->store);
}

/* As the agent does, as far as identities are concerned. NULL in world->file: refused. */
static void start(struct world *world)
{
	world->dir = state_dir_new(world->path, NULL);
	world->problems = g_ptr_array_new_with_free_func(g_free);
	world->store = tables_new(&world->tables);
	world->derive = derive_new(world->store, &world->tables, &world->config, NULL);
	world->activation = policy_activation_new(&(const struct policy_activation_parts){
		.store = world->store,
		.tables = &world->tables,
		.derive = world->derive,
	});
	world->file = identity_file_new(world->store, &world->tables, world->dir, world->boot_id,
					world->problems, NULL);
	if (!world->file)
		return;
	for (int scope = 0; scope < IDENTITY_SCOPE__MAX; scope++)
		derive_set_last_identity(world->derive, scope,
					 identity_file_get_last(world->file, scope));
	identity_file_watch(world->file);
	put_manifests(world);
	policy_activation_begin(world->activation);
	policy_activation_watch(world->activation);
	store_settle(world->store);
	policy_activation_allow_release(world->activation);
	store_settle(world->store);
}

static void stop(struct world *world)
{
	identity_file_free(world->file);
	policy_activation_free(world->activation);
	derive_free(world->derive);
	store_free(world->store);
	state_dir_free(world->dir);
	g_ptr_array_unref(world->problems);
}

static void restart(struct world *world)
{
	stop(world);
	start(world);
}

static void unref_row(void *row)
{
	row_unref(row);
}

static int setup(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->path = g_dir_make_tmp("axoneme-identities-XXXXXX", NULL);
	world->boot_id = "one";
	world->config = (struct derive_config){
		.node_name = "node1",
		.cluster_name = "default",
		.enable_ipv4 = true,
		.enable_ipv6 = true,
	};
	world->policies = g_ptr_array_new_with_free_func(unref_row);
	start(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	const char *argv[] = {"rm", "-rf", world->path, NULL};

	stop(world);
	g_ptr_array_unref(world->policies);
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
		     NULL);
	g_free(world->path);
	g_free(world);
	return 0;
}

static void add_policy(struct world *world, const char *prefix)
{
	g_autofree char *name = g_strdup_printf("p%u", world->policies->len);
	struct policy *policy = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(policy, "");

	test_policy_add_peer(test_policy_add_rule(policy, spec, POLICY_EGRESS, false), prefix);
	g_ptr_array_add(world->policies, policy);
	put_manifests(world);
}

/* 0: the prefix has no row in the ipcache. */
static uint32_t number_of(struct world *world, const char *prefix)
{
	const struct ipcache_entry *entry;
	struct cidr cidr;

	assert_int_equal(cidr_parse(prefix, &cidr), 0);
	entry = (const struct ipcache_entry *)table_get(world->tables.ipcache, &cidr,
							CIDR_KEY_BYTES);
	return entry ? entry->identity : 0;
}

static char *read_file(struct world *world, const char *name)
{
	g_autofree char *path = g_build_filename(world->path, name, NULL);
	char *text = NULL;

	(void)!g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static void write_file(struct world *world, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(world->path, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void numbers_stay_over_a_restart(void **state)
{
	struct world *world = *state;
	uint32_t a, b;

	add_policy(world, "192.0.2.0/24");
	add_policy(world, "fd00:a::/32");
	a = number_of(world, "192.0.2.0/24");
	b = number_of(world, "fd00:a::/32");
	assert_int_not_equal(a, b);
	/* The other way round this time, and one more before them. */
	g_ptr_array_insert(world->policies, 0, g_ptr_array_steal_index(world->policies, 1));
	restart(world);
	add_policy(world, "10.0.0.0/8");
	assert_int_equal(number_of(world, "192.0.2.0/24"), a);
	assert_int_equal(number_of(world, "fd00:a::/32"), b);
	assert_true(number_of(world, "10.0.0.0/8") > MAX(a, b));
}

/* What a manifest said that went while no agent ran. */
static void what_nobody_uses_goes_after_a_restart(void **state)
{
	struct world *world = *state;
	uint32_t number;

	add_policy(world, "192.0.2.0/24");
	number = number_of(world, "192.0.2.0/24");
	g_ptr_array_set_size(world->policies, 0);
	restart(world);
	assert_null(table_get(world->tables.identities, &number, sizeof(number)));
	assert_int_equal(table_n_rows(world->tables.active_policies), 0);
	restart(world);
	add_policy(world, "198.51.100.0/24");
	assert_int_not_equal(number_of(world, "198.51.100.0/24"), 0);
}

/* It knows nothing of prefixes, and none of its files changes because of them. */
static void an_older_agent_left_its_files(void **state)
{
	struct world *world = *state;
	const char *identities =
		"{\"version\": 1, \"identities\": [{\"id\": 300, \"labels\": \"k8s:app=x;\"}]}";
	g_autofree char *after = NULL;
	uint32_t number = 300;

	stop(world);
	write_file(world, "identities.json", identities);
	write_file(world, "identity-limit.json",
		   "{\"version\": 1, \"limit\": 900, \"start\": 0, \"boot_id\": \"one\"}");
	start(world);
	assert_int_equal(world->problems->len, 0);
	assert_non_null(table_get(world->tables.identities, &number, sizeof(number)));
	assert_int_equal(identity_file_get_last(world->file, IDENTITY_SCOPE_LABELS), 300);
	after = read_file(world, "identities.json");
	add_policy(world, "192.0.2.0/24");
	assert_int_equal(number_of(world, "192.0.2.0/24"), IDENTITY_PREFIX_MIN);
	g_free(after);
	after = read_file(world, "local-identities.json");
	assert_non_null(strstr(after, "cidr:192.0.2.0/24"));
	g_free(after);
	after = read_file(world, "identities.json");
	assert_null(strstr(after, "192.0.2.0"));
	assert_non_null(strstr(after, "k8s:app=x"));
	g_free(after);
	after = read_file(world, "identity-limit.json");
	assert_non_null(strstr(after, "900"));
}

static void a_newer_agents_file_is_refused(void **state)
{
	struct world *world = *state;
	const char *text = "{\"version\": 2, \"identities\": []}";
	g_autofree char *after = NULL;

	stop(world);
	write_file(world, "local-identities.json", text);
	start(world);
	assert_null(world->file);
	after = read_file(world, "local-identities.json");
	assert_string_equal(after, text);
}

/* No number that may have been a prefix's before becomes another's. */
static void a_lost_file_is_made_up_for(void **state)
{
	struct world *world = *state;
	uint32_t number;

	add_policy(world, "192.0.2.0/24");
	number = number_of(world, "192.0.2.0/24");
	stop(world);
	write_file(world, "local-identities.json", "{\"version\": 1, \"identities\": [{");
	world->boot_id = "two";
	start(world);
	assert_int_equal(world->problems->len, 1);
	assert_non_null(strstr(world->problems->pdata[0], "local-identities.json"));
	assert_true(number_of(world, "192.0.2.0/24") > number);
}

static void a_boot_goes_on_behind_what_was_reserved(void **state)
{
	struct world *world = *state;
	uint32_t kept;

	add_policy(world, "192.0.2.0/24");
	kept = number_of(world, "192.0.2.0/24");
	world->boot_id = "two";
	restart(world);
	assert_int_equal(number_of(world, "192.0.2.0/24"), kept);
	add_policy(world, "198.51.100.0/24");
	assert_true(number_of(world, "198.51.100.0/24") > kept + 100);
}

static void members_that_make_no_sense_are_left_out(void **state)
{
	struct world *world = *state;

	stop(world);
	write_file(
		world, "local-identities.json",
		"{\"version\": 1, \"identities\": ["
		"{\"id\": 300, \"labels\": \"k8s:app=x;\"},"
		"{\"id\": 1, \"labels\": \"reserved:host=;\"},"
		"{\"id\": 16777217},"
		"{\"id\": -1, \"labels\": \"k8s:app=x;\"},"
		"{\"id\": 16777300, \"labels\": \"cidr:192.0.2.0/24=;reserved:world-ipv4=;\"}]}");
	start(world);
	assert_int_equal(world->problems->len, 4);
	add_policy(world, "192.0.2.0/24");
	assert_int_equal(number_of(world, "192.0.2.0/24"), 16777301);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(numbers_stay_over_a_restart),
		TEST(what_nobody_uses_goes_after_a_restart),
		TEST(an_older_agent_left_its_files),
		TEST(a_newer_agents_file_is_refused),
		TEST(a_lost_file_is_made_up_for),
		TEST(a_boot_goes_on_behind_what_was_reserved),
		TEST(members_that_make_no_sense_are_left_out),
	};
#undef TEST

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
