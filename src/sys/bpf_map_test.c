// SPDX-License-Identifier: Apache-2.0
/* Maps of the test's own, on a BPF file system of its own, and the clock that programs count in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/sys/bpf_map.h"
#include "src/sys/bpffs.h"
#include "src/sys/jiffies.h"
#include "src/sys/sysctl.h"

static char *root;

static struct bpf_map_ref make_map(enum bpf_map_type type, uint32_t n_key_bytes,
				   uint32_t n_value_bytes, uint32_t max_entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0);
	struct bpf_map_ref map;
	int fd = bpf_map_create(type, "test", n_key_bytes, n_value_bytes, max_entries, &options);

	assert_int_equal(bpf_map_open_fd(fd, &map), 0);
	return map;
}

struct sum {
	unsigned int n;
	uint64_t keys;
	unsigned int stop_at; /* 0: never */
};

static bool add(const void *key, const void *values, void *data)
{
	struct sum *sum = data;
	uint32_t number;

	memcpy(&number, key, sizeof(number));
	sum->keys += number;
	assert_memory_equal(values, &number, sizeof(number));
	return ++sum->n != sum->stop_at;
}

static void test_walks_a_hash(void **state)
{
	struct bpf_map_ref map = make_map(BPF_MAP_TYPE_HASH, 4, 4, 5000);
	struct sum sum = {0};
	uint32_t i;

	assert_int_equal(bpf_map_foreach(&map, add, &sum), 0);
	assert_int_equal(sum.n, 0);
	for (i = 1; i <= 5000; i++)
		assert_int_equal(bpf_map_put(&map, &i, &i), 0);
	assert_int_equal(bpf_map_put(&map, &i, &i), -E2BIG);
	assert_int_equal(bpf_map_foreach(&map, add, &sum), 0);
	assert_int_equal(sum.n, 5000);
	assert_int_equal(sum.keys, 5000 * 5001 / 2);
	sum = (struct sum){.stop_at = 7};
	assert_int_equal(bpf_map_foreach(&map, add, &sum), 0);
	assert_int_equal(sum.n, 7);
	bpf_map_close(&map);
}

static bool count(const void *key, const void *values, void *data)
{
	++*(unsigned int *)data;
	return true;
}

static void test_walks_a_trie(void **state)
{
	struct bpf_map_ref map = make_map(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 1000);
	unsigned int n = 0;

	for (uint32_t i = 0; i < 700; i++) {
		uint32_t key[2] = {32, i};

		assert_int_equal(bpf_map_put(&map, key, &i), 0);
	}
	assert_int_equal(bpf_map_foreach(&map, count, &n), 0);
	assert_int_equal(n, 700);
	bpf_map_close(&map);
}

static void test_reads_every_cpu(void **state)
{
	struct bpf_map_ref map = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 12, 2);
	g_autofree uint8_t *values = g_malloc0(bpf_map_n_entry_bytes(&map));
	uint32_t key = 1;

	assert_int_equal(map.n_values, libbpf_num_possible_cpus());
	assert_int_equal(bpf_map_n_entry_bytes(&map), map.n_values * 16);
	for (uint32_t cpu = 0; cpu < map.n_values; cpu++)
		memset(values + cpu * 16, cpu + 1, 12);
	assert_int_equal(bpf_map_put(&map, &key, values), 0);
	memset(values, 0, bpf_map_n_entry_bytes(&map));
	assert_int_equal(bpf_map_get(&map, &key, values), 0);
	for (uint32_t cpu = 0; cpu < map.n_values; cpu++)
		assert_int_equal(*(const uint8_t *)bpf_map_cpu_value(&map, values, cpu), cpu + 1);
	bpf_map_close(&map);
}

static void test_adds_and_removes(void **state)
{
	struct bpf_map_ref map = make_map(BPF_MAP_TYPE_HASH, 4, 4, 2);
	uint32_t key = 1;
	uint32_t value = 1;

	assert_int_equal(bpf_map_get(&map, &key, &value), -ENOENT);
	assert_int_equal(bpf_map_remove(&map, &key), -ENOENT);
	assert_int_equal(bpf_map_add(&map, &key, &value), 0);
	assert_int_equal(bpf_map_add(&map, &key, &value), -EEXIST);
	assert_int_equal(bpf_map_remove(&map, &key), 0);
	bpf_map_close(&map);
}

static void test_opens_pins(void **state)
{
	struct bpf_map_ref map = make_map(BPF_MAP_TYPE_HASH, 4, 4, 2);
	g_autofree char *dir = g_build_filename(root, "tc", "globals", NULL);
	g_autofree char *pin = g_build_filename(dir, "test", NULL);
	g_autoptr(GError) error = NULL;
	struct bpf_map_ref opened;

	assert_int_equal(bpf_map_open(root, "test", &opened, &error), -ENOENT);
	assert_non_null(strstr(error->message, "tc/globals/test"));
	assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
	assert_int_equal(bpf_obj_pin(map.fd, pin), 0);
	assert_int_equal(bpf_map_open(root, "test", &opened, NULL), 0);
	assert_int_equal(opened.id, map.id);
	bpf_map_close(&opened);
	bpf_map_close(&opened);
	bpf_map_close(&map);
}

static void test_mounts_once(void **state)
{
	g_autofree char *below = g_build_filename(root, "below", NULL);
	const char *used;
	bool mounted;

	assert_true(bpffs_is_mounted(root));
	assert_int_equal(bpffs_ensure(root, &used, &mounted, NULL), 0);
	assert_false(mounted);
	assert_string_equal(used, root);
	/* A directory of a bpffs is one. */
	assert_int_equal(bpffs_ensure(below, &used, &mounted, NULL), 0);
	assert_string_equal(used, below);
	assert_true(bpffs_is_mounted(below));
	assert_string_equal(bpffs_find("/nowhere"), "/nowhere");
}

static void test_tells_what_cannot_be_mounted(void **state)
{
	g_autoptr(GError) error = NULL;
	const char *used;
	bool mounted;

	assert_int_equal(bpffs_ensure("/proc/none", &used, &mounted, &error), -ENOENT);
	assert_non_null(strstr(error->message, "/proc/none"));
}

static void test_jiffies_go_on(void **state)
{
	struct jiffies_clock clock;
	struct jiffies_clock again;
	uint32_t tick;

	assert_int_equal(jiffies_clock_init(&clock, NULL), 0);
	tick = jiffies_tick_now(&clock);
	g_usleep(1100 * 1000);
	assert_in_range(jiffies_tick_now(&clock) - tick, 1, 2);
	/* What is computed from the time agrees with what a program reads. */
	assert_int_equal(jiffies_clock_init(&again, NULL), 0);
	assert_int_equal(again.hz, clock.hz);
	assert_true(llabs(again.offset - clock.offset) <= 2);
}

static void test_sysctls(void **state)
{
	const char *name = "net/ipv4/conf/default/rp_filter";
	int value;

	assert_int_equal(sysctl_put(name, 2), 0);
	assert_int_equal(sysctl_get(name, &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(sysctl_get("net/none", &value), -ENOENT);
	assert_int_equal(sysctl_put("net/none", 1), -ENOENT);
	assert_int_equal(sysctl_get("kernel/ostype", &value), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks_a_hash),
		cmocka_unit_test(test_walks_a_trie),
		cmocka_unit_test(test_reads_every_cpu),
		cmocka_unit_test(test_adds_and_removes),
		cmocka_unit_test(test_opens_pins),
		cmocka_unit_test(test_mounts_once),
		cmocka_unit_test(test_tells_what_cannot_be_mounted),
		cmocka_unit_test(test_jiffies_go_on),
		cmocka_unit_test(test_sysctls),
	};
	char dir[] = "/tmp/bpf_map_test.XXXXXX";
	const char *used;
	bool mounted;
	int failed;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("a network and a mount namespace are needed");
		return 77; /* skipped */
	}
	root = mkdtemp(dir);
	if (!root || bpffs_ensure(root, &used, &mounted, NULL) || !mounted)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	umount2(root, MNT_DETACH);
	rmdir(root);
	return failed;
}
