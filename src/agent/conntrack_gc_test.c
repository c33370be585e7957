/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep takes for dead: on the fake kernel, with the clock of the real one. */
#include "src/agent/conntrack_gc.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>
#include "abi/conntrack.h"
#include "abi/nat.h"
#include "src/base/clock.h"
#include "src/datapath/fake.h"
#include "src/model/addr.h"
#include "src/sys/jiffies.h"

#define N_MAPS 3

struct world {
	struct datapath *dp;
	struct datapath_config config;
	struct conntrack_gc *gc;
	uint32_t now; /* tick */
};

static int setup(void **state)
{
	struct world *world = g_new0(struct world, 1);
	const struct settings settings = {.conntrack_gc_interval_ns = 1};
	struct jiffies_clock clock;

	assert_int_equal(jiffies_clock_init(&clock, NULL), 0);
	world->dp = datapath_fake_new();
	assert_int_equal(world->dp->ops->load(world->dp, &world->config, NULL), 0);
	world->gc = conntrack_gc_new(&settings, world->dp, &world->config, NULL);
	assert_non_null(world->gc);
	clock.tick_shift = world->config.node.ct_tick_shift;
	world->now = jiffies_tick_now(&clock);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	conntrack_gc_free(world->gc);
	world->dp->ops->free(world->dp);
	g_free(world);
	return 0;
}

static struct addr addr(const char *text)
{
	struct addr result;

	assert_int_equal(addr_parse(text, &result), 0);
	return result;
}

static enum plan_map map_of(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? PLAN_MAP_cilium_ct_tcp_global
				       : PLAN_MAP_cilium_ct_any_global;
}

static struct ct_key put_connection(struct world *world, uint8_t protocol, uint16_t port,
				    int32_t expires_in)
{
	struct ct_key key = {
		.addr = {addr("10.0.0.2"), addr("198.51.100.2")},
		.port = {htons(port), htons(80)},
		.protocol = protocol,
	};
	const struct ct_entry entry = {
		.expires = world->now + expires_in,
		.nat = CT_NAT_SOURCE,
		.nat_addr = addr("192.0.2.11"),
		.nat_port = htons(port + 1),
	};

	if (protocol == IPPROTO_ICMP) {
		key.port[1] = key.port[0];
		key.initiator = 1;
	}
	assert_int_equal(world->dp->ops->map_update(world->dp, map_of(protocol), &key, &entry), 0);
	return key;
}

/* The translation that put_connection() says its connection has. */
static struct nat_key put_translation(struct world *world, uint8_t protocol, uint16_t port,
				      int32_t age)
{
	const struct nat_key key = {
		.peer = addr("198.51.100.2"),
		.addr = addr("192.0.2.11"),
		.peer_port = protocol == IPPROTO_ICMP ? 0 : htons(80),
		.port = htons(port + 1),
		.protocol = protocol,
	};
	const struct nat_entry entry = {
		.addr = addr("10.0.0.2"),
		.port = htons(port),
		.created = world->now - age,
	};

	assert_int_equal(
		world->dp->ops->map_update(world->dp, PLAN_MAP_cilium_snat_external, &key, &entry),
		0);
	return key;
}

static void sweep(struct world *world)
{
	for (unsigned int i = 0; i < N_MAPS; i++) {
		int64_t next_ns = conntrack_gc_run(world->gc);

		/* A step is one call; the loop has time for others in between. */
		assert_in_range(next_ns, 1, 50 * NSEC_PER_MSEC);
		g_usleep(next_ns / NSEC_PER_USEC + 1000);
	}
}

static bool has_connection(struct world *world, const struct ct_key *key)
{
	return fake_map_value(world->dp, map_of(key->protocol), key);
}

static bool has_translation(struct world *world, const struct nat_key *key)
{
	return fake_map_value(world->dp, PLAN_MAP_cilium_snat_external, key);
}

static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

static void the_expired_go_and_the_live_stay(void **state)
{
	struct world *world = *state;
	struct ct_key dead[G_N_ELEMENTS(protocols)], live[G_N_ELEMENTS(protocols)];

	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++) {
		dead[i] = put_connection(world, protocols[i], 1000, -2);
		live[i] = put_connection(world, protocols[i], 2000, 60);
	}
	sweep(world);
	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++) {
		assert_false(has_connection(world, &dead[i]));
		assert_true(has_connection(world, &live[i]));
	}
}

static void a_translation_lives_as_long_as_its_connection(void **state)
{
	struct world *world = *state;
	struct nat_key alone[G_N_ELEMENTS(protocols)], young[G_N_ELEMENTS(protocols)];
	struct nat_key held[G_N_ELEMENTS(protocols)], left[G_N_ELEMENTS(protocols)];

	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++) {
		alone[i] = put_translation(world, protocols[i], 1000, 100);
		young[i] = put_translation(world, protocols[i], 2000, 0);
		held[i] = put_translation(world, protocols[i], 3000, 100);
		put_connection(world, protocols[i], 3000, 60);
		/* Swept with the connection, which goes first. */
		left[i] = put_translation(world, protocols[i], 4000, 100);
		put_connection(world, protocols[i], 4000, -2);
	}
	sweep(world);
	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++) {
		assert_false(has_translation(world, &alone[i]));
		assert_true(has_translation(world, &young[i]));
		assert_true(has_translation(world, &held[i]));
		assert_false(has_translation(world, &left[i]));
	}
}

/* The connection was given another port since: this one is nobody's. */
static void a_translation_that_its_connection_left_goes(void **state)
{
	struct world *world = *state;
	struct ct_key key = put_connection(world, IPPROTO_TCP, 3000, 60);
	struct nat_key nat = put_translation(world, IPPROTO_TCP, 3000, 100);
	struct ct_entry entry;

	assert_int_equal(
		world->dp->ops->map_get(world->dp, PLAN_MAP_cilium_ct_tcp_global, &key, &entry), 0);
	entry.nat_port = htons(4000);
	assert_int_equal(
		world->dp->ops->map_update(world->dp, PLAN_MAP_cilium_ct_tcp_global, &key, &entry),
		0);
	sweep(world);
	assert_false(has_translation(world, &nat));
}

static void assert_counts(const struct world *world, enum conntrack_gc_map map, uint64_t n_sweeps,
			  unsigned int n_alive, unsigned int n_deleted)
{
	const struct conntrack_gc_statistics *statistics =
		conntrack_gc_get_statistics(world->gc, map);

	assert_int_equal(statistics->n_completed, n_sweeps);
	assert_int_equal(statistics->n_uncompleted, 0);
	assert_int_equal(histogram_n(&statistics->completed_times), n_sweeps);
	assert_int_equal(statistics->ipv4.n_alive, n_alive);
	assert_int_equal(statistics->ipv4.n_deleted, n_deleted);
	assert_int_equal(statistics->ipv6.n_alive, 0);
	assert_int_equal(statistics->ipv6.n_deleted, 0);
}

/* What was counted in one sweep is not in the next. */
static void sweeps_are_counted(void **state)
{
	struct world *world = *state;

	put_connection(world, IPPROTO_TCP, 1000, -2);
	put_connection(world, IPPROTO_TCP, 2000, 60);
	put_connection(world, IPPROTO_UDP, 3000, -2);
	put_translation(world, IPPROTO_TCP, 2000, 100);
	put_translation(world, IPPROTO_TCP, 4000, 100);
	sweep(world);
	assert_counts(world, CONNTRACK_GC_TCP, 1, 1, 1);
	assert_counts(world, CONNTRACK_GC_ANY, 1, 0, 1);
	assert_counts(world, CONNTRACK_GC_NAT, 1, 1, 1);
	sweep(world);
	assert_counts(world, CONNTRACK_GC_TCP, 2, 1, 0);
	assert_counts(world, CONNTRACK_GC_ANY, 2, 0, 0);
	assert_counts(world, CONNTRACK_GC_NAT, 2, 1, 0);
}

static int64_t wait_after(struct conntrack_gc *gc, int64_t interval_ns, int64_t max_interval_ns)
{
	const struct settings settings = {
		.conntrack_gc_interval_ns = interval_ns,
		.conntrack_gc_max_interval_ns = max_interval_ns,
	};

	conntrack_gc_configure(gc, &settings);
	return conntrack_gc_run(gc);
}

/* While it runs: sooner at once, later from the next sweep on. */
static void intervals_change(void **state)
{
	struct world *world = *state;
	const struct settings hour = {.conntrack_gc_interval_ns = 3600 * NSEC_PER_SEC};
	struct conntrack_gc *gc = conntrack_gc_new(&hour, world->dp, &world->config, NULL);

	assert_true(conntrack_gc_run(gc) > 3500 * NSEC_PER_SEC);
	assert_in_range(wait_after(gc, 60 * NSEC_PER_SEC, 0), 50 * NSEC_PER_SEC, 60 * NSEC_PER_SEC);
	assert_in_range(wait_after(gc, 3600 * NSEC_PER_SEC, 0), 1, 60 * NSEC_PER_SEC);
	/* It adapts, but no longer than this. */
	assert_in_range(wait_after(gc, 0, 20 * NSEC_PER_SEC), 1, 20 * NSEC_PER_SEC);
	conntrack_gc_free(gc);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_expired_go_and_the_live_stay),
		TEST(a_translation_lives_as_long_as_its_connection),
		TEST(a_translation_that_its_connection_left_goes),
		TEST(sweeps_are_counted),
		TEST(intervals_change),
	};
#undef TEST

	/* The kernel tells its clock to root alone; 77: skipped. */
	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
